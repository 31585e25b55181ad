"""The engine for programs that are not async: the same calls, from any thread, on an event loop of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self, Unpack

from anyio import CancelScope
from anyio.from_thread import BlockingPortal, start_blocking_portal

from recipelang.hosts.engine import Engine, EngineOptions, RunOptions
from recipelang.ir.plan import Plan
from recipelang.quick import dataclass
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ports import Journal


class BlockingEngine:
    """The twin of `Engine`: takes the same arguments, and its `run` waits for the answer.

    >>> with BlockingEngine("team.recipe") as engine:  # doctest: +SKIP
    ...     print(engine.run("fusion", messages="Why is the sky blue?").text)

    Any number of threads may run recipes at once. A `KeyboardInterrupt` while one waits cancels its run; leaving the
    block with an exception cancels all that are under way, and leaving it without one waits for them.
    """

    def __init__(self, *recipes: str | os.PathLike[str] | Plan, **options: Unpack[EngineOptions]) -> None:
        self.engine = Engine(*recipes, **options)
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        if self._portal is not None:
            raise RuntimeError("the engine is open already")
        with ExitStack() as stack:
            loop = {"use_uvloop": find_spec("uvloop") is not None}
            portal = stack.enter_context(start_blocking_portal("asyncio", loop))
            stack.enter_context(portal.wrap_async_context_manager(self.engine))
            self._portal, self._stack = portal, stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._portal = None
        self._stack.__exit__(kind, error, traceback)

    def run(self, recipe: str, messages: str | Sequence[Mapping[str, Any]], **options: Unpack[RunOptions]) -> RunResult:
        """Answer a conversation; see `Engine.run`."""
        return self._waited_for(partial(self.engine.run, recipe, messages, **options))

    def resume(self, run_id: str, *, journal: Journal | None = None, content: bool = False) -> RunResult:
        """Go on with a run that was kept; see `Engine.resume`."""
        return self._waited_for(partial(self.engine.resume, run_id, journal=journal, content=content))

    def _waited_for(self, run: Callable[[], Coroutine[Any, Any, RunResult]]) -> RunResult:
        if self._portal is None:
            raise RuntimeError("the engine is not open: use it in a `with` block")
        under_way = _UnderWay(run)
        try:
            return self._portal.start_task_soon(under_way.to_its_end).result()
        except Exception:
            raise
        except BaseException:  # this thread was interrupted
            self._portal.start_task_soon(under_way.end)
            raise


@dataclass(slots=True)
class _UnderWay:
    """A run that can be ended by who has begun to start it: it may have got far before its future is handed over."""

    run: Callable[[], Coroutine[Any, Any, RunResult]]
    is_over: bool = False
    scope: CancelScope | None = None

    async def to_its_end(self) -> RunResult:
        with CancelScope() as self.scope:
            if self.is_over:
                self.scope.cancel()
            return await self.run()
        raise RuntimeError("the run was ended, and nobody waits for it")

    def end(self) -> None:
        self.is_over = True
        if self.scope is not None:
            self.scope.cancel()
