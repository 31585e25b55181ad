"""The replies that a test writes down, as a backend and as functions of the host; knows nothing of what is expected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import anyio

from recipelang.backends.refusals import refusal
from recipelang.backends.scripted import After, reply_to
from recipelang.backends.scripted import Outcome as Played
from recipelang.quick import dataclass, field, replace
from recipelang.runtime.confidence import log_probability
from recipelang.runtime.ports import BackendError, FailureKind, HostFunction, ModelCall, Reply
from recipelang.runtime.values import Json, TokenLogprob
from recipelang.semantics.tested import Failing, Giving, Saying, ScriptedReply

MAY_PASS = frozenset((FailureKind.REFUSED, FailureKind.TIMEOUT, FailureKind.RATE_LIMIT, FailureKind.SERVER))
"""The failures after which the same call may succeed, where a test gives no status."""


class NoReply(Exception):
    """A call for which the test says nothing."""

    def __init__(self, callee: str, model: str | None) -> None:
        where = "" if model is None else f" on `{model}`"
        was = "called" if model is None else "asked"
        super().__init__(f"`{callee.rpartition('.')[2]}` was {was}{where}, and no `reply` says what it answers")
        self.callee = callee
        self.model = model


@dataclass
class Line:
    """Replies that stand for the same calls, in order. The last one stands for all further calls, unless it is counted."""

    replies: Sequence[ScriptedReply]
    told: list[int] = field(default_factory=list)  # how often each was given

    def __post_init__(self) -> None:
        self.told = [0] * len(self.replies)

    def next(self) -> ScriptedReply | None:
        for place, reply in enumerate(self.replies):
            last = place == len(self.replies) - 1
            times = math.inf if last and reply.times is None else reply.times or 1
            if self.told[place] < times:
                self.told[place] += 1
                return reply
        return None


@dataclass
class Script:
    """What each call is answered. `missing`: the first call for which there is nothing."""

    replies: Sequence[ScriptedReply]
    lines: dict[tuple[str, str | None], Line] = field(default_factory=dict)
    missing: NoReply | None = None

    def __post_init__(self) -> None:
        by_callee: dict[tuple[str, str | None], list[ScriptedReply]] = {}
        for reply in self.replies:
            by_callee.setdefault((reply.callee, reply.model), []).append(reply)
        self.lines = {key: Line(replies) for key, replies in by_callee.items()}

    def unused(self) -> list[ScriptedReply]:
        """The replies that no call asked for."""
        lines = self.lines.values()
        return [reply for line in lines for reply, told in zip(line.replies, line.told, strict=True) if not told]

    def play(self, call: ModelCall) -> Played:
        """What a model says to a call; raises `NoReply`."""
        reply = self._next(call.role, call.model.name)
        return After(
            reply.delay, _played(call, reply.outcome)
        )  # of no time as well: calls side by side are in flight at once

    def functions(self, names: Sequence[str]) -> Mapping[str, HostFunction]:
        """The functions of the host, of these names."""
        return {name: _Function(self, name) for name in names}

    def give(self, name: str) -> ScriptedReply:
        """What a function of the host gives; raises `NoReply`."""
        return self._next(name, None)

    def _next(self, callee: str, model: str | None) -> ScriptedReply:
        """A reply of this very model, else one of whichever model plays the role."""
        for key in dict.fromkeys(((callee, model), (callee, None))):
            reply = self.lines[key].next() if key in self.lines else None
            if reply is not None:
                return reply
        self.missing = self.missing or NoReply(callee, model)
        raise NoReply(callee, model)


@dataclass(frozen=True)
class _Function:
    script: Script
    name: str

    async def __call__(self, **arguments: Json) -> Json:
        reply = self.script.give(self.name)
        if reply.delay:
            await anyio.sleep(reply.delay)
        match reply.outcome:
            case Giving(value):
                return value
            case Failing(message=message):
                raise RuntimeError(message)
            case Saying():
                raise AssertionError("a function of the host gives plain data")  # the checker has looked


def _played(call: ModelCall, outcome: Saying | Failing | Giving) -> Reply | BackendError:
    match outcome:
        case Saying():
            return _said(call, outcome)
        case Failing():
            return _failed(outcome)
        case Giving():
            raise AssertionError("a model gives no plain data")  # the checker has looked


def _said(call: ModelCall, said: Saying) -> Reply:
    reply = replace(reply_to(call, said.text), finish=said.finish)
    if said.tokens is not None and reply.usage is not None:
        reply = replace(reply, usage=replace(reply.usage, completion_tokens=said.tokens))
    if said.confidence is not None and call.logprobs:
        token = TokenLogprob(said.text or " ", log_probability(said.confidence), -math.inf)
        reply = replace(reply, logprobs=(token,))
    return reply


def _failed(failing: Failing) -> BackendError:
    if failing.status is not None:
        error = refusal(failing.status, {}, failing.message.encode())
        return replace(error, retry_after=failing.retry_after)
    kind = FailureKind(failing.kind or FailureKind.SERVER)
    message = failing.message or f"scripted: {kind.value}"
    return BackendError(kind, message, retry_after=failing.retry_after, may_pass=kind in MAY_PASS)
