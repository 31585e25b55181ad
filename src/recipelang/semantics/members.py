"""The members that values of each type have."""

from __future__ import annotations

from recipelang.ir.types import (
    AnswerType,
    BoolType,
    ContractType,
    DurationType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    ModelType,
    MoneyType,
    OptionalType,
    PlanType,
    RecordType,
    RequestType,
    ScoreType,
    TaskType,
    TextType,
    Type,
)
from recipelang.semantics.typing import ANY_LABEL
from recipelang.syntax import nodes

DEFAULT_REPAIRS = 1
"""Repairs that `request.format` may ask for."""


METADATA = RecordType("metadata", ())
"""The type of `request.metadata`, which is read only with a key; no record that an author declares is without fields."""


_COUNT = IntType(0, None)
_PRICE = RecordType("price", ())
_USAGE = RecordType("usage", ())

_MEMBERS: dict[type, dict[str, Type]] = {
    AnswerType: {
        "text": TextType(),
        "value": OptionalType(TextType()),
        "valid": BoolType(),
        "model": ModelType(),
        "role": TextType(),
        "confidence": OptionalType(ScoreType()),
        "usage": _USAGE,
        "cost": OptionalType(MoneyType()),
        "latency": DurationType(),
        "finish": TextType(),
        "tool_calls": _COUNT,
    },
    ModelType: {
        "name": TextType(),
        "id": TextType(),
        "zone": OptionalType(ANY_LABEL),
        "rating": OptionalType(FloatType()),
        "context": OptionalType(_COUNT),
        **dict.fromkeys(("logprobs", "json_schema", "tools", "vision", "seed"), OptionalType(BoolType())),
        "price": OptionalType(_PRICE),
    },
    RequestType: {
        "text": TextType(),
        "conversation": TextType(),
        "tokens": _COUNT,
        "turns": _COUNT,
        "images": _COUNT,
        "tools": _COUNT,
        "tool_results": _COUNT,
        "format": ContractType(DEFAULT_REPAIRS),
        "max_cost": OptionalType(MoneyType()),
        "max_latency": OptionalType(DurationType()),
        "quality": OptionalType(ScoreType()),
        "metadata": METADATA,
    },
}
_TASK: dict[str, Type] = {"name": TextType(), "instruction": TextType(), "model": ModelType()}
_NAMED: dict[str, dict[str, Type]] = {
    "price": {"input": MoneyType(), "output": MoneyType()},
    "usage": {"prompt_tokens": _COUNT, "completion_tokens": _COUNT, "total": _COUNT},
}


def of(type: Type) -> dict[str, Type]:
    """The members of a type with their types; empty for one that has none."""
    if isinstance(type, TaskType):
        most = None if type.steps is None else type.steps - 1
        return {**_TASK, "results": ListType(AnswerType(), 0, most)}
    if isinstance(type, PlanType):
        return {"steps": IntType(1, type.steps), "text": TextType()}
    if isinstance(type, RecordType):
        return {field.name: field.type for field in type.fields} or _NAMED.get(type.name, {})
    return _MEMBERS.get(type.__class__, {})


def repairs_of(contract: nodes.Contract) -> int:
    """How many repairs a contract's declaration asks for; what is wrong with it is reported where it is checked."""
    for attribute in contract.attributes:
        if attribute.name.text == "repair" and isinstance(attribute.value, nodes.Number):
            return int(attribute.value.value)
    return 0


__all__ = ["DEFAULT_REPAIRS", "METADATA", "EnumType", "of", "repairs_of"]
