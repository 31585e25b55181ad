"""An asyncio event loop on which waiting takes no time, the twin of trio's `MockClock`; knows nothing of what waits."""

from __future__ import annotations

import asyncio
import selectors


class JumpingSelector(selectors.DefaultSelector):
    """Where nothing is ready, the time jumps to the next timer instead of passing. Seconds, from 0."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # no timer is set: only a thread or a socket can wake the loop
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.now += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is that of its `JumpingSelector`.

    As with trio's autojump clock, do not wait for a thread or a socket under a timeout here: the timeout comes first.
    """

    def __init__(self) -> None:
        self._virtual = JumpingSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """The virtual time, in seconds since the loop was made."""
        return self._virtual.now
