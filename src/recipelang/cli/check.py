"""`recipelang check`: what is wrong with recipes, and the fixes that are safe."""

from __future__ import annotations

import argparse
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path

from recipelang.cli.compiling import add_format, files_at, opened, print_json, show
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.locking import add_locked, must_be_locked
from recipelang.cli.writing import swap_in, unwritable
from recipelang.diagnostics import Diagnostic
from recipelang.diagnostics.rendering import apply_fixes, summary, to_json


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a .recipe file, a folder, std.NAME, or -")
    parser.add_argument("--fix", action="store_true", help="apply the fixes that are safe, then check again")
    add_locked(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    found: list[Diagnostic] = []
    for path in _files(arguments.files):
        compilation = opened(path)
        if arguments.fix and path != "-" and not path.startswith("std."):
            fixed = apply_fixes(compilation.source.text, compilation.diagnostics, compilation.source.name)
            if fixed != compilation.source.text:
                _write(Path(path), fixed)
                compilation = opened(path)
        found += compilation.diagnostics
        if arguments.locked and not compilation.has_errors:
            must_be_locked(path, compilation)
    if arguments.format == "json":
        print_json({"diagnostics": [to_json(diagnostic) for diagnostic in found]})
    else:
        show(found)
        print(f"{', '.join(arguments.files)}: {summary(found)}", file=sys.stderr)
    return Exit.PROBLEMS if any(diagnostic.severity == "error" for diagnostic in found) else Exit.FINE


def _files(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        found = files_at(path)
        if not found:
            raise Stop(Exit.USAGE, f"there are no recipes in {path}")
        yield from found


def _write(file: Path, text: str) -> None:
    """Puts the text in the file's place, with the line ends and the byte order mark that the file had."""
    try:
        before = file.read_bytes()
    except OSError as error:
        raise unwritable(file, error) from error
    ended = text.replace("\n", "\r\n") if b"\r\n" in before else text
    swap_in(file, (BOM_UTF8 if before.startswith(BOM_UTF8) else b"") + ended.encode())
