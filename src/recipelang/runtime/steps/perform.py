"""`perform`: the tasks of a plan, each as soon as what it needs is there."""

from __future__ import annotations

from typing import cast

import anyio
from anyio.abc import TaskGroup

from recipelang.ir.plan import Perform, Plan
from recipelang.quick import dataclass, field, replace
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
from recipelang.runtime.values import Answer, Task, TaskPlan, Value


@dataclass(slots=True)
class Team:
    """The tasks of one plan as they are done. A task that failed takes those that need it with it."""

    policy: Performing
    frame: Frame
    path: str
    deadline: float
    tasks: tuple[Task, ...]
    at_once: int
    started: set[str] = field(default_factory=set)
    done: dict[str, Answer] = field(default_factory=dict)
    lost: dict[str, RunFailure | None] = field(default_factory=dict)  # none: what it needs was lost
    error: Exception | None = None
    group: TaskGroup | None = None

    async def perform(self) -> tuple[Value, ...]:
        async with anyio.create_task_group() as self.group:
            self._start()
        if self.error is not None:
            raise self.error
        if not self.done:
            raise self._none_done()
        return tuple(self.done[task.name] for task in self.tasks if task.name in self.done)

    def _start(self) -> None:
        """Start every task whose needs are there, as many as may run at once."""
        assert self.group is not None
        for task in self.tasks:
            if task.name in self.started or task.name in self.lost:
                continue
            if any(need in self.lost for need in task.needs):
                self._lose(task, None)
            elif all(need in self.done for need in task.needs) and self._running() < self.at_once:
                self.started.add(task.name)
                self.group.start_soon(self._work, task)

    def _running(self) -> int:
        return len(self.started) - len(self.done) - len(self.lost.keys() & self.started)

    async def _work(self, task: Task) -> None:
        place = f"{self.path}[{task.name}]"
        recorder = self.frame.execution.recorder
        recorder.record("task_start", place, worker=task.model.name, needs=list(task.needs))
        at_hand = replace(task, results=tuple(self.done[need] for need in task.needs))
        values = {**self.frame.values, self.policy.variable: at_hand}
        try:
            self.done[task.name] = cast(Answer, await self.policy.call(self.frame, values, place, self.deadline))
        except RunFailure as failure:
            self._lose(task, failure)
        except Exception as error:  # noqa: BLE001 - a bug ends the step as it is, not inside an exception group
            self._stop(error)
        else:
            recorder.record("task_end", place)
        if self.error is None:
            self._start()

    def _lose(self, task: Task, failure: RunFailure | None) -> None:
        why = "what it needs was not done" if failure is None else failure.reason
        self.frame.execution.recorder.record("task_lost", f"{self.path}[{task.name}]", why=why)
        self.lost[task.name] = failure
        if failure is not None and not self.policy.skip:
            self._stop(failure)

    def _stop(self, error: Exception) -> None:
        assert self.group is not None
        self.error = self.error or error
        self.group.cancel_scope.cancel()

    def _none_done(self) -> RunFailure:
        failures = tuple(failure for failure in self.lost.values() if failure is not None)
        why = "; ".join(failure.reason for failure in failures)
        return RunFailure(
            RunFailureKind.QUORUM, f"none of {len(self.tasks)} tasks was done: {why}", step=self.path, causes=failures
        )


@dataclass(frozen=True, slots=True)
class Performing:
    call: PreparedCall
    variable: str
    plan: Evaluator
    parallel: Evaluator | None
    skip: bool  # whether a task that fails is only left out

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        plan = cast(TaskPlan, evaluate(self.plan, frame.values, path))
        at_once = len(plan.tasks)
        if self.parallel is not None:
            at_once = cast(int, evaluate(self.parallel, frame.values, path))
        if at_once < 1:
            raise RunFailure(RunFailureKind.FAILED, f"`parallel` is {at_once}, and must be at least 1", step=path)
        return await Team(self, frame, path, deadline, plan.tasks, at_once).perform()


def prepare_perform(step: Perform, plan: Plan) -> PreparedStep:
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=(names_in_call(step.call) - {step.variable}) | names_in(step.plan, step.parallel, step.fallback),
        work=Performing(
            prepare_call(step.call, plan, timeout=step.timeout),
            step.variable,
            compile_expression(step.plan, plan),
            compile_optional(step.parallel, plan),
            step.on_error == "skip",
        ),
        timeout=step.timeout,
        fallback=prepare_fallback(step.fallback, plan),
    )
