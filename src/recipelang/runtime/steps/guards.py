"""The conditions of a policy (`keep`, `accept`, `until`), which also tell the trace what they saw."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.ir.expressions import BinaryExpression, Expression, Variable
from recipelang.ir.plan import Plan
from recipelang.quick import dataclass
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.frame import evaluate
from recipelang.runtime.values import Json, Value

_COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))
_LEFT, _RIGHT = "left", "right"
_LONGEST_SEEN = 80
"""Characters of a text that the trace shows of what a condition saw."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, and for a comparison its two sides: `{"saw": 0.61, "is": ">=", "than": 0.72}`."""

    holds: bool
    seen: dict[str, Json]


class Guard:
    """A condition, whose parts that `and` joins are looked at one by one; the verdict shows the one that decided."""

    __slots__ = ("_parts",)

    def __init__(self, condition: Expression, plan: Plan) -> None:
        self._parts = tuple(_Part(part, plan) for part in _joined_by_and(condition))

    def __call__(self, values: dict[str, Value], path: str) -> Verdict:
        verdict = Verdict(True, {})
        for part in self._parts:
            verdict = part(values, path)
            if not verdict.holds:
                break
        return verdict


class _Part:
    """A comparison is taken apart when it is prepared, so that each side is evaluated once and shown."""

    __slots__ = ("_condition", "_left", "_operator", "_right")

    def __init__(self, condition: Expression, plan: Plan) -> None:
        self._left: Evaluator | None = None
        self._right: Evaluator | None = None
        self._operator = ""
        if isinstance(condition, BinaryExpression) and condition.operator in _COMPARISONS:
            self._left = compile_expression(condition.left, plan)
            self._right = compile_expression(condition.right, plan)
            self._operator = condition.operator
            condition = BinaryExpression(condition.operator, Variable(_LEFT), Variable(_RIGHT))
        self._condition = compile_expression(condition, plan)

    def __call__(self, values: dict[str, Value], path: str) -> Verdict:
        if self._left is None or self._right is None:
            return Verdict(evaluate(self._condition, values, path) is True, {})
        left, right = evaluate(self._left, values, path), evaluate(self._right, values, path)
        holds = evaluate(self._condition, {_LEFT: left, _RIGHT: right}, path) is True
        return Verdict(holds, {"saw": _shown(left), "is": self._operator, "than": _shown(right)})


def prepare_guard(condition: Expression | None, plan: Plan) -> Guard | None:
    return None if condition is None else Guard(condition, plan)


def _joined_by_and(condition: Expression) -> Iterator[Expression]:
    match condition:
        case BinaryExpression("and", left, right):
            yield from _joined_by_and(left)
            yield from _joined_by_and(right)
        case _:
            yield condition


def _shown(value: Value) -> Json:
    if value is None or isinstance(value, bool | int | float):
        return value
    return value[:_LONGEST_SEEN] if isinstance(value, str) else type(value).__name__.lower()
