"""`recipelang resume`: go on with a run whose process died, from its journal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import anyio

from recipelang.cli.compiling import add_format
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.lending import READY_MADE, lent_to
from recipelang.cli.naming import plan_and_default
from recipelang.cli.progress import error_console
from recipelang.cli.run import Running, fetch, opened_trace, report
from recipelang.hosts.local import local_models_in
from recipelang.hosts.reaching import models_of
from recipelang.hosts.resuming import asked_before, began_with
from recipelang.hosts.stores import is_address, opened_store, shown
from recipelang.localmodels.store import ModelStore
from recipelang.runtime.ports import StoreProblem


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "journal", metavar="FILE", help="what `recipelang run --journal` wrote: a file, or redis://HOST"
    )
    parser.add_argument("run_id", nargs="?", metavar="RUN", help="the run; by default the only one that has not ended")
    parser.add_argument(
        "--functions", action="append", default=[], metavar="MODULE[:NAME]", help="Python functions that it may call"
    )
    parser.add_argument("--allow", action="append", default=[], choices=sorted(READY_MADE), help="as for `run`")
    parser.add_argument("--trace", metavar="FILE", help="write all that happens, as JSON")
    parser.add_argument("--content", action="store_true", help="what was said goes into the trace as well")
    parser.set_defaults(replay=None, record=None)
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    if not is_address(arguments.journal) and not Path(arguments.journal).is_file():
        what = "is a directory" if Path(arguments.journal).is_dir() else "no such file"
        raise Stop(Exit.INPUT_OUTPUT, f"{arguments.journal}: {what}")
    try:
        run_id, lines = anyio.run(_found, arguments.journal, arguments.run_id)
        origin = began_with(run_id, lines)["origin"]
        if "recipe" not in origin:
            raise Stop(Exit.USAGE, f"`{run_id}` was begun by a program: `Engine.resume` of that goes on with it")
        plan, is_default = plan_and_default(origin["recipe"], origin["with"])
        asked = asked_before(run_id, lines, plan)
    except StoreProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    arguments.seed = asked.seed
    store, console, trace = ModelStore(), error_console(), opened_trace(arguments.trace)
    functions = lent_to(plan, asked.entry, arguments.functions, arguments.allow)
    fetch(local_models_in(plan, models_of(plan, asked.entry)), store, console)
    running = Running(plan, asked.entry, asked.request, arguments, store, console, functions)
    running.keep(arguments.journal, run_id, None)
    return report(running, trace, arguments.format, is_default)


async def _found(journal: str, wanted: str | None) -> tuple[str, Sequence[str]]:
    """The run that is meant, and what is written of it."""
    with opened_store(journal) as store:
        run_id = wanted or _only(shown(journal), await store.unfinished())
        return run_id, await store.read(run_id)


def _only(journal: str, unfinished: Sequence[str]) -> str:
    match unfinished:
        case [one]:
            return one
        case []:
            raise Stop(
                Exit.USAGE, f"all runs in {journal} have ended; `recipelang resume {journal} RUN` shows one again"
            )
        case several:
            raise Stop(Exit.USAGE, f"{journal} has several runs that have not ended: {', '.join(several)}")
