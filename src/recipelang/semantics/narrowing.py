"""What a guard shows: `x != none`, `size(xs) >= 2` make the types of what they test narrower where they hold."""

from __future__ import annotations

import math
from collections.abc import Callable

from recipelang.ir.types import ListType, OptionalType, Type
from recipelang.syntax import nodes

TypeAt = Callable[[nodes.Expression], Type]


def path_of(node: nodes.Expression) -> str | None:
    """`a.b.c` as a key, or none for anything but a name and its members."""
    match node:
        case nodes.Name(text):
            return text
        case nodes.Member(target, name):
            inner = path_of(target)
            return None if inner is None else f"{inner}.{name.text}"
        case _:
            return None


def facts_if_true(condition: nodes.Expression, type_at: TypeAt) -> dict[str, Type]:
    """The narrower types, by path, where the condition holds."""
    match condition:
        case nodes.Binary("and", left, right):
            return {**facts_if_true(left, type_at), **facts_if_true(right, type_at)}
        case nodes.Unary("not", operand):
            return facts_if_false(operand, type_at)
        case nodes.Binary("!=", tested, nodes.NoneLiteral()) | nodes.Binary("!=", nodes.NoneLiteral(), tested):
            return _there(tested, type_at)
        case nodes.Binary(">" | ">=" | "==" | "<" | "<=" as operator, left, right):
            return {**_sized(left, operator, right, type_at), **_sized(right, _turned(operator), left, type_at)}
        case _:
            return {}


def facts_if_false(condition: nodes.Expression, type_at: TypeAt) -> dict[str, Type]:
    """The narrower types, by path, where the condition does not hold."""
    match condition:
        case nodes.Binary("or", left, right):
            return {**facts_if_false(left, type_at), **facts_if_false(right, type_at)}
        case nodes.Unary("not", operand):
            return facts_if_true(operand, type_at)
        case nodes.Binary("==", tested, nodes.NoneLiteral()) | nodes.Binary("==", nodes.NoneLiteral(), tested):
            return _there(tested, type_at)
        case nodes.Binary("<" | "<=" as operator, left, right):
            return _sized(left, {"<": ">=", "<=": ">"}[operator], right, type_at)
        case nodes.Binary("==", left, nodes.Number(value=0)):
            return _sized_at_least(left, 1, type_at)
        case _:
            return {}


def _there(tested: nodes.Expression, type_at: TypeAt) -> dict[str, Type]:
    path = path_of(tested)
    type = type_at(tested)
    return {path: type.item} if path is not None and isinstance(type, OptionalType) else {}


def _sized(call: nodes.Expression, operator: str, number: nodes.Expression, type_at: TypeAt) -> dict[str, Type]:
    """`size(xs) > 0`, `size(xs) <= 3`, with a literal number."""
    if not (isinstance(number, nodes.Number) and number.kind is nodes.NumberKind.INT):
        return {}
    n = int(number.value)
    match operator:
        case ">":
            return _sized_at_least(call, n + 1, type_at)
        case ">=":
            return _sized_at_least(call, n, type_at)
        case "==":
            return _sized_between(call, n, n, type_at)
        case "<":
            return _sized_between(call, 0, n - 1, type_at)
        case _:
            return _sized_between(call, 0, n, type_at)


def _sized_at_least(call: nodes.Expression, least: int, type_at: TypeAt) -> dict[str, Type]:
    return _sized_between(call, least, math.inf, type_at)


def _sized_between(call: nodes.Expression, low: int, high: float, type_at: TypeAt) -> dict[str, Type]:
    match call:
        case nodes.Call(nodes.Name("size"), (nodes.Argument(_, value),)):
            path, type = path_of(value), type_at(value)
            if path is None or not isinstance(type, ListType):
                return {}
            most = high if type.high is None else min(high, type.high)
            return {path: ListType(type.item, max(low, type.low), None if math.isinf(most) else int(most))}
        case _:
            return {}


def _turned(operator: str) -> str:
    return {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "=="}[operator]
