"""How types relate: which fit where another is wanted, and what two have in common."""

from __future__ import annotations

import math
from collections.abc import Callable

from recipelang.ir.sizing import GREATEST_INTEGER
from recipelang.ir.types import (
    ContractType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    NeverType,
    NoneType,
    OptionalType,
    PlanType,
    RecordType,
    ScoreType,
    Type,
)

ANY_LABEL = EnumType(())
"""The type of labels of one's own, such as a model's zone: any bare name is one."""


def fits(actual: Type, wanted: Type) -> bool:
    """Whether every value of `actual` is one of `wanted`."""
    match actual, wanted:
        case NeverType(), _:
            return True
        case NoneType(), OptionalType():
            return True
        case OptionalType(item), OptionalType(other):
            return fits(item, other)
        case _, OptionalType(other):
            return fits(actual, other)
        case IntType(low, high), IntType(wanted_low, wanted_high):
            return _at_least(low, wanted_low) and _at_most(high, wanted_high)
        case IntType(low, high), ScoreType():
            return _at_least(low, 0) and _at_most(high, 1)
        case ((IntType() | ScoreType()), FloatType()):
            return True
        case ContractType(repair), ContractType(most):
            return repair <= most
        case EnumType(cases), EnumType(others):
            return not others or (bool(cases) and set(cases) <= set(others))
        case PlanType(steps), PlanType(most):
            return _at_most(steps, most)
        case RecordType(), RecordType():
            return actual == wanted
        case ListType(item, low, high), ListType(other, wanted_low, wanted_high):
            return fits(item, other) and low >= wanted_low and _at_most(high, wanted_high)
        case _:
            return actual == wanted


def fits_but_for_length(actual: Type, wanted: Type) -> bool:
    """Whether only the bounds on a list's length are in the way."""
    match actual, wanted:
        case ListType(item), ListType(other):
            return fits(item, other)
        case _:
            return False


def join(one: Type, other: Type) -> Type | None:
    """The least type that both fit, or none where they have nothing in common."""
    if fits(one, other):
        return other
    if fits(other, one):
        return one
    match one, other:
        case NoneType(), _:
            return OptionalType(other)
        case _, NoneType():
            return OptionalType(one)
        case OptionalType(item), _:
            return _optional(join(item, _required(other)))
        case _, OptionalType(item):
            return _optional(join(one, item))
        case IntType(low, high), IntType(other_low, other_high):
            return IntType(_least(low, other_low), _greatest(high, other_high))
        case ((IntType() | ScoreType() | FloatType()), (IntType() | ScoreType() | FloatType())):
            return FloatType()
        case ContractType(repair), ContractType(other_repair):
            return ContractType(max(repair, other_repair))
        case PlanType(steps), PlanType(other_steps):
            return PlanType(_greatest(steps, other_steps))
        case EnumType(cases), EnumType(others):
            return EnumType(tuple(dict.fromkeys(cases + others)))
        case ListType(item, low, high), ListType(other_item, other_low, other_high):
            joined = join(item, other_item)
            return None if joined is None else ListType(joined, min(low, other_low), _greatest(high, other_high))
        case _:
            return None


def is_number(type: Type) -> bool:
    return isinstance(type, (IntType, FloatType, ScoreType))


def without_none(type: Type) -> Type:
    """The type of a value that is known to be there."""
    return _required(type)


def int_type(low: float, high: float) -> IntType:
    """The integers of an interval, whose ends may be infinite; past the greatest integer arithmetic stays there."""
    return IntType(_end(low, math.ceil), _end(high, math.floor))


def number_type(low: float, high: float, *, whole: bool) -> IntType | ScoreType | FloatType:
    """The type of the numbers of an interval."""
    if whole:
        return int_type(low, high)
    return ScoreType() if low >= 0 and high <= 1 else FloatType()


def _end(number: float, whole: Callable[[float], int]) -> int | None:
    return None if math.isinf(number) else max(-GREATEST_INTEGER, min(whole(number), GREATEST_INTEGER))


def _required(type: Type) -> Type:
    return type.item if isinstance(type, OptionalType) else type


def _optional(type: Type | None) -> Type | None:
    return None if type is None else OptionalType(type)


def _at_least(low: int | None, least: int | None) -> bool:
    return least is None or (low is not None and low >= least)


def _at_most(high: int | None, most: int | None) -> bool:
    return most is None or (high is not None and high <= most)


def _least(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else min(one, other)


def _greatest(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
