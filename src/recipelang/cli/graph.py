"""`recipelang graph`: a recipe's steps and what reads what, as Mermaid, DOT or SVG."""

from __future__ import annotations

import argparse

from recipelang.cli.compiling import plan_at
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.writing import write
from recipelang.diagnostics.suggesting import nearest
from recipelang.drawing.dot import dot
from recipelang.drawing.graph import graph_of
from recipelang.drawing.mermaid import mermaid
from recipelang.drawing.svg import svg

DRAWERS = {"mermaid": mermaid, "dot": dot, "svg": svg}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .recipe file, std.NAME, a plan, a bundle, or -")
    parser.add_argument("--recipe", help="which one; by default the first of the file")
    parser.add_argument("--format", choices=sorted(DRAWERS), default="mermaid")
    parser.add_argument("-o", "--output", help="where to write it; standard output by default")


def run(arguments: argparse.Namespace) -> Exit:
    plan = plan_at(arguments.file)
    if not plan.recipes:
        raise Stop(Exit.USAGE, f"{arguments.file} declares no recipe")
    name = arguments.recipe or next(iter(plan.recipes))
    if name not in plan.recipes:
        near = nearest(name, plan.recipes)
        raise Stop(Exit.USAGE, f"there is no recipe `{name}`" + (f"; did you mean `{near}`?" if near else ""))
    drawn = DRAWERS[arguments.format](graph_of(plan, name))
    if arguments.output is None:
        print(drawn, end="")
        return Exit.FINE
    write(arguments.output, drawn)
    return Exit.FINE
