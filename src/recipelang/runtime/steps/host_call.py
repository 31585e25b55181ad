"""`call`: a function of the host, held to its time and to what it promises to give."""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from recipelang.ir.plan import Extern, HostCall, Plan
from recipelang.ir.sizing import HOST_RETRY_DELAY
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.ledger import Refused
from recipelang.runtime.ports import NotRecorded
from recipelang.runtime.results import held_to
from recipelang.runtime.steps.prepared import PreparedStep, compile_optional, names_in, prepare_fallback
from recipelang.runtime.values import Value, to_json


@dataclass(frozen=True, slots=True)
class CallingHost:
    extern: Extern
    arguments: tuple[tuple[str, Evaluator], ...]
    retries: int

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        given = {name: to_json(evaluate(compiled, frame.values, path)) for name, compiled in self.arguments}
        for attempt in range(self.retries):
            try:
                return await self._attempt(frame, path, deadline, given)
            except RunFailure as failure:
                too_late = frame.execution.timer() + HOST_RETRY_DELAY >= deadline
                if failure.kind is not RunFailureKind.HOST or too_late:
                    raise
                frame.execution.recorder.record("host_retry", path, extern=self.extern.name, attempt=attempt + 1)
                await anyio.sleep(HOST_RETRY_DELAY)
        return await self._attempt(frame, path, deadline, given)

    async def _attempt(self, frame: Frame, path: str, deadline: float, given: dict[str, object]) -> Value:
        execution, name = frame.execution, self.extern.name
        now = execution.timer()
        if now >= deadline:
            raise RunFailure(RunFailureKind.DEADLINE, f"`{name}` was not called: the time was up", step=path)
        boundary = execution.withheld.get(name)
        if boundary is not None:
            why = f"`{name}` was not called: the boundary `{boundary}` keeps the request from it"
            raise RunFailure(RunFailureKind.BOUNDARY, why, step=path)
        try:
            frame.account.charge(self.extern.cost)
        except Refused as refused:
            raise RunFailure(RunFailureKind.BUDGET, f"`{name}` was not called: {refused}", step=path) from refused
        execution.recorder.record("host_call_start", path, extern=name)
        with anyio.CancelScope(deadline=min(deadline, now + self.extern.timeout)):
            value = await self._called(frame, path, given)
            execution.recorder.record("host_call_end", path, extern=name)
            return value
        raise self._failure(frame, path, "it took too long")

    async def _called(self, frame: Frame, path: str, given: dict[str, object]) -> Value:
        try:
            result = await frame.execution.functions[self.extern.name](**given)
        except NotRecorded:
            raise
        except Exception as error:
            raise self._failure(frame, path, f"{type(error).__name__}: {error}") from error
        found = held_to(result, self.extern.returns, self.extern.max_bytes)
        if found.problem is not None:
            raise self._failure(frame, path, f"it promises something else: {found.problem}")
        return found.value

    def _failure(self, frame: Frame, path: str, why: str) -> RunFailure:
        frame.execution.recorder.record("host_call_failed", path, extern=self.extern.name, why=why)
        return RunFailure(RunFailureKind.HOST, f"the host's function `{self.extern.name}` failed: {why}", step=path)


def prepare_host_call(step: HostCall, plan: Plan) -> PreparedStep:
    given = tuple((argument.name, compile_expression(argument.value, plan)) for argument in step.arguments)
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=names_in(step.when, step.fallback, *(argument.value for argument in step.arguments)),
        work=CallingHost(plan.externs[step.extern], given, step.retries),
        timeout=step.timeout,
        when=compile_optional(step.when, plan),
        fallback=prepare_fallback(step.fallback, plan),
        optional=step.optional,
    )
