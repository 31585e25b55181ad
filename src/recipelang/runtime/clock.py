"""The clock of the event loop that a run lives in; timers, and tests in virtual time, go by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
from anyio.lowlevel import current_token


def loop_timer() -> Callable[[], float]:
    """The running loop's own time, looked up once a run: asking anyio each time costs more than an event."""
    loop = getattr(current_token(), "native_token", None)
    return loop.time if isinstance(loop, asyncio.AbstractEventLoop) else anyio.current_time


def runs_on_asyncio() -> bool:
    """Whether the running event loop is asyncio's, or one that stands in for it."""
    return isinstance(getattr(current_token(), "native_token", None), asyncio.AbstractEventLoop)


class LoopClock:
    """The default `Clock`: seconds on the running event loop."""

    __slots__ = ("now",)

    def __init__(self, timer: Callable[[], float] | None = None) -> None:
        self.now = timer or loop_timer()
