"""The pages of a library, in Markdown: a start page, and one for each file, with links that lead somewhere."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any, Literal

from recipelang.comparing.settings import arguments_of, settings_of, template_text
from recipelang.documenting.library import STANDARD, START, Documented, Library, Place
from recipelang.drawing.graph import Graph, graph_of
from recipelang.drawing.mermaid import mermaid
from recipelang.drawing.spelling import spelled as spelled_expression
from recipelang.drawing.svg import svg
from recipelang.ir import plan as ir
from recipelang.ir.amounts import dollars
from recipelang.ir.certificate import Bound
from recipelang.ir.types import spelled
from recipelang.quick import dataclass
from recipelang.semantics.scope import Declared
from recipelang.syntax import nodes

ELSEWHERE = frozenset(("system", "prompt", "doc", "returns", "schema"))
LONGEST = 200
"""Characters of a default or a condition in a table."""
Pictures = Literal["mermaid", "svg"]


@dataclass(frozen=True)
class Writer:
    """Writes the pages of one library."""

    library: Library
    title: str
    pictures: Pictures = "mermaid"

    def pages(self) -> dict[str, str]:
        """All files to be written, by their paths."""
        found = {START: "\n".join(self._start()).rstrip() + "\n"}
        for file in self.library.files:
            found[file.page] = "\n".join(self._page(file)).rstrip() + "\n"
            if self.pictures == "svg":
                found |= {_picture(file, place.name): svg(_graph(file, place.name)) for place, _ in _recipes(file)}
        return found

    # ------------------------------------------------------- start page

    def _start(self) -> Iterator[str]:
        yield f"# {self.title}\n"
        offered = [
            (file, place, node) for file in self.library.files for place, node in _recipes(file) if not node.private
        ]
        if offered:
            yield "## Recipes\n"
            rows = [self._recipe_row(file, place) for file, place, _ in offered]
            yield from _table(("recipe", "what it does", "calls", "time", "at once"), rows)
        exposed = [(file, entry) for file in self.library.files for entry in file.plan.entries.values()]
        if exposed:
            yield "## Exposed names\n"
            yield from _table(
                ("name", "what it does", "calls", "money", "time"), [self._name_row(*each) for each in exposed]
            )
        yield "## Files\n"
        for file in self.library.files:
            names = ", ".join(f"`{place.name}`" for place, node in file.declared if not node.private)
            yield f"- [{file.title}]({file.page})" + (f": {names}" if names else "")
        yield ""
        yield "What calls, money and time say is the most that a run can use, whatever its models do."

    def _recipe_row(self, file: Documented, place: Place) -> tuple[str, ...]:
        recipe = file.plan.recipes[file.compilation.program.root.qualified(place.name)]
        bound = recipe.certificate.total if recipe.certificate else Bound()
        link = self._link(place, START)
        return link, _first_sentence(recipe.doc), f"{bound.calls}", _time(bound), f"{bound.parallel}"

    def _name_row(self, file: Documented, entry: ir.Entry) -> tuple[str, ...]:
        bound = entry.certificate.total if entry.certificate else Bound()
        size = file.plan.recipes[entry.recipe].budget.request
        what = _first_sentence(entry.doc) or f"`{entry.recipe}`"
        link = f"[`{entry.name}`]({file.page}#{_slug(_title_of_name(entry.name))})"
        return link, what, f"{bound.calls}", _money(bound, size), _time(bound)

    # ---------------------------------------------------- page of a file

    def _page(self, file: Documented) -> Iterator[str]:
        yield f"# {file.title}\n"
        back = posixpath.relpath(START, posixpath.dirname(file.page) or ".")
        use = f"use {file.title}" if file.title.startswith(STANDARD) else f'use "./{file.title}"'
        yield f"[All recipes]({back})\n"
        yield f"```text\n{use}\n```\n"
        for entry in file.plan.entries.values():
            yield from self._entry(file, entry)
        for place, node in sorted(file.declared, key=lambda each: (each[1].private, each[0].kind != "recipe")):
            yield f"## {_title(place, node)}\n"
            yield from self._declaration(file, place, node)
            yield from self._relations(file, place)
        if file.tests:
            yield "## Tests\n"
            yield from (f"- {name}" for name in file.tests)

    def _entry(self, file: Documented, entry: ir.Entry) -> Iterator[str]:
        yield f"## {_title_of_name(entry.name)}\n"
        yield f'```text\nexpose "{entry.name}" = {entry.recipe}({arguments_of(settings_of(entry))})\n```\n'
        yield from _doc(entry.doc)
        if entry.certificate is not None:
            yield from _at_most(entry.certificate.total, file.plan.recipes[entry.recipe].budget.request)
        yield from self._relations(file, Place(file.source, "expose", entry.name))

    def _declaration(self, file: Documented, place: Place, node: Declared) -> Iterator[str]:
        name = file.compilation.program.root.qualified(place.name)
        plan = file.plan
        match node:
            case nodes.Recipe():
                yield from self._recipe(file, place, plan.recipes[name])
            case nodes.Role():
                yield from _role(plan.roles[name])
            case nodes.Extern():
                extern = plan.externs[name]
                yield _signature("extern", place.name, extern.parameters, spelled(extern.returns))
                yield from _doc(extern.doc)
                yield from _parameters(extern.parameters, told=True)
                yield from _settings(extern)
            case nodes.Record():
                yield "```text\n" + node.span.text.removeprefix("private ") + "\n```\n"
                yield from _doc(node.doc)
            case nodes.Model():
                yield from _doc(node.doc)
                yield from _settings(plan.models[name])
            case nodes.Backend():
                yield from _doc(node.doc)
                yield from _settings(plan.backends[name])
            case nodes.Contract():
                yield from _doc(node.doc)
                yield from _settings(plan.contracts[name])
                schema = settings_of(plan.contracts[name]).get("schema")
                if schema is not None:
                    yield f"An answer is JSON of this form:\n\n{_fenced(schema, 'json')}\n"
            case nodes.Signal() | nodes.Band():
                yield "```text\n" + node.span.text.removeprefix("private ") + "\n```\n"
                yield from _doc(node.doc)
            case nodes.Boundary():
                yield from _doc(node.doc)
                yield from _settings(plan.boundaries[name])

    def _recipe(self, file: Documented, place: Place, recipe: ir.Recipe) -> Iterator[str]:
        yield _signature("recipe", place.name, recipe.parameters, spelled(recipe.returns))
        yield from _doc(recipe.doc)
        yield from _parameters(recipe.parameters)
        if recipe.certificate is not None:
            yield from _at_most(recipe.certificate.total, recipe.budget.request)
        if self.pictures == "svg":
            name = posixpath.basename(_picture(file, place.name))
            yield f"![The steps of {place.name}, and which reads which]({name})\n"
        else:
            yield f"```mermaid\n{mermaid(_graph(file, place.name))}```\n"

    def _relations(self, file: Documented, place: Place) -> Iterator[str]:
        """What it uses and what uses it."""
        for title, others in (
            ("Uses", self.library.uses.get(place, [])),
            ("Used by", self.library.used_by.get(place, [])),
        ):
            if others:
                links = [self._link(other, file.page) for other in others]
                yield f"{title}: {', '.join(links)}\n"

    def _link(self, place: Place, page: str) -> str:
        """A declaration as a link to where it is described, or as its bare name where it has no page."""
        file = self.library.file(place)
        if file is None:
            return f"`{place.name}`" + (f" of {place.file}" if place.file.startswith(STANDARD) else "")
        node = file.compilation.program.root.declared.get(place.name)
        heading = _title_of_name(place.name) if node is None else _title(place, node)
        target = "" if file.page == page else posixpath.relpath(file.page, posixpath.dirname(page) or ".")
        return f"[`{place.name}`]({target}#{_slug(heading)})"


# ------------------------------------------------------------- the parts


def _role(role: ir.Role) -> Iterator[str]:
    name = role.name.rpartition(".")[2]
    yield _signature("role", name, role.parameters, spelled(role.returns))
    yield from _doc(role.doc)
    yield from _parameters(role.parameters, told=True)
    yield from _settings(role)
    for title, template in (("System", role.system), ("Prompt", role.prompt)):
        if template is not None:
            yield f"{title}:\n\n{_fenced(template_text(template))}\n"


def _signature(kind: str, name: str, parameters: Iterable[ir.Parameter], returns: str) -> str:
    given = ", ".join(f"{parameter.name}: {spelled(parameter.type)}" for parameter in parameters)
    return f"```text\n{kind} {name}({given}) -> {returns}\n```\n"


def _doc(doc: str) -> Iterator[str]:
    if doc:
        yield f"{doc}\n"


def _parameters(parameters: tuple[ir.Parameter, ...], *, told: bool = False) -> Iterator[str]:
    """A table of them; where the signature has told their types, only if it has something to add: a default."""
    if any(p.default is not None for p in parameters) or (parameters and not told):
        rows = [
            (f"`{p.name}`", f"`{spelled(p.type)}`", "" if p.default is None else f"`{_default(p)}`") for p in parameters
        ]
        yield from _table(("parameter", "type", "default"), rows)


def _default(parameter: ir.Parameter) -> str:
    return spelled_expression(parameter.default, LONGEST) if parameter.default is not None else ""


def _settings(node: Any) -> Iterator[str]:  # Any: a declaration of any kind
    """What it is set to otherwise than by default, and no other part of the page shows."""
    usual = {each.name for each in fields(node) if getattr(node, each.name) == each.default}
    shown = {
        name: value
        for name, value in settings_of(node).items()
        if name not in usual | ELSEWHERE and not name.startswith("parameter ")
    }
    if shown:
        yield from _table(("setting", "value"), [(name, f"`{value}`") for name, value in shown.items()])


def _at_most(bound: Bound, size: int) -> Iterator[str]:
    tokens = bound.prompt_tokens.at(size)
    prompt = f"{tokens:,.0f}" if math.isfinite(tokens) else "no bound"
    head = ("calls", "prompt tokens", "completion tokens", "money", "time", "at once")
    row = (
        f"{bound.calls}",
        prompt,
        f"{bound.completion_tokens:,}",
        _money(bound, size),
        _time(bound),
        f"{bound.parallel}",
    )
    yield f"At most, for a request of {size:,} bytes:\n"
    yield from _table(head, [row])


def _money(bound: Bound, size: int) -> str:
    return "its models' prices decide" if bound.cost is None else dollars(float(f"{bound.cost.at(size):.4g}"))


def _time(bound: Bound) -> str:
    return f"{bound.seconds:g}s"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in row) + " |"
    yield ""


def _fenced(text: str, language: str = "text") -> str:
    """A text in a fence that nothing in it can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _recipes(file: Documented) -> list[tuple[Place, Declared]]:
    return [(place, node) for place, node in file.declared if place.kind == "recipe"]


def _graph(file: Documented, name: str) -> Graph:
    return graph_of(file.plan, file.compilation.program.root.qualified(name))


def _picture(file: Documented, recipe: str) -> str:
    return f"{file.page.removesuffix('.md')}.{recipe}.svg"


def _title(place: Place, node: Declared) -> str:
    return f"{place.kind} {place.name}" + (", private" if node.private else "")


def _title_of_name(name: str) -> str:
    return f"name {name}"


def _slug(heading: str) -> str:
    """The anchor that readers of Markdown give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _first_sentence(doc: str) -> str:
    return re.split(r"(?<=[.!?])\s", " ".join(doc.split()), maxsplit=1)[0]
