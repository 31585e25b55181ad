"""What the verbs share: reading a recipe, showing what is wrong with it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from recipelang.cli.exits import Exit, Stop
from recipelang.compilation import Compilation, compile_file
from recipelang.diagnostics import Diagnostic
from recipelang.diagnostics.rendering import render, summary, to_json
from recipelang.ir.plan import Plan
from recipelang.quick import replace
from recipelang.source import LoadProblem
from recipelang.source.loading import decode, is_sealed, is_sealed_file


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json where a program reads it")


def opened(path: str) -> Compilation:
    """The compilation of a file, of `-` (standard input), or of `std.name`."""
    if is_sealed_file(path):
        raise Stop(Exit.USAGE, f"{path} is a sealed plan, with no recipes to be read: `recipelang plan` shows it")
    if path == "-":
        return read(sys.stdin.buffer.read())
    try:
        return compile_file(path)
    except LoadProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


def plan_at(path: str) -> Plan:
    """The plan of whatever stands for one: recipes, or a sealed plan or bundle; shows what is wrong and stops.

    A file's own recipes come first, those that it exposes next, and what they use last.
    """
    data = sys.stdin.buffer.read() if path == "-" else b""
    if is_sealed(data) or is_sealed_file(path):
        return _in_order(plan_in(data or Path(path).read_bytes(), path), [])
    compilation = read(data) if path == "-" else opened(path)
    return _in_order(plan_of(compilation), compilation.checked.own)


def _in_order(plan: Plan, own: Sequence[str]) -> Plan:
    exposed = (entry.recipe for entry in plan.entries.values())
    names = dict.fromkeys((*own, *exposed, *plan.recipes))
    return replace(plan, recipes={name: plan.recipes[name] for name in names if name in plan.recipes})


def files_at(path: str) -> list[str]:
    """The recipe files of a folder and of those inside it, but for hidden ones; of anything else itself."""
    folder = Path(path)
    if path == "-" or not folder.is_dir():
        return [path]
    found = (file.relative_to(folder) for file in folder.rglob("*.recipe"))
    return [str(folder / file) for file in sorted(found) if not any(part.startswith(".") for part in file.parts)]


def plan_in(document: bytes, path: str) -> Plan:
    """The plan in a sealed document, found sound."""
    from recipelang.hosts.recipes import sound  # deferred: start-up cost
    from recipelang.ir.document import PlanProblem, load  # deferred: start-up cost
    from recipelang.validation.graph import UnsoundPlan  # deferred: start-up cost

    try:
        return sound(load(document))
    except (PlanProblem, UnsoundPlan) as problem:
        raise Stop(Exit.PROBLEMS, f"{path}: {problem}") from problem


def read(data: bytes) -> Compilation:
    """The compilation of what came on standard input; it may use the files of the folder at hand."""
    try:
        return Compilation(decode("<stdin>", data))
    except LoadProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


def plan_of(compilation: Compilation) -> Plan:
    """The plan; shows what is wrong and stops where there is none."""
    plan = compilation.plan
    show(compilation.diagnostics)
    if plan is None:
        raise Stop(Exit.PROBLEMS, summary(compilation.diagnostics))
    return plan


def show(diagnostics: list[Diagnostic]) -> None:
    print(render(diagnostics, color=colored()), file=sys.stderr, end="")


def colored() -> bool:
    """Whether messages are coloured: on a terminal, unless NO_COLOR says otherwise."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


__all__ = [
    "add_format",
    "colored",
    "files_at",
    "opened",
    "plan_at",
    "plan_in",
    "plan_of",
    "print_json",
    "show",
    "summary",
    "to_json",
]
