"""`ask`: one call."""

from __future__ import annotations

from recipelang.ir.plan import Ask, Plan
from recipelang.quick import dataclass
from recipelang.runtime.frame import Frame
from recipelang.runtime.steps.calls import PreparedCall, prepare_call
from recipelang.runtime.steps.prepared import (
    PreparedStep,
    compile_optional,
    names_in,
    names_in_call,
    prepare_fallback,
)
from recipelang.runtime.values import Value


@dataclass(frozen=True, slots=True)
class Asking:
    call: PreparedCall

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        return await self.call(frame, frame.values, path, deadline)


def prepare_ask(step: Ask, plan: Plan) -> PreparedStep:
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=names_in_call(step.call) | names_in(step.when, step.fallback),
        work=Asking(
            prepare_call(step.call, plan, timeout=step.timeout, retries=step.retries, hedge=step.hedge, mends=True)
        ),
        timeout=step.timeout,
        when=compile_optional(step.when, plan),
        fallback=prepare_fallback(step.fallback, plan),
        optional=step.optional,
    )
