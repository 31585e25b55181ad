"""Budgets of a host for each of its keys and each day, in memory or in a state that all its processes share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from recipelang.hosts.state import MemoryState, SqliteState
from recipelang.quick import dataclass, field
from recipelang.runtime.ledger import Limits, Share
from recipelang.runtime.ports import State
from recipelang.runtime.purses import Purse, Taken, granted
from recipelang.runtime.values import Json

_T = TypeVar("_T")
DAY = 86_400.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Allowances:
    """What each key may use in a period, in UTC by default a day: `each`, unless `of` says something else for it."""

    each: Limits
    of: Mapping[str, Limits] = field(default_factory=dict)
    period: float = DAY  # seconds
    clock: Callable[[], float] = time.time

    def now(self) -> int:
        """The number of this period."""
        return int(self.clock() // self.period)


class StatePurses:
    """Budgets for each key and period, in a `State`. What a process took that died stays taken until the period ends:
    its calls may have been billed.
    """

    def __init__(
        self,
        state: State,
        each: Limits,
        of: Mapping[str, Limits] | None = None,
        *,
        period: float = DAY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._allowances = Allowances(each, of or {}, period, clock)
        self._state = state

    def of(self, key: str) -> Purse:
        return _Purse(key, self._allowances, self._state)

    async def used(self, key: str) -> Share:
        """What a key has used in this period, what is set aside for its runs included."""
        purse = _Purse(key, self._allowances, self._state)
        return await purse.booked(self._allowances.now(), Share())


class MemoryPurses(StatePurses):
    """Budgets for each key and period that last as long as the process.

    >>> purses = MemoryPurses(Limits(cost=5.0), of={"trial": Limits(calls=20)})
    """

    def __init__(
        self,
        each: Limits,
        of: Mapping[str, Limits] | None = None,
        *,
        period: float = DAY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(MemoryState(clock=clock), each, of, period=period, clock=clock)


class SqlitePurses(StatePurses):
    """Budgets for each key and period in a SQLite file, which threads and processes may share."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        each: Limits,
        of: Mapping[str, Limits] | None = None,
        *,
        period: float = DAY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(SqliteState(path, clock=clock), each, of, period=period, clock=clock)


@dataclass(frozen=True, slots=True)
class _Purse:
    key: str
    allowances: Allowances
    state: State

    @property
    def _allowance(self) -> Limits:
        return self.allowances.of.get(self.key, self.allowances.each)

    @property
    def counts_tokens(self) -> bool:
        return self._allowance.tokens is not None or self._allowance.cost is not None

    async def take(self, most: Limits) -> Taken:
        period = self.allowances.now()
        return await self._change(period, partial(self._take, most, period))

    async def settle(self, taken: Taken, used: Share) -> None:
        had = taken.share
        more = Share(used.calls - had.calls, used.tokens - had.tokens, used.cost - had.cost)
        await self.booked(taken.period, more)

    async def booked(self, period: int, more: Share) -> Share:
        """All that is booked, once so much more is, which may be less than nothing."""

        def book(used: Share) -> tuple[Share, Share]:
            now = used.plus(more)
            return now, now

        return await self._change(period, book)

    def _take(self, most: Limits, period: int, used: Share) -> tuple[Share, Taken]:
        taken = Taken(granted(self._allowance, used, most, f"the budget of `{self.key}`"), period)
        return used.plus(taken.share), taken

    async def _change(self, period: int, change: Callable[[Share], tuple[Share, _T]]) -> _T:
        def changed(stored: Json) -> tuple[Json, _T]:
            now, told = change(Share(*(stored or ())))
            return [now.calls, now.tokens, now.cost], told

        return await self.state.change(f"used:{self.key}:{period}", 2 * self.allowances.period, changed)
