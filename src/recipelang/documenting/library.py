"""The recipes that pages are written about, and which declaration uses which, across files; knows nothing of pages."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Any

from recipelang.compilation import Compilation
from recipelang.ir.plan import Plan
from recipelang.ir.reading import names_in
from recipelang.quick import dataclass, field
from recipelang.semantics.scope import KIND_OF, Declared
from recipelang.syntax import nodes

STANDARD = "std."
START = "index.md"


@dataclass(frozen=True, slots=True)
class Place:
    """A declaration: the file that it stands in, by the file's source name, and its own name."""

    file: str
    kind: str
    name: str


@dataclass(frozen=True)
class Documented:
    """One file, which compiles: its source and its plan, and what it is called on the pages."""

    compilation: Compilation
    plan: Plan
    title: str

    @property
    def source(self) -> str:
        return self.compilation.source.name

    @property
    def page(self) -> str:
        """The path of its page, which is never that of the start page."""
        page = f"{self.title.removesuffix('.recipe')}.md"
        return page if page != START else "index.recipe.md"

    @property
    def declared(self) -> list[tuple[Place, Declared]]:
        """What it declares, in the order of the file, what is private last."""
        found = [
            (Place(self.source, KIND_OF[type(node)], name), node)
            for name, node in self.compilation.program.root.declared.items()
        ]
        return sorted(found, key=lambda each: each[1].private)

    @property
    def tests(self) -> list[str]:
        file = self.compilation.program.root.file
        return [node.name.value for node in file.declarations if isinstance(node, nodes.Test)]


@dataclass(frozen=True)
class Library:
    """Files that are documented together; `used_by` leads from a declaration to those that use it."""

    files: tuple[Documented, ...]
    uses: dict[Place, list[Place]] = field(default_factory=dict)
    used_by: dict[Place, list[Place]] = field(default_factory=dict)

    def file(self, place: Place) -> Documented | None:
        """The file of a declaration, where it has a page."""
        return next((file for file in self.files if file.source == place.file), None)


def library_of(compilations: Iterable[Compilation]) -> Library:
    """The library of sources that all compile."""
    sources = list(compilations)
    titles = _titles([compilation.source.name for compilation in sources])
    files = tuple(Documented(each, each.plan, titles[each.source.name]) for each in sources if each.plan is not None)
    library = Library(files)
    for file in files:
        for user, used in _uses(file):
            if used not in library.uses.setdefault(user, []) and used != user:
                library.uses[user].append(used)
                library.used_by.setdefault(used, []).append(user)
    return library


def _uses(file: Documented) -> Iterator[tuple[Place, Place]]:
    """Which declarations of a file use which of any file."""
    places = {
        module.qualified(name): Place(module.source.name, KIND_OF[type(node)], name)
        for module in file.compilation.program.modules
        for name, node in module.declared.items()
    }
    for name, node in _nodes(file.plan):
        user = places.get(name, Place(file.source, "expose", name))
        if user.file == file.source:
            yield from ((user, places[used]) for used in names_in(node) if used in places)


def _nodes(plan: Plan) -> Iterator[tuple[str, Any]]:  # Any: declarations of any kind
    yield from plan.entries.items()
    yield from plan.recipes.items()
    yield from plan.roles.items()
    yield from plan.models.items()
    yield from plan.signals.items()
    yield from plan.boundaries.items()


def _titles(names: list[str]) -> dict[str, str]:
    """What files are called: a standard recipe by its name, another by its path from the folder that all are in."""
    paths = {name: posixpath.abspath(name) for name in names if not name.startswith(STANDARD)}
    folder = posixpath.commonpath([posixpath.dirname(path) for path in paths.values()]) if paths else "/"
    return {name: posixpath.relpath(paths[name], folder) if name in paths else name for name in names}
