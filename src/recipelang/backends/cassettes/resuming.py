"""A run that is written down in a store as it goes: what it has done is not done again, and what it does is kept.

The lines are those of a cassette, with one more for each call that is about to be made. Knows nothing of what a run is of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar

import anyio
import anyio.lowlevel

from recipelang.backends.cassettes.document import (
    Begun,
    Gave,
    GivenUp,
    Outcome,
    Raised,
    Recorded,
    RecordedCall,
    asked_of,
    asked_of_function,
    begun_as_json,
    call_as_json,
    line_of,
)
from recipelang.backends.cassettes.replaying import Replay, given_again, replied_again
from recipelang.quick import dataclass, replace
from recipelang.runtime.ledger import cost_of
from recipelang.runtime.ports import (
    Backend,
    BackendError,
    Delta,
    Departure,
    FailureKind,
    HostFunction,
    ModelCall,
    NotRecorded,
    Reply,
    Store,
    StoreProblem,
)
from recipelang.runtime.prompts import most_used
from recipelang.runtime.values import Json, Usage

LEAST_PATIENCE = 0.05
"""Seconds that a call may wait for its turn in the order of the earlier process, however short it was."""

A_MOMENT = 0.001
"""Seconds that others get to act on the last thing that had happened."""

_KEPT: ContextVar[Kept | None] = ContextVar(
    "recipelang.kept", default=None
)  # each run has its own, all its tasks included


class Kept:
    """A run in a store, with what earlier processes have done of it.

    What they got comes again at once, and all that happened happens again in the order in which it did. A call that was cancelled is written down with what
    follows on it: where nothing follows, the whole run was given up, and the call counts as in flight.

    `turns`: it is a turn of a loop of tools. Then a call that was given up because its time was up fails so again at once, and not after
    as long a time; one that was sent twice gets the answer that came; and nothing waits long for its place in the order.
    """

    def __init__(self, store: Store, run: str, holder: int, done: Recorded, *, turns: bool = False) -> None:
        self._is_turn = turns
        self._store = store
        self._run = run
        self._holder = holder
        self._replay = Replay(done)
        self._has_ended = any(run.ending is not None for run in done.runs)
        self._calls = max((begun.number for begun in done.begun), default=0)
        self._before = max((call.at + call.seconds for call in done.calls), default=0.0)
        self._began: float | None = None
        self._given_up: list[str] = []
        known = {call.number for call in done.calls}
        self._begun = {begun.number: begun.line for begun in done.begun if begun.number in known}
        ended = (call.line for call in done.calls if not isinstance(call.outcome, GivenUp))
        self._due = deque(sorted([*self._begun.values(), *ended]))  # the lines that are still to happen again, in order
        self._early: set[int] = set()
        self._caught_up: anyio.Event | None = anyio.Event() if self._due else None
        self._waiting: dict[int, anyio.Event] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """The calls that are made inside are of this run."""
        token = _KEPT.set(self)
        try:
            yield
        finally:
            _KEPT.reset(token)

    def now(self) -> float:
        """Seconds that the run has been at work, in all its processes."""
        now = anyio.current_time()
        if self._began is None:
            self._began = now - self._before
        return now - self._began

    @property
    def has_ended(self) -> bool:
        """Whether it had ended before, so that nothing is asked any more."""
        return self._has_ended

    async def end(self, **told: Json) -> None:
        if not self._has_ended:
            await self._add([line_of({"kind": "end", "number": 1, **told})], ended=True)

    # ------------------------------------------------------ what was done before

    def knows(self, asked: Mapping[str, Json]) -> bool:
        """Whether a call was made in an earlier process, and not yet again."""
        return self._replay.has(asked)

    async def given_up_again(self, outcome: GivenUp) -> None:
        """Wait to be given up again; in a loop of tools only until all has happened that happened before the time was up."""
        if not (outcome.timed_out and self._is_turn):
            await anyio.sleep_forever()
        left = -1
        while left != len(self._due):
            left = len(self._due)
            await anyio.sleep(LEAST_PATIENCE)
        raise BackendError(FailureKind.TIMEOUT, "no answer before the time was up, in an earlier turn")

    async def flush(self) -> None:
        """Write down what has been given up and was followed by nothing."""
        await self._add([])

    async def done_before(self, asked: Mapping[str, Json]) -> RecordedCall | None:
        """How a call ended in an earlier process, in its turn; none where it has to be made."""
        call = self._found(asked)
        if call is None:
            return None
        self._happened(self._begun[call.number])
        if not isinstance(call.outcome, GivenUp):
            await self._turn_of(call)
            self._happened(call.line)
        return call

    def _found(self, asked: Mapping[str, Json]) -> RecordedCall | None:
        if not self._is_turn:
            return self._replay.found(asked)
        call, given_up = self._replay.settled(asked)
        for other in given_up:
            self._happened(self._begun[other.number])
        return call

    async def _turn_of(self, call: RecordedCall) -> None:
        """Wait until all that had happened before has happened again, but no longer than the call took then.

        It had ended by itself, and was paid: nothing gives it up now, not even what came at the same moment.
        """
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
            if self._due and self._due[0] != call.line:
                turn = self._waiting[call.line] = anyio.Event()
                with anyio.move_on_after(LEAST_PATIENCE if self._is_turn else max(call.seconds, LEAST_PATIENCE)):
                    await turn.wait()
                self._waiting.pop(call.line, None)

    def _happened(self, line: int) -> None:
        self._early.add(line)
        while self._due and self._due[0] in self._early:
            self._early.remove(self._due.popleft())
        if self._due and self._due[0] in self._waiting:
            self._waiting.pop(self._due[0]).set()
        if not self._due and self._caught_up is not None:
            self._caught_up.set()
            self._caught_up = None

    async def _catch_up(self) -> None:
        """Let what had happened happen first: it may show that a new call is not needed. Not for long: it may wait for a time."""
        if self._caught_up is not None:
            with anyio.move_on_after(LEAST_PATIENCE):
                await self._caught_up.wait()
            await anyio.sleep(A_MOMENT)

    # ------------------------------------------------------------ what is new

    @asynccontextmanager
    async def making(
        self, asked: Mapping[str, Json], usage: Usage | None, cost: float | None, departure: Departure | None = None
    ) -> AsyncGenerator[Made]:
        """A call from before it is sent until it has ended, however it does."""
        departure = Departure() if departure is None else departure
        departure.waits = True
        await self._catch_up()
        departure.waits = False
        self._calls += 1
        made, latest = Made(self, self._calls, asked, self.now()), anyio.current_effective_deadline()
        try:
            await self._add([line_of(begun_as_json(Begun(made.number, usage, cost)))])
            yield made
        except BackendError as error:
            await made.ended(replace(error))
            raise
        except Exception:  # a bug, or a store that can't be written: nobody knows what was used
            raise
        except BaseException:
            if not made.is_written:
                timed_out = anyio.current_time() >= latest
                self._given_up.append(made.line(GivenUp(sent=not departure.waits, timed_out=timed_out)))
            raise

    async def _add(self, lines: Sequence[str], *, ended: bool = False) -> None:
        lines, self._given_up = [*self._given_up, *lines], []
        with anyio.CancelScope(shield=True):
            await self._store.add(self._run, self._holder, lines, ended=ended)

    async def write(self, line: str) -> None:
        await self._add([line])

    async def note(self, line: str) -> None:
        """Write down what follows on no call: it does not say that a call before it was given up by the run itself."""
        with anyio.CancelScope(shield=True):
            await self._store.add(self._run, self._holder, [line])


@dataclass(slots=True)
class Made:
    """A call that is being made."""

    kept: Kept
    number: int
    asked: Mapping[str, Json]
    at: float
    is_written: bool = False

    def line(self, outcome: Outcome) -> str:
        seconds = round(self.kept.now() - self.at, 6)
        return line_of(call_as_json(RecordedCall(self.number, self.asked, round(self.at, 6), seconds, outcome)))

    async def ended(self, outcome: Outcome) -> None:
        """Write down how it ended, before anybody goes on with that."""
        if not self.is_written:
            self.is_written = True
            await self.kept.write(self.line(outcome))


@dataclass(frozen=True, slots=True)
class KeepingBackend:
    """Hands the calls of a run that is kept on to a backend, but for those that have been answered before.

    The run is the one that is going on around it, unless it is given.
    """

    backend: Backend
    kept: Kept | None = None

    async def complete(self, call: ModelCall) -> Reply:
        kept = self.kept or _KEPT.get()
        if kept is None:
            return await self.backend.complete(call)
        asked = asked_of(call)
        done = await kept.done_before(asked)
        if done is not None:
            return await _heard_again(kept, done, call)
        async with kept.making(asked, *_most(call), call.departure) as made:
            reply = await self.backend.complete(call)
            await made.ended(reply)
            return reply

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        kept = self.kept or _KEPT.get()
        asked = asked_of(call)
        done = None if kept is None else await kept.done_before(asked)
        if kept is not None and done is not None:
            reply = await _heard_again(kept, done, call)
            yield Delta(reply.text, reply)
            return
        async with aclosing(self.backend.stream(call)) as deltas:
            if kept is None:
                async for delta in deltas:
                    yield delta
                return
            async with kept.making(asked, *_most(call), call.departure) as made:
                async for delta in deltas:
                    if delta.reply is not None:
                        await made.ended(delta.reply)
                    yield delta


async def _heard_again(kept: Kept, done: RecordedCall, call: ModelCall) -> Reply:
    if isinstance(done.outcome, GivenUp):
        call.departure.waits = not done.outcome.sent
        await kept.given_up_again(done.outcome)
    return await replied_again(done, call)


def _most(call: ModelCall) -> tuple[Usage, float | None]:
    most, price = most_used(call), call.model.price
    return most, None if price is None else cost_of(price, most.prompt_tokens, most.completion_tokens)


def keeping(backend: Backend, run: Kept | None = None) -> Backend:
    """The backend, for runs that are kept and for others; or for one run alone."""
    return KeepingBackend(backend, run)


def keeping_function(name: str, cost: float, function: HostFunction, run: Kept | None = None) -> HostFunction:
    """The same for a function of the host, which is called anew where its process died before it had given anything."""
    called: Callable[..., Awaitable[Json]] = function

    async def kept_function(**arguments: Json) -> Json:
        kept = run or _KEPT.get()
        if kept is None:
            return await called(**arguments)
        asked = asked_of_function(name, arguments)
        done = await kept.done_before(asked)
        if done is not None:
            if isinstance(done.outcome, GivenUp):
                await kept.given_up_again(done.outcome)
            return await given_again(done)
        async with kept.making(asked, None, cost) as made:
            try:
                value = await called(**arguments)
            except (NotRecorded, StoreProblem):
                raise
            except Exception as error:
                await made.ended(Raised(type(error).__name__, str(error)))
                raise
            await made.ended(Gave(value))
            return value

    return kept_function
