"""What stops the command from outside: Ctrl-C and a polite kill end it alike, with everything it started."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopping:
    """Whether, and by which signal, the command was told to stop."""

    def __init__(self) -> None:
        self.signal = signal.SIGINT

    @property
    def status(self) -> int:
        """The exit status that shells know the signal by."""
        return 128 + self.signal

    @property
    def reason(self) -> str:
        return "interrupted" if self.signal == signal.SIGINT else "terminated"

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        """Take the way of Ctrl-C, which event loops know how to go."""
        self.signal = signal.SIGTERM
        signal.raise_signal(signal.SIGINT)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While the block runs, SIGTERM raises `KeyboardInterrupt` as Ctrl-C does."""
        before = signal.signal(signal.SIGTERM, self._terminate)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
