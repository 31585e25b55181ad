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


class LoopClock:
    """The default `Clock`: seconds on the running event loop."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = loop_timer()
