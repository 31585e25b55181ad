"""Values as an author would write them, for reports; knows nothing of tests."""

from __future__ import annotations

import json

from recipelang.ir.amounts import dollars
from recipelang.ir.plan import Contract, Model
from recipelang.ir.types import DurationType, EnumType, ListType, MoneyType, OptionalType, Type
from recipelang.runtime.values import Answer, Value, to_json

LONGEST_TEXT = 200
"""Characters of a text that a report shows; a difference is shown whole."""


def written(value: Value, type: Type) -> str:
    """The value as a literal of its type."""
    match type, value:
        case _, None:
            return "none"
        case OptionalType(item), _:
            return written(value, item)
        case MoneyType(), int() | float():
            return dollars(value)
        case DurationType(), int() | float():
            return duration(value)
        case EnumType(), str():
            return str(value)
        case ListType(item), tuple():
            return f"[{', '.join(written(one, item) for one in value)}]"
        case _, Answer(text=text):
            return quoted(text)
        case _, Model(name=name) | Contract(name=name):
            return name
        case _, bool():
            return "true" if value else "false"
        case _, str():
            return quoted(value)
        case _, float():
            return f"{value:.6g}"
        case _, int():
            return str(value)
        case _:
            return shortened(json.dumps(to_json(value), ensure_ascii=False))


def duration(seconds: float) -> str:
    """`500ms` below a second, else `2.5s`."""
    return f"{seconds * 1000:.6g}ms" if 0 < seconds < 1 else f"{seconds:.6g}s"


def quoted(text: str) -> str:
    """A text as a literal on one line, cut where it is long."""
    return json.dumps(shortened(text), ensure_ascii=False)


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
