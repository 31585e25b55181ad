"""What operators mean for values, in every case: numbers stay finite, texts and lists stop at a greatest length."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from recipelang.ir.sizing import GREATEST_INTEGER
from recipelang.runtime.values import Authored, Said, Value, byte_length

GREATEST_FLOAT = sys.float_info.max
LONGEST_TEXT = 16_000_000  # characters
LONGEST_LIST = 100_000  # items

Operator = Callable[[Any, Any], Value]  # Any: operators look at the types themselves


class StepFailed(Exception):
    """The author's own `fail("why")`, or an expression that has nothing to give."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def plus(one: Any, other: Any) -> Value:
    """The sum of two numbers, or two texts or lists joined."""
    if isinstance(one, str):
        return _joined(one, other)
    if isinstance(one, tuple):
        if len(one) + len(other) > LONGEST_LIST:
            raise StepFailed(f"a list would have more than {LONGEST_LIST} items")
        return one + other
    return finite(one + other)


def minus(one: Any, other: Any) -> Value:
    return finite(one - other)


def times(one: Any, other: Any) -> Value:
    return finite(_number(one) * _number(other))


def divided(one: Any, other: Any) -> Value:
    """The quotient; 0 where the divisor is 0."""
    dividend, divisor = _number(one), _number(other)
    return finite(dividend / divisor) if divisor else 0.0


def modulo(one: Any, other: Any) -> Value:
    """The remainder, which has the sign of the divisor; 0 where that is 0."""
    dividend, divisor = _number(one), _number(other)
    return finite(dividend % divisor) if divisor else 0


def negated(one: Any) -> Value:
    return finite(-one)


def is_there(value: Value) -> bool:
    """Whether it is neither none nor an empty text or list; false and 0 are there."""
    return value is not None and not (isinstance(value, (str, tuple)) and len(value) == 0)


def finite(number: Any) -> int | float:
    """The number, or the nearest that is neither infinite nor past the greatest; 0 for one that is none."""
    if isinstance(number, float):
        if -GREATEST_FLOAT <= number <= GREATEST_FLOAT:
            return number
        return 0.0 if number != number else GREATEST_FLOAT if number > 0 else -GREATEST_FLOAT
    if -GREATEST_INTEGER <= number <= GREATEST_INTEGER:
        whole: int = number
        return whole
    return GREATEST_INTEGER if number > 0 else -GREATEST_INTEGER


ARITHMETIC: dict[str, Operator] = {"+": plus, "-": minus, "*": times, "/": divided, "%": modulo}


def _joined(one: str, other: str) -> str:
    if len(one) + len(other) > LONGEST_TEXT:
        raise StepFailed(f"a text would have more than {LONGEST_TEXT} characters")
    text = one + other
    if isinstance(one, Authored) and isinstance(other, Authored):
        return Authored(text)
    return Said.of(text, _shown(one) + _shown(other))


def _shown(text: str) -> int:
    """The most bytes of a text that a prompt shows."""
    return text.limit if isinstance(text, Said) else byte_length(text)


def _number(value: Any) -> Any:
    """The number; `*` and `%` mean something for Python's texts that they don't mean here."""
    if isinstance(value, (int, float)):
        return value
    raise TypeError(f"{type(value).__name__} is no number")
