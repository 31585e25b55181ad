"""How many calls an endpoint gets at once: fewer when it is overloaded, more while it answers; the others wait in a short queue."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from recipelang.runtime.ports import BackendError, FailureKind

SHRINKS_TO = 0.7
"""What is left of the limit when the endpoint says that it is overloaded."""
OVERLOADED = (429, 503, 529)


class Crowd:
    """At most `most` calls at once, and `queue` that wait; further ones are refused at once.

    The limit grows by one for as many answers as it is, and shrinks by three tenths when the endpoint is overloaded, once
    for all the calls that were in flight then.
    """

    __slots__ = ("_in_flight", "_most", "_queue", "_shrunk", "_started", "_waiting", "limit")

    def __init__(self, most: int, queue: int) -> None:
        self.limit = float(most)
        self._most = most
        self._queue = queue
        self._in_flight = 0
        self._started = 0
        self._shrunk = 0  # the calls that had been started when the limit shrank
        self._waiting: deque[anyio.Event] = deque()

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Around a call; raises `BackendError` where too many wait already."""
        await self._enter()
        self._started += 1
        number = self._started
        try:
            yield
        except BackendError as error:
            if error.status in OVERLOADED and number > self._shrunk:
                self.limit = max(1.0, self.limit * SHRINKS_TO)
                self._shrunk = self._started
            raise
        else:
            self.limit = min(float(self._most), self.limit + 1 / self.limit)
        finally:
            self._in_flight -= 1
            self._let_in()

    async def _enter(self) -> None:
        if self._in_flight < int(self.limit) and not self._waiting:
            self._in_flight += 1
            return
        if len(self._waiting) >= self._queue:
            raise BackendError(
                FailureKind.RATE_LIMIT, f"not called: {self._in_flight} calls are in flight, and {self._queue} wait"
            )
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
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
