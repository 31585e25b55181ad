"""Names and what they stand for: a file's declarations, the files it uses, and a recipe's own values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from recipelang.ir.types import Type
from recipelang.source import Source, Span
from recipelang.syntax import nodes

Declared = nodes.Backend | nodes.Model | nodes.Record | nodes.Contract | nodes.Role | nodes.Recipe

KIND_OF: dict[type, str] = {
    nodes.Backend: "backend",
    nodes.Model: "model",
    nodes.Record: "record",
    nodes.Contract: "contract",
    nodes.Role: "role",
    nodes.Recipe: "recipe",
}


@dataclass(eq=False)
class Module:
    """One file. `uses` gives the modules whose names it may use, with the one name it takes (none: all of them)."""

    name: str  # how its declarations are qualified; empty for the root
    source: Source
    file: nodes.File
    declared: dict[str, Declared] = field(default_factory=dict)
    uses: list[tuple[Module, str | None]] = field(default_factory=list)

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
    return [
        Symbol(used, used.declared[name])
        for used, only in module.uses
        if name in used.declared and only in (None, name)
    ]


def visible_names(module: Module) -> Iterator[str]:
    yield from module.declared
    for used, only in module.uses:
        yield from used.declared if only is None else (only,)


@dataclass(frozen=True)
class Local:
    """A parameter, a step's value, a loop's item, `it`: its type and where it was introduced."""

    type: Type
    span: Span | None
    what: str  # "parameter", "step", "loop variable", ...
    low: float = float("-inf")  # the interval of a number
    high: float = float("inf")


@dataclass(frozen=True)
class Scope:
    """The names that an expression may read, and what guards around it have shown (`narrowed`, by path)."""

    module: Module
    locals: Mapping[str, Local]
    narrowed: Mapping[str, Type] = field(default_factory=dict)
    partial: bool = False  # whether an expression may fail here: in a fallback, where that has an owner
    unavailable: Mapping[str, str] = field(
        default_factory=dict
    )  # names known to the reader that cannot be read here, and why

    def with_locals(self, **more: Local) -> Scope:
        narrowed = {path: type for path, type in self.narrowed.items() if path.split(".")[0] not in more}
        return Scope(self.module, {**self.locals, **more}, narrowed, self.partial, self.unavailable)

    def with_narrowed(self, facts: Mapping[str, Type]) -> Scope:
        return Scope(self.module, self.locals, {**self.narrowed, **facts}, self.partial, self.unavailable)

    def allowing_failure(self) -> Scope:
        return Scope(self.module, self.locals, self.narrowed, True, self.unavailable)
