"""What is served now, and what was served before for as long as it is needed: engines that open and close, and take over."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from recipelang.hosts.engine import Engine
from recipelang.hosts.requests import request_of
from recipelang.hosts.routing import route
from recipelang.serving.menu import Menu

_FIRST = request_of("?")
_log = logging.getLogger("recipelang.serving")


class Shift:
    """Engines that are served together, until others take over and the last request to these has ended.

    A request is one of its own while it is in a `with` block of it.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.menu = Menu(engines, int(time.time()))
        self.engines = engines
        self.requests = 0
        self._is_over = False
        self._done = anyio.Event()

    @property
    def is_open(self) -> bool:
        return all(engine.is_open for engine in self.engines)

    def __enter__(self) -> None:
        self.requests += 1

    def __exit__(self, *_: object) -> None:
        self.requests -= 1
        self._look()

    def over(self) -> None:
        self._is_over = True
        self._look()

    def _look(self) -> None:
        if self._is_over and not self.requests:
            self._done.set()

    async def opened(self, *, task_status: TaskStatus[None]) -> None:
        """Open the engines that the host has not, and close them when they are done."""
        async with AsyncExitStack() as stack:
            for engine in self.engines:
                if not engine.is_open:
                    await stack.enter_async_context(engine)
            task_status.started()
            await anyio.to_thread.run_sync(self._read_signals, abandon_on_cancel=True)
            await self._done.wait()

    def _read_signals(self) -> None:
        """Read each signal once, so that what they load (an encoder takes seconds) keeps no request waiting."""
        for engine in self.engines:
            for entry in engine.plan.entries.values() if engine.plan.signals else ():
                try:
                    route(engine.plan, entry, _FIRST)
                except Exception:  # noqa: BLE001 - the requests that read it will say so
                    _log.warning("the signals of `%s` could not be read ahead", entry.name, exc_info=True)


class Keeper:
    """Keeps the engines: opens them once, by whoever comes first, and closes those that it has opened."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._now = Shift(engines)
        self._before: list[Shift] = []
        self._opening = anyio.Lock()
        self._group: TaskGroup | None = None

    @property
    def known(self) -> Menu:
        return self._now.menu

    @property
    def is_ready(self) -> bool:
        return self._now.is_open

    def in_flight(self) -> int:
        return sum(shift.requests for shift in [self._now, *self._before])

    async def shift(self) -> Shift:
        """What is served, all engines open. Without a lifespan nobody says when to close them."""
        if not self._now.is_open:
            async with self._opening:
                for engine in self._now.engines:
                    if not engine.is_open:
                        await engine.__aenter__()
        return self._now

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        problem: Exception | None = None
        async with anyio.create_task_group() as group:
            try:
                await group.start(self._now.opened)
            except Exception as error:  # noqa: BLE001 - raised again outside, so that no exception group hides it
                problem = error
            else:
                self._group = group
                try:
                    yield
                finally:
                    self._group = None
                    self._now.over()
        if problem is not None:
            raise problem

    async def replace(self, engines: Sequence[Engine]) -> None:
        """Serve these from now on; requests under way end with those that they began with, which then close.

        Raises what opening them raises, and `ValueError` where there is nothing to serve: then nothing has changed.
        """
        if self._group is None:
            raise RuntimeError("recipes can be replaced while the app's lifespan lasts")
        new = Shift(engines)
        await self._group.start(new.opened)
        old, self._now = self._now, new
        self._before = [shift for shift in (*self._before, old) if shift.requests]
        old.over()
