"""`recipelang compile`: the plan as a sealed document, and its JSON Schema."""

from __future__ import annotations

import argparse

from recipelang.cli.compiling import opened, plan_at, plan_of, print_json
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.locking import add_locked, must_be_locked
from recipelang.cli.writing import write
from recipelang.ir.plan import Plan


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", help="a .recipe file, std.NAME, or - for standard input")
    parser.add_argument("-o", "--output", help="where to write the plan; standard output by default")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of plans instead")
    add_locked(parser)


def run(arguments: argparse.Namespace) -> Exit:
    if arguments.schema:
        from recipelang.ir import document  # deferred: start-up cost

        print_json(document.json_schema())
        return Exit.FINE
    if arguments.file is None:
        raise Stop(Exit.USAGE, "which file?")
    text = _sealed(_plan(arguments.file, locked=arguments.locked))
    if arguments.output is None:
        print(text, end="")
        return Exit.FINE
    write(arguments.output, text)
    return Exit.FINE


def _plan(file: str, *, locked: bool) -> Plan:
    if not locked:
        return plan_at(file)
    compilation = opened(file)
    plan = plan_of(compilation)
    must_be_locked(file, compilation)
    return plan


def _sealed(plan: Plan) -> str:
    from recipelang.ir import document  # deferred: start-up cost
    from recipelang.validation.graph import must_be_valid  # deferred: start-up cost

    must_be_valid(plan)
    try:
        return document.dump(plan)
    except document.PlanProblem as problem:
        raise Stop(Exit.PROBLEMS, f"this can't be written as a plan: {problem}") from problem
