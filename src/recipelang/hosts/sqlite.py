"""A SQLite file that is ours: opened once, changed in transactions from threads of their own, its problems told in sentences."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

from recipelang.quick import dataclass
from recipelang.runtime.ports import StoreProblem

if TYPE_CHECKING:
    import sqlite3

_T = TypeVar("_T")
PATIENCE = 10.0
"""Seconds that one process waits for another that writes to the file."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a file is: `what` in words, the number by which SQLite tells it from others, its version, and its tables."""

    what: str
    format: int
    version: int
    tables: str


class SqliteFile:
    """A SQLite file, written ahead (WAL): what is written outlives the process, if not a machine without power.

    Any number of processes may have it open. Raises `StoreProblem` for a file that is none of ours, or can't be used.
    """

    def __init__(self, path: str | os.PathLike[str], form: Form, *, patience: float = PATIENCE) -> None:
        self.path = os.fspath(path)
        if not self.path:  # SQLite would make a file without a name, which is gone with the process
            raise StoreProblem(f"a {form.what} needs a file: its path is empty")
        self._form = form
        self._patience = patience
        self._lock = threading.Lock()
        with self._told():
            self.connection = _opened(self.path, form, patience)
        self.close = weakref.finalize(self, self.connection.close)

    async def done(self, work: Callable[[], _T]) -> _T:
        """What `work` gives, in one transaction, while the event loop goes on."""
        return await anyio.to_thread.run_sync(self.at_once, work)

    def at_once(self, work: Callable[[], _T]) -> _T:
        """The same in this thread."""
        with self._in_turn(), self._told():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                result = work()
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # SQLite may have given it up itself, as on a full disk
                    self.connection.execute("ROLLBACK")
                raise
            return result

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """One after the other; where those before wait for another process, nobody waits longer than each of them."""
        if not self._lock.acquire(timeout=self._patience):
            raise StoreProblem(f"{self.path}: {_locked(self._form.what)}")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite has to say, in a sentence that names the file."""
        import sqlite3  # deferred: start-up cost

        try:
            yield
        except sqlite3.Error as error:
            raise StoreProblem(f"{self.path}: {_reason(error, self._form.what)}") from error


def _opened(path: str, form: Form, patience: float) -> sqlite3.Connection:
    import sqlite3  # deferred: start-up cost

    connection = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN IMMEDIATE")  # others may be making the same file
        _must_be_ours(connection, path, form)
        numbers = f"PRAGMA application_id = {form.format}; PRAGMA user_version = {form.version}"
        for statement in f"{form.tables};{numbers}".split(";"):
            connection.execute(statement)
        connection.execute("COMMIT")
        _write_ahead(connection, patience)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection, patience: float) -> None:
    """SQLite does not wait by itself for the others who are opening the file to let go of it for a moment."""
    import sqlite3  # deferred: start-up cost

    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.005)
        else:
            return


def _must_be_ours(connection: sqlite3.Connection, path: str, form: Form) -> None:
    """A new file is ours to be."""
    format, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if format == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return
    if format != form.format:
        raise StoreProblem(f"{path} is no {form.what} of recipelang, but a database of something else")
    if version != form.version:
        raise StoreProblem(
            f"{path} is a {form.what} of version {version}, and this recipelang reads version {form.version}"
        )


def _reason(error: sqlite3.Error, what: str) -> str:
    """SQLite's words where they say enough, and better ones where they don't."""
    told = str(error)
    if "not a database" in told:
        return f"it is no {what} of recipelang"
    if "malformed" in told:
        return f"the {what} is damaged ({told})"
    if "locked" in told:
        return _locked(what)
    return told


def _locked(what: str) -> str:
    return f"the {what} is locked: another process has been writing to it for too long"
