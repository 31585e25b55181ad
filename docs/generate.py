"""Writes what docs/ says from the sources: `python docs/generate.py`; with `--check` it only says what is not current.

The functions come from the table that the checker and the interpreter read, the errors from the catalogue that the
messages come from, the figures of the standard recipes from their certificates, the picture from `recipelang graph`, the
grammar of the specification from the one that the parser is built from.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from recipelang import compile_file, compile_text
from recipelang.diagnostics.catalogue import all_codes
from recipelang.diagnostics.diagnostic import Code
from recipelang.diagnostics.rendering import render
from recipelang.drawing.graph import graph_of
from recipelang.drawing.svg import svg
from recipelang.ir.document import json_schema
from recipelang.ir.functions import FUNCTIONS
from recipelang.ir.plan import Plan
from recipelang.resources import grammar_text, runnable_recipe_names, standard_recipe

DOCS = Path(__file__).parent
STANDARD = runnable_recipe_names()
LONGEST_SAMPLE = 20
"""Lines of a sample that are shown."""
PHASES = {
    "E01": "The form of a file", "E02": "Names", "E03": "Types", "E04": "Calls, policies, templates",
    "E05": "Bounds", "E06": "Files, addresses, secrets", "W07": "Warnings", "E08": "Tests", "E09": "Boundaries",
    "E10": "Capabilities",
}  # fmt: skip
GROUPS = {
    "size": "Lists",
    "mean": "Numbers",
    "lower": "Texts",
    "healthy": "Models at work",
    "calls_left": "What is left of the run",
    "keywords": "What can be seen of a request",
    "matches": "Answers",
    "cheapest": "Models",
    "single_task": "Plans",
}
"""The first function of each group of the table."""


def main(arguments: list[str]) -> int:
    pages: dict[Path, Callable[[], str]] = {
        DOCS / "functions.md": functions,
        DOCS / "errors.md": errors,
        DOCS / "recipes.md": recipes,
        DOCS / "spec" / "03-grammar.md": grammar,
        DOCS / "plan.schema.json": lambda: json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n",
        DOCS / "images" / "fusion.svg": lambda: svg(graph_of(plan_of("fusion"), "fusion")),
    }
    stale = [path for path, written in pages.items() if not is_current(path, written)]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(DOCS.parent)} is not current: run `python docs/generate.py`")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(pages[path](), encoding="utf-8")
        print(f"wrote {path.relative_to(DOCS.parent)}")
    return 0


def is_current(path: Path, written: Callable[[], str]) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == written()


# ---------------------------------------------------------------- functions


def functions() -> str:
    head = """# Built-in functions

*Written by `docs/generate.py` from the table that the checker and the interpreter read.*

All are pure, and total: each gives a value for everything its signature allows. `T` is any type; `T[1..]` is a list that
must have an item, which the checker wants to see ([narrowing](language.md#narrowing)); `f(it)` is an expression over
one item, called `it`; `= x` marks what may be left out. Arguments go by position or by name.
"""
    return head + "".join(_functions()) + "\n"


def _functions() -> Iterator[str]:
    for function in FUNCTIONS.values():
        if function.name in GROUPS:
            yield f"\n## {GROUPS[function.name]}\n\n| function | what it gives |\n|---|---|\n"
        yield f"| `{_cell(function.signature)}` | {_cell(function.doc)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# ------------------------------------------------------------------- errors


def errors() -> str:
    head = """# Errors

*Written by `docs/generate.py` from the catalogue that `recipelang check` and `recipelang explain` read.*

Each kind of mistake has a code: why it is one, a file that makes it, what is said about it, the file mended.
`recipelang explain E0501` shows one in the terminal.
"""
    codes = all_codes()
    contents = "".join(f"- [{code.id}](#{code.id.lower()}): {code.title}\n" for code in codes.values())
    parts = [head, "\n", contents]
    phase = ""
    for code in codes.values():
        if code.id[:3] != phase:
            phase = code.id[:3]
            parts.append(f"\n## {PHASES[phase]}\n")
        parts.append(_error(code))
    return "".join(parts)


def _error(code: Code) -> str:
    beside = "".join(f"\nBeside it, `{name}`:\n\n{_file(name, text, code)}" for name, text in code.files)
    compilation = compile_text(code.wrong, "team.recipe", dict(code.files))
    said = render([d for d in compilation.diagnostics if d.code is code][:1]).rstrip()
    return (
        f"\n### {code.id}\n\n**{code.title}.** {code.why}\n{beside}\n"
        f"{_sample(code.wrong, code.id)}\n```text\n{said}\n```\n\nMended:\n\n{_sample(code.right)}"
    )


def _file(name: str, text: str, code: Code) -> str:
    """A file that a sample uses; one that makes the mistake itself gives its code."""
    gives = {d.code.id for d in compile_text(text, name, {name: text}).diagnostics if d.severity == "error"}
    return f"```recipe{f' {code.id}' if gives else ''} file={name}\n{text}```\n"


def _sample(text: str, gives: str = "") -> str:
    lines = text.splitlines()
    if len(lines) > LONGEST_SAMPLE:
        shown = "\n".join([*lines[:3], f"# ... {len(lines) - 6} more lines like these ...", *lines[-3:]])
        return f"```text\n{shown}\n```\n"
    return f"```recipe {gives}".rstrip() + f"\n{text}```\n"


# ------------------------------------------------------------------ recipes


def recipes() -> str:
    """The page with what stands between its marks written anew; the rest is written by hand."""
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    page = _between(page, "bounds", _bounds())
    for name in STANDARD:
        page = _between(page, name, f"```text\n{_header(name)}\n```\n")
    return page


def _between(page: str, mark: str, text: str) -> str:
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match.group(1)}{text}{match.group(2)}", page)


def plan_of(name: str) -> Plan:
    plan = compile_file(f"std.{name}").plan
    assert plan is not None
    return plan


def _bounds() -> str:
    rows = [
        "| recipe | calls | at once | time | request | prompt tokens | completion tokens |\n|---|---|---|---|---|---|---|\n"
    ]
    for name in STANDARD:
        recipe = plan_of(name).recipes[name]
        assert recipe.certificate is not None
        total, size = recipe.certificate.total, recipe.budget.request
        tokens = f"{round(total.prompt_tokens.at(size)):,} | {total.completion_tokens:,}"
        limits = f"{total.calls} | {total.parallel} | {total.seconds:g} s | {size:,} bytes"
        rows.append(f"| [`{name}`](#{name}) | {limits} | {tokens} |\n")
    return "".join(rows)


def _header(name: str) -> str:
    """The recipe's own first lines: its name, its parameters, what it returns, its budget."""
    found = standard_recipe(name)
    assert found is not None
    match = re.search(rf"^recipe {name}\(.*?\n  budget [^\n]*", found.text, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match.group()


# ------------------------------------------------------------------ grammar


INLINED = (
    "conditional", "or", "and", "not", "comparison", "sum", "product", "negative",
    "name", "number", "text", "true", "false", "none",
)  # fmt: skip
"""Rules that only give a branch of the tree its name, in the one rule that has them."""
SECTIONS = {
    "start": "files",
    "parameters": "types",
    "attributes": "attributes",
    "step": "steps",
    "expression": "expressions",
}
"""The first rule of each part of the grammar, as the page has them."""
WIDEST = 110
WRITTEN_RULE = re.compile(r"^(\w+): (.*(?:\n +\|.*)*)", re.MULTILINE)
WRITTEN_WORD = re.compile(r"[A-Za-z_]\w*")


def grammar() -> str:
    """The page with the rules of form between its marks, in EBNF."""
    page = (DOCS / "spec" / "03-grammar.md").read_text(encoding="utf-8")
    parts: dict[str, list[str]] = {}
    part = ""
    for name, body in ebnf().items():
        part = SECTIONS.get(name, part)
        parts.setdefault(part, []).append(_production("file" if name == "start" else name, body))
    for part, rules in parts.items():
        page = _between(page, part, f"```ebnf\n{''.join(rules)}```\n")
    return page


def ebnf() -> dict[str, str]:
    """The bodies of the rules by name: terminals of one spelling are spelled out, rules that only name a branch inlined."""
    text = grammar_text()
    spelled: dict[str, str] = dict(re.findall(r'^([A-Z_]+): ("[^"]+")$', text, re.MULTILINE))
    rules = {name: " ".join(body.split()) for name, body in WRITTEN_RULE.findall(text) if not name.isupper()}

    def written(word: re.Match[str]) -> str:
        found = word.group()
        if found in INLINED:
            return WRITTEN_WORD.sub(written, rules[found])
        return spelled.get(found, found.lstrip("_"))

    return {name.lstrip("_"): WRITTEN_WORD.sub(written, body) for name, body in rules.items() if name not in INLINED}


def _production(name: str, body: str) -> str:
    """`name ::= body`, its alternatives on as many lines as they need."""
    lines = [f"{name} ::="]
    for number, alternative in enumerate(_alternatives(body)):
        more = f" | {alternative}" if number else f" {alternative}"
        if number and len(lines[-1] + more) > WIDEST:
            lines.append(f"{' ' * len(name)}    {more.lstrip()}")
        else:
            lines[-1] += more
    return "\n".join(lines) + "\n"


def _alternatives(body: str) -> Iterator[str]:
    """The alternatives of a rule, those in parentheses left together."""
    depth, start = 0, 0
    for match in re.finditer(r'"[^"]*"|[()|]', body):
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        if match.group() == "|" and depth == 0:
            yield body[start : match.start()].strip()
            start = match.end()
    yield body[start:].strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
