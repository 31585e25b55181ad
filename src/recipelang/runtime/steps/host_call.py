"""`call`: a function of the host, held to its time and to what it promises to give."""

from __future__ import annotations

from collections.abc import Awaitable

import anyio

from recipelang.ir.plan import Extern, HostCall, Plan
from recipelang.ir.sizing import HOST_RETRY_DELAY
from recipelang.quick import dataclass
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.ledger import Refused
from recipelang.runtime.ports import HostFunction, NotRecorded, StoreProblem
from recipelang.runtime.results import held_to
from recipelang.runtime.steps.prepared import PreparedStep, compile_optional, names_in, prepare_fallback
from recipelang.runtime.values import Json, Value, to_json


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
        recorder = execution.recorder
        if execution.turns.knows_function(name, given):  # it was called in an earlier turn of a loop of tools
            recorder.record("host_call_known", path, extern=name)
        else:
            try:
                frame.account.charge(self.extern.cost)
            except Refused as refused:
                raise RunFailure(RunFailureKind.BUDGET, f"`{name}` was not called: {refused}", step=path) from refused
            told: dict[str, Json] = {"arguments": given} if recorder.content else {}
            recorder.record("host_call_start", path, extern=name, **told)
        until = min(deadline, now + self.extern.timeout)
        outcome = _Outcome()
        try:
            with anyio.CancelScope(deadline=until):
                async with anyio.create_task_group() as apart:
                    apart.start_soon(outcome.of, execution.functions[name], given)
        except BaseException:
            recorder.record("host_call_cancelled", path, extern=name)
            raise
        if execution.timer() >= until:  # also where it went on all the same, and came too late
            raise self._failure(frame, path, f"it took longer than {until - now:g} s")
        if isinstance(outcome.error, NotRecorded | StoreProblem):
            raise outcome.error
        if outcome.problem is not None:
            raise self._failure(frame, path, outcome.problem) from outcome.error
        found = held_to(outcome.value, self.extern.returns, self.extern.max_bytes)
        if found.problem is not None:
            raise self._failure(frame, path, f"it promises something else: {found.problem}")
        content = {"value": to_json(found.value)} if recorder.content else {}
        recorder.record("host_call_end", path, extern=name, latency=execution.timer() - now, **content)
        return found.value

    def _failure(self, frame: Frame, path: str, why: str) -> RunFailure:
        frame.execution.recorder.record("host_call_failed", path, extern=self.extern.name, why=why)
        return RunFailure(RunFailureKind.HOST, f"the host's function `{self.extern.name}` failed: {why}", step=path)


class _Outcome:
    """What a function gave. It runs in a task of its own: where it was cancelled by its host, only that task is."""

    def __init__(self) -> None:
        self.value: Json = None
        self.error: Exception | None = None
        self.problem: str | None = "it was cancelled by its host"

    async def of(self, function: HostFunction, given: dict[str, object]) -> None:
        try:
            coming: object = function(**given)
            if not isinstance(coming, Awaitable):
                self.problem = "it is no coroutine function: it gave its result at once"
                return
            self.value = await coming
        except Exception as error:  # noqa: BLE001 - whatever a host's function raises is the failure of its step
            self.error, self.problem = error, _told(error)
        else:
            self.problem = None


def _told(error: Exception) -> str:
    """An exception in a line of bounded length."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - one that can't even be shown
        text = ""
    kind = type(error).__name__
    return f"{kind}: {text[:_LONGEST_REASON]}" if text else kind


_LONGEST_REASON = 500
"""Characters of an exception's text that the failure tells."""


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
