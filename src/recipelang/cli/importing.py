"""`recipelang import`: the settings of another router as recipes, and what of them is not carried over."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipelang.cli.compiling import show
from recipelang.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from recipelang.importing.vllm_sr import Imported

MOST_LINES = 60
"""Lines of the report on standard error; `--report` has all of it."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("vllm-sr",), help="whose settings: a profile of vLLM Semantic Router")
    parser.add_argument("file", help="the settings, in YAML")
    parser.add_argument("-o", "--output", metavar="FILE", help="where the recipes go; else standard output")
    parser.add_argument("--report", metavar="FILE", help="write what is not carried over, and what is changed, as JSON")


def run(arguments: argparse.Namespace) -> Exit:
    from recipelang.compilation import compile_text  # deferred: start-up cost
    from recipelang.importing.vllm_sr import imported  # deferred: as above

    try:
        found = imported(_document(arguments.file))
    except ValueError as problem:
        raise Stop(Exit.USAGE, f"{arguments.file}: {problem}") from problem
    compilation = compile_text(found.recipe, arguments.output or "imported.recipe")
    show([each for each in compilation.diagnostics if each.severity == "error"])
    text = _laid_out(found.recipe)
    if arguments.output is None:
        print(text, end="")
    else:
        Path(arguments.output).write_text(text, encoding="utf-8")
    if arguments.report is not None:
        Path(arguments.report).write_text(json.dumps(_as_json(found), ensure_ascii=False, indent=2), encoding="utf-8")
    for line in _lines(found):
        print(line, file=sys.stderr)
    return Exit.FINE if compilation.plan is not None else Exit.PROBLEMS


def _document(path: str) -> Any:  # Any: whatever a YAML document holds
    try:
        import yaml  # deferred: an extra
    except ImportError as missing:
        raise Stop(Exit.USAGE, "reading YAML takes `pip install 'recipelang[import]'`") from missing
    try:
        return yaml.safe_load(Path(path).read_bytes())
    except OSError as problem:
        raise Stop(Exit.INPUT_OUTPUT, f"{path}: {(problem.strerror or '').lower()}") from problem
    except yaml.YAMLError as problem:
        raise Stop(Exit.USAGE, f"{path} is no YAML: {problem}") from problem


def _laid_out(text: str) -> str:
    from recipelang.formatting.proving import formatted  # deferred: start-up cost
    from recipelang.source import Source  # deferred: as above

    return formatted(Source("imported.recipe", text), lambda _: None) or text


def _as_json(found: Imported) -> dict[str, list[dict[str, str]]]:
    return {
        "lost": [{"place": place, "why": why} for place, why in found.lost],
        "changed": [{"place": place, "how": how} for place, how in found.changed],
    }


def _lines(found: Imported) -> list[str]:
    """What is lost and changed, alike places together."""
    lines: list[str] = []
    for title, remarks in (("not carried over", found.lost), ("carried over as something else", found.changed)):
        alike = Counter((re.sub(r"\[[^\]]*\]", "[…]", place), why) for place, why in remarks)
        lines += [f"{title}: {len(remarks)}"] if remarks else []
        lines += [
            f"  {place}: {why}" + (f" ({times} times)" if times > 1 else "") for (place, why), times in alike.items()
        ]
    rest = len(lines) - MOST_LINES
    return lines if rest <= 0 else [*lines[:MOST_LINES], f"and {rest} more: `--report FILE` has all"]
