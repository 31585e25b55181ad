"""`recipelang check`: what is wrong with recipes, and the fixes that are safe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from recipelang.cli.compiling import add_format, files_at, opened, print_json, show
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.locking import add_locked, must_be_locked
from recipelang.cli.writing import replace_text
from recipelang.compilation import Compilation
from recipelang.diagnostics import Diagnostic
from recipelang.diagnostics.rendering import apply_fixes, summary, to_json
from recipelang.semantics.provenance import Present


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a .recipe file, a folder, std.NAME, or -")
    parser.add_argument("--fix", action="store_true", help="apply the fixes that are safe, then check again")
    add_locked(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    found: list[Diagnostic] = []
    for path in _files(arguments.files):
        compilation = _opened(path)
        if arguments.fix and path != "-" and not path.startswith("std."):
            fixed = apply_fixes(compilation.source.text, compilation.diagnostics, compilation.source.name)
            if fixed != compilation.source.text:
                replace_text(Path(path), fixed)
                compilation = _opened(path)
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


def _opened(path: str) -> Compilation:
    """The compilation, with what numbers that were calibrated are held to today."""
    compilation = opened(path)
    compilation.present = Present(date.today(), partial(_digest, Path(path).parent))  # noqa: DTZ011 - the day where the author is
    return compilation


def _digest(folder: Path, data: str) -> str | None:
    """The digest of what numbers were fitted to, where that lies beside the recipe."""
    from recipelang.calibration.evidence import digest_of  # deferred: start-up cost

    place = folder / data
    return digest_of(place) if place.exists() else None
