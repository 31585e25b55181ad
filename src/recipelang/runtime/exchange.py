"""The calls made for one answer: each asks the ledger first, and is retried where that may help."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from contextlib import aclosing

import anyio

from recipelang.ir.plan import Model
from recipelang.ir.sizing import BYTES_PER_TOKEN, MAX_RETRY_DELAY
from recipelang.quick import dataclass, field, replace
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.frame import Frame
from recipelang.runtime.ledger import Refused, Reservation
from recipelang.runtime.ports import Backend, BackendError, Departure, FailureKind, ModelCall, Reply
from recipelang.runtime.prompts import most_used
from recipelang.runtime.trace import messages_as_json
from recipelang.runtime.values import NOTHING_MORE, Answer, Json, Message, Request, Usage
from recipelang.runtime.voice import Voice

FIRST_RETRY_DELAY = 0.5
"""Seconds before the first retry at most; doubled for each further one, up to `MAX_RETRY_DELAY`."""

Messages = tuple[Message, ...]


@dataclass(slots=True)
class Exchange:
    """The calls made for one answer, and what they used together; nothing is sent to a model but through here."""

    frame: Frame
    path: str
    model: Model
    role: str
    max_tokens: int
    seed: int
    deadline: float
    temperature: float | None = None
    logprobs: bool = False
    schema: str | None = None
    tools: tuple[Json, ...] = ()
    sample: int = 0
    retries: int = 0
    hedge: float | None = None
    strict: bool = True
    others: Mapping[str, Json] = field(default_factory=lambda: NOTHING_MORE)
    voice: Voice | None = None  # where the answer is spoken as it comes
    scope: anyio.CancelScope | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reported: bool = True
    cost: float | None = 0.0
    latency: float = 0.0
    turn: int = 0  # of a loop of tools: the one whose conversation it is asked with

    @property
    def shown(self) -> int:
        """How many bytes of its answer another prompt shows."""
        return BYTES_PER_TOKEN * self.max_tokens

    def heed(self, request: Request, *, in_form: bool) -> None:
        """Take on what the client asks of a call whose words may be the answer: never more than the role allows.

        `in_form`: whether the model is told the form that is asked for; its size is bounded where the request is shown.
        """
        wishes = request.wishes
        if self.temperature is None:
            self.temperature = wishes.temperature
        if wishes.max_tokens is not None and wishes.max_tokens < self.max_tokens:
            self.max_tokens = wishes.max_tokens
        self.logprobs = self.logprobs or (wishes.logprobs and self.model.logprobs is not False)
        if wishes.others:
            self.others = {**self.others, **wishes.others}
        if in_form:
            self.schema, self.strict = request.format.schema, wishes.strict

    def goes_on(self, turn: int, *, tools: bool) -> None:
        """From here on ask as a later turn of a loop of tools does: its tools, and what its client wants of an answer."""
        self.turn = turn
        request = self.frame.execution.turns.requests[turn]
        self.tools = request.tools if tools else ()
        self.others = {**(request.tool_options if self.tools else NOTHING_MORE), **request.wishes.others}

    def in_time(self) -> anyio.CancelScope:
        """The scope that ends the exchange at its deadline; raises where that is past already."""
        if self.frame.execution.timer() >= self.deadline:
            raise self._refused(RunFailureKind.DEADLINE, "not called: the time was up")
        self.scope = anyio.CancelScope(deadline=self.deadline)
        return self.scope

    def timed_out(self) -> RunFailure:
        return RunFailure(
            RunFailureKind.TIMEOUT,
            "no answer before the time was up",
            step=self.path,
            model=self.model.name,
        )

    async def send(self, messages: Messages) -> Reply:
        """The reply of the model, at the first attempt or at a later one; raises `RunFailure`."""
        call = self.call(messages)
        attempt = 0
        while True:
            known = self.frame.execution.turns.knows(call)
            try:
                if known:
                    return await self._heard_again(call)
                return await (self._attempt if self.hedge is None else self._hedged)(call, attempt)
            except BackendError as error:
                await self._wait_to_retry(error, attempt, at_once=known)
            attempt += 1

    def call(self, messages: Messages) -> ModelCall:
        """What is asked of the model."""
        return ModelCall(
            self.model,
            self.role,
            messages,
            self.max_tokens,
            self.temperature,
            self.logprobs,
            self.schema,
            self.tools,
            None if self.temperature == 0 or self.model.seed is False else self.seed,
            self.sample,
            self.strict,
            self.others,
        )

    async def _heard_again(self, call: ModelCall) -> Reply:
        """What was heard in an earlier turn of a loop of tools: it was paid for then, and is neither booked nor spoken."""
        execution = self.frame.execution
        execution.recorder.record("call_known", self.path, model=call.model.name, role=call.role, sample=call.sample)
        return await execution.backends[call.model.backend].complete(call)

    async def _attempt(self, call: ModelCall, attempt: int) -> Reply:
        account = self.frame.account
        await account.enter()
        try:
            return await self._permitted(call, attempt)
        finally:
            account.leave()

    async def _hedged(self, call: ModelCall, attempt: int) -> Reply:
        """The first reply to a call that is sent once more where it takes long; the other one is given up."""
        replies: list[Reply] = []
        failures: list[Exception] = []
        ended = anyio.Event()

        async def ask(call: ModelCall) -> None:
            try:
                replies.append(await self._attempt(call, attempt))
                group.cancel_scope.cancel()
            except Exception as failure:  # noqa: BLE001 - a bug too is raised once the other call has ended
                failures.append(failure)
            ended.set()

        async with anyio.create_task_group() as group:
            group.start_soon(ask, call)
            with anyio.move_on_after(self.hedge):
                await ended.wait()
            if not ended.is_set():
                self.frame.execution.recorder.record("hedged", self.path, model=self.model.name, after=self.hedge)
                await ask(replace(call, again=True, departure=Departure()))
        for failure in sorted(failures, key=_severity):
            if not replies or _severity(failure) == 0:
                raise failure
        return replies[0]

    async def _permitted(self, call: ModelCall, attempt: int) -> Reply:
        execution = self.frame.execution
        reservation = self._reserve(call)
        recorder = execution.recorder
        content = {"messages": messages_as_json(call.messages)} if recorder.content else {}
        recorder.record(
            "call_start",
            self.path,
            call=reservation.number,
            model=call.model.name,
            role=call.role,
            sample=call.sample,
            attempt=attempt,
            **content,
        )
        if recorder.tracer is not None:
            call = replace(call, headers=recorder.tracer.headers(reservation.number, call))
        began = execution.clock.now()
        try:
            backend = execution.backends[call.model.backend]
            reply = await (backend.complete(call) if self.voice is None else self._spoken(backend, call, self.voice))
        except BackendError as error:
            self._failed(reservation, error)
            raise
        except Exception as bug:
            self._broken(reservation, bug)
            raise
        except BaseException:
            self._cancelled(reservation, sent=not call.departure.waits)
            raise
        self._replied(reservation, reply, execution.clock.now() - began)
        return reply

    async def _spoken(self, backend: Backend, call: ModelCall, voice: Voice) -> Reply:
        """The reply, of which each piece is handed on as it comes."""
        async with aclosing(backend.stream(call)) as pieces:
            async for piece in pieces:
                if piece.text or (piece.calls and voice.call_listener is not None):
                    if not voice.spoke:
                        self.frame.execution.recorder.record("committed", self.path, model=self.model.name)
                    if piece.text:
                        await voice.say(piece.text)
                    for call_piece in piece.calls:
                        await voice.call(call_piece)
                if piece.reply is not None:
                    return piece.reply
        raise BackendError(FailureKind.GARBAGE, "the stream ended before the answer did", may_pass=True)

    def _reserve(self, call: ModelCall) -> Reservation:
        boundary = self.frame.execution.withheld.get(call.model.name)
        if boundary is not None:
            raise self._refused(
                RunFailureKind.BOUNDARY, f"not called: the boundary `{boundary}` keeps the request from this model"
            )
        try:
            most = most_used(call)
            return self.frame.account.reserve(call.model, most.prompt_tokens, most.completion_tokens)
        except Refused as refused:
            raise self._refused(RunFailureKind.BUDGET, f"not called: {refused}") from refused

    def _refused(self, kind: RunFailureKind, message: str) -> RunFailure:
        model = self.model.name
        self.frame.execution.recorder.record(
            "call_refused", self.path, model=model, role=self.role, failure=kind.value, message=message
        )
        return RunFailure(kind, message, step=self.path, model=model)

    def _replied(self, reservation: Reservation, reply: Reply, latency: float) -> None:
        cost: float | None = 0.0
        if reply.cached:
            usage = Usage(0, 0)
            self.frame.account.give_back(reservation)
        else:
            usage = _told(reply.usage, answered=bool(reply.text or reply.tool_calls)) or reservation.at_most()
            cost = self.frame.account.settle(reservation, usage, billed=_billed(reply.cost))
        recorder = self.frame.execution.recorder
        more: dict[str, Json] = {"text": reply.text} if recorder.content else {}
        if reply.cached:
            more["cached"] = True
        recorder.record(
            "call_end",
            self.path,
            call=reservation.number,
            model=self.model.name,
            **_figures(usage, cost),
            latency=latency,
            finish=reply.finish,
            **more,
        )
        if usage.total > reservation.tokens:
            recorder.record(
                "overrun", self.path, call=reservation.number, reserved=reservation.tokens, used=usage.total
            )
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.reported = self.reported and usage.reported
        self.cost = None if cost is None or self.cost is None else self.cost + cost
        self.latency += latency

    def _failed(self, reservation: Reservation, error: BackendError) -> None:
        usage = (_told(error.usage) or reservation.at_most()) if error.sent else Usage(0, 0)
        self._wasted(reservation, usage, error.kind.value, error.message, error.status, sent=error.sent)

    def _broken(self, reservation: Reservation, bug: Exception) -> None:
        """The backend raised what no backend may: it ends the run, and says where it came from."""
        bug.add_note(f"raised by the backend of model `{self.model.name}`, called in step `{self.path}`")
        self._wasted(reservation, reservation.at_most(), "broken", repr(bug))

    def _wasted(
        self,
        reservation: Reservation,
        usage: Usage,
        failure: str,
        message: str,
        status: int | None = None,
        *,
        sent: bool = True,
    ) -> None:
        cost = self._booked(reservation, usage, sent=sent)
        self.frame.execution.recorder.record(
            "call_failed",
            self.path,
            call=reservation.number,
            model=self.model.name,
            failure=failure,
            message=message,
            status=status,
            sent=sent,
            tokens=usage.total,
            **_figures(usage, cost),
        )

    def _booked(self, reservation: Reservation, usage: Usage, *, sent: bool) -> float | None:
        """What a call that gave no reply has cost; one that was never sent is none, and gives back what it was promised."""
        if sent:
            return self.frame.account.settle(reservation, usage, wasted=True)
        self.frame.account.give_back(reservation)
        return 0.0

    def _cancelled(self, reservation: Reservation, *, sent: bool) -> None:
        usage = reservation.at_most() if sent else Usage(0, 0)
        cost = self._booked(reservation, usage, sent=sent)
        timeout = self.scope is not None and self.scope.cancel_called
        self.frame.execution.recorder.record(
            "call_cancelled",
            self.path,
            call=reservation.number,
            model=self.model.name,
            why="timeout" if timeout else "not needed",
            sent=sent,
            tokens=usage.total,
            **_figures(usage, cost),
        )

    async def _wait_to_retry(self, error: BackendError, attempt: int, *, at_once: bool = False) -> None:
        """Back off, or raise where another attempt is not allowed, would change nothing or would come too late."""
        failure = RunFailure(RunFailureKind.BACKEND, error.message, step=self.path, model=self.model.name)
        if attempt >= self.retries or not error.may_pass or self.frame.is_committed:
            raise failure from error
        delay = 0.0 if at_once else self._delay(error, attempt)
        execution = self.frame.execution
        if not execution.timer() + delay < self.deadline:
            raise failure from error
        execution.recorder.record("retry", self.path, model=self.model.name, attempt=attempt + 1, delay=delay)
        await anyio.sleep(delay)

    def _delay(self, error: BackendError, attempt: int) -> float:
        """Seconds to wait: as long as the provider asks, else a while that doubles, with jitter."""
        if error.retry_after is not None:
            return max(0.0, error.retry_after)
        longest = min(FIRST_RETRY_DELAY * 2**attempt, MAX_RETRY_DELAY)
        return random.Random(self.seed + attempt).uniform(0, longest)

    def answer(self, role: str, reply: Reply, value: Json, valid: bool) -> Answer:
        return Answer(
            reply.text,
            value,
            valid,
            self.model,
            role,
            Usage(self.prompt_tokens, self.completion_tokens, self.reported),
            self.cost,
            self.latency,
            reply.finish,
            reply.logprobs,
            reply.tool_calls,
            self.max_tokens,
        )


def _severity(failure: Exception) -> int:
    """What to raise first: a bug, then what a model could not do, then what the ledger did not allow."""
    return 1 if isinstance(failure, BackendError) else 2 if isinstance(failure, RunFailure) else 0


def _figures(usage: Usage, cost: float | None) -> dict[str, Json]:
    """What a call used, as its event tells it."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "reported": usage.reported,
        "cost": cost,
    }


def _billed(cost: float | None) -> float | None:
    """What a backend says was billed, unless that can't be."""
    return cost if cost is not None and 0 <= cost < math.inf else None


def _told(usage: Usage | None, *, answered: bool = False) -> Usage | None:
    """What a provider said a call used, unless that can't be: then it counts at what it may have used.

    A negative number would pay into the budget; no prompt is of no tokens, and no answer that says something.
    """
    if usage is None or usage.prompt_tokens <= 0 or usage.completion_tokens < 0:
        return None
    return None if answered and usage.completion_tokens == 0 else usage
