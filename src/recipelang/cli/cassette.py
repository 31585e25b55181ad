"""`recipelang cassette`: what has been recorded, and a test made of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from recipelang.backends.cassettes import CassetteProblem, Recorded, RecordedCall, RecordedRun, read_cassette
from recipelang.backends.cassettes.document import Gave, Raised
from recipelang.cli.compiling import show
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.progress import without_controls
from recipelang.diagnostics import Diagnostic
from recipelang.runtime.ports import BackendError, NotRecorded, Reply
from recipelang.source import FileLoader, LoadProblem, Source

if TYPE_CHECKING:
    from recipelang.compilation import Compilation

LONGEST = 60
"""Characters of what was said."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=("show", "to-test"), help="say what is recorded; print a test block that does the same again"
    )
    parser.add_argument("cassette", metavar="CASSETTE", help="what `recipelang run --record` wrote")
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="for to-test: the recipe that was run")
    parser.add_argument("--with", action="append", default=[], dest="uses", metavar="FILE", help="as it was run")
    parser.add_argument("--name", metavar="TEXT", help="what the test shows; by default what was asked")


def run(arguments: argparse.Namespace) -> Exit:
    try:
        recorded = read_cassette(arguments.cassette)
    except CassetteProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    except OSError as problem:
        raise Stop.at(arguments.cassette, problem) from problem
    if arguments.action == "show":
        print("\n".join(_shown(recorded)))
        return Exit.FINE
    if arguments.recipe is None:
        raise Stop(Exit.USAGE, f"of which recipe? `recipelang cassette to-test {arguments.cassette} team.recipe`")
    print(_test(recorded, _the_run(recorded), arguments), end="")
    return Exit.FINE


# ------------------------------------------------------------------ showing


def _shown(recorded: Recorded) -> Iterator[str]:
    for run in recorded.runs:
        ending = "broken off" if run.ending is None else run.ending["status"]
        yield f"{run.exposed or run.recipe}: {ending}"
    for call in recorded.calls:
        asked = call.asked
        who = f"{asked['model']} as {asked['role']}" if "model" in asked else asked["function"]
        yield without_controls(f"{call.at:9.3f}s  {call.seconds:8.3f}s  {who}: {_ended(call)}")


def _ended(call: RecordedCall) -> str:
    match call.outcome:
        case Reply(text=text):
            return _short(text)
        case BackendError(message=message):
            return f"failed: {_short(message)}"
        case Gave(value):
            return _short(str(value))
        case Raised(error, message):
            return f"raised {error}: {_short(message)}"
        case _:
            return "given up"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


# ------------------------------------------------------------------- testing


def _the_run(recorded: Recorded) -> RecordedRun:
    match recorded.runs:
        case [run] if run.ending is not None:
            return run
        case [_]:
            raise Stop(Exit.PROBLEMS, f"the run in {recorded.name} was broken off: nobody knows what it should give")
        case runs:
            raise Stop(Exit.PROBLEMS, f"{recorded.name} has {len(runs)} runs, and a test is made of one")


def _test(recorded: Recorded, run: RecordedRun, arguments: argparse.Namespace) -> str:
    """The block, laid out, run, and found to pass; with the `use` line that it needs where the recipe is no file."""
    from recipelang.compilation import Compilation  # deferred: only this action compiles
    from recipelang.formatting.proving import formatted  # deferred: as above
    from recipelang.hosts.binding import ArgumentProblem  # deferred: as above
    from recipelang.hosts.recipes import CompileError, recipes_in  # deferred: as above
    from recipelang.hosts.recorded import played_again  # deferred: as above
    from recipelang.recipetests.recorded import NoTest, written_test  # deferred: as above
    from recipelang.recipetests.virtual_time import VirtualTimeLoop  # deferred: as above
    from recipelang.semantics.scope import visible_names  # deferred: as above

    path = _path(arguments.recipe)
    standard = path.startswith("std.")
    try:
        plan = recipes_in(path, *arguments.uses)
        if not plan.models:
            plan = recipes_in(path, "std.local_models")
        before = Source("<test>", f"use {path}\n\n") if standard else FileLoader().load(path)
        played = anyio.run(played_again, plan, run, recorded, backend_options={"loop_factory": VirtualTimeLoop})
        visible = set(visible_names(Compilation(before, FileLoader()).program.root))
        block = written_test(arguments.name or _name(run), run, played, plan, visible)
    except LoadProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    except CompileError as problem:
        raise Stop(Exit.PROBLEMS, str(problem)) from problem
    except (NoTest, NotRecorded, ArgumentProblem) as problem:
        raise Stop(Exit.PROBLEMS, f"{recorded.name} can't become a test of {path}: {problem}") from problem
    written = Source("<test>", before.text + block if standard else block)
    laid_out = formatted(written, _must_be_read) or written.text
    whole = laid_out if standard else f"{before.text}\n{laid_out}"
    _must_pass(Compilation(Source(before.name, whole), FileLoader()))
    return laid_out


def _path(recipe: str) -> str:
    """A file's path as it is, or `std.name` for a standard recipe."""
    from recipelang.resources import standard_recipe  # deferred: only this action looks for one

    bare = recipe.removeprefix("std.")
    return recipe if Path(recipe).is_file() or standard_recipe(bare) is None else f"std.{bare}"


def _must_be_read(diagnostic: Diagnostic) -> None:
    raise AssertionError(f"the test that was written can't be read: {diagnostic.message}")


def _name(run: RecordedRun) -> str:
    """What was asked last, as the name of the test."""
    asked = [message["content"] for message in run.request["messages"] if message["role"] == "user"]
    return _short(asked[-1]) if asked and isinstance(asked[-1], str) else run.exposed or run.recipe


def _must_pass(compilation: Compilation) -> None:
    """A test that does not hold at once is of no use to anyone: say what is wrong with it instead."""
    from recipelang.recipetests.reporting import failure  # deferred: only this action tests
    from recipelang.recipetests.running import run_test  # deferred: as above

    diagnostics = compilation.diagnostics
    if compilation.has_errors:
        show(diagnostics)
        raise Stop(Exit.PROBLEMS, "the test that would do the same does not fit the recipe")
    result = run_test(compilation.checked, compilation.checked.tests[-1])
    if not result.passed:
        print(failure(result), file=sys.stderr)
        raise Stop(Exit.PROBLEMS, "the test that would do the same does not pass")


__all__: Sequence[str] = ["configure", "run"]
