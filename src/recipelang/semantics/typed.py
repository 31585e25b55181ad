"""A typed expression: what the checker knows of a value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recipelang.ir.expressions import Constant, Expression
from recipelang.ir.types import NeverType, Type


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression of the plan with its type and, for a number, the interval that it lies in."""

    expression: Expression
    type: Type
    low: float = -math.inf
    high: float = math.inf


ERRONEOUS = Typed(Constant(None), NeverType())
"""Stands for an expression whose mistake has been reported; it fits everywhere, so that one mistake is one message."""
