"""`recipelang lock`: the digests of all files behind a recipe, to see later that none has changed."""

from __future__ import annotations

import argparse

from recipelang.cli.compiling import opened, plan_of
from recipelang.cli.exits import Exit
from recipelang.cli.locking import lock_beside
from recipelang.cli.writing import write


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .recipe file; its lock goes beside it, as FILE.lock")


def run(arguments: argparse.Namespace) -> Exit:
    from recipelang.hosts.locking import lock_of  # deferred: start-up cost

    path = lock_beside(arguments.file)
    compilation = opened(arguments.file)
    plan_of(compilation)
    write(path, str(lock_of(compilation)))
    return Exit.FINE
