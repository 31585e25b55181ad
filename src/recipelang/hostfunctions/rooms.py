"""Opens rooms for programs and waits at their doors; what is done inside is in `room.py`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import anyio
from anyio.abc import ByteReceiveStream, Process

from recipelang.quick import dataclass

Isolation = Literal["walls", "limits"]

MEBIBYTE = 1024 * 1024
CHUNK = 65_536
PATIENCE = 5.0
"""Seconds that a room which is to be closed gets to end what is in it, before it is ended itself."""
_COMMAND = (sys.executable, "-I", "-S", str(Path(__file__).with_name("room.py")))
_LONGEST_REPORT = 10_000


class NotIsolated(RuntimeError):
    """This machine can't keep a program in a room; the message says why."""


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What a program may use: memory is that of each process, files and output are bytes of all together."""

    seconds: float = 10.0
    memory: int = 256 * MEBIBYTE
    processes: int = 16
    files: int = 16 * MEBIBYTE
    open_files: int = 64
    output: int = MEBIBYTE
    log: int = 4_000
    """Bytes that are kept of what it prints, of the beginning and of the end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: whether its tests passed, what it printed, and in a word how."""

    passed: bool
    printed: str
    how: str  # `exit 0`, `signal SIGKILL`, `time`, `output`; empty where nobody can tell


class Printed:
    """The beginning and the end of an output of any length, in bytes that are bounded."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._head_room = limit // 4
        self._tail_room = limit - self._head_room
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        taken = chunk[: self._head_room - len(self._head)]
        self._head += taken
        if rest := chunk[len(taken) :]:
            self._tail.append(rest)
            self._tail_size += len(rest)
        while self._tail and self._tail_size - len(self._tail[0]) >= self._tail_room:
            self._tail_size -= len(self._tail.popleft())

    @property
    def text(self) -> str:
        tail = b"".join(self._tail)[-self._tail_room :]
        left_out = self.size - len(self._head) - len(tail)
        if not left_out:
            return (self._head + tail).decode("utf-8", "replace")
        begun, ended = self._head.decode("utf-8", "replace"), tail.decode("utf-8", "replace")
        return f"{begun}\n[... {left_out} bytes left out ...]\n{ended}"


class Rooms:
    """Where programs run. Raises `NotIsolated` on a machine that can't keep them in."""

    def __init__(self, limits: RoomLimits, isolation: Isolation = "walls") -> None:
        if sys.platform != "linux":
            raise NotIsolated(f"programs of models are run on Linux only, and this is {sys.platform}")
        self.limits = limits
        self.isolation = isolation
        self._check()

    def _check(self) -> None:
        """Open a room once, before a run counts on it: Python may not start there as the user that it is."""
        pipe = subprocess.PIPE
        with self._folder() as folder, subprocess.Popen(_COMMAND, stdin=pipe, stderr=pipe, env={}, cwd="/") as process:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(self._order("import unittest", "", folder))
            process.stdin.flush()
            ended = _ended("", process.stderr.read())
        if not ended.passed:
            raise NotIsolated("a room for programs can't be opened here: Python does not start in it")

    async def run(self, program: str, cases: str) -> Ended:
        """Run a program and its tests. Where this is cancelled, nothing of them is left when it returns."""
        printed, report = Printed(self.limits.log), Printed(_LONGEST_REPORT)
        with self._folder() as folder:
            process = await anyio.open_process(_COMMAND, env={}, cwd="/", start_new_session=True)
            try:
                await self._watched(process, self._order(program, cases, folder), printed, report)
            finally:
                with anyio.CancelScope(shield=True):
                    await _closed(process)
        if printed.size > self.limits.output:
            return Ended(passed=False, printed=printed.text, how="output")
        return _ended(printed.text, report.text.encode())

    async def _watched(self, process: Process, order: bytes, printed: Printed, report: Printed) -> None:
        """Follow a program to its end, or until it has printed more than it may."""
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        async with anyio.create_task_group() as group:
            group.start_soon(_read, process.stderr, report, _LONGEST_REPORT)
            with suppress(anyio.BrokenResourceError):
                await process.stdin.send(order)  # and it stays open: its end is the end of the room
            await _read(process.stdout, printed, self.limits.output)
            if printed.size <= self.limits.output:
                await process.wait()
            else:
                group.cancel_scope.cancel()

    def _order(self, program: str, cases: str, folder: str) -> bytes:
        told = asdict(self.limits) | {
            "walls": self.isolation == "walls", "folder": folder, "program": program, "cases": cases,
        }  # fmt: skip
        return f"{json.dumps(told)}\n".encode()

    @contextmanager
    def _folder(self) -> Iterator[str]:
        """A folder to work in, where there are no walls with one inside."""
        if self.isolation == "walls":
            yield ""
            return
        folder = tempfile.mkdtemp(prefix="recipelang-")
        Path(folder).chmod(0o777 if os.geteuid() == 0 else 0o700)  # the program of a root host is another user
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


async def _read(stream: ByteReceiveStream, into: Printed, most: int) -> None:
    """Read a stream to its end, or until there is more than may be."""
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while into.size <= most:
            into.add(await stream.receive(CHUNK))


async def _closed(process: Process) -> None:
    """End a room: it sees that nobody waits any more and ends what is in it; if it does not, it is ended itself."""
    if process.returncode is None:
        assert process.stdin is not None
        await process.stdin.aclose()
        with anyio.move_on_after(PATIENCE):
            await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.aclose()


def _ended(printed: str, report: bytes) -> Ended:
    """What the room said last; raises `NotIsolated` where it could not be walled off."""
    try:
        told = json.loads(report)
    except ValueError:
        return Ended(passed=False, printed=printed, how="")
    if "problem" in told:
        raise NotIsolated(f"a program can't be walled off here: {told['problem']}")
    return Ended(told["passed"], printed, told["how"])
