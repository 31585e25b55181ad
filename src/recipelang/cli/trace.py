"""`recipelang trace view`: a recorded run as one page for a browser."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from recipelang.cli.exits import Exit, Stop
from recipelang.cli.writing import write
from recipelang.drawing.page import page


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("view",), help="make one HTML file of it that needs nothing else")
    parser.add_argument("trace", metavar="FILE", help="what `recipelang run --trace` wrote")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it; standard output by default")


def run(arguments: argparse.Namespace) -> Exit:
    try:
        trace = json.loads(Path(arguments.trace).read_text(encoding="utf-8"))
    except OSError as problem:
        raise Stop.at(arguments.trace, problem) from problem
    except ValueError as problem:
        raise Stop(Exit.INPUT_OUTPUT, f"{arguments.trace} is no trace: {problem}") from problem
    if not isinstance(trace, dict) or trace.get("format") != "recipelang.trace":
        raise Stop(Exit.INPUT_OUTPUT, f"{arguments.trace} is no trace; `recipelang run --trace FILE` writes one")
    if arguments.output is None:
        print(page(trace), end="")
    else:
        write(arguments.output, page(trace))
    return Exit.FINE
