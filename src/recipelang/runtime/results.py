"""What a function of the host gives, held to the type that it promises."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass

from recipelang.ir.sizing import GREATEST_INTEGER
from recipelang.ir.types import (
    BoolType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    OptionalType,
    RecordType,
    ScoreType,
    TextType,
    Type,
    spelled,
)
from recipelang.quick import dataclass
from recipelang.runtime.values import Json, RecordValue, Said, Value


@dataclass(frozen=True, slots=True)
class Held:
    """The value, or what is wrong with it."""

    value: Value
    problem: str | None = None


def held_to(given: Json, type: Type, limit: int) -> Held:
    """Plain data as a value of a type, of whose texts prompts show at most `limit` bytes each.

    >>> held_to(1, BoolType(), 100).problem
    '1 where `bool` is promised'
    """
    try:
        return Held(_value(given, type, limit, ""))
    except _Unlike as unlike:
        return Held(None, str(unlike))


class _Unlike(Exception):
    """The data is not of its type."""


def _value(given: Json, type: Type, limit: int, place: str) -> Value:
    match type:
        case OptionalType(item):
            return None if given is None else _value(given, item, limit, place)
        case TextType() if isinstance(given, str):
            return Said.of(given, limit)
        case EnumType(cases) if isinstance(given, str) and given in cases:
            return cases[cases.index(given)]
        case EnumType() if isinstance(given, str):
            raise _Unlike(f"{place}another text where `{spelled(type)}` is promised")
        case BoolType() if isinstance(given, bool):
            return given
        case IntType() | FloatType() | ScoreType() if isinstance(given, (int, float)) and not isinstance(given, bool):
            return _number(given, type, place)
        case ListType(item, low, high) if isinstance(given, (list, tuple)):
            if len(given) < low or (high is not None and len(given) > high):
                raise _Unlike(f"{place}{len(given)} items where `{spelled(type)}` is promised")
            return tuple(_value(one, item, limit, f"{place}[{number}]: ") for number, one in enumerate(given))
        case RecordType(fields=wanted) if (found := _fields(given)) is not None:
            names = [field.name for field in wanted]
            if found.keys() != set(names):
                raise _Unlike(f"{place}{_named(found)} where {_named(names)} are promised")
            return RecordValue({f.name: _value(found[f.name], f.type, limit, f"{place}{f.name}: ") for f in wanted})
        case _:
            raise _Unlike(f"{place}{_shown(given)} where `{spelled(type)}` is promised")


def _number(given: float, type: IntType | FloatType | ScoreType, place: str) -> int | float:
    """The number in range and in a plain type; a whole number is one however it is spelled."""
    value = int(given) if isinstance(given, int) else float(given)
    if isinstance(type, IntType) and isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        value = int(value)
    if not _is_in_range(value, type):
        raise _Unlike(f"{place}{_shown(given)} where `{spelled(type)}` is promised")
    return value


def _is_in_range(value: float, type: IntType | FloatType | ScoreType) -> bool:
    if isinstance(value, int) and abs(value) > GREATEST_INTEGER:
        return False
    match type:
        case IntType(low, high):
            return isinstance(value, int) and (low is None or value >= low) and (high is None or value <= high)
        case FloatType():
            return math.isfinite(value)
        case ScoreType():
            return 0 <= value <= 1


def _fields(given: Json) -> Mapping[str, Json] | None:
    """The fields of what may be a record: a mapping, or an object of a dataclass."""
    if is_dataclass(given) and not isinstance(given, type):
        return {field.name: getattr(given, field.name) for field in fields(given)}
    return given if isinstance(given, Mapping) else None


def _named(names: Iterable[object]) -> str:
    told = ", ".join(str(name) for name in names)
    return f"fields {told:.{_LONGEST}}" if told else "no fields"


def _shown(given: Json) -> str:
    """What was given, but for texts, which are nobody's business; in a word where it is anything but a number."""
    match given:
        case None:
            return "none"
        case bool():
            return "true" if given else "false"
        case str():
            return "a text"
        case int() if abs(given) > GREATEST_INTEGER:
            return "a number that is too large"
        case int() | float():
            return f"{given}"
        case _:
            return type(given).__name__


_EXACT = 2**53
_LONGEST = 80
