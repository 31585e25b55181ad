"""`recipelang diff`: what has changed from one recipe, plan or bundle to another, and a gate for CI."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from recipelang.cli.compiling import add_format, plan_at, plan_in, plan_of, print_json
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.plan import request_bytes
from recipelang.comparing.difference import FORBIDDABLE, difference
from recipelang.comparing.telling import to_json, told
from recipelang.compilation import Compilation
from recipelang.diagnostics.suggesting import nearest
from recipelang.ir.plan import Plan
from recipelang.source import FileLoader, LoadProblem, Source
from recipelang.source.loading import decode, is_sealed


def configure(parser: argparse.ArgumentParser) -> None:
    what = "a .recipe file, std.NAME, a plan, a bundle, or - for standard input"
    parser.add_argument("before", metavar="A", help=what)
    parser.add_argument("after", metavar="B", help="the same")
    parser.add_argument(
        "--fail-on",
        type=_gates,
        default=frozenset(),
        metavar="WHAT,...",
        help=f"end with status 1 where it has changed: {', '.join(FORBIDDABLE)}",
    )
    parser.add_argument(
        "--request", type=request_bytes, metavar="BYTES", help="the size of the request that the bounds are for"
    )
    add_format(parser)


def _gates(text: str) -> frozenset[str]:
    gates = frozenset(gate.strip() for gate in text.split(","))
    for gate in sorted(gates - set(FORBIDDABLE)):
        near = nearest(gate, FORBIDDABLE)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(FORBIDDABLE)}"
        raise argparse.ArgumentTypeError(f"`{gate}` is nothing that a gate can forbid; {hint}")
    return gates


def run(arguments: argparse.Namespace) -> Exit:
    if arguments.before == arguments.after == "-":
        raise Stop(Exit.USAGE, "only one of the two comes on standard input")
    before = _plan(arguments.before, beside=arguments.after)
    after = _plan(arguments.after, beside=arguments.before)
    found = difference(before, after, arguments.request)
    broken = found.forbidden(arguments.fail_on)
    if arguments.format == "json":
        print_json({**to_json(found), "forbidden": broken})
    elif found.is_none:
        print("no difference", file=sys.stderr)
    else:
        print(told(found, color=sys.stdout.isatty() and not os.environ.get("NO_COLOR")), end="")
    if broken:
        print(f"recipelang: forbidden here: {', '.join(broken)}", file=sys.stderr)
    return Exit.PROBLEMS if broken else Exit.FINE


def _plan(path: str, *, beside: str) -> Plan:
    """The plan of one side. What comes on standard input is read as if it lay beside the other: it may use its files."""
    if path != "-":
        return plan_at(path)
    data = sys.stdin.buffer.read()
    if is_sealed(data):
        return plan_in(data, "standard input")
    try:
        text = decode("<stdin>", data).text
    except LoadProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    return plan_of(Compilation(Source((Path(beside).parent / "<stdin>").as_posix(), text), FileLoader()))
