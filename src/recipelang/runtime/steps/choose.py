"""`choose`: the first arm whose condition holds or, `by` something, the best of those."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from recipelang.ir.expressions import FailExpression
from recipelang.ir.plan import Arm, ArmCall, Choose, Plan
from recipelang.ir.reading import weighs
from recipelang.quick import dataclass
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.prospects import bound_of_arm, prospect, rank
from recipelang.runtime.steps.calls import PreparedCall, prepare_call
from recipelang.runtime.steps.prepared import (
    PreparedStep,
    compile_optional,
    names_in,
    names_in_call,
    prepare_fallback,
)
from recipelang.runtime.values import Json, Prospect, Value, to_json


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
    estimates: Mapping[str, Evaluator]  # what the recipe says of it
    fails: bool


@dataclass(frozen=True, slots=True)
class Choosing:
    step: str
    arms: tuple[PreparedArm, ...]
    by: Evaluator | None
    weighs: bool  # whether anything asks what an arm is expected to bring or to take

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        index = self._first(frame, path) if self.by is None else self._best(frame, path, self.by)
        if index is None:
            raise RunFailure(RunFailureKind.NO_ARM, f"none of {len(self.arms)} arms applies", step=path)
        arm = self.arms[index]
        frame.execution.recorder.record("arm_taken", path, arm=index, calls=arm.label)
        return await arm.call(frame, frame.values, path, deadline)

    def _first(self, frame: Frame, path: str) -> int | None:
        return next((index for index in range(len(self.arms)) if self._applies(index, frame, path) is not None), None)

    def _best(self, frame: Frame, path: str, by: Evaluator) -> int | None:
        """Of the arms that apply the one with the greatest `by`, the first of equals; one that fails is the last resort."""
        best: tuple[tuple[bool, tuple[int, float | str]], int] | None = None
        for index, arm in enumerate(self.arms):
            known = self._applies(index, frame, path)
            if known is None:
                continue
            value = None if arm.fails else evaluate(by, known, path)
            frame.execution.recorder.record("arm_weighed", path, arm=index, by=to_json(value), **self._told(known))
            found = (not arm.fails, rank(value))
            if best is None or found > best[0]:
                best = found, index
        return None if best is None else best[1]

    def _applies(self, index: int, frame: Frame, path: str) -> dict[str, Value] | None:
        """What an arm that applies is weighed with; none for one that does not."""
        arm = self.arms[index]
        known = {**frame.values, "it": self._prospect(index, frame, path)} if self.weighs else frame.values
        return known if arm.when is None or evaluate(arm.when, known, path) is True else None

    def _prospect(self, index: int, frame: Frame, path: str) -> Prospect:
        said = {
            name: partial(evaluate, value, frame.values, path) for name, value in self.arms[index].estimates.items()
        }
        return prospect(said, bound_of_arm(frame.arms, self.step, index), frame.execution.request)

    def _told(self, known: dict[str, Value]) -> dict[str, Json]:
        told = to_json(known.get("it"))
        return told if isinstance(told, dict) else {}


def prepare_choose(step: Choose, plan: Plan) -> PreparedStep:
    names = (
        names_in_call(arm.call).union(*map(names_in, (arm.when, arm.quality, arm.cost, arm.time))) for arm in step.arms
    )
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=names_in(step.fallback).union(names_in(step.by), *names) - {"it"},
        work=Choosing(
            step.name,
            tuple(_prepared(arm, plan, step) for arm in step.arms),
            compile_optional(step.by, plan),
            weighs(step),
        ),
        timeout=step.timeout,
        fallback=prepare_fallback(step.fallback, plan),
    )


def _prepared(arm: Arm, plan: Plan, step: Choose) -> PreparedArm:
    said = {"quality": arm.quality, "cost": arm.cost, "time": arm.time}
    return PreparedArm(
        compile_optional(arm.when, plan),
        _prepare_arm(arm.call, plan, step),
        _label(arm.call),
        {name: compile_expression(value, plan) for name, value in said.items() if value is not None},
        isinstance(arm.call, FailExpression),
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
