"""Loops of the client's tools that go on where they were, on any replica: each turn's state under a number that its calls carry.

The client sends the whole conversation each time, as to any model. The numbers of the calls that it hands back say where the
state is that the last turn ended in; where it is not to be had any more, the conversation is answered from its beginning.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import zlib
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence

from recipelang.backends.cassettes.document import (
    HEAD,
    CassetteProblem,
    asked_of,
    asked_of_function,
    line_of,
    parse_cassette,
)
from recipelang.backends.cassettes.resuming import Kept, keeping, keeping_function
from recipelang.hosts.recorded import request_again, request_as_json
from recipelang.hosts.stores import MemoryStore
from recipelang.ir.plan import Plan
from recipelang.quick import dataclass
from recipelang.runtime.boundaries import prepare_boundaries, withheld
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ports import Backend, HostFunction, ModelCall, State, StoreProblem
from recipelang.runtime.trace import messages_as_json
from recipelang.runtime.turns import called
from recipelang.runtime.values import Answer, Json, Message, Request

MOST_TURNS = 32
"""How often the tools of a client may be called for one answer, unless it is set otherwise."""
LIFE = 3600.0
"""Seconds for which the state of a turn is kept for the next one."""
MOST_STATE = 8 * 1024 * 1024
"""Characters of a state beyond which it is not kept."""

_NUMBER = re.compile(r"call_([0-9a-f]{20})[0-9a-f]{2}")
_RUN = "turn"
_log = logging.getLogger("recipelang.loops")


class TooManyTurns(Exception):
    """A loop of tools has had all the turns that it may have."""


@dataclass(frozen=True, slots=True)
class Looped:
    """A request as it came, and whose it is. States are for the same recipe, and for the same key."""

    plan: Plan
    digest: str
    request: Request
    key: str
    seed: int


class Turn:
    """One request of a loop of tools, and what is known of those before it: the `Loop` of its run."""

    def __init__(self, its: Looped, number: int, before: Sequence[Request] = (), lines: Sequence[str] = ()) -> None:
        self._its = its
        self.number = number  # from 1
        self.before = before
        self.seed = its.seed
        self.state = secrets.token_hex(10)
        self._open: list[Json] = []
        known = list(lines) or [line_of(HEAD)]
        self._kept = Kept(
            MemoryStore({_RUN: known}, {_RUN: 1}), _RUN, 1, parse_cassette("a turn", "".join(known)), turns=True
        )
        self._lines = known  # the store adds to them

    @property
    def is_resumed(self) -> bool:
        return bool(self.before)

    def call_number(self, place: int) -> str:
        """What the client knows a call of a tool by, in the answer of this turn."""
        return f"call_{self.state}{place:02x}"

    # --------------------------------------------------------------- for its run

    def knows(self, call: ModelCall) -> bool:
        return self._kept.knows(asked_of(call))

    def knows_function(self, name: str, given: Mapping[str, Json]) -> bool:
        return self._kept.knows(asked_of_function(name, given))

    def can_go_on(self, calls: Sequence[Mapping[str, Json]]) -> None:
        self._open.append(called(calls))

    def goes_on_after(self, calls: Sequence[Mapping[str, Json]]) -> bool:
        """Whether the next turn has somebody to go on with; not where a fallback gave calls of one who is asked no more."""
        return called(calls) in self._open

    def keeping(self, backend: Backend) -> Backend:
        return keeping(backend, self._kept)

    def keeping_function(self, name: str, function: HostFunction) -> HostFunction:
        return keeping_function(name, self._its.plan.externs[name].cost, function, self._kept)

    # --------------------------------------------------------------- between turns

    async def ended(self, calls: Sequence[Mapping[str, Json]]) -> str:
        """The state that the next turn begins with, as text."""
        await self._kept.flush()
        its = self._its
        state = {
            "digest": its.digest,
            "key": its.key,
            "seed": self.seed,
            "requests": [request_as_json(request) for request in (*self.before, its.request)],
            "calls": called(calls),
            "lines": self._lines,
        }
        return b64encode(zlib.compress(json.dumps(state, ensure_ascii=False).encode(), 1)).decode()


class Loops:
    """Keeps the states of loops of tools in a `State`, which several replicas may share."""

    def __init__(self, state: State, *, turns: int = MOST_TURNS, life: float = LIFE) -> None:
        self._state = state
        self._turns = turns
        self._life = life

    async def answer(self, run: Callable[[Turn], Awaitable[RunResult]], its: Looped) -> RunResult:
        """The answer of a turn, by `run`; raises `TooManyTurns`, and what `run` raises."""
        turn = await self._turn(its)
        result = await run(turn)
        calls = result.answer.tool_calls if isinstance(result.answer, Answer) else ()
        if calls and turn.goes_on_after(calls):
            await self._keep(turn, await turn.ended(calls))
        return result

    async def _turn(self, its: Looped) -> Turn:
        number = 1 + _turns_since_the_user_spoke(its.request.messages)
        place, state = _handed_back(its.request.messages)
        found = None if state is None else await self._found(its, place, state)
        number = number if found is None else max(number, found.number)
        if number > self._turns + 1:
            raise TooManyTurns(
                f"tools were called {number - 1} times for this answer, and may be called {self._turns} times"
            )
        return Turn(its, number) if found is None else found

    async def _found(self, its: Looped, place: int, state: str) -> Turn | None:
        """The turn that goes on in a state, where there is one and it is of this very conversation."""
        try:
            text = await self._state.recall(f"turn:{state}")
        except StoreProblem as problem:
            _log.warning("the state of a loop of tools could not be read: %s", problem)
            return None
        if text is None:
            return None
        try:
            kept: Mapping[str, Json] = json.loads(zlib.decompress(b64decode(text)))
            requests = tuple(request_again(its.plan, request) for request in kept["requests"])
            if not _is_of(kept, requests, its, place):
                return None
            turn = Turn(its, len(requests) + 1, requests, kept["lines"])
            turn.seed = kept["seed"]
        except (CassetteProblem, LookupError, TypeError, ValueError, zlib.error) as problem:
            _log.warning("the state of a loop of tools is damaged, or of another version: %s", problem)
            return None
        return turn

    async def _keep(self, turn: Turn, state: str) -> None:
        if len(state) > MOST_STATE:
            _log.warning("the state of a loop of tools has %d characters, and is not kept", len(state))
            return
        try:
            await self._state.remember(f"turn:{turn.state}", state, self._life)
        except StoreProblem as problem:
            _log.warning("the state of a loop of tools could not be kept: %s", problem)


def _turns_since_the_user_spoke(messages: Sequence[Message]) -> int:
    last = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
    return sum(bool(message.extra.get("tool_calls")) for message in messages[last + 1 :])


def _handed_back(messages: Sequence[Message]) -> tuple[int, str | None]:
    """Where the last words of a model stand in a conversation and, where these are calls of tools, the number of the state
    that their turn ended in: after an answer in words the next request is a new one.
    """
    place = max((place for place, message in enumerate(messages) if message.role == "assistant"), default=0)
    calls = messages[place].extra.get("tool_calls") or ()
    found = {_NUMBER.fullmatch(str(call.get("id"))) for call in calls}
    states = {None if each is None else each[1] for each in found}
    return place, states.pop() if len(states) == 1 else None


def _is_of(kept: Mapping[str, Json], requests: tuple[Request, ...], its: Looped, place: int) -> bool:
    """Whether a state is of this recipe and key, and the conversation goes on from there as it was.

    What a tool gave may bring a boundary to hold that did not before: then the recipe must choose its way anew.
    """
    before = kept["requests"][-1]["messages"]
    boundaries = prepare_boundaries(its.plan)
    return (
        (kept["digest"], kept["key"]) == (its.digest, its.key)
        and len(before) == place
        and messages_as_json(its.request.messages[:place]) == before
        and called(its.request.messages[place].extra["tool_calls"]) == kept["calls"]
        and requests[0].format == its.request.format
        and withheld(boundaries, its.plan, requests) == withheld(boundaries, its.plan, (*requests, its.request))
    )


__all__ = ["LIFE", "MOST_TURNS", "Loops", "TooManyTurns", "Turn"]
