"""An answer as it comes: its pieces while a run goes on, and the run's result in the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Self

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.voice import Listener


class AnswerStream:
    """The pieces of an answer; `result` is there once the last one has come.

    Iterating raises `RunFailure` where the run ends without an answer; `is_committed` of it says whether pieces had come.
    """

    def __init__(self, pieces: MemoryObjectReceiveStream[str]) -> None:
        self._pieces = pieces
        self._result: RunResult | None = None
        self._failure: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        try:
            return await self._pieces.receive()
        except anyio.EndOfStream:
            if self._failure is not None:
                raise self._failure from None
            raise StopAsyncIteration from None

    @property
    def result(self) -> RunResult:
        if self._result is None:
            raise RuntimeError("the answer is not complete: iterate to its end first")
        return self._result

    async def follow(self, run: Callable[[Listener], Awaitable[RunResult]], listener: Listener) -> None:
        """Run to the end, and keep how it ended for whoever iterates."""
        try:
            self._result = await run(listener)
        except Exception as failure:  # noqa: BLE001 - told to the one who iterates, in that task
            self._failure = failure


@asynccontextmanager
async def streamed(run: Callable[[Listener], Awaitable[RunResult]]) -> AsyncGenerator[AnswerStream]:
    """A run whose answer is iterated as it comes; leaving the block early cancels it."""
    error: Exception | None = None
    sending, receiving = anyio.create_memory_object_stream[str](0)
    stream = AnswerStream(receiving)

    async def followed() -> None:
        with sending:
            await stream.follow(run, sending.send)

    async with anyio.create_task_group() as group:
        group.start_soon(followed)
        try:
            yield stream
        except Exception as raised:  # noqa: BLE001 - raised again outside, so that no exception group hides it
            error = raised
        group.cancel_scope.cancel()
        receiving.close()
    if error is not None:
        raise error


__all__ = ["AnswerStream", "streamed"]
