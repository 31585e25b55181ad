"""`cascade`: one item after another, until one is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from recipelang.ir.plan import Cascade, Plan
from recipelang.quick import dataclass
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.steps.calls import PreparedCall, prepare_call
from recipelang.runtime.steps.guards import Guard, Verdict, prepare_guard
from recipelang.runtime.steps.prepared import PreparedStep, names_in, names_in_call, prepare_fallback
from recipelang.runtime.values import Value

TRIED = "tried"
_ACCEPTED = Verdict(True, {})


@dataclass(frozen=True, slots=True)
class Cascading:
    call: PreparedCall
    variable: str
    over: Evaluator
    accept: Guard | None
    skip: bool  # whether an item that fails makes room for the next

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        items = cast(tuple[Value, ...], evaluate(self.over, frame.values, path))
        failures: list[RunFailure] = []
        tried: tuple[Value, ...] = ()
        known[TRIED] = tried
        for index, item in enumerate(items):
            values, place = {**frame.values, self.variable: item}, f"{path}[{index}]"
            try:
                value = await self.call(frame, values, place, deadline)
                known[TRIED] = tried = (*tried, value)
                if self._accepts(frame, {**values, "it": value}, place):
                    return value
            except RunFailure as failure:
                if not self.skip:
                    raise
                failures.append(failure)
                frame.execution.recorder.record("escalated", place, failure=failure.kind.value, why=failure.reason)
        raise _none_accepted(path, len(items), len(tried), failures)

    def _accepts(self, frame: Frame, values: dict[str, Value], place: str) -> bool:
        verdict = _ACCEPTED if self.accept is None else self.accept(values, place)
        frame.execution.recorder.record("accepted" if verdict.holds else "escalated", place, **verdict.seen)
        return verdict.holds


def _none_accepted(path: str, items: int, answered: int, failures: Sequence[RunFailure]) -> RunFailure:
    why = "; ".join(failure.reason for failure in failures)
    counted = f"none of {items} was accepted, {answered} answered"
    return RunFailure(
        RunFailureKind.NOT_ACCEPTED, f"{counted}: {why}" if why else counted, step=path, causes=tuple(failures)
    )


def prepare_cascade(step: Cascade, plan: Plan) -> PreparedStep:
    own = {step.variable, "it"}
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=((names_in_call(step.call) | names_in(step.accept)) - own)
        | names_in(step.over)
        | (names_in(step.fallback) - {TRIED}),
        work=Cascading(
            prepare_call(step.call, plan, timeout=step.timeout),
            step.variable,
            compile_expression(step.over, plan),
            prepare_guard(step.accept, plan),
            step.on_error == "skip",
        ),
        timeout=step.timeout,
        fallback=prepare_fallback(step.fallback, plan),
    )
