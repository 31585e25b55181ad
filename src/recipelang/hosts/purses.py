"""Budgets of a host for each of its keys and each day, in memory or in a file that all its processes share."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from recipelang.runtime.ledger import NOTHING, Limits, Share, Spend
from recipelang.runtime.purses import Purse, Taken, granted

if TYPE_CHECKING:
    import sqlite3

_T = TypeVar("_T")
DAY = 86_400.0
"""Seconds."""
PATIENCE = 30.0
"""Seconds that one process waits for another that writes to the file."""


class _Book(Protocol):
    """What each key has used in each period."""

    @property
    def waits(self) -> bool:
        """Whether it may have to wait for others, so that an event loop should not."""
        ...

    def open(self) -> AbstractContextManager[_Page]:
        """The book for one change, with no other change in between, from any thread or process."""
        ...


class _Page(Protocol):
    def used(self, key: str, period: int) -> Share: ...

    def add(self, key: str, period: int, more: Share) -> None:
        """Book so much more, which may be less than nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Allowances:
    """What each key may use in a period, in UTC by default a day: `each`, unless `of` says something else for it."""

    each: Limits
    of: Mapping[str, Limits] = field(default_factory=dict)
    period: float = DAY  # seconds
    clock: Callable[[], float] = time.time


class MemoryPurses:
    """Budgets for each key and period that last as long as the process.

    >>> purses = MemoryPurses(Limits(cost=5.0), of={"trial": Limits(calls=20)})
    >>> purses.used("trial").calls
    0
    """

    def __init__(
        self,
        each: Limits,
        of: Mapping[str, Limits] | None = None,
        *,
        period: float = DAY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._allowances = Allowances(each, of or {}, period, clock)
        self._book: _Book = _Memory()

    def of(self, key: str) -> Purse:
        return _Purse(key, self._allowances, self._book)

    def used(self, key: str) -> Share:
        """What a key has used in this period, what is set aside for its runs included."""
        with self._book.open() as page:
            return page.used(key, _period(self._allowances))


class SqlitePurses(MemoryPurses):
    """Budgets for each key and period in a SQLite file, which threads and processes may share.

    What a process took that died stays taken until the period ends: its calls may have been billed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        each: Limits,
        of: Mapping[str, Limits] | None = None,
        *,
        period: float = DAY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(each, of, period=period, clock=clock)
        self._book = _File(os.fspath(path))


def _period(allowances: Allowances) -> int:
    return int(allowances.clock() // allowances.period)


@dataclass(frozen=True, slots=True)
class _Purse:
    key: str
    allowances: Allowances
    book: _Book

    @property
    def _allowance(self) -> Limits:
        return self.allowances.of.get(self.key, self.allowances.each)

    @property
    def counts_tokens(self) -> bool:
        return self._allowance.tokens is not None or self._allowance.cost is not None

    async def take(self, most: Limits) -> Taken:
        period = _period(self.allowances)
        return await self._done(partial(self._take, most, period))

    async def settle(self, taken: Taken, used: Spend) -> None:
        booked = Share(used.calls, used.tokens, used.cost or 0.0)
        await self._done(partial(self._settle, taken, booked))

    def _take(self, most: Limits, period: int) -> Taken:
        with self.book.open() as page:
            given = granted(self._allowance, page.used(self.key, period), most, f"the budget of `{self.key}`")
            taken = Taken(given, period)
            page.add(self.key, period, taken.share)
        return taken

    def _settle(self, taken: Taken, used: Share) -> None:
        had = taken.share
        more = Share(used.calls - had.calls, used.tokens - had.tokens, used.cost - had.cost)
        with self.book.open() as page:
            page.add(self.key, taken.period, more)

    async def _done(self, change: Callable[[], _T]) -> _T:
        if not self.book.waits:
            return change()
        import anyio.to_thread  # deferred: start-up cost

        return await anyio.to_thread.run_sync(change)


class _Memory:
    """A book that is gone with the process."""

    waits = False

    def __init__(self) -> None:
        self._used: dict[tuple[str, int], Share] = {}
        self._lock = threading.Lock()

    @contextmanager
    def open(self) -> Iterator[_Page]:
        with self._lock:
            yield self

    def used(self, key: str, period: int) -> Share:
        return self._used.get((key, period), NOTHING)

    def add(self, key: str, period: int, more: Share) -> None:
        self._used[key, period] = self.used(key, period).plus(more)


class _File:
    """A book in a SQLite file. Each change is a transaction on a connection of its own, so any thread may make one."""

    waits = True

    def __init__(self, path: str) -> None:
        self._path = path
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(_TABLE)

    @contextmanager
    def open(self) -> Iterator[_Page]:
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield _Rows(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connected(self) -> closing[sqlite3.Connection]:
        import sqlite3  # deferred: start-up cost

        return closing(sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None))


@dataclass(frozen=True, slots=True)
class _Rows:
    connection: sqlite3.Connection

    def used(self, key: str, period: int) -> Share:
        found = self.connection.execute(_USED, (key, period)).fetchone()
        return NOTHING if found is None else Share(*found)

    def add(self, key: str, period: int, more: Share) -> None:
        self.connection.execute(_ADD, (key, period, more.calls, more.tokens, more.cost))


_TABLE = """
CREATE TABLE IF NOT EXISTS used (
  key TEXT NOT NULL, period INTEGER NOT NULL,
  calls INTEGER NOT NULL, tokens INTEGER NOT NULL, cost REAL NOT NULL,
  PRIMARY KEY (key, period)
) WITHOUT ROWID
"""
_USED = "SELECT calls, tokens, cost FROM used WHERE key = ? AND period = ?"
_ADD = """
INSERT INTO used VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, tokens = tokens + excluded.tokens, cost = cost + excluded.cost
"""
