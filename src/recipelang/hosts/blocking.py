"""The engine for programs that are not async: the same calls, from any thread, on an event loop of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from recipelang.hosts.engine import Engine
from recipelang.ir.plan import Plan
from recipelang.runtime.interpreter import RunResult


class BlockingEngine:
    """The twin of `Engine`: takes the same arguments, and its `run` waits for the answer.

    >>> with BlockingEngine("team.recipe") as engine:  # doctest: +SKIP
    ...     print(engine.run("fusion", messages="Why is the sky blue?").text)
    """

    def __init__(self, *recipes: str | os.PathLike[str] | Plan, **options: Any) -> None:  # Any: those of `Engine`
        self.engine = Engine(*recipes, **options)
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(self._portal.wrap_async_context_manager(self.engine))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._portal = None
        self._stack.close()

    def run(
        self,
        recipe: str,
        messages: str | Sequence[Mapping[str, Any]],
        **options: Any,  # Any: those of `Engine.run`
    ) -> RunResult:
        """Answer a conversation; see `Engine.run`."""
        if self._portal is None:
            raise RuntimeError("the engine is not open: use it in a `with` block")
        return self._portal.call(partial(self.engine.run, recipe, messages, **options))
