"""`let`: a name for the value of an expression."""

from __future__ import annotations

from recipelang.ir.plan import Let, Plan
from recipelang.quick import dataclass
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.steps.prepared import PreparedStep, names_in
from recipelang.runtime.values import Value


@dataclass(frozen=True, slots=True)
class Letting:
    value: Evaluator

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        return evaluate(self.value, frame.values, path)


def prepare_let(step: Let, plan: Plan) -> PreparedStep:
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=names_in(step.value),
        work=Letting(compile_expression(step.value, plan)),
    )
