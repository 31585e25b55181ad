"""`recipelang import`: the settings of another router as recipes, and what of them is not carried over."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from recipelang.cli.compiling import show
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.writing import write

if TYPE_CHECKING:
    from recipelang.importing.reading import Imported

KINDS = {"vllm-sr": "a profile of vLLM Semantic Router", "litellm": "the settings of a LiteLLM proxy or router"}
MOST_READ = 64 * 1024 * 1024
"""Bytes of a file that are read before it is found to be too large."""
MOST_LINES = 60
"""Lines of the report on standard error; `--report` has all of it."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=tuple(KINDS), help="whose settings: " + ", or ".join(KINDS.values()))
    parser.add_argument("file", help="the settings, in YAML; - for standard input")
    parser.add_argument("-o", "--output", metavar="FILE", help="where the recipes go; else standard output")
    parser.add_argument("--report", metavar="FILE", help="write what is not carried over, and what is changed, as JSON")


def run(arguments: argparse.Namespace) -> Exit:
    from recipelang.compilation import compile_text  # deferred: start-up cost

    found = _imported(arguments.kind, arguments.file)
    compilation = compile_text(found.recipe, arguments.output or "imported.recipe")
    show([each for each in compilation.diagnostics if each.severity == "error"])
    text = _laid_out(found.recipe)
    if arguments.output is None:
        print(text, end="")
    else:
        write(arguments.output, text)
    if arguments.report is not None:
        write(arguments.report, json.dumps(_as_json(found), ensure_ascii=False, indent=2) + "\n")
    for line in _lines(found):
        print(line, file=sys.stderr)
    return Exit.FINE if compilation.plan is not None else Exit.PROBLEMS


def _imported(kind: str, path: str) -> Imported:
    from recipelang.importing import litellm, vllm_sr  # deferred: start-up cost
    from recipelang.importing.documents import BadDocument, document  # deferred: as above

    reader = {"vllm-sr": vllm_sr.imported, "litellm": litellm.imported}[kind]
    try:
        return reader(document(_bytes(path)))
    except ImportError as missing:
        raise Stop(Exit.USAGE, "reading YAML takes `pip install 'recipelang[import]'`") from missing
    except BadDocument as problem:
        raise Stop(Exit.USAGE, f"{'standard input' if path == '-' else path}: {problem}") from problem


def _bytes(path: str) -> bytes:
    try:
        with sys.stdin.buffer if path == "-" else Path(path).open("rb") as file:
            return file.read(MOST_READ)
    except OSError as problem:
        raise Stop.at(path, problem) from problem


def _laid_out(text: str) -> str:
    from recipelang.formatting.proving import formatted  # deferred: start-up cost
    from recipelang.source import Source  # deferred: as above

    return formatted(Source("imported.recipe", text), lambda _: None) or text


def _as_json(found: Imported) -> dict[str, list[dict[str, str | int | None]]]:
    return {
        "lost": [{"place": each.place, "line": each.line, "why": each.says} for each in found.lost],
        "changed": [{"place": each.place, "line": each.line, "how": each.says} for each in found.changed],
    }


def _lines(found: Imported) -> list[str]:
    """What is lost and changed, alike places together."""
    lines: list[str] = []
    for title, remarks in (("not carried over", found.lost), ("carried over as something else", found.changed)):
        alike = Counter((re.sub(r"\[[^\]]*\]", "[…]", each.place), each.says) for each in remarks)
        lines += [f"{title}: {len(remarks)}"] if remarks else []
        lines += [
            f"  {place}: {says}" + (f" ({times} times)" if times > 1 else "") for (place, says), times in alike.items()
        ]
    rest = len(lines) - MOST_LINES
    return lines if rest <= 0 else [*lines[:MOST_LINES], f"and {rest} more: `--report FILE` has all"]
