"""A backend whose replies, failures and delays a test writes down beforehand."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

import anyio

from recipelang.quick import dataclass, replace
from recipelang.runtime.members import estimated_tokens, text_of
from recipelang.runtime.ports import BackendError, Delta, ModelCall, Reply
from recipelang.runtime.values import Usage, byte_length


@dataclass(frozen=True, slots=True)
class After:
    """An outcome that takes so many seconds."""

    seconds: float
    outcome: str | Reply | BackendError


Outcome = str | Reply | BackendError | After
Script = Mapping[str, Outcome | Sequence[Outcome]] | Callable[[ModelCall], Outcome]


class ScriptedBackend:
    """Replies as its script says.

    The script is a function of the call, or a mapping with a key for a model's calls in one role (`small/judge`), for
    all of a model (`small`), for a role (`judge`) or for any (`*`), looked up in that order. A list is gone through call
    by call, and its last outcome stands for all further ones. `calls` are those that came in, `open` those that are not
    answered yet, `cancelled` those that were given up while they waited.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._told: dict[str, int] = {}
        self.calls: list[ModelCall] = []
        self.open: list[ModelCall] = []
        self.cancelled: list[ModelCall] = []

    async def complete(self, call: ModelCall) -> Reply:
        self.calls.append(call)
        outcome = self._outcome(call)
        if isinstance(outcome, After):
            await self._wait(call, outcome.seconds)
            outcome = outcome.outcome
        if isinstance(outcome, BackendError):
            raise replace(outcome)
        return reply_to(call, outcome)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        reply = await self.complete(call)
        *words, last = reply.text.split(" ")
        for piece in (*(f"{word} " for word in words), last):
            yield Delta(piece)
        yield Delta(reply=reply)

    async def _wait(self, call: ModelCall, seconds: float) -> None:
        self.open.append(call)
        try:
            await anyio.sleep(seconds)
        except BaseException:
            self.cancelled.append(call)
            raise
        finally:
            self.open.remove(call)

    def _outcome(self, call: ModelCall) -> Outcome:
        if callable(self._script):
            return self._script(call)
        for key in (f"{call.model.name}/{call.role}", call.model.name, call.role, "*"):
            if key in self._script:
                return self._next(key, self._script[key])
        raise LookupError(f"the script has nothing for `{call.model.name}` as `{call.role}`")

    def _next(self, key: str, outcomes: Outcome | Sequence[Outcome]) -> Outcome:
        if isinstance(outcomes, str) or not isinstance(outcomes, Sequence):
            return outcomes
        place = self._told.get(key, 0)
        self._told[key] = place + 1
        return outcomes[min(place, len(outcomes) - 1)]


def reply_to(call: ModelCall, outcome: str | Reply) -> Reply:
    """A bare text comes with about the usage that a provider would report."""
    if isinstance(outcome, Reply):
        return outcome
    prompt = sum(estimated_tokens(byte_length(text_of(message))) for message in call.messages)
    return Reply(outcome, usage=Usage(prompt, min(call.max_tokens, max(1, estimated_tokens(byte_length(outcome))))))
