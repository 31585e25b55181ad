"""Where a run's answer is spoken as it comes, once nothing later can change it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from recipelang.quick import dataclass
from recipelang.runtime.ports import CallPiece

Listener = Callable[[str], Awaitable[None]]
CallListener = Callable[[CallPiece], Awaitable[None]]


@dataclass(slots=True)
class Voice:
    """Hands words on to whoever listens, and calls of tools to whoever wants those.

    Once it `spoke`, the run is committed: no retry and no fallback can help.
    """

    listener: Listener
    call_listener: CallListener | None = None
    spoke: bool = False

    async def say(self, words: str) -> None:
        self.spoke = True
        await self.listener(words)

    async def call(self, piece: CallPiece) -> None:
        if self.call_listener is not None:
            self.spoke = True
            await self.call_listener(piece)
