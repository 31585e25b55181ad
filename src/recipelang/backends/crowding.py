"""How many calls an endpoint gets at once: fewer when it is overloaded or slow, more while it answers; the others wait in a short queue."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from recipelang.backends.pace import ENOUGH, Pace
from recipelang.runtime.ports import BackendError, Departure, FailureKind

SHRINKS_TO = 0.7
"""What is left of the limit when the endpoint says that it is overloaded."""
LEAST_LEFT = 0.5
"""What is left of the limit at least when the endpoint is slow."""
ROOM = 1 / 8
"""The part of `most` up to which calls at once are no crowd, whatever the endpoint can bear."""
OVERLOADED = (429, 503, 529)


class Crowd:
    """At most `most` calls at once, and `queue` that wait; further ones are refused at once.

    The limit grows by one for as many answers as it is. It shrinks when the endpoint says that it is overloaded, and when
    its answers take more than twice as long as such answers do when it has room (`Pace`): the slower, the more. Calls that
    were in flight when it shrank tell of what was, and count no more: only those that began later can make it shrink again.
    """

    __slots__ = (
        "_in_flight",
        "_most",
        "_paces",
        "_queue",
        "_shrunk",
        "_started",
        "_timer",
        "_told",
        "_waiting",
        "limit",
    )

    def __init__(self, most: int, queue: int, timer: Callable[[], float]) -> None:
        self.limit = float(most)
        self._most = most
        self._queue = queue
        self._timer = timer
        self._in_flight = 0
        self._started = 0
        self._shrunk = 0  # the calls that had been started when the limit shrank
        self._told = 0  # the calls that have told how long they take since it was last judged
        self._waiting: deque[anyio.Event] = deque()
        self._paces: dict[str, Pace] = {}

    @asynccontextmanager
    async def call(self, alike: str, departure: Departure) -> AsyncIterator[None]:
        """Around a call; `alike` names the calls that take about as long. Raises `BackendError` where too many wait already."""
        await self._enter(departure)
        self._started += 1
        number, began, had_room = self._started, self._timer(), self._has_room
        pace = self._paces.setdefault(alike, Pace())
        try:
            yield
        except BackendError as error:
            if error.status in OVERLOADED and number > self._shrunk:
                self._shrink(SHRINKS_TO)
            elif error.sent:
                self._was_given_up(number, pace, self._timer() - began)
            raise
        except BaseException:
            self._was_given_up(number, pace, self._timer() - began)
            raise
        else:
            if number > self._shrunk:
                pace.took(self._timer() - began, self._in_flight, has_room=had_room and self._has_room)
                self._judge(pace)
            if not pace.is_slow:
                self.limit = min(float(self._most), self.limit + 1 / self.limit)
        finally:
            self._in_flight -= 1
            self._let_in()

    @property
    def _has_room(self) -> bool:
        return self._in_flight <= max(1.0, self._most * ROOM)

    def _was_given_up(self, number: int, pace: Pace, seconds: float) -> None:
        if number > self._shrunk and pace.took_at_least(seconds):
            self._judge(pace)

    def _judge(self, pace: Pace) -> None:
        """Once for as many calls as there may be at once."""
        self._told += 1
        if self._told >= max(ENOUGH, self.limit):
            self._told = 0
            if pace.is_slow:
                self._shrink(max(LEAST_LEFT, pace.eased()))

    def _shrink(self, to: float) -> None:
        self.limit = max(1.0, self.limit * to)
        self._shrunk, self._told = self._started, 0

    async def _enter(self, departure: Departure) -> None:
        if self._in_flight < int(self.limit) and not self._waiting:
            self._in_flight += 1
            return
        if len(self._waiting) >= self._queue:
            message = f"not called: {self._in_flight} calls are in flight, and {self._queue} wait"
            raise BackendError(FailureKind.RATE_LIMIT, message, sent=False)
        turn = anyio.Event()
        self._waiting.append(turn)
        departure.waits = True
        try:
            await turn.wait()
            departure.waits = False
        except BaseException:
            if turn.is_set():  # the place was given just before the cancellation
                self._in_flight -= 1
                self._let_in()
            else:
                self._waiting.remove(turn)
            raise

    def _let_in(self) -> None:
        while self._waiting and self._in_flight < int(self.limit):
            self._in_flight += 1
            self._waiting.popleft().set()
