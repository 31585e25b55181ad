"""What the verbs share: reading a recipe, showing what is wrong with it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from recipelang.cli.exits import Exit, Stop
from recipelang.compilation import Compilation, compile_file
from recipelang.diagnostics import Diagnostic
from recipelang.diagnostics.rendering import render, summary, to_json
from recipelang.ir.plan import Plan
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
    """The plan of whatever stands for one: recipes, or a sealed plan or bundle; shows what is wrong and stops."""
    data = sys.stdin.buffer.read() if path == "-" else b""
    if not is_sealed(data) and not is_sealed_file(path):
        return plan_of(read(data) if path == "-" else opened(path))
    return plan_in(data or Path(path).read_bytes(), path)


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
    "opened",
    "plan_at",
    "plan_in",
    "plan_of",
    "print_json",
    "show",
    "summary",
    "to_json",
]
