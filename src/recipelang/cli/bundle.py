"""`recipelang bundle`: one sealed file with a plan and all that it was made from; and back to files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from recipelang.cli.compiling import opened, plan_of, print_json
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.locking import add_locked, must_be_locked
from recipelang.cli.writing import write

if TYPE_CHECKING:
    from recipelang.ir.document import Bundle


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", help="a .recipe file, std.NAME, or - for standard input")
    parser.add_argument("-o", "--output", help="where to write the bundle; standard output by default")
    parser.add_argument("--extract", metavar="BUNDLE", help="write the sources of a bundle into the folder -o instead")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of bundles instead")
    add_locked(parser)


def run(arguments: argparse.Namespace) -> Exit:
    if arguments.schema:
        from recipelang.ir.document import bundle_schema  # deferred: start-up cost

        print_json(bundle_schema())
        return Exit.FINE
    if arguments.extract is not None:
        return _extract(arguments.extract, arguments.output)
    if arguments.file is None:
        raise Stop(Exit.USAGE, "which file?")
    text = _bundle(arguments.file, locked=arguments.locked)
    if arguments.output is None:
        print(text, end="")
    else:
        write(arguments.output, text)
    return Exit.FINE


def _bundle(file: str, *, locked: bool) -> str:
    from recipelang.hosts.bundling import bundled  # deferred: start-up cost
    from recipelang.ir.document import PlanProblem, dump  # deferred: start-up cost

    compilation = opened(file)
    plan_of(compilation)
    if locked:
        must_be_locked(file, compilation)
    try:
        return dump(bundled(compilation))
    except PlanProblem as problem:
        raise Stop(Exit.PROBLEMS, f"this can't be written as a plan: {problem}") from problem


def _extract(path: str, folder: str | None) -> Exit:
    from recipelang.hosts.bundling import files_of  # deferred: start-up cost

    if folder is None:
        raise Stop(Exit.USAGE, "`--extract` takes `-o FOLDER`, where the files go")
    files = {Path(folder, name): text for name, text in files_of(_read(path)).items()}
    for file, text in files.items():
        if file.exists() and file.read_bytes() != text.encode():
            raise Stop(Exit.INPUT_OUTPUT, f"{file} is there already, and other than in the bundle")
    for file, text in files.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Stop.at(file.parent, error) from error
        write(file, text)
        print(file)
    return Exit.FINE


def _read(path: str) -> Bundle:
    from recipelang.ir.document import PlanProblem, load_bundle  # deferred: start-up cost

    try:
        return load_bundle(Path(path).read_bytes())
    except OSError as error:
        raise Stop.at(path, error) from error
    except PlanProblem as problem:
        raise Stop(Exit.PROBLEMS, f"{path}: {problem}") from problem
