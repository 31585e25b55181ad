"""Where runs are kept: a SQLite file that processes may share, a Redis that machines may share, or the memory of one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from recipelang.hosts.sqlite import PATIENCE, Form, SqliteFile
from recipelang.quick import dataclass, field
from recipelang.runtime.ports import Store, StoreProblem

if TYPE_CHECKING:
    from recipelang.hosts.redis import RedisStore

FORMAT = 0x72636A6E
"""`rcjn`: by which SQLite tells our journals from other files."""
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
  place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, holder INTEGER NOT NULL, ended INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS lines (place INTEGER PRIMARY KEY, run TEXT NOT NULL, line TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS lines_of_runs ON lines (run, place);
"""
JOURNAL = Form("journal", FORMAT, 1, _TABLES)


def lines_in(path: str | os.PathLike[str]) -> list[tuple[str, list[str]]]:
    """Every run of a journal by its name, with its lines; raises `StoreProblem`."""
    with closing(SqliteStore(path)) as store:
        return store.all()


class SqliteStore:
    """Runs in a SQLite file, which any number of processes may have open. Raises `StoreProblem`, as `SqliteFile` does."""

    def __init__(self, path: str | os.PathLike[str], *, patience: float = PATIENCE) -> None:
        self._file = SqliteFile(path, JOURNAL, patience=patience)
        self.path = self._file.path
        self._connection = self._file.connection

    def close(self) -> None:
        """Let go of the file; so does the end of the process."""
        self._file.close()

    async def begin(self, run: str, lines: Sequence[str]) -> int:
        return await self._file.done(partial(self._begin, run, lines))

    async def take_up(self, run: str) -> tuple[int, Sequence[str]]:
        return await self._file.done(partial(self._take_up, run))

    async def add(self, run: str, holder: int, lines: Sequence[str], *, ended: bool = False) -> None:
        await self._file.done(partial(self._add, run, holder, lines, ended))

    async def read(self, run: str) -> Sequence[str]:
        return await self._file.done(partial(self._read, run))

    async def unfinished(self) -> Sequence[str]:
        return await self._file.done(self._unfinished)

    def all(self) -> list[tuple[str, list[str]]]:
        """Every run by its name, with its lines, in the order in which they were begun."""

        def found() -> list[tuple[str, list[str]]]:
            names = self._connection.execute("SELECT name FROM runs ORDER BY place").fetchall()
            return [(name, list(self._read(name))) for (name,) in names]

        return self._file.at_once(found)

    # ------------------------------------------------------ in a thread of its own

    def _begin(self, run: str, lines: Sequence[str]) -> int:
        self._must_be_new(run)
        self._connection.execute("INSERT INTO runs (name, holder, ended) VALUES (?, 1, 0)", (run,))
        self._write(run, lines)
        return 1

    def _take_up(self, run: str) -> tuple[int, Sequence[str]]:
        lines = self._read(run)
        self._connection.execute("UPDATE runs SET holder = holder + 1 WHERE name = ?", (run,))
        return self._holder(run), lines

    def _add(self, run: str, holder: int, lines: Sequence[str], ended: bool) -> None:
        if self._holder(run) != holder:
            raise taken_up(run)
        self._write(run, lines)
        if ended:
            self._connection.execute("UPDATE runs SET ended = 1 WHERE name = ?", (run,))

    def _read(self, run: str) -> Sequence[str]:
        self._holder(run)
        rows = self._connection.execute("SELECT line FROM lines WHERE run = ? ORDER BY place", (run,))
        return [line for (line,) in rows]

    def _unfinished(self) -> Sequence[str]:
        return [name for (name,) in self._connection.execute("SELECT name FROM runs WHERE NOT ended ORDER BY place")]

    def _holder(self, run: str) -> int:
        found = self._connection.execute("SELECT holder FROM runs WHERE name = ?", (run,)).fetchone()
        if found is None:
            raise unknown(run, self.path)
        holder: int = found[0]
        return holder

    def _must_be_new(self, run: str) -> None:
        if self._connection.execute("SELECT 1 FROM runs WHERE name = ?", (run,)).fetchone() is not None:
            raise known(run, self.path)

    def _write(self, run: str, lines: Sequence[str]) -> None:
        self._connection.executemany("INSERT INTO lines (run, line) VALUES (?, ?)", [(run, line) for line in lines])


@dataclass
class MemoryStore:
    """Runs that are kept as long as the process lives: for tests, and for hosts that only want to try again."""

    _lines: dict[str, list[str]] = field(default_factory=dict)
    _holders: dict[str, int] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    async def begin(self, run: str, lines: Sequence[str]) -> int:
        if run in self._lines:
            raise known(run, "the store")
        self._lines[run], self._holders[run] = list(lines), 1
        return 1

    async def take_up(self, run: str) -> tuple[int, Sequence[str]]:
        lines = await self.read(run)
        self._holders[run] += 1
        return self._holders[run], lines

    async def add(self, run: str, holder: int, lines: Sequence[str], *, ended: bool = False) -> None:
        if self._holders.get(run) != holder:
            raise taken_up(run)
        self._lines[run] += lines
        if ended:
            self._ended.add(run)

    async def read(self, run: str) -> Sequence[str]:
        if run not in self._lines:
            raise unknown(run, "the store")
        return list(self._lines[run])

    async def unfinished(self) -> Sequence[str]:
        return [run for run in self._lines if run not in self._ended]


def known(run: str, where: str) -> StoreProblem:
    return StoreProblem(f"there is a run `{run}` in {where} already: resume it, or give the new one another name")


def unknown(run: str, where: str) -> StoreProblem:
    return StoreProblem(f"there is no run `{run}` in {where}")


def taken_up(run: str) -> StoreProblem:
    return StoreProblem(f"the run `{run}` was taken up by another process, and ends here")


@contextmanager
def opened_store(store: Store | str | os.PathLike[str]) -> Iterator[Store]:
    """The store, or the one in a SQLite file or at an address of Redis, which is closed in the end."""
    if not isinstance(store, str | os.PathLike):
        yield store
        return
    with closing(_opened(os.fspath(store))) as opened:
        yield opened


def _opened(place: str) -> SqliteStore | RedisStore:
    if not is_address(place):
        return SqliteStore(place)
    from recipelang.hosts.redis import RedisStore  # deferred: most journals are files

    return RedisStore(place)


def is_address(place: str) -> bool:
    """Whether a journal is no file, but in Redis."""
    return place.startswith(("redis://", "rediss://", "unix://"))


def shown(place: str) -> str:
    """Where a journal is, as it may be shown: an address without its password."""
    if not is_address(place):
        return place
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
