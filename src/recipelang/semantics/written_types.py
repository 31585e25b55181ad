"""Types as authors write them, and records: from syntax to types with bounds; knows nothing of values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from recipelang.diagnostics import Edit, Fix, Label, Report
from recipelang.diagnostics.catalogue import names, syntax, types
from recipelang.diagnostics.suggesting import nearest
from recipelang.ir.types import (
    ContractType,
    EnumType,
    FieldType,
    IntType,
    ListType,
    NeverType,
    OptionalType,
    PlanType,
    RecordType,
    Type,
)
from recipelang.quick import dataclass
from recipelang.semantics.advising import advice
from recipelang.semantics.expressions import Elaborator, listed
from recipelang.semantics.reserved import PLAIN_TYPES, TYPE_NAMES
from recipelang.semantics.scope import Module, Scope, Symbol, hidden, look_up, may_declare, visible_names
from recipelang.syntax import nodes

OTHER_NAMES = {
    "string": "text", "str": "text", "boolean": "bool", "integer": "int", "number": "float", "double": "float",
    "time": "duration",
}  # fmt: skip
"""What other languages call the types."""
MAX_DEPTH = 16
"""Records in one another."""
MAX_FIELDS = 500
"""Fields of a record, those of the records in it included: a type is written out where it is used."""


@dataclass(frozen=True, slots=True)
class TypeReader:
    """Reads the types that are written in one module."""

    module: Module
    report: Report

    def type_of(self, node: nodes.Type) -> Type:
        match node:
            case nodes.OptionalType(item):
                inner = self.type_of(item)
                return inner if isinstance(inner, (OptionalType, NeverType)) else OptionalType(inner)
            case nodes.ListType(item, limits):
                inner = self.type_of(item)
                low, high = self._limits(limits) if limits else (0, None)
                return ListType(inner, low or 0, high)
            case nodes.NamedType():
                return self._named_type(node)

    def _named_type(self, node: nodes.NamedType) -> Type:
        name = node.name.text
        if name == "int":
            return IntType(*self._limits(node.bounds)) if node.bounds else IntType()
        if name == "contract":
            return ContractType(self._limits(node.bounds)[1] or 0) if node.bounds else ContractType()
        if name == "enum":
            return self._enum(node)
        if name == "plan" and not node.cases:
            return PlanType(self._limits(node.bounds)[1]) if node.bounds else PlanType()
        if node.bounds or node.cases:
            return self._with_parentheses(node)
        if name in PLAIN_TYPES:
            return PLAIN_TYPES[name]
        return self._record_type(node.name)

    def _with_parentheses(self, node: nodes.NamedType) -> Type:
        """Reports parentheses where there can be none; bounds in them are most likely those of a list."""
        name, limits = node.name.text, node.bounds
        self.report(
            types.TYPE_ARGUMENTS.at(
                node.span,
                f"`{name}` takes nothing in parentheses",
                help=f"a list has its bounds in brackets: `{name}[{limits.span.text}]`"
                if limits
                else "numbers with bounds are `int(1..16)`, choices `enum(a, b)`, lists `answer[2..8]`",
                fix=Fix("use brackets", (Edit(node.span, f"{name}[{limits.span.text}]"),)) if limits else None,
            )
        )
        plain = self.type_of(nodes.NamedType(node.name, None, (), span=node.name.span))
        return ListType(plain, limits.low or 0, limits.high) if limits else plain

    def _record_type(self, name: nodes.Name) -> Type:
        found = look_up(self.module, name.text)
        if found and isinstance(found[0].node, nodes.Record):
            symbol = Elaborator(self.report).symbol(name, Scope(self.module), "type")
            return NeverType() if symbol is None else self.record(symbol)
        if hidden(self.module, name.text) is not None:
            Elaborator(self.report).unknown(name, Scope(self.module), "type")
            return NeverType()
        if may_declare(self.module, name.text):
            return NeverType()
        near = OTHER_NAMES.get(name.text) or nearest(name.text, [*TYPE_NAMES, *visible_names(self.module)])
        help, fix = advice(name, self.module, near)
        what = f"the {found[0].kind} `{name.text}` is not a type" if found else f"unknown type `{name.text}`"
        self.report(
            names.UNKNOWN_TYPE.at(
                name.span,
                what,
                help=help or f"types are {listed(TYPE_NAMES)}, records, `T?` and `T[2..8]`",
                fix=fix,
            )
        )
        return NeverType()

    def _enum(self, node: nodes.NamedType) -> Type:
        cases = [case.text for case in node.cases]
        if not cases:
            self.report(types.TYPE_ARGUMENTS.at(node.span, "an enum needs its cases", help="`enum(low, high)`"))
            return NeverType()
        for case in node.cases:
            if cases.count(case.text) > 1:
                self.report(names.DUPLICATE.at(case.span, f"`{case.text}` is there twice", help="keep one of the two"))
                break
        return EnumType(tuple(dict.fromkeys(cases)))

    def _limits(self, limits: nodes.Bounds) -> tuple[int | None, int | None]:
        low, high = limits.low, limits.high
        if low is not None and high is not None and low > high:
            self.report(
                types.EMPTY_RANGE.at(limits.span, f"the range {low}..{high} is empty", help=f"`{high}..{low}`, perhaps")
            )
            return high, low
        return low, high

    def record(self, symbol: Symbol) -> Type:
        """The record's type; one that is too large, or contains itself, is reported where it is declared."""
        if _fields_in(symbol) > MAX_FIELDS:
            return NeverType()
        quiet = TypeReader(symbol.module, lambda _: None)
        fields = cast(nodes.Record, symbol.node).fields
        return RecordType(
            symbol.qualified, tuple(FieldType(field.name.text, quiet.type_of(field.type)) for field in fields)
        )

    def check_record(self, node: nodes.Record) -> None:
        """Reports what is wrong with a record where it is declared."""
        self.check_fields(node.name, node.fields)
        symbol = Symbol(self.module, node)
        if _fields_in(symbol) > MAX_FIELDS:
            self._report_size(symbol, node)
            return
        for field in node.fields:
            self.type_of(field.type)

    def _report_size(self, symbol: Symbol, node: nodes.Record) -> None:
        """Once, whatever contains the record: where it begins to be too large."""
        if all(_fields_in(inner) <= MAX_FIELDS for inner in _records_in(symbol)):
            self.report(
                syntax.TOO_DEEP.at(
                    node.name.span,
                    f"the record `{node.name.text}` is too large",
                    label=f"more than {MAX_FIELDS} fields, or {MAX_DEPTH} records in one another",
                    help="leave out what no step reads",
                )
            )

    def check_circles(self, records: list[nodes.Record]) -> None:
        """Reports records that contain themselves, each circle once, at its first one."""
        for circle in _circles([Symbol(self.module, record) for record in records]):
            first = circle.index(min(circle, key=lambda record: record.span.start))
            self._report_circle([*circle[first:], *circle[:first]])

    def check_fields(self, name: nodes.Name, fields: Sequence[nodes.Field]) -> None:
        """Reports fields of a record that are there twice, and a record that has none."""
        seen: dict[str, nodes.Name] = {}
        for field in fields:
            if field.name.text in seen:
                self.report(
                    names.DUPLICATE.at(
                        field.name.span,
                        f"`{field.name.text}` is there twice",
                        labels=(Label(seen[field.name.text].span, "the first is here"),),
                        help="call one of the two something else",
                    )
                )
            seen[field.name.text] = field.name
        if not fields:
            self.report(
                types.EMPTY_RECORD.at(
                    name.span,
                    f"the record `{name.text}` has no fields",
                    help="give it one: `{ reason: text }`",
                )
            )

    def _report_circle(self, circle: list[nodes.Record]) -> None:
        named = [record.name.text for record in circle]
        self.report(
            types.RECORD_CIRCLE.at(
                circle[0].name.span,
                f"the record `{named[0]}` contains itself",
                notes=(" → ".join([*named, named[0]]),),
                help="a record has a fixed depth: leave one of these fields out",
            )
        )


def _records_in(symbol: Symbol) -> list[Symbol]:
    """The records that the fields of one are made of."""
    found = []
    for field in cast(nodes.Record, symbol.node).fields:
        type: nodes.Type = field.type
        while not isinstance(type, nodes.NamedType):
            type = type.item
        candidates = [] if type.name.text in TYPE_NAMES else look_up(symbol.module, type.name.text)
        found += [candidate for candidate in candidates if isinstance(candidate.node, nodes.Record)]
    return found


def _different_records_in(symbol: Symbol) -> list[Symbol]:
    return list({inner.qualified: inner for inner in _records_in(symbol)}.values())


def _circles(records: list[Symbol]) -> list[list[nodes.Record]]:
    """The circles that records make, one for each record that closes some: going down from each, and nowhere twice."""
    found: dict[str, list[nodes.Record]] = {}
    done: set[str] = set()
    for start in records:
        path = {start.qualified: start} if start.qualified not in done else {}
        waiting = [iter(_different_records_in(symbol)) for symbol in path.values()]
        while waiting:
            inner = next(waiting[-1], None)
            if inner is None:
                waiting.pop()
                done.add(path.popitem()[0])
            elif inner.qualified in found:
                continue
            elif inner.qualified in path:
                circle = list(path.values())[list(path).index(inner.qualified) :]
                found[inner.qualified] = [cast(nodes.Record, symbol.node) for symbol in circle]
            elif inner.qualified not in done:
                path[inner.qualified] = inner
                waiting.append(iter(_different_records_in(inner)))
    return list(found.values())


def _fields_in(start: Symbol) -> float:
    """How many fields a record has, those of the records in it included; infinitely many past the greatest depth."""
    counted: dict[str, float] = {}

    def count(symbol: Symbol, depth: int) -> float:
        if depth > MAX_DEPTH:
            return math.inf
        if symbol.qualified not in counted:
            counted[symbol.qualified] = math.inf  # should it contain itself
            inner = sum(count(record, depth + 1) for record in _records_in(symbol))
            counted[symbol.qualified] = inner + len(cast(nodes.Record, symbol.node).fields)
        return counted[symbol.qualified]

    return count(start, 1)
