"""What the processes of a host share: what its clients have used, and replies that may serve again."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from recipelang.hosts.sqlite import PATIENCE, Form, SqliteFile
from recipelang.hosts.stores import is_address
from recipelang.quick import dataclass
from recipelang.runtime.ports import State
from recipelang.runtime.values import Json

_T = TypeVar("_T")
ROOM = 64 * 1024 * 1024
"""Bytes that may be remembered; what was remembered first, or not recalled for longest, makes way."""
_SWEPT = 64
"""After so many changes a file is looked through for what may go."""


@dataclass(slots=True)
class _Cell:
    value: Json
    until: float


class MemoryState:
    """A `State` that is gone with the process."""

    def __init__(self, room: int = ROOM, *, clock: Callable[[], float] = time.time) -> None:
        self._room = room
        self._clock = clock
        self._lock = threading.Lock()
        self._cells: dict[str, _Cell] = {}
        self._changes = 0
        self._remembered: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self.size = 0  # of what is remembered, in characters

    async def recall(self, name: str) -> str | None:
        with self._lock:
            found = self._remembered.get(name)
            if found is None:
                return None
            if found[1] <= self._clock():
                self._forget(name)
                return None
            self._remembered.move_to_end(name)
            return found[0]

    async def remember(self, name: str, value: str, seconds: float) -> None:
        with self._lock:
            if name in self._remembered:
                self._forget(name)
            self._remembered[name] = value, self._clock() + seconds
            self.size += len(value)
            while self.size > self._room:
                self._forget(next(iter(self._remembered)))

    def _forget(self, name: str) -> None:
        self.size -= len(self._remembered.pop(name)[0])

    async def change(self, name: str, seconds: float, change: Callable[[Json], tuple[Json, _T]]) -> _T:
        with self._lock:
            now = self._clock()
            self._sweep(now)
            cell = self._cells.get(name)
            value, told = change(None if cell is None or cell.until <= now else cell.value)
            self._cells[name] = _Cell(value, now + seconds)
            return told

    def _sweep(self, now: float) -> None:
        self._changes += 1
        if self._changes % 4096 == 0:
            self._cells = {name: cell for name, cell in self._cells.items() if cell.until > now}


_TABLES = """
CREATE TABLE IF NOT EXISTS cells (name TEXT PRIMARY KEY, value TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS remembered (
  place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value TEXT NOT NULL, size INTEGER NOT NULL, until REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS sizes ON remembered (place, size, until);
"""
STATE = Form("state", 0x72637374, 1, _TABLES)


class SqliteState:
    """A `State` in a SQLite file, which threads and processes may share. Raises `StoreProblem`, as `SqliteFile` does."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        room: int = ROOM,
        *,
        clock: Callable[[], float] = time.time,
        patience: float = PATIENCE,
    ) -> None:
        self._file = SqliteFile(path, STATE, patience=patience)
        self._connection = self._file.connection
        self._room = room
        self._clock = clock
        self._changes = 0

    def close(self) -> None:
        """Let go of the file; so does the end of the process."""
        self._file.close()

    async def recall(self, name: str) -> str | None:
        return await self._file.done(partial(self._recall, name))

    async def remember(self, name: str, value: str, seconds: float) -> None:
        await self._file.done(partial(self._remember, name, value, seconds))

    async def change(self, name: str, seconds: float, change: Callable[[Json], tuple[Json, _T]]) -> _T:
        return await self._file.done(partial(self._change, name, seconds, change))

    # ------------------------------------------------------ in a thread of its own

    def _recall(self, name: str) -> str | None:
        found = self._connection.execute(
            "SELECT value FROM remembered WHERE name = ? AND until > ?", (name, self._clock())
        ).fetchone()
        return None if found is None else str(found[0])

    def _remember(self, name: str, value: str, seconds: float) -> None:
        row = name, value, len(value), self._clock() + seconds
        self._connection.execute(
            "INSERT OR REPLACE INTO remembered (name, value, size, until) VALUES (?, ?, ?, ?)", row
        )
        self._sweep()

    def _change(self, name: str, seconds: float, change: Callable[[Json], tuple[Json, _T]]) -> _T:
        now = self._clock()
        found = self._connection.execute("SELECT value FROM cells WHERE name = ? AND until > ?", (name, now)).fetchone()
        value, told = change(None if found is None else json.loads(found[0]))
        row = name, json.dumps(value), now + seconds
        self._connection.execute("INSERT OR REPLACE INTO cells VALUES (?, ?, ?)", row)
        self._sweep()
        return told

    def _sweep(self) -> None:
        """From time to time what is past goes, and what was remembered first where there is no room for all of it."""
        self._changes += 1
        if self._changes % _SWEPT:
            return
        now = self._clock()
        self._connection.execute("DELETE FROM cells WHERE until <= ?", (now,))
        self._connection.execute("DELETE FROM remembered WHERE until <= ?", (now,))
        self._connection.execute(
            "DELETE FROM remembered WHERE place <= (SELECT max(place) FROM ("
            "SELECT place, sum(size) OVER (ORDER BY place DESC) AS newer FROM remembered) WHERE newer > ?)",
            (self._room,),
        )


def state_at(place: str) -> State:
    """The state in a file, or in Redis; raises `StoreProblem`."""
    if not is_address(place):
        return SqliteState(place)
    from recipelang.hosts.redis import RedisState  # deferred: most states are files

    return RedisState(place)
