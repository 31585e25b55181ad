"""Replays a cassette: each call gets what the same call got, after the time that it took, and no call anything else."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import NoReturn

import anyio

from recipelang.backends.cassettes.differing import difference
from recipelang.backends.cassettes.document import (
    Gave,
    GivenUp,
    Raised,
    Recorded,
    RecordedCall,
    asked_of,
    asked_of_function,
    key_of,
    read_cassette,
)
from recipelang.quick import dataclass, replace
from recipelang.runtime.ports import Backend, BackendError, Delta, HostFunction, ModelCall, NotRecorded, Reply
from recipelang.runtime.values import Json


class Replay:
    """A cassette that is being replayed. Equal calls are answered in the order in which they were made.

    A call waits as long as it did, so that what came first comes first again: on a clock that jumps, in no time. While
    any calls are under way, each ends at its recorded distance from the others, whatever else took time in between.
    """

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self._left: dict[str, deque[RecordedCall]] = {}
        for call in recorded.calls:
            self._left.setdefault(key_of(call.asked), deque()).append(call)
        self._under_way = 0
        self._began = 0.0  # when the recording began, on the clock of the replay

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Replay:
        """Raises `CassetteProblem` and `OSError`."""
        return cls(read_cassette(path))

    @property
    def left(self) -> list[RecordedCall]:
        """The calls that nobody has made again."""
        return sorted((call for calls in self._left.values() for call in calls), key=lambda call: call.number)

    def take(self, asked: Mapping[str, Json]) -> RecordedCall:
        """The recording of a call; raises `NotRecorded` with the difference to the nearest one."""
        call = self.found(asked)
        if call is None:
            raise NotRecorded(difference(asked, self.recorded))
        return call

    def found(self, asked: Mapping[str, Json]) -> RecordedCall | None:
        """The recording of a call, which nobody gets a second time; none where there is none left."""
        calls = self._left.get(key_of(asked))
        return calls.popleft() if calls else None

    def has(self, asked: Mapping[str, Json]) -> bool:
        """Whether there is a recording of a call that nobody has got yet."""
        return bool(self._left.get(key_of(asked)))

    def settled(self, asked: Mapping[str, Json]) -> tuple[RecordedCall | None, Sequence[RecordedCall]]:
        """The first recording of a call that was answered or failed, and those before it that were given up; or one of these."""
        calls = self._left.get(key_of(asked), deque())
        before = list(takewhile(lambda call: isinstance(call.outcome, GivenUp), calls))
        if len(before) == len(calls):
            return (calls.popleft() if calls else None), ()
        for _ in before:
            calls.popleft()
        return calls.popleft(), before

    @contextmanager
    def playing(self, call: RecordedCall) -> Iterator[float]:
        """While a call is under way; gives the moment at which it began, on the clock of the replay."""
        if self._under_way == 0:
            self._began = anyio.current_time() - call.at
        self._under_way += 1
        try:
            yield self._began + call.at
        finally:
            self._under_way -= 1


async def _until(moment: float) -> None:
    await anyio.sleep(max(0.0, moment - anyio.current_time()))


async def _ended(call: RecordedCall, began: float) -> None:
    """Wait until the call ends; not at all, not even for a turn of the event loop, where nobody waited."""
    if not call.at_once and not isinstance(call.outcome, GivenUp):
        await _until(began + call.seconds)


@dataclass(frozen=True, slots=True)
class ReplayingBackend:
    """Answers from a replay; opens nothing, and reaches nobody."""

    replay: Replay

    async def complete(self, call: ModelCall) -> Reply:
        recorded = self.replay.take(asked_of(call))
        with self.replay.playing(recorded) as began:
            await _ended(recorded, began)
            return await replied_again(recorded, call)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        recorded = self.replay.take(asked_of(call))
        with self.replay.playing(recorded) as began:
            for after, text in recorded.pieces:
                await _until(began + after)
                yield Delta(text)
            await _ended(recorded, began)
            reply = await replied_again(recorded, call)
            if not recorded.pieces and reply.text:  # it was recorded as a whole
                yield Delta(reply.text)
            yield Delta(reply=reply)


async def replied_again(recorded: RecordedCall, call: ModelCall) -> Reply:
    """How a call of a model ended, once more and at once."""
    call.departure.waits = isinstance(recorded.outcome, GivenUp) and not recorded.outcome.sent
    match recorded.outcome:
        case Reply() as reply:
            return reply
        case BackendError() as error:
            raise replace(error)
        case _:
            return await _given_up()


async def given_again(recorded: RecordedCall) -> Json:
    """The same for a function of the host."""
    match recorded.outcome:
        case Gave(value):
            return value
        case Raised(error, message):
            raise type(error, (Exception,), {})(message)
        case _:
            return await _given_up()


async def _given_up() -> NoReturn:
    """It was given up, and will be again."""
    await anyio.sleep_forever()
    raise AssertionError("there is nothing after for ever")


def replaying(cassette: Replay | str | os.PathLike[str]) -> Backend:
    """A backend that answers from a cassette; it may stand for all backends of a plan."""
    return ReplayingBackend(cassette if isinstance(cassette, Replay) else Replay.of(cassette))


def replaying_function(name: str, replay: Replay) -> HostFunction:
    """A function of the host that does again what was recorded of it; `name` is the plan's for it."""

    async def replayed(**arguments: Json) -> Json:
        recorded = replay.take(asked_of_function(name, arguments))
        with replay.playing(recorded) as began:
            await _ended(recorded, began)
            return await given_again(recorded)

    return replayed
