"""Circuits: what has failed too often of late is not called for a while, then tried with one call; knows no models."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from recipelang.runtime.ports import BackendError, FailureKind


class Circuit:
    """Open after `failures` within `cooldown` seconds; after as long again one call, the probe, decides.

    Only failures that may pass count: a request that is wrong says nothing of who refuses it. A call that was given up
    counts neither way. Times are seconds on a clock that only goes forward.
    """

    __slots__ = ("_cooldown", "_failed", "_failures", "_opened", "_probing")

    def __init__(self, failures: int, cooldown: float) -> None:
        self._failures = failures
        self._cooldown = cooldown
        self._failed: deque[float] = deque(maxlen=failures)
        self._opened: float | None = None
        self._probing = False

    def lets_through(self, now: float) -> bool:
        """Whether a call may be made: the circuit is closed, or it is time for the probe."""
        return self._opened is None or (not self._probing and now >= self._opened + self._cooldown)

    def wait(self, now: float) -> float:
        """Seconds until the probe may be made."""
        return 0.0 if self._opened is None else max(0.0, self._opened + self._cooldown - now)

    @contextmanager
    def call(self, timer: Callable[[], float]) -> Iterator[None]:
        """Around a call that it lets through."""
        probe = self._opened is not None
        self._probing = self._probing or probe
        try:
            yield
        except BackendError as error:
            if error.may_pass:
                self._fail(timer(), probe)
            elif probe:
                self._close()
            raise
        else:
            if probe:
                self._close()
        finally:
            if probe:
                self._probing = False

    def _fail(self, now: float, probe: bool) -> None:
        self._failed.append(now)
        if probe or (len(self._failed) == self._failures and self._failed[0] > now - self._cooldown):
            self._opened = now

    def _close(self) -> None:
        self._opened = None
        self._failed.clear()


def refused(name: str, wait: float) -> BackendError:
    """What a call fails with where no circuit lets it through; waiting a little would not help."""
    message = f"not called: {name} failed too often, and is tried again in {wait:.0f} s"
    return BackendError(FailureKind.REFUSED, message, sent=False)
