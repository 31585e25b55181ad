"""Where a run's answer is spoken as it comes, once nothing later can change it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Voice:
    """Hands words on to whoever listens. Once it `spoke`, the run is committed: no retry and no fallback can help."""

    listener: Callable[[str], Awaitable[None]]
    spoke: bool = False

    async def say(self, words: str) -> None:
        self.spoke = True
        await self.listener(words)
