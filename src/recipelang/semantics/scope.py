"""Names and what they stand for: a file's declarations, the files it uses, and a recipe's own values."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping

from recipelang.ir.types import Type
from recipelang.quick import dataclass, field, replace
from recipelang.source import Source, Span
from recipelang.syntax import nodes

Declared = nodes.Named

KIND_OF: dict[type, str] = {
    nodes.Backend: "backend",
    nodes.Model: "model",
    nodes.Record: "record",
    nodes.Contract: "contract",
    nodes.Role: "role",
    nodes.Extern: "extern",
    nodes.Signal: "signal",
    nodes.Band: "band",
    nodes.Boundary: "boundary",
    nodes.Recipe: "recipe",
}


@dataclass(frozen=True)
class Used:
    """A file that another one uses: `only` one of its names, or all; `alias` is what stands before them, if anything."""

    module: Module
    only: str | None = None
    alias: str | None = None

    def names(self) -> Iterator[str]:
        """The names that it brings, as they are written in the file that uses it."""
        for name, node in self.module.declared.items():
            if not node.private and self.only in (None, name):
                yield name if self.alias is None else f"{self.alias}.{name}"


@dataclass(eq=False)
class Module:
    """One file, its declarations, and the files it uses."""

    name: str  # how its declarations are qualified; empty for the root
    source: Source
    file: nodes.File
    declared: dict[str, Declared] = field(default_factory=dict)
    uses: list[Used] = field(default_factory=list)
    incomplete: bool = False  # whether a file that it uses could not be had, with names that nobody knows

    def qualified(self, name: str) -> str:
        """The name of a declaration in the plan."""
        return name if self.name in ("", name) else f"{self.name}.{name}"


@dataclass(frozen=True)
class Symbol:
    """A declaration and the module that it stands in."""

    module: Module
    node: Declared

    @property
    def qualified(self) -> str:
        return self.module.qualified(self.node.name.text)

    @property
    def kind(self) -> str:
        return KIND_OF[type(self.node)]


def look_up(module: Module, name: str) -> list[Symbol]:
    """What a name stands for in a module: its own declaration, else those of the files it uses."""
    if name in module.declared:
        return [Symbol(module, module.declared[name])]
    alias, _, bare = name.rpartition(".")
    places = {
        used.module.name: used.module for used in module.uses if (used.alias or "") == alias and name in used.names()
    }
    return [Symbol(place, place.declared[bare]) for place in places.values()]


def may_declare(module: Module, name: str) -> bool:
    """Whether the name may be declared where it could not be read: that has been reported already."""
    bare = name.rpartition(".")[2]
    return module.incomplete or any(
        bare in place.file.broken or place.incomplete for place in (module, *(used.module for used in module.uses))
    )


def visible_names(module: Module) -> Iterator[str]:
    """Every name that may be written in a module."""
    yield from module.declared
    for used in module.uses:
        yield from used.names()


def hidden(module: Module, name: str) -> Symbol | None:
    """A private declaration of that name in a file that the module uses: there, but not to be used."""
    alias, _, bare = name.rpartition(".")
    for used in module.uses:
        node = used.module.declared.get(bare)
        if node is not None and node.private and (used.alias or "") == alias:
            return Symbol(used.module, node)
    return None


@dataclass(frozen=True)
class Local:
    """A parameter, a step's value, a loop's item, `it`: its type and where it was introduced."""

    type: Type
    span: Span | None
    what: str  # "parameter", "step", "loop variable", ...


@dataclass(frozen=True)
class Scope:
    """The names that an expression may read, and what guards around it have shown."""

    module: Module
    locals: ChainMap[str, Local] = field(default_factory=ChainMap)
    narrowed: Mapping[str, Type] = field(default_factory=dict)  # narrower types, by path
    partial: bool = False  # whether an expression may fail here: in a fallback, where that has an owner
    unavailable: Mapping[str, str] = field(default_factory=dict)  # names that can't be read here, and why

    def with_locals(self, **more: Local) -> Scope:
        return self.seeing(more)

    def seeing(self, more: dict[str, Local]) -> Scope:
        """The scope with these names besides, of which there may be more later on."""
        narrowed = {path: type for path, type in self.narrowed.items() if path.split(".")[0] not in more}
        unavailable = {name: why for name, why in self.unavailable.items() if name not in more}
        return replace(self, locals=self.locals.new_child(more), narrowed=narrowed, unavailable=unavailable)

    def with_narrowed(self, facts: Mapping[str, Type]) -> Scope:
        return replace(self, narrowed={**self.narrowed, **facts}) if facts else self

    def without(self, names: Mapping[str, str]) -> Scope:
        """The scope in which these names can't be read, and why."""
        return replace(self, unavailable={**self.unavailable, **names})

    def allowing_failure(self) -> Scope:
        return replace(self, partial=True)
