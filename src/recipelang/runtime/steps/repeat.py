"""`repeat`: a fold, in which each round sees the result of the one before."""

from __future__ import annotations

from typing import cast

from recipelang.ir.plan import Plan, Repeat
from recipelang.quick import dataclass
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.steps.calls import PreparedCall, prepare_call
from recipelang.runtime.steps.guards import Guard, prepare_guard
from recipelang.runtime.steps.prepared import (
    PreparedStep,
    compile_optional,
    names_in,
    names_in_call,
    prepare_fallback,
)
from recipelang.runtime.values import Value


@dataclass(frozen=True, slots=True)
class Repeating:
    name: str
    call: PreparedCall
    start: Evaluator
    variable: str | None
    over: Evaluator | None
    times: Evaluator | None
    until: Guard | None

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        values = {**frame.values, self.name: evaluate(self.start, frame.values, path)}
        known[self.name] = values[self.name]
        for index, item in enumerate(self._rounds(frame, path)):
            if self.variable is not None:
                values[self.variable] = item
            place = f"{path}[{index}]"
            known[self.name] = values[self.name] = await self.call(frame, values, place, deadline)
            if self._done(frame, values, place):
                break
        return values[self.name]

    def _rounds(self, frame: Frame, path: str) -> tuple[Value, ...]:
        if self.over is not None:
            return cast(tuple[Value, ...], evaluate(self.over, frame.values, path))
        times = 0 if self.times is None else cast(int, evaluate(self.times, frame.values, path))
        return tuple(range(times))

    def _done(self, frame: Frame, values: dict[str, Value], place: str) -> bool:
        if self.until is None:
            return False
        verdict = self.until(values, place)
        frame.execution.recorder.record("until_met" if verdict.holds else "until_unmet", place, **verdict.seen)
        return verdict.holds


def prepare_repeat(step: Repeat, plan: Plan) -> PreparedStep:
    own = {step.name, step.variable}
    inside = names_in_call(step.call) | names_in(step.until)
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=(inside - own) | names_in(step.start, step.over, step.times) | (names_in(step.fallback) - {step.name}),
        work=Repeating(
            step.name,
            prepare_call(step.call, plan, timeout=step.timeout),
            compile_expression(step.start, plan),
            step.variable,
            compile_optional(step.over, plan),
            compile_optional(step.times, plan),
            prepare_guard(step.until, plan),
        ),
        timeout=step.timeout,
        fallback=prepare_fallback(step.fallback, plan),
    )
