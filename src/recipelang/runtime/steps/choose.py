"""`choose`: the first arm whose condition holds."""

from __future__ import annotations

from dataclasses import dataclass

from recipelang.ir.expressions import FailExpression
from recipelang.ir.plan import ArmCall, Choose, Plan
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.frame import Frame, evaluate
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
class Failing:
    """`fail("why")` in place of a call."""

    reason: Evaluator

    async def __call__(
        self, frame: Frame, values: dict[str, Value], path: str, deadline: float, sample: int = 0
    ) -> Value:
        return evaluate(self.reason, values, path)


@dataclass(frozen=True, slots=True)
class PreparedArm:
    when: Evaluator | None
    call: PreparedCall
    label: str  # what it calls, for the trace


@dataclass(frozen=True, slots=True)
class Choosing:
    arms: tuple[PreparedArm, ...]

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        for index, arm in enumerate(self.arms):
            if arm.when is None or evaluate(arm.when, frame.values, path) is True:
                frame.execution.recorder.record("arm_taken", path, arm=index, calls=arm.label)
                return await arm.call(frame, frame.values, path, deadline)
        raise RunFailure(RunFailureKind.NO_ARM, f"none of {len(self.arms)} arms applies", step=path)


def prepare_choose(step: Choose, plan: Plan) -> PreparedStep:
    names = (names_in_call(arm.call) | names_in(arm.when) for arm in step.arms)
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=names_in(step.fallback).union(*names),
        work=Choosing(
            tuple(
                PreparedArm(compile_optional(arm.when, plan), _prepare_arm(arm.call, plan, step), _label(arm.call))
                for arm in step.arms
            )
        ),
        timeout=step.timeout,
        fallback=prepare_fallback(step.fallback, plan),
    )


def _prepare_arm(call: ArmCall, plan: Plan, step: Choose) -> PreparedCall:
    if isinstance(call, FailExpression):
        return Failing(compile_expression(call, plan))
    return prepare_call(call, plan, timeout=step.timeout, mends=True)


def _label(call: ArmCall) -> str:
    match call:
        case FailExpression():
            return "fail"
        case _:
            return call.role if call.kind == "role" else call.recipe
