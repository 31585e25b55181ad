"""JSON Schemas: that of a record, and the validator that holds an answer to one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from recipelang.ir.sizing import TASK_NAME_BYTES
from recipelang.ir.types import (
    BoolType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    NeverType,
    OptionalType,
    RecordType,
    ScoreType,
    TextType,
    Type,
)

if TYPE_CHECKING:
    from jsonschema_rs import Validator


def schema_text(record: RecordType) -> str:
    """The schema as JSON text, in the strict form that providers ask for: every field required, none besides."""
    return json.dumps(_schema(record), ensure_ascii=False)


def plan_schema(workers: Sequence[str], steps: int) -> str:
    """The JSON Schema, as text, that a planner answers in."""
    name = {"type": "string", "pattern": f"^[a-z][a-z0-9_]{{0,{TASK_NAME_BYTES - 1}}}$"}
    task = {
        "name": name,
        "needs": {"type": "array", "items": name},
        "worker": {"type": "string", "enum": list(workers)},
        "instruction": {"type": "string"},
    }
    one = {"type": "object", "properties": task, "required": list(task), "additionalProperties": False}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": steps}
    whole = {"type": "object", "properties": {"tasks": many}, "required": ["tasks"], "additionalProperties": False}
    return json.dumps(whole, ensure_ascii=False)


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
        case NeverType():
            return {}
        case _:
            raise AssertionError(f"no schema for {type}")  # `is_plain` is asked first


def _given(**bounds: int | None) -> dict[str, int]:
    return {name: bound for name, bound in bounds.items() if bound is not None}


class BadSchema(ValueError):
    """The text is no JSON Schema that answers can be held to."""


@lru_cache(maxsize=256)
def schema_validator(schema: str) -> Validator:
    """The validator for a schema, given as JSON text; it fetches nothing, and its patterns run in linear time."""
    import jsonschema_rs  # deferred: start-up cost, and few recipes have a schema

    try:
        document = json.loads(schema)
        jsonschema_rs.meta.validate(document)
        return jsonschema_rs.validator_for(document, offline=True, pattern_options=jsonschema_rs.RegexOptions())
    except Exception as error:
        raise BadSchema(str(error).split("\n", maxsplit=1)[0]) from error
