"""A typed expression: what the checker knows of a value."""

from __future__ import annotations

import math

from recipelang.ir.expressions import Constant, Expression
from recipelang.ir.types import BoolType, IntType, NeverType, ScoreType, Type
from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression of the plan with its type and, for a number, the interval that it lies in.

    The interval is never wider than the type's own.
    """

    expression: Expression
    type: Type
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        low, high = interval_of(self.type)
        object.__setattr__(self, "low", max(self.low, low))
        object.__setattr__(self, "high", min(self.high, high))


def interval_of(type: Type) -> tuple[float, float]:
    """The numbers between which every value of a type lies."""
    match type:
        case IntType(low, high):
            return (-math.inf if low is None else low), (math.inf if high is None else high)
        case ScoreType() | BoolType():
            return 0.0, 1.0  # as a weight, a condition counts 0 or 1
        case _:
            return -math.inf, math.inf


def expression_of(typed: Typed | None) -> Expression | None:
    return None if typed is None else typed.expression


ERRONEOUS = Typed(Constant(None), NeverType())
"""Stands for an expression whose mistake has been reported; it fits everywhere, so that one mistake is one message."""
