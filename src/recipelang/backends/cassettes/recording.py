"""Records what goes to and fro: a backend around a backend, and a function around a function, which only listen."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from typing import IO, Any, Generic, Self, TypeVar

import anyio

from recipelang.backends.cassettes.document import (
    HEAD,
    Gave,
    GivenUp,
    Outcome,
    Raised,
    RecordedCall,
    asked_of,
    asked_of_function,
    call_as_json,
    line_of,
)
from recipelang.quick import dataclass, field, replace
from recipelang.runtime.ports import (
    Backend,
    BackendError,
    Delta,
    Departure,
    HostFunction,
    ModelCall,
    NotRecorded,
    Reply,
)
from recipelang.runtime.values import Json

T = TypeVar("T")

SHORTEST_SECRET = 8
"""Characters: what is shorter, such as the `none` that a local server takes for a key, may be an ordinary word."""


class Cassette:
    """A cassette that is being written: a line as soon as there is one, so that a run that is killed leaves its calls.

    `secrets` are kept out of what models and functions say; no key is ever a part of what they are asked.
    """

    def __init__(self, file: IO[str], secrets: Sequence[str] = ()) -> None:
        self._file = file
        self._secrets = [line_of({"": secret})[6:-3] for secret in secrets if len(secret) >= SHORTEST_SECRET]
        self._calls = 0
        self._runs = 0
        self._began: float | None = None
        self._write(HEAD)

    @classmethod
    @contextmanager
    def opened(cls, path: str | os.PathLike[str], secrets: Sequence[str] = ()) -> Iterator[Self]:
        """A new cassette in that file, in place of what was there; raises `OSError`."""
        with open(path, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123 - a path of any kind, /dev/fd/3 too
            yield cls(file, secrets)

    def began(self) -> tuple[int, float]:
        """The number of a call that is being made, and when that is, in seconds since the first one."""
        self._calls += 1
        return self._calls, self._now()

    def ended(self, number: int, at: float, asked: Mapping[str, Json], outcome: Outcome, **more: Json) -> None:
        """Write down how a call ended."""
        seconds = round(self._now() - at, 6)
        self._write(call_as_json(RecordedCall(number, asked, round(at, 6), seconds, outcome, **more)))

    def since(self, at: float) -> float:
        return round(self._now() - at, 6)

    def run_began(self, **told: Json) -> int:
        """Write down that a run begins; gives its number."""
        self._runs += 1
        self._write({"kind": "run", "number": self._runs, **told})
        return self._runs

    def run_ended(self, number: int, **told: Json) -> None:
        self._write({"kind": "end", "number": number, **told})

    def _now(self) -> float:
        now = anyio.current_time()
        if self._began is None:
            self._began = now
        return now - self._began

    def _write(self, entry: Mapping[str, Json]) -> None:
        line = line_of(entry)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        self._file.write(line)
        self._file.flush()


@dataclass(frozen=True, slots=True)
class RecordingBackend:
    """Hands calls on to a backend, and its replies and failures back as they are."""

    backend: Backend
    cassette: Cassette

    async def complete(self, call: ModelCall) -> Reply:
        with _Listening(self.cassette, asked_of(call), departure=call.departure) as listening:
            reply = await listening.to(self.backend.complete(call))
            listening.outcome = reply
            return reply

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        with _Listening(self.cassette, asked_of(call), departure=call.departure) as listening:
            async with aclosing(self.backend.stream(call)) as deltas:
                async for delta in deltas:
                    listening.hear(delta)
                    yield delta


class Waiting(Generic[T]):
    """An awaitable around another one that keeps whether it was suspended: whether anything else could go on meanwhile."""

    def __init__(self, awaited: Awaitable[T]) -> None:
        self._awaited = awaited
        self.suspended = False

    def __await__(self) -> Generator[Any, Any, T]:  # Any: what passes between a coroutine and its event loop
        inner = self._awaited.__await__()
        step = partial(next, inner)
        while True:
            try:
                wanted = step()
            except StopIteration as done:
                result: T = done.value
                return result
            self.suspended = True
            try:
                step = partial(inner.send, (yield wanted))
            except GeneratorExit:
                inner.close()
                raise
            except BaseException as error:  # noqa: BLE001 - thrown on into the one who waits
                step = partial(inner.throw, error)


@dataclass(slots=True)
class _Listening:
    """One call while it is under way; written down as it ends, however that is."""

    cassette: Cassette
    asked: Mapping[str, Json]
    outcome: Outcome | None = None
    number: int = 0
    at: float = 0.0
    pieces: list[tuple[float, str]] = field(default_factory=list)
    written: bool = False
    waited: Waiting[Any] | None = None
    departure: Departure = field(default_factory=Departure)

    def to(self, awaited: Awaitable[T]) -> Waiting[T]:
        """The same awaitable, of which it is kept whether anything was waited for."""
        self.waited = waiting = Waiting(awaited)
        return waiting

    def __enter__(self) -> Self:
        self.number, self.at = self.cassette.began()
        return self

    def hear(self, delta: Delta) -> None:
        """A piece of a reply; whoever listens may leave right after the last one."""
        if delta.text:
            self.pieces.append((self.cassette.since(self.at), delta.text))
        if delta.reply is not None:
            self.outcome = delta.reply
            self._write()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, BackendError):
            self.outcome = replace(error)
        elif error is not None and not isinstance(error, Exception) and self.outcome is None:
            self.outcome = GivenUp(sent=not self.departure.waits)
        if self.outcome is not None:
            self._write()

    def _write(self) -> None:
        if not self.written and self.outcome is not None:
            self.written = True
            at_once = self.waited is not None and not self.waited.suspended
            self.cassette.ended(
                self.number, self.at, self.asked, self.outcome, at_once=at_once, pieces=tuple(self.pieces)
            )


def recording(backend: Backend, cassette: Cassette) -> Backend:
    """The backend, with all that goes through it written down."""
    return RecordingBackend(backend, cassette)


def recording_function(name: str, function: HostFunction, cassette: Cassette) -> HostFunction:
    """A function of the host, with what it is given and what it gives written down; `name` is the plan's for it."""
    called: Callable[..., Awaitable[Json]] = function

    async def recorded(**arguments: Json) -> Json:
        asked = asked_of_function(name, arguments)
        with _Listening(cassette, asked) as listening:
            try:
                value = await listening.to(called(**arguments))
            except NotRecorded:
                raise
            except Exception as error:
                listening.outcome = Raised(type(error).__name__, str(error))
                raise
            listening.outcome = Gave(value)
            return value

    return recorded
