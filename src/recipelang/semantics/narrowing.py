"""What a guard shows: `x != none`, `size(xs) >= 2` make the types of what they test narrower where they hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from recipelang.ir.types import ListType, OptionalType, Type
from recipelang.syntax import nodes

Facts = Mapping[str, Type]
"""Narrower types, by path: `a`, `a.b.c`."""

TypeAt = Callable[[nodes.Expression, Facts], Type]
"""The type of a name or a member where some facts hold already."""

NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


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


def facts_if_true(condition: nodes.Expression, type_at: TypeAt, known: Facts | None = None) -> Facts:
    """What is known where the condition holds, besides what is `known` already."""
    known = known or {}
    match condition:
        case nodes.Binary("and", left, right):
            before = facts_if_true(left, type_at, known)
            return {**before, **facts_if_true(right, type_at, {**known, **before})}
        case nodes.Unary("not", operand):
            return facts_if_false(operand, type_at, known)
        case nodes.Binary(operator, left, right) if operator in NEGATED:
            return _compared(left, operator, right, type_at, known)
        case _:
            return {}


def facts_if_false(condition: nodes.Expression, type_at: TypeAt, known: Facts | None = None) -> Facts:
    """What is known where the condition does not hold."""
    known = known or {}
    match condition:
        case nodes.Binary("or", left, right):
            before = facts_if_false(left, type_at, known)
            return {**before, **facts_if_false(right, type_at, {**known, **before})}
        case nodes.Unary("not", operand):
            return facts_if_true(operand, type_at, known)
        case nodes.Binary(operator, left, right) if operator in NEGATED:
            return _compared(left, NEGATED[operator], right, type_at, known)
        case _:
            return {}


def _compared(left: nodes.Expression, operator: str, right: nodes.Expression, type_at: TypeAt, known: Facts) -> Facts:
    match operator, left, right:
        case "!=", tested, nodes.NoneLiteral():
            return _there(tested, type_at, known)
        case "!=", nodes.NoneLiteral(), tested:
            return _there(tested, type_at, known)
        case "==", tested, nodes.Number() | nodes.Text() | nodes.Bool():
            return {**_there(tested, type_at, known), **_sized(tested, operator, right, type_at, known)}
        case _, nodes.Number(), tested:
            return _sized(tested, MIRRORED[operator], left, type_at, known)
        case _:
            return _sized(left, operator, right, type_at, known)


def _there(tested: nodes.Expression, type_at: TypeAt, known: Facts) -> Facts:
    path = path_of(tested)
    type = type_at(tested, known) if path is not None else None
    return {path: type.item} if path is not None and isinstance(type, OptionalType) else {}


def _sized(call: nodes.Expression, operator: str, number: nodes.Expression, type_at: TypeAt, known: Facts) -> Facts:
    """`size(xs) > 0`, `size(xs) <= 3`, with a literal number."""
    match call, number:
        case (
            nodes.Call(nodes.Name("size"), (nodes.Argument(_, value),)),
            nodes.Number(nodes.NumberKind.INT, n),
        ) if (path := path_of(value)) is not None:
            type, between = type_at(value, known), _range(operator, int(n))
        case _:
            return {}
    if not isinstance(type, ListType) or between is None:
        return {}
    low, high = max(between[0], type.low), min(between[1], math.inf if type.high is None else type.high)
    if low > high:
        return {}  # it never holds: nothing needs to be known
    return {path: ListType(type.item, low, None if math.isinf(high) else int(high))}


def _range(operator: str, n: int) -> tuple[int, float] | None:
    """The lengths for which a comparison with `n` holds, as far as they are one range."""
    match operator:
        case ">":
            return n + 1, math.inf
        case ">=":
            return n, math.inf
        case "==":
            return n, n
        case "<":
            return 0, n - 1
        case "<=":
            return 0, n
        case _:
            return (1, math.inf) if n == 0 else None
