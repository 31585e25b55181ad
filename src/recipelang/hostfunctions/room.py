"""A room for one program: this file, run by a Python of its own, walls itself off, runs the program and says how it ended.

It knows nothing of recipelang and imports only the standard library: `python -I -S room.py`. What to do comes as a line of
JSON on standard input, which stays open for as long as anyone waits; its end ends the room. What the program prints goes to
standard output, and one line of JSON on standard error says how it ended.
"""

from __future__ import annotations

import ast
import ctypes
import json
import linecache
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import CoroutineType, FunctionType, ModuleType
from typing import Any, NoReturn, cast

WORK = "/work"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/nix/store")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
NEW_ROOT = "/proc"
"""A folder that is there on every Linux, and that holds nothing which the room needs."""
NOBODY = 65_534
OWN_USERS = 2_000_000_000
"""Where a host that is root takes a user for the room from: a number that is nobody else's, so that it can be counted."""

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (
    0x00020000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
MNT_DETACH = 0x2
MOUNT_SETATTR, AT_RECURSIVE, RDONLY, NOSUID = 442, 0x8000, 0x1, 0x2
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
CAPABILITIES = 0x20080522

Told = dict[str, Any]  # Any: JSON
libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    told = json.loads(sys.stdin.buffer.readline() or b"null")
    if told is None:
        return  # whoever wanted this is gone already
    try:
        user = raise_walls(told) if told["walls"] else own_user()
    except OSError as problem:
        report({"problem": f"{problem.strerror or problem}"})
        return
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        keep(told, user, writing)
    os.close(writing)
    in_time = waited_for(keeper, told["seconds"])
    os.kill(keeper, signal.SIGKILL)
    os.waitpid(keeper, 0)
    if not told["walls"]:  # behind them all of it ended with the keeper
        sweep()
    report(ending(reading) if in_time else {"passed": False, "how": "time"})


def report(how: Told) -> None:
    os.write(2, json.dumps(how).encode())


def waited_for(keeper: int, seconds: float) -> bool:
    """Whether it ended by itself, before its time was up or nobody waited any more."""
    ended = os.pidfd_open(keeper)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(0, select.POLLIN)
    return any(file == ended for file, _ in poll.poll(seconds * 1000))


def sweep() -> None:
    """End all that the program left behind, which has come to us."""
    with suppress(ChildProcessError):
        while True:
            for child in children():
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def children() -> list[int]:
    own = str(os.getpid())
    found: list[int] = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            if file.read().rpartition(")")[2].split()[1] == own:  # its parent, after its name and its state
                found.append(int(process))
    return found


def ending(reading: int) -> Told:
    """How the program ended, from what it and its keeper wrote."""
    with os.fdopen(reading, encoding="ascii", errors="replace") as pipe:
        lines = pipe.read(1000).splitlines()
    how = next((line for line in reversed(lines) if line != "passed"), "")
    return {"passed": "passed" in lines and how == "exit 0", "how": how}


# -------------------------------------------------------------------- walls


def raise_walls(told: Told) -> int:
    """Leave the machine's processes, network and files behind; gives the user that the program is to be.

    Root has the right to do so, everyone else takes it in a user namespace. Raises `OSError` where neither is allowed.
    """
    flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    user, group = os.geteuid(), os.getegid()
    check(libc.unshare(flags if user == 0 else flags | CLONE_NEWUSER), "this machine lets nobody wall off a program")
    if user != 0:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{user} {user} 1")
        write("/proc/self/gid_map", f"{group} {group} 1")
        write("/proc/sys/user/max_user_namespaces", "0")  # those below ours: the program gets no such rights again
    own = own_user()
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", NEW_ROOT, "tmpfs", MS_NOSUID | MS_NODEV, f"size={told['files']},nr_inodes=4096,mode=755")
    for path in visible():
        show(path)
    for folder in (WORK, "/tmp", "/dev/shm"):
        os.makedirs(NEW_ROOT + folder, exist_ok=True)
        os.chmod(NEW_ROOT + folder, 0o1777)
    os.chdir(NEW_ROOT)
    check(libc.pivot_root(b".", b"."), "the root of the file system can't be left behind")
    check(libc.umount2(b".", MNT_DETACH), "the root of the file system can't be left behind")
    os.chdir("/")
    return own


def visible() -> Iterator[str]:
    """What the program sees of the file system: Python, what the system's libraries are, and a few devices."""
    yield from SYSTEM
    yield from DEVICES
    python = os.path.realpath(sys.base_prefix)
    if not python.startswith("/usr/") and python not in ("/", "/usr"):
        yield python


def show(path: str) -> None:
    """Let a file, a folder or a link be seen in the room, where it can't be changed."""
    there = NEW_ROOT + path
    if not os.path.lexists(path) or os.path.lexists(there):
        return
    os.makedirs(os.path.dirname(there), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), there)
        return
    if os.path.isdir(path):
        os.mkdir(there)
    else:
        os.close(os.open(there, os.O_CREAT))
    mount(path, there, None, MS_BIND | MS_REC)
    if path not in DEVICES:
        attributes = (ctypes.c_uint64 * 4)(RDONLY | NOSUID, 0, 0, 0)
        done = libc.syscall(MOUNT_SETATTR, -100, there.encode(), AT_RECURSIVE, attributes, ctypes.sizeof(attributes))
        check(done, "this kernel can't show files for reading only")


def own_user() -> int:
    """The user that the program is to be: a host that is root lends it nothing of that."""
    if os.geteuid() != 0:
        return os.geteuid()
    number = OWN_USERS + os.getpid()
    with open("/proc/self/uid_map", encoding="ascii") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    return number if any(start <= number < start + count for start, _, count in ranges) else NOBODY


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    given = [None if text is None else text.encode() for text in (source, target, kind, data)]
    check(libc.mount(*given[:3], ctypes.c_ulong(flags), given[3]), f"{target} can't be mounted")


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def check(done: int, what: str) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what} ({os.strerror(number).lower()})")


def prctl(option: int, value: int) -> None:
    libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0)


# -------------------------------------------------------------- the program


def keep(told: Told, user: int, writing: int) -> NoReturn:
    """Start the program, wait for it and tell how it ended: behind walls, process 1, with which all others end."""
    program = os.fork()
    if program == 0:
        status = 70
        try:
            lock(told, user)
            status = perform(told, writing)
        finally:
            os._exit(status)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    while True:
        ended, status = os.wait()
        if ended == program:
            break
    code = os.waitstatus_to_exitcode(status)
    how = f"exit {code}" if code >= 0 else f"signal {name_of(-code)}"
    os.write(writing, f"\n{how}\n".encode())
    os._exit(0)


def name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def lock(told: Told, user: int) -> None:
    """Take from this process what the program must not have: privileges, memory, time, files, processes."""
    os.setsid()
    processes = told["processes"] if told["walls"] or os.geteuid() == 0 else told["processes"] + tasks_of(user)
    seconds = int(told["seconds"]) + 1
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, told["files"]),
        (resource.RLIMIT_NOFILE, told["open_files"]),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_AS, told["memory"]),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    libc.capset((ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)())
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    os.umask(0o077)
    os.chdir(WORK if told["walls"] else told["folder"])


def tasks_of(user: int) -> int:
    """The threads that a user runs already: the limit on processes counts them."""
    count = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if os.stat(f"/proc/{process}").st_uid == user:
                count += len(os.listdir(f"/proc/{process}/task"))
    return count


def perform(told: Told, writing: int) -> int:
    """Run the program and then its tests, as one module; the status to end with."""
    said = os.open(os.devnull, os.O_RDONLY)
    os.dup2(said, 0)
    os.dup2(1, 2)
    os.closerange(3, writing)
    os.closerange(writing + 1, told["open_files"])
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]  # they are text files
    own = os.getpid()
    sys.argv = ["program.py"]
    sys.executable = os.path.realpath(sys.executable)
    sys.path.insert(0, os.getcwd())
    program, cases = told["program"], told["cases"]
    module = ModuleType("program" if cases else "__main__")
    sys.modules[module.__name__] = module
    passed = ran(lambda: run_text(program, "program.py", module), may_exit=not cases)
    passed = passed and (not cases or tested(cases, module))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    if passed and os.getpid() == own:  # no process that it left behind speaks for it
        os.write(writing, b"\npassed\n")
    return 0 if passed else 1


def tested(cases: str, module: ModuleType) -> bool:
    """Whether the tests hold: what they say at the top, then each of their `test` functions and `TestCase`s."""
    before = dict(vars(module))
    if not ran(lambda: run_text(cases, "tests.py", module, telling=True)):
        return False
    found = {name: value for name, value in vars(module).items() if before.get(name) is not value}
    functions = [value for name, value in found.items() if name.startswith("test") and isinstance(value, FunctionType)]
    lost = sum(not ran(partial(finished, function)) for function in functions) + lost_cases(found)
    if lost:
        print(f"{lost} of the tests failed", file=sys.stderr)
    return lost == 0


def finished(function: Callable[[], object]) -> None:
    """Call a function, to its end where it is a coroutine function."""
    found = function()
    if isinstance(found, CoroutineType):
        import asyncio  # deferred: few tests need it

        asyncio.run(found)


def lost_cases(found: Mapping[str, object]) -> int:
    """How many tests of `unittest` failed; 0 where there are none."""
    unittest = sys.modules.get("unittest")
    if unittest is None:
        return 0
    loader, suite = unittest.TestLoader(), unittest.TestSuite()
    for value in found.values():
        if isinstance(value, type) and issubclass(value, unittest.TestCase):
            suite.addTests(loader.loadTestsFromTestCase(value))
    if not suite.countTestCases():
        return 0
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    return len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)


def run_text(text: str, name: str, module: ModuleType, *, telling: bool = False) -> None:
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)  # which tracebacks show
    tree = cast(ast.Module, compile(text, name, "exec", ast.PyCF_ONLY_AST, dont_inherit=True))
    if telling:
        tree = ast.fix_missing_locations(Telling().visit(tree))
    exec(compile(tree, name, "exec", dont_inherit=True), vars(module))


class Telling(ast.NodeTransformer):
    """Lets an `assert` that compares two values say which they were: a model can't look at them."""

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        if node.msg is not None or not isinstance(node.test, ast.Compare) or len(node.test.ops) != 1:
            return node
        test, operator = node.test, node.test.ops[0]
        left, right = (
            ast.copy_location(ast.NamedExpr(ast.Name(name, ast.Store()), side), side)
            for name, side in (("_left", test.left), ("_right", test.comparators[0]))
        )
        told = ast.parse(f"f'assert {{_left!r:.300}} {spelled(operator)} {{_right!r:.300}}'", mode="eval").body
        compared = ast.copy_location(ast.Compare(left, [operator], [right]), test)
        return ast.copy_location(ast.Assert(compared, ast.copy_location(told, node)), node)


def spelled(operator: ast.cmpop) -> str:
    name = ast.Name("_")
    return ast.unparse(ast.Compare(name, [operator], [name]))[2:-2]


def ran(code: Callable[[], None], *, may_exit: bool = False) -> bool:
    """Whether it came to its end; says on standard error why not."""
    try:
        code()
    except SystemExit as left:
        if may_exit and left.code in (None, 0):
            return True
        print(f"it called exit({left.code!r})", file=sys.stderr)
    except BaseException as error:  # noqa: BLE001 - whatever a program may raise
        tell(error)
    else:
        return True
    return False


def tell(error: BaseException) -> None:
    """Print a traceback of the program's own lines."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace)
    except BaseException:  # noqa: BLE001 - an error that can't be shown, or no memory to show it
        os.write(2, f"{type(error).__name__}, which can't be shown\n".encode())


if __name__ == "__main__":
    main()
