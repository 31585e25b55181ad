"""`--locked`: a verb goes on only where all files behind a recipe are as its lock says."""

from __future__ import annotations

import argparse
from pathlib import Path

from recipelang.cli.exits import Exit, Stop
from recipelang.compilation import Compilation


def add_locked(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--locked", action="store_true", help="refuse where a file is not as FILE.lock says")


def lock_beside(file: str) -> Path:
    """Where the lock of a file is kept."""
    if file == "-" or file.startswith("std."):
        raise Stop(Exit.USAGE, f"`{file}` has no lock: a lock is kept beside a file")
    return Path(f"{file}.lock")


def must_be_locked(file: str, compilation: Compilation) -> None:
    """Stops where a file has changed since its lock was made, and says which."""
    from recipelang.hosts.locking import LockProblem, changes, lock_of, read_lock  # deferred: start-up cost

    path, renew = lock_beside(file), f"`recipelang lock {file}`"
    try:
        then = read_lock(path.read_bytes())
    except FileNotFoundError as error:
        raise Stop(Exit.INPUT_OUTPUT, f"{path}: there is no lock yet; {renew} makes it") from error
    except OSError as error:
        raise Stop.at(path, error) from error
    except LockProblem as problem:
        raise Stop(Exit.PROBLEMS, f"{path}: {problem}; {renew} makes it anew") from problem
    found = list(changes(then, lock_of(compilation)))
    if found:
        lines = "".join(f"\n  {line}" for line in found)
        raise Stop(Exit.PROBLEMS, f"{file} is not as {path} says:{lines}\n{renew} renews it, where this is meant")
