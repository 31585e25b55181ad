"""Expressions of a plan in a few words, for pictures: as an author would write them, and cut where they are long."""

from __future__ import annotations

from recipelang.ir.expressions import (
    ApplyExpression,
    BinaryExpression,
    BoundaryReference,
    ComprehensionExpression,
    ConditionalExpression,
    Constant,
    ContractReference,
    Expression,
    FailExpression,
    IndexExpression,
    LambdaExpression,
    ListExpression,
    MemberExpression,
    ModelReference,
    RecordExpression,
    SignalReference,
    UnaryExpression,
    Variable,
)

LONGEST = 44
"""Characters."""


def spelled(expression: Expression, longest: int = LONGEST) -> str:
    text = " ".join(_whole(expression).split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def seconds(time: float) -> str:
    """`90s`, `1.5s`."""
    return f"{time:g}s"


def _whole(expression: Expression) -> str:
    match expression:
        case Constant(value):
            return _constant(value)
        case Variable(name) | ModelReference(name) | ContractReference(name) | BoundaryReference(name):
            return name
        case SignalReference(name):
            return name
        case ListExpression(items):
            return f"[{', '.join(map(_whole, items))}]"
        case RecordExpression(fields):
            return "{ " + ", ".join(f"{field.name} = {_whole(field.value)}" for field in fields) + " }"
        case UnaryExpression(operator, operand):
            return f"not {_inner(operand)}" if operator == "not" else f"-{_inner(operand)}"
        case BinaryExpression(operator, left, right):
            return f"{_inner(left)} {'or' if operator == 'or_else' else operator} {_inner(right)}"
        case ConditionalExpression(condition, then, otherwise):
            return f"{_inner(then)} if {_inner(condition)} else {_inner(otherwise)}"
        case MemberExpression(target, name):
            return f"{_inner(target)}.{name}"
        case IndexExpression(target, index):
            return f"{_inner(target)}[{_whole(index)}]"
        case ComprehensionExpression(element, variable, iterable, condition):
            guard = "" if condition is None else f" if {_inner(condition)}"
            return f"[{_whole(element)} for {variable} in {_inner(iterable)}{guard}]"
        case LambdaExpression(body):
            return _whole(body)
        case ApplyExpression(function, arguments):
            return f"{function}({', '.join(_whole(argument.value) for argument in arguments)})"
        case FailExpression(message):
            return f"fail({_whole(message)})"


def _inner(expression: Expression) -> str:
    """With parentheses where it would otherwise run into what is around it."""
    text = _whole(expression)
    return f"({text})" if isinstance(expression, BinaryExpression | ConditionalExpression) else text


def _constant(value: bool | float | str | None) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case _:
            return f"{value:g}"
