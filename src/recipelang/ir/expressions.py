"""Expressions of a plan: pure and total; a step's environment gives the names their values."""

from __future__ import annotations

from typing import Annotated, Literal

from recipelang.ir.limits import Finite
from recipelang.ir.tagging import ByKind
from recipelang.ir.types import Type
from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal or an enum's case. Durations are seconds, money is dollars, both as floats."""

    value: bool | int | Finite | str | None
    kind: Literal["constant"] = "constant"


@dataclass(frozen=True, slots=True)
class Variable:
    """A parameter, a step's value, a loop's item, `it`, `tried`, `request`."""

    name: str
    kind: Literal["variable"] = "variable"


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model of the plan, by its qualified name."""

    name: str
    kind: Literal["model"] = "model"


@dataclass(frozen=True, slots=True)
class ContractReference:
    """A contract of the plan, by its qualified name."""

    name: str
    kind: Literal["contract"] = "contract"


@dataclass(frozen=True, slots=True)
class BoundaryReference:
    """Whether a boundary of the plan holds for the request: true or false."""

    name: str
    kind: Literal["boundary"] = "boundary"


@dataclass(frozen=True, slots=True)
class SignalReference:
    """What a signal of the plan reads off the request: computed where it is asked for, once a run."""

    name: str
    kind: Literal["signal"] = "signal"


@dataclass(frozen=True, slots=True)
class ListExpression:
    items: tuple[Expression, ...]
    kind: Literal["list"] = "list"


@dataclass(frozen=True, slots=True)
class FieldExpression:
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class RecordExpression:
    fields: tuple[FieldExpression, ...]
    kind: Literal["record"] = "record"


@dataclass(frozen=True, slots=True)
class UnaryExpression:
    operator: Literal["-", "not"]
    operand: Expression
    kind: Literal["unary"] = "unary"


@dataclass(frozen=True, slots=True)
class BinaryExpression:
    """`and`, `or` take and give bools and are lazy; `or_else` is the left one where it is there, else the right.

    `/` and `%` by zero give zero (an expression is total). `+` adds numbers, joins texts and lists.
    """

    operator: Literal[
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "and",
        "or",
        "or_else",
        "in",
        "not in",
    ]
    left: Expression
    right: Expression
    kind: Literal["binary"] = "binary"


@dataclass(frozen=True, slots=True)
class ConditionalExpression:
    condition: Expression
    then: Expression
    otherwise: Expression
    kind: Literal["conditional"] = "conditional"


@dataclass(frozen=True, slots=True)
class MemberExpression:
    target: Expression
    name: str
    kind: Literal["member"] = "member"


@dataclass(frozen=True, slots=True)
class IndexExpression:
    """`xs[i]`; the checker has proved that the item is there, or the type is optional and the value none."""

    target: Expression
    index: Expression
    kind: Literal["index"] = "index"


@dataclass(frozen=True, slots=True)
class ComprehensionExpression:
    element: Expression
    variable: str
    iterable: Expression
    condition: Expression | None
    kind: Literal["comprehension"] = "comprehension"


@dataclass(frozen=True, slots=True)
class LambdaExpression:
    """`by = it.rating`: a function of `it`."""

    body: Expression
    kind: Literal["lambda"] = "lambda"


@dataclass(frozen=True, slots=True)
class ApplyArgument:
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class ApplyExpression:
    """A built-in function; arguments are by name, those left out are absent. `type` is that of the result."""

    function: str
    arguments: tuple[ApplyArgument, ...]
    type: Type
    kind: Literal["apply"] = "apply"


@dataclass(frozen=True, slots=True)
class FailExpression:
    """Ends the step as failed, for the reason that `message` gives."""

    message: Expression
    kind: Literal["fail"] = "fail"


Expression = Annotated[
    Constant
    | Variable
    | ModelReference
    | ContractReference
    | BoundaryReference
    | SignalReference
    | ListExpression
    | RecordExpression
    | UnaryExpression
    | BinaryExpression
    | ConditionalExpression
    | MemberExpression
    | IndexExpression
    | ComprehensionExpression
    | LambdaExpression
    | ApplyExpression
    | FailExpression,
    ByKind(),
]


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly inside one."""
    match expression:
        case ListExpression(items):
            return items
        case RecordExpression(fields):
            return tuple(field.value for field in fields)
        case UnaryExpression(operand=operand):
            return (operand,)
        case BinaryExpression(left=left, right=right):
            return (left, right)
        case ConditionalExpression(condition, then, otherwise):
            return (condition, then, otherwise)
        case MemberExpression(target=target):
            return (target,)
        case IndexExpression(target, index):
            return (target, index)
        case ComprehensionExpression(element, _, iterable, condition):
            return (element, iterable) if condition is None else (element, iterable, condition)
        case LambdaExpression(body):
            return (body,)
        case ApplyExpression(arguments=arguments):
            return tuple(argument.value for argument in arguments)
        case FailExpression(message):
            return (message,)
        case _:
            return ()


def free_variables(expression: Expression) -> frozenset[str]:
    """The names whose values an expression reads."""
    match expression:
        case Variable(name):
            return frozenset((name,))
        case BoundaryReference() | SignalReference():
            return frozenset(("request",))
        case LambdaExpression(body):
            return free_variables(body) - {"it"}
        case ComprehensionExpression(element, variable, iterable, condition):
            inner = free_variables(element)
            if condition is not None:
                inner |= free_variables(condition)
            return free_variables(iterable) | (inner - {variable})
        case _:
            found: frozenset[str] = frozenset()
            for child in children(expression):
                found |= free_variables(child)
            return found
