"""The JSON Schema of a record: what a model that returns one is held to."""

from __future__ import annotations

import json
from typing import Any

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
)


def schema_text(record: RecordType) -> str:
    """The schema as JSON text, in the strict form that providers ask for: every field required, none besides."""
    return json.dumps(_schema(record), ensure_ascii=False)


def has_schema(type: Type) -> bool:
    """Whether a value of the type can be told in JSON: texts, numbers, bools, enums, and records and lists of them."""
    match type:
        case TextType() | IntType() | FloatType() | ScoreType() | BoolType():
            return True
        case EnumType(cases):
            return bool(cases)
        case OptionalType(item) | ListType(item=item):
            return has_schema(item)
        case RecordType(fields=fields):
            return all(has_schema(field.type) for field in fields)
        case _:
            return False


def _schema(type: Type) -> dict[str, Any]:
    match type:
        case TextType():
            return {"type": "string"}
        case IntType(low, high):
            return {"type": "integer", **_given(minimum=low, maximum=high)}
        case FloatType():
            return {"type": "number"}
        case ScoreType():
            return {"type": "number", "minimum": 0, "maximum": 1}
        case BoolType():
            return {"type": "boolean"}
        case EnumType(cases):
            return {"type": "string", "enum": list(cases)}
        case OptionalType(item):
            return {"anyOf": [_schema(item), {"type": "null"}]}
        case ListType(item, low, high):
            return {"type": "array", "items": _schema(item), **_given(minItems=low or None, maxItems=high)}
        case RecordType(fields=fields):
            return {
                "type": "object",
                "properties": {field.name: _schema(field.type) for field in fields},
                "required": [field.name for field in fields],
                "additionalProperties": False,
            }
        case _:
            raise AssertionError(f"no schema for {type}")  # `has_schema` is asked first


def _given(**bounds: int | None) -> dict[str, int]:
    return {name: bound for name, bound in bounds.items() if bound is not None}
