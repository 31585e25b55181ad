"""How long calls of one sort take of late, against how long they take when their endpoint has room; knows no limits."""

from __future__ import annotations

TOLERATED = 2.0
"""So many times its usual time a call may take before its endpoint counts as slow."""
ENOUGH = 10
"""Calls from which on it is known what is usual; twice as many as there are at once, where those are more: of calls that
begin together the quickest are answered first."""
NEWEST = 0.1
"""How much the newest call counts in what calls take of late."""
LEARNT = 0.05
"""How much a call that had room, from its beginning to its end, counts in what is usual."""


class Pace:
    """Two moving averages, as in Netflix's Gradient2: what calls take of late, and what they usually take, which is
    learnt from those alone that had room. So no crowd becomes what is usual, however long it stays, and an endpoint that
    is slower for another reason gets fewer calls only until those few have shown that it is.

    Both begin with the average of the first calls. Seconds of calls that are alike: answers of one model in one role.
    """

    __slots__ = ("_count", "_enough", "of_late", "usual")

    def __init__(self) -> None:
        self._count = 0
        self._enough = ENOUGH
        self.usual = 0.0
        self.of_late = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether calls take longer than is tolerated."""
        return self._is_known and self.of_late > TOLERATED * self.usual

    def eased(self) -> float:
        """The part of the calls at once with which they should take no longer than is tolerated; that they do is assumed
        from now on, until they show otherwise: who waits for half as many others waits half as long."""
        part = TOLERATED * self.usual / self.of_late
        self.of_late *= part
        return part

    @property
    def _is_known(self) -> bool:
        return self._count >= self._enough

    def took(self, seconds: float, at_once: int, *, has_room: bool) -> None:
        """A call was answered after so many seconds, which was one of so many at once."""
        if not self._is_known:
            self._enough = max(self._enough, 2 * at_once)
        self._count += 1
        first = 1 / self._count if self._count <= self._enough else 0.0
        self.of_late += (seconds - self.of_late) * max(first, NEWEST)
        self.usual += (seconds - self.usual) * max(first, LEARNT if has_room else 0.0)

    def took_at_least(self, seconds: float) -> bool:
        """A call was given up after so many seconds, which says something where others were answered sooner; whether it does."""
        tells = self._is_known and seconds > self.of_late
        if tells:
            self.of_late += (seconds - self.of_late) * NEWEST
        return tells
