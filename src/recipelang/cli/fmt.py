"""`recipelang fmt`: recipes in their one layout, every comment kept."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

from recipelang.cli.compiling import show
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.writing import swap_in
from recipelang.diagnostics import Diagnostic
from recipelang.formatting.proving import FormattingMistake, formatted
from recipelang.source import FileLoader, LoadProblem, Source
from recipelang.source.loading import decode


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a .recipe file, a folder of them, or - for standard input"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; list the files that would change")
    parser.add_argument("--diff", action="store_true", help="write nothing; show what would change")


def run(arguments: argparse.Namespace) -> Exit:
    exits = [_one(path, check=arguments.check, diff=arguments.diff) for path in _files(arguments.files)]
    return max(exits, default=Exit.FINE)


def _files(paths: list[str]) -> Iterator[str]:
    """The files that are meant: for a folder, all recipes in it and below."""
    for path in paths:
        folder = Path(path)
        if path != "-" and folder.is_dir():
            yield from map(str, sorted(folder.rglob("*.recipe")))
        else:
            yield path


def _one(path: str, *, check: bool, diff: bool) -> Exit:
    """Formats one file, or says what would change."""
    source = _read(path)
    text = _formatted(source)
    if text is None:
        return Exit.PROBLEMS
    changed = text != source.text
    if diff:
        print(_difference(source, text), end="")
    elif check:
        print(f"{source.name}\n" if changed else "", end="")
    elif path == "-":
        print(text, end="")
    elif changed:
        swap_in(Path(path), text.encode())
    return Exit.PROBLEMS if changed and (check or diff) else Exit.FINE


def _read(path: str) -> Source:
    try:
        return decode("<stdin>", sys.stdin.buffer.read()) if path == "-" else FileLoader().load(path)
    except LoadProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


def _formatted(source: Source) -> str | None:
    """The source in its one layout; none where it has mistakes, which are shown."""
    found: list[Diagnostic] = []
    try:
        return formatted(source, found.append)
    except FormattingMistake as mistake:
        raise Stop(Exit.INTERNAL, f"this is our mistake, and the file is as it was: {mistake}") from mistake
    finally:
        show(found)


def _difference(source: Source, text: str) -> str:
    lines = difflib.unified_diff(
        source.text.splitlines(keepends=True), text.splitlines(keepends=True), source.name, f"{source.name} (formatted)"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
