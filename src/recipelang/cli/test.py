"""`recipelang test`: runs the `test` blocks of recipes, in virtual time and with no network, and reports."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recipelang.cli.compiling import colored, files_at, opened, print_json, show, to_json
from recipelang.cli.exits import Exit, Stop
from recipelang.compilation import Compilation, compile_text
from recipelang.diagnostics import Diagnostic
from recipelang.resources import standard_tests
from recipelang.syntax import nodes

if TYPE_CHECKING:
    from recipelang.recipetests.coverage import Coverage
    from recipelang.recipetests.reporting import FileResults

POLL = 0.3
"""Seconds between two looks at the files, with `--watch`."""
Changes = dict[str, int | None]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="a .recipe file, a folder, std.NAME, or - for standard input; by default this folder",
    )
    parser.add_argument(
        "-k", dest="matching", default="", metavar="TEXT", help="only tests with this text in their names"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json where a program reads it")
    parser.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML too")
    parser.add_argument("--coverage", action="store_true", help="say which steps, arms and fallbacks no test reached")
    parser.add_argument("--min-coverage", type=percentage, metavar="N", help="fail below this percentage")
    parser.add_argument("--watch", action="store_true", help="run again whenever a file changes, until Ctrl-C")


def run(arguments: argparse.Namespace) -> Exit:
    if arguments.watch and "-" in arguments.files:
        raise Stop(Exit.USAGE, "--watch needs files that can change, and standard input can't")
    return _watch(arguments) if arguments.watch else _once(arguments)[0]


def percentage(text: str) -> float:
    value = float(text.removesuffix("%"))
    if not 0 <= value <= 100:
        raise ValueError(text)
    return value


# -------------------------------------------------------------- what is run


def _once(arguments: argparse.Namespace) -> tuple[Exit, list[Compilation]]:
    """Run all tests once; gives the compilations as well, whose files a watcher looks at."""
    from recipelang.recipetests.coverage import coverage_of, merged  # deferred: start-up cost
    from recipelang.recipetests.reporting import FileResults  # deferred: start-up cost
    from recipelang.recipetests.running import run_tests  # deferred: start-up cost

    compilations = [*_compilations(arguments.files or ["."])]
    with_errors = [each for each in compilations if each.diagnostics and each.has_errors]
    said = [diagnostic for each in compilations for diagnostic in each.diagnostics]
    if arguments.format == "text":
        show(said)
    sound = [each for each in compilations if each not in with_errors and each.checked.tests]
    files = []
    for compilation in sound:
        results = run_tests(compilation, arguments.matching)
        if results:
            files.append(FileResults(compilation.source.name, results, coverage_of(compilation, results)))
    if not files and not with_errors:
        raise Stop(Exit.USAGE, _none_found(arguments, bool(sound)))
    reached = merged(found.coverage for found in files)
    _report(arguments, files, reached, said)
    low = arguments.min_coverage is not None and reached.percent < arguments.min_coverage
    if low:
        print(f"coverage is below {arguments.min_coverage:g}%", file=sys.stderr)
    failed = bool(with_errors) or low or any(found.failed for found in files)
    return (Exit.PROBLEMS if failed else Exit.FINE), compilations


def _compilations(paths: Sequence[str]) -> Iterator[Compilation]:
    """Of a folder, those files that have tests or errors; of files and standard recipes all."""
    for path in paths:
        tests = standard_tests(path) if path.startswith("std.") else None
        if tests is not None:
            yield compile_text(tests.text, tests.name)
        elif path != "-" and Path(path).is_dir():
            yield from (each for each in map(opened, files_at(path)) if _concerns_us(each))
        else:
            yield opened(path)


def _concerns_us(compilation: Compilation) -> bool:
    """Whether a file of a folder has tests, or can't be read so that it may have some."""
    declared = compilation.program.root.file.declarations
    return compilation.has_errors or any(isinstance(node, nodes.Test) for node in declared)


def _none_found(arguments: argparse.Namespace, any_tests: bool) -> str:
    where = ", ".join(arguments.files) if arguments.files else "this folder"
    if any_tests:
        return f'no test in {where} has "{arguments.matching}" in its name'
    return f'there are no tests in {where}; one is written `test "what it shows" {{ ... }}`, see docs/testing.md'


# --------------------------------------------------------------- the report


def _report(
    arguments: argparse.Namespace, files: Sequence[FileResults], reached: Coverage, said: Sequence[Diagnostic]
) -> None:
    from recipelang.recipetests import reporting  # deferred: start-up cost

    if arguments.junit is not None:
        try:
            Path(arguments.junit).write_text(reporting.junit(files), encoding="utf-8")
        except OSError as error:
            raise Stop.at(arguments.junit, error) from error
    if arguments.format == "json":
        print_json({"diagnostics": [to_json(each) for each in said], **reporting.as_json(files, reached)})
        return
    color = colored()
    for found in files:
        print("\n".join(reporting.lines(found, color=color)))
    for result in (result for found in files for result in found.failed):
        print("\n" + reporting.failure(result, color=color), end="")
    print(f"\n{reporting.summary(files)}")
    if arguments.coverage or arguments.min_coverage is not None:
        print(reporting.covered(reached))


# ------------------------------------------------------------------ watching


def _watch(arguments: argparse.Namespace) -> Exit:
    """Run now, and again after each change; Ctrl-C ends it with the status of the last run."""
    status, compilations = Exit.FINE, list[Compilation]()
    try:
        while True:
            began, before = time.time_ns(), _changes(arguments, compilations)
            try:
                status, compilations = _once(arguments)
            except Stop as stop:
                print(f"recipelang: {stop}", file=sys.stderr)
                status = stop.code
            after = _changes(arguments, compilations)
            seen = {**_before(began, after), **{file: at for file, at in before.items() if file in after}}
            sys.stdout.flush()
            print("\nwaiting for a change; Ctrl-C ends it", file=sys.stderr, flush=True)
            while _changes(arguments, compilations) == seen:
                time.sleep(POLL)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return status


def _before(began: int, changes: Changes) -> Changes:
    """The changes from before that moment: a file that was written while the tests ran is one to run them for."""
    return {file: at for file, at in changes.items() if at is None or at < began}


def _changes(arguments: argparse.Namespace, compilations: Sequence[Compilation]) -> Changes:
    """When each file was changed last, in nanoseconds; none where it is not there."""
    files = [path for path in arguments.files or ["."] if not path.startswith("std.")]
    folders = [path for path in files if Path(path).is_dir()]
    inside = [file for folder in folders for file in files_at(folder)]
    used = [name for each in compilations for name in each.sources]
    return {file: _changed(file) for file in [*files, *inside, *used] if file not in folders}


def _changed(file: str) -> int | None:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return None
