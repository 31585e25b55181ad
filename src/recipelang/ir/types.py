"""The types of values, with their bounds, as the checker infers them and the plan records them."""

from __future__ import annotations

from typing import Annotated, Literal

from recipelang.ir.tagging import ByKind
from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class TextType:
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class BoolType:
    kind: Literal["bool"] = "bool"


@dataclass(frozen=True, slots=True)
class IntType:
    """An integer between `low` and `high`, both included; none is unbounded."""

    low: int | None = None
    high: int | None = None
    kind: Literal["int"] = "int"


@dataclass(frozen=True, slots=True)
class FloatType:
    kind: Literal["float"] = "float"


@dataclass(frozen=True, slots=True)
class ScoreType:
    """A number from 0 to 1."""

    kind: Literal["score"] = "score"


@dataclass(frozen=True, slots=True)
class DurationType:
    """A time, in seconds."""

    kind: Literal["duration"] = "duration"


@dataclass(frozen=True, slots=True)
class MoneyType:
    """An amount, in dollars."""

    kind: Literal["money"] = "money"


@dataclass(frozen=True, slots=True)
class ModelType:
    kind: Literal["model"] = "model"


@dataclass(frozen=True, slots=True)
class ContractType:
    """An output contract that asks for at most `repair` repairs."""

    repair: int = 1
    kind: Literal["contract"] = "contract"


@dataclass(frozen=True, slots=True)
class AnswerType:
    kind: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class RequestType:
    kind: Literal["request"] = "request"


@dataclass(frozen=True, slots=True)
class EnumType:
    cases: tuple[str, ...]
    kind: Literal["enum"] = "enum"


@dataclass(frozen=True, slots=True)
class FieldType:
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class RecordType:
    name: str
    fields: tuple[FieldType, ...]
    kind: Literal["record"] = "record"


@dataclass(frozen=True, slots=True)
class ListType:
    """A list of `low` to `high` items; a `high` of none is unknown."""

    item: Type
    low: int = 0
    high: int | None = None
    kind: Literal["list"] = "list"


@dataclass(frozen=True, slots=True)
class OptionalType:
    """A value of `item`, or none."""

    item: Type
    kind: Literal["optional"] = "optional"


@dataclass(frozen=True, slots=True)
class PlanType:
    """A plan of one to `steps` tasks, each done by a worker; none: any number."""

    steps: int | None = None
    kind: Literal["plan"] = "plan"


@dataclass(frozen=True, slots=True)
class TaskType:
    """A task of a plan of at most `steps`, with the results of what it needs."""

    steps: int | None = None
    kind: Literal["task"] = "task"


@dataclass(frozen=True, slots=True)
class ArmType:
    """An arm of a `choose` while it is weighed: what its conditions and `by` call `it`."""

    kind: Literal["arm"] = "arm"


@dataclass(frozen=True, slots=True)
class NoneType:
    """The type of `none`."""

    kind: Literal["none"] = "none"


@dataclass(frozen=True, slots=True)
class NeverType:
    """The type of `fail("why")`: it has no value, and so fits everywhere."""

    kind: Literal["never"] = "never"


Type = Annotated[
    TextType
    | BoolType
    | IntType
    | FloatType
    | ScoreType
    | DurationType
    | MoneyType
    | ModelType
    | ContractType
    | AnswerType
    | RequestType
    | EnumType
    | RecordType
    | ListType
    | OptionalType
    | PlanType
    | TaskType
    | ArmType
    | NoneType
    | NeverType,
    ByKind(),
]


def spelled(type: Type) -> str:
    """The type as an author would write it."""
    match type:
        case IntType(None, None):
            return "int"
        case IntType(low, high):
            return f"int({_range(low, high)})"
        case ListType(NeverType(), high=0):
            return "[]"
        case EnumType(()):
            return "label"
        case ContractType(repair):
            return "contract" if repair == 1 else f"contract(0..{repair})"
        case PlanType(int(steps)):
            return f"plan(..{steps})"
        case EnumType(cases):
            return f"enum({', '.join(cases)})"
        case RecordType(name=name):
            return name
        case ListType(item, 0, None):
            return f"{spelled(item)}[]"
        case ListType(item, low, high):
            return f"{spelled(item)}[{_range(low or None, high)}]"
        case OptionalType(item):
            return f"{spelled(item)}?"
        case _:
            return type.kind


def is_plain(type: Type) -> bool:
    """Whether values of a type are data and nothing else, which JSON can tell: texts, numbers, bools, enums, and records and
    lists of them."""
    match type:
        case TextType() | BoolType() | IntType() | FloatType() | ScoreType() | EnumType():
            return True
        case NeverType():
            return True  # one that could not be read is said so where it stands
        case OptionalType(item) | ListType(item=item):
            return is_plain(item)
        case RecordType(fields=fields):
            return all(is_plain(field.type) for field in fields)
        case _:
            return False


def _range(low: int | None, high: int | None) -> str:
    if low == high:
        return str(low)
    return f"{'' if low is None else low}..{'' if high is None else high}"
