"""The call in a step's header: a role, which is one exchange with a model, or a recipe, which is a run of its own."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from recipelang.ir.plan import Call, Plan, RecipeCall
from recipelang.quick import dataclass
from recipelang.runtime.calling import prepare_role_call
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.values import Value


class PreparedCall(Protocol):
    """A call made ready: its arguments are read from `values`; raises `RunFailure`."""

    def __call__(
        self, frame: Frame, values: dict[str, Value], path: str, deadline: float, sample: int = 0
    ) -> Awaitable[Value]: ...


@dataclass(frozen=True, slots=True)
class PreparedRecipeCall:
    recipe: str
    arguments: tuple[tuple[str, Evaluator], ...]

    async def __call__(
        self, frame: Frame, values: dict[str, Value], path: str, deadline: float, sample: int = 0
    ) -> Value:
        execution = frame.execution
        arguments = {name: evaluate(compiled, values, path) for name, compiled in self.arguments}
        return await execution.recipes[self.recipe](
            execution, arguments, f"{path}.", deadline, frame.account, frame.voice, answers=frame.answers
        )


def prepare_recipe_call(call: RecipeCall, plan: Plan) -> PreparedRecipeCall:
    arguments = ((argument.name, compile_expression(argument.value, plan)) for argument in call.arguments)
    return PreparedRecipeCall(call.recipe, tuple(arguments))


def prepare_call(
    call: Call,
    plan: Plan,
    *,
    timeout: float | None,
    retries: int = 0,
    hedge: float | None = None,
    mends: bool = False,
) -> PreparedCall:
    if isinstance(call, RecipeCall):
        return prepare_recipe_call(call, plan)
    return prepare_role_call(call, plan, timeout=timeout, retries=retries, hedge=hedge, mends=mends)
