"""`run_tests`: programs that pass and fail, and programs that try to get out of the room that they run in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import anyio
import pytest

from recipelang.hostfunctions.rooms import Isolation, NotIsolated, Printed, RoomLimits
from recipelang.hostfunctions.testing import RunTests

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs of models run on Linux only")

SHORT = RoomLimits(seconds=0.5)
ADD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"


@cache
def opened(isolation: Isolation = "walls", limits: RoomLimits | None = None) -> RunTests:
    try:
        return RunTests(limits, isolation=isolation)
    except NotIsolated as problem:
        if isolation == "limits" or "can't be walled off here" in str(
            problem
        ):  # a machine, or a Python, that is not for it
            pytest.skip(str(problem))
        raise


@pytest.fixture(params=["walls", "limits"])
def run_tests(request: pytest.FixtureRequest) -> RunTests:
    return opened(request.param)


@pytest.fixture
def walled() -> RunTests:
    return opened()


ONE_LOOP = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""For what happens inside a room, which knows nothing of the loop outside."""
MARK = f"room-{os.getpid()}"
MARKING = f"import ctypes\nctypes.CDLL(None).prctl(15, b'{MARK}')\n"
"""Gives a program, and what it starts, a name that it is known by from outside."""


def marked() -> list[Path]:
    """The processes on this machine that have the name."""
    found = []
    for process in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):  # it has just ended
            if process.read_text().strip() == MARK:
                found.append(process)
    return found


# ---------------------------------------------------------------- verdicts


@pytest.mark.anyio
@pytest.mark.parametrize(
    "cases",
    [
        "assert add(1, 2) == 3",
        "def test_add():\n    assert add(1, 2) == 3",
        "async def test_add():\n    assert add(1, 2) == 3",
        "import unittest\nclass Adding(unittest.TestCase):\n    def test_add(self): self.assertEqual(add(1, 2), 3)",
        "from program import add as plus\nassert plus(1, 2) == 3",
    ],
    ids=["lines", "a function", "a coroutine function", "unittest", "an import"],
)
async def test_a_program_that_is_right_passes_and_one_that_is_wrong_fails(run_tests: RunTests, cases: str) -> None:
    right, wrong = await run_tests(ADD, cases), await run_tests(WRONG, cases)
    assert right["passed"], right
    assert not wrong["passed"]
    assert "AssertionError" in wrong["log"]
    assert "tests.py" in wrong["log"]
    assert "room.py" not in wrong["log"]


@pytest.mark.anyio
async def test_an_assertion_says_what_it_compared(run_tests: RunTests) -> None:
    verdict = await run_tests(WRONG, "assert add(1, 2) == 3")
    assert verdict["log"].endswith("AssertionError: assert -1 == 3")
    verdict = await run_tests(WRONG, 'assert add(1, 2) == 3, "one and two"')
    assert verdict["log"].endswith("AssertionError: one and two")


@pytest.mark.anyio
async def test_each_test_that_fails_is_told(run_tests: RunTests) -> None:
    verdict = await run_tests(WRONG, "".join(f"def test_{n}():\n    assert add({n}, 1) == {n + 1}\n" for n in range(3)))
    assert verdict["log"].count("AssertionError") == 3
    assert verdict["log"].endswith("3 of the tests failed")


@pytest.mark.anyio
@ONE_LOOP
@pytest.mark.parametrize(
    ("program", "passed", "log"),
    [
        ("print('hello')", True, "hello"),
        ("import sys; print('usage'); sys.exit(0)", True, "usage"),
        ("import sys; sys.exit(3)", False, "it called exit(3)"),
        ("if __name__ == '__main__': print('as a program')", True, "as a program"),
        ("1 / 0", False, "ZeroDivisionError: division by zero"),
        ("def f(:", False, "SyntaxError"),
        ("input()", False, "EOFError"),
        ("\ud800", False, ""),
        ("x = '\0'", False, "null bytes"),
        ("", True, ""),
    ],
)
async def test_without_tests_a_program_passes_that_ends_without_an_error(
    walled: RunTests, program: str, passed: bool, log: str
) -> None:
    verdict = await walled(program, "")
    assert verdict["passed"] is passed, verdict
    assert log in verdict["log"]


@pytest.mark.anyio
@ONE_LOOP
@pytest.mark.parametrize(
    "program",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "raise SystemExit",
        "import os\nif os.fork(): os._exit(0)\ndef add(a, b): return a + b",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import threading; threading.stack_size(1); add = 1",
    ],
)
async def test_a_program_that_ends_before_its_tests_has_not_passed(run_tests: RunTests, program: str) -> None:
    assert not (await run_tests(program, "assert add(1, 2) == 3"))["passed"]


@pytest.mark.anyio
async def test_a_program_under_test_is_no_main_program(walled: RunTests) -> None:
    program = f"from __future__ import annotations\n{ADD}\nif __name__ == '__main__': print(add(1, input()))"
    assert await walled(program, "assert add(1, 2) == 3") == {"passed": True, "log": ""}


# ------------------------------------------------------------ ways to get out


@pytest.mark.anyio
@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)",
        "import os, time\nos.close(1); os.close(2)\ntime.sleep(60)",
        "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
    ],
    ids=["computes", "ignores signals", "closes its output", "forks"],
)
async def test_a_program_that_does_not_end_is_stopped(program: str) -> None:
    verdict = await opened("walls", SHORT)(program, "")
    assert verdict == {"passed": False, "log": "[it was stopped: it ran for more than 0.5 s]"}


@pytest.mark.anyio
@ONE_LOOP
@pytest.mark.parametrize(
    ("program", "log"),
    [
        ("import os\nwhile True: os.fork()", "BlockingIOError"),
        ("import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()", "can't start new"),
        ("kept = []\nwhile True: kept.append(bytearray(10**7))", "MemoryError"),
        ("x = 'x' * 10**10", "MemoryError"),
        ("with open('big', 'wb') as file:\n  while True: file.write(b'0' * 10**6)", "File too large"),
        ("while True: print('x' * 1000)", "[it was stopped: it printed more than 1,048,576 bytes]"),
        ("kept = [open('/dev/null') for _ in range(1000)]", "Too many open files"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise ValueError('x' * 10**6)", "bytes left out"),
        ("raise ValueError('x' * 10**8)", "ValueError"),
        ("class Odd(Exception):\n  def __str__(self): raise self\nraise Odd", "Odd"),
        ("import os; os.kill(os.getpid(), 11)", "[it was ended by SIGSEGV]"),
    ],
)  # fmt: skip
async def test_a_program_that_takes_too_much_is_stopped(walled: RunTests, program: str, log: str) -> None:
    verdict = await walled(program, "")
    assert not verdict["passed"]
    assert log in verdict["log"]
    assert len(verdict["log"].encode()) < 5_000


@pytest.mark.anyio
async def test_files_are_limited_all_together(walled: RunTests) -> None:
    program = "for n in range(10**6):\n  with open(str(n), 'wb') as file: file.write(b'0' * 10**6)"
    assert "No space left on device" in (await walled(program, ""))["log"]


@pytest.mark.anyio
@ONE_LOOP
@pytest.mark.parametrize(
    ("program", "log"),
    [
        ("open('/usr/written', 'w')", "Read-only file system"),
        ("import os, sys; open(os.path.join(sys.base_prefix, 'written'), 'w')", "Read-only file system"),
        (f"open({str(Path(__file__))!r})", "No such file"),
        ("open('/etc/passwd')", "No such file"),
        ("open('/proc/1/environ')", "No such file"),
        ("import os; os.mkdir('/work/../../../etc/written'); os.chroot('/work')", ""),
        ("import os; os.setuid(0)", ""),
        ("import os, ctypes; assert ctypes.CDLL(None).mount(b'none', b'/work', b'tmpfs', 0, None) == 0", "AssertionError"),
    ],
)  # fmt: skip
async def test_no_file_but_its_own_is_reached(walled: RunTests, program: str, log: str) -> None:
    verdict = await walled(program, "")
    assert not verdict["passed"], verdict
    assert log in verdict["log"]


@pytest.mark.anyio
async def test_what_it_writes_is_gone_with_it(run_tests: RunTests) -> None:
    program = "import os\nprint(os.listdir('.'))\nopen('written', 'w').write('x')\nprint(os.listdir('.'))"
    for _ in range(2):
        assert await run_tests(program, "") == {"passed": True, "log": "[]\n['written']"}


@pytest.mark.anyio
async def test_the_environment_is_empty(run_tests: RunTests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    verdict = await run_tests("import os; print(sorted(os.environ))", "")
    assert verdict["log"] in ("[]", "['LC_CTYPE']")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "reaching",
    ["socket.create_connection(('127.0.0.1', {port}), 1)", "socket.create_connection(('192.0.2.1', 80), 1)"],
    ids=["this machine", "the world"],
)
async def test_no_network_is_reached(walled: RunTests, reaching: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = f"import socket\n{reaching.format(port=server.getsockname()[1])}"
        assert "Network is unreachable" in (await walled(program, ""))["log"]


@pytest.mark.anyio
@ONE_LOOP
@pytest.mark.parametrize("whom", ["os.getppid()", "1", "-1", "0"])
async def test_it_ends_nobody_but_itself(walled: RunTests, whom: str) -> None:
    await walled(f"import os\nos.kill({whom}, 9)", "")
    assert (await walled(ADD, "assert add(1, 2) == 3"))["passed"]


@pytest.mark.anyio
async def test_a_daemon_ends_with_the_program_that_left_it(run_tests: RunTests) -> None:
    program = MARKING + (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(60)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "print('gone')"
    )
    with anyio.fail_after(30):  # a minute would be its own
        assert await run_tests(program, "") == {"passed": True, "log": "gone"}
    assert marked() == []


@pytest.mark.anyio
async def test_bytes_that_are_no_text_become_text(run_tests: RunTests) -> None:
    verdict = await run_tests("import os; os.write(1, b'\\xff\\x00ok\\n'); print('\\ud800')", "")
    assert verdict == {"passed": True, "log": "\ufffd\x00ok\n\\ud800"}


@pytest.mark.anyio
@pytest.mark.parametrize("isolation", ["walls", "limits"])
async def test_a_run_that_is_cancelled_leaves_nothing(isolation: Isolation) -> None:
    run_tests = opened(isolation, RoomLimits(seconds=60))
    program = MARKING + (
        "import os, time\nfor _ in range(3): os.fork()\n"
        "if os.getpid() % 2 and os.getpid() != os.getpgrp(): os.setsid()\n"  # the first one leads a group already
        "time.sleep(60)"
    )
    seen = False
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(run_tests, program, "")
            while not seen:
                await anyio.sleep(0.01)
                seen = len(marked()) == 8
            group.cancel_scope.cancel()
    assert marked() == []


@pytest.mark.anyio
async def test_several_run_at_once(run_tests: RunTests) -> None:
    verdicts: list[bool] = []

    async def one(program: str) -> None:
        verdicts.append((await run_tests(program, "assert add(1, 2) == 3"))["passed"])

    async with anyio.create_task_group() as group:
        for program in [ADD, WRONG] * 3:
            group.start_soon(one, program)
    assert sorted(verdicts) == [False] * 3 + [True] * 3


# ------------------------------------------------------------------- rooms


def test_elsewhere_than_on_linux_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NotIsolated, match="programs of models are run on Linux only, and this is darwin"):
        RunTests()


def test_where_no_walls_can_be_raised_it_refuses() -> None:
    """A machine on which a program may not leave its namespaces: here, by taking the right to from one process."""
    script = (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None)\n"
        "if os.geteuid() == 0:\n"
        "    assert libc.prctl(24, 21, 0, 0, 0) == 0  # of all that it starts, none administers the system\n"
        "else:\n"
        "    assert libc.unshare(0x10000000) == 0\n"
        "    open('/proc/sys/user/max_user_namespaces', 'w').write('0')\n"
        "from recipelang.hostfunctions.testing import RunTests\n"
        "try: RunTests()\n"
        "except RuntimeError as problem: print(type(problem).__name__, problem)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "NotIsolated a program can't be walled off here: this machine lets nobody wall off a program" in done.stdout


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([b"abc"], "abc"),
        ([b"abcdefgh"], "abcdefgh"),
        ([b"abcdefghi"], "ab\n[... 1 bytes left out ...]\ndefghi"),
        ([b"a"] * 100, "aa\n[... 92 bytes left out ...]\naaaaaa"),
        ([b"0123456789" * 10, b"x"], "01\n[... 93 bytes left out ...]\n56789x"),
        ([b"\xc3", b"\xa4"], "ä"),
        ([], ""),
    ],
)
def test_of_a_long_output_the_beginning_and_the_end_are_kept(pieces: list[bytes], text: str) -> None:
    printed = Printed(8)
    for piece in pieces:
        printed.add(piece)
    assert printed.text == text
    assert printed.size == sum(map(len, pieces))
