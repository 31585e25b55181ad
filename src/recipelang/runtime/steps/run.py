"""`run`: another recipe, on a share of this one's budget."""

from __future__ import annotations

from recipelang.ir.plan import Plan, Run
from recipelang.quick import dataclass
from recipelang.runtime.frame import Frame
from recipelang.runtime.steps.calls import PreparedRecipeCall, prepare_recipe_call
from recipelang.runtime.steps.prepared import PreparedStep, names_in, names_in_call, prepare_fallback
from recipelang.runtime.values import Value


@dataclass(frozen=True, slots=True)
class Running:
    call: PreparedRecipeCall

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        return await self.call(frame, frame.values, path, deadline)


def prepare_run(step: Run, plan: Plan) -> PreparedStep:
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=names_in_call(step.call) | names_in(step.fallback),
        work=Running(prepare_recipe_call(step.call, plan)),
        timeout=step.timeout,
        fallback=prepare_fallback(step.fallback, plan),
        optional=step.optional,
    )
