"""What operators give for two types, and between which numbers the result lies."""

from __future__ import annotations

import math

from recipelang.ir.types import BoolType, DurationType, FloatType, IntType, ListType, MoneyType, TextType, Type
from recipelang.semantics.typed import Typed
from recipelang.semantics.typing import is_number, join


def ordered_alike(one: Type, other: Type) -> bool:
    if is_number(one) and is_number(other):
        return True
    return isinstance(one, (DurationType, MoneyType, TextType)) and one == other


def arithmetic_type(operator: str, left: Typed, right: Typed) -> Type | None:
    one, other = left.type, right.type
    if operator == "*" and _is_weight(one, other):
        return FloatType()
    if is_number(one) and is_number(other):
        whole = isinstance(one, IntType) and isinstance(other, IntType) and operator != "/"
        return IntType() if whole else FloatType()
    if isinstance(one, (DurationType, MoneyType)):
        if one == other:
            return {"+": one, "-": one, "/": FloatType()}.get(operator)
        return one if is_number(other) and operator in "*/" else None
    if isinstance(other, (DurationType, MoneyType)):
        return other if is_number(one) and operator == "*" else None
    if operator != "+":
        return None
    if isinstance(one, TextType) and isinstance(other, TextType):
        return TextType()
    if isinstance(one, ListType) and isinstance(other, ListType):
        item = join(one.item, other.item)
        high = None if one.high is None or other.high is None else one.high + other.high
        return None if item is None else ListType(item, one.low + other.low, high)
    return None


def _is_weight(one: Type, other: Type) -> bool:
    """`0.4 * brief`: the number where the condition holds, 0 where it does not. Nothing else counts conditions."""
    return (is_number(one) and isinstance(other, BoolType)) or (isinstance(one, BoolType) and is_number(other))


def interval(operator: str, left: Typed, right: Typed) -> tuple[float, float]:
    match operator:
        case "+":
            return left.low + right.low, left.high + right.high
        case "-":
            return left.low - right.high, left.high - right.low
        case "*":
            return _hull([a * b for a in (left.low, left.high) for b in (right.low, right.high)])
        case "/" if right.low > 0 or right.high < 0:
            return _hull([a / b for a in (left.low, left.high) for b in (right.low, right.high)])
        case "%" if right.low > 0 and not math.isinf(right.high):
            return 0, right.high
        case _:
            return -math.inf, math.inf


def _hull(corners: list[float]) -> tuple[float, float]:
    if any(math.isnan(corner) for corner in corners):
        return -math.inf, math.inf
    return min(corners), max(corners)
