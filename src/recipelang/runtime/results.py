"""What a function of the host gives, held to the type that it promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

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
from recipelang.runtime.values import Json, RecordValue, Said, Value


@dataclass(frozen=True, slots=True)
class Held:
    """The value, or what is wrong with it."""

    value: Value
    problem: str | None = None


def held_to(given: Json, type: Type, limit: int) -> Held:
    """Plain data as a value of a type, of whose texts prompts show at most `limit` bytes each.

    >>> held_to({"passed": 1}, BoolType(), 100).problem
    'dict where `bool` is promised'
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
        case EnumType(cases) if given in cases:
            return cast(str, given)
        case BoolType() if isinstance(given, bool):
            return given
        case IntType() | FloatType() | ScoreType() if _is_number(given, type):
            return cast(int | float, given)
        case ListType(item, low, high) if isinstance(given, (list, tuple)):
            if len(given) < low or (high is not None and len(given) > high):
                raise _Unlike(f"{place}{len(given)} items where `{spelled(type)}` is promised")
            return tuple(_value(one, item, limit, f"{place}[{number}]: ") for number, one in enumerate(given))
        case RecordType(fields=fields) if isinstance(given, dict) and given.keys() == {field.name for field in fields}:
            return RecordValue({f.name: _value(given[f.name], f.type, limit, f"{place}{f.name}: ") for f in fields})
        case RecordType(fields=fields) if isinstance(given, dict):
            wanted = ", ".join(field.name for field in fields)
            raise _Unlike(f"{place}fields {', '.join(map(str, given))} where {wanted} are promised")
        case _:
            raise _Unlike(f"{place}{given.__class__.__name__} where `{spelled(type)}` is promised")


def _is_number(given: Json, type: Type) -> bool:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or given != given or abs(given) == float("inf"):
        return False
    match type:
        case IntType(low, high):
            return isinstance(given, int) and (low is None or given >= low) and (high is None or given <= high)
        case ScoreType():
            return 0 <= given <= 1
        case _:
            return True
