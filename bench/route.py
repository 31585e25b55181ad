"""How long it takes to route a request: all signals of `std.auto` read, every guard asked, no model called.

`python bench/route.py` prints the CPU time of one routing by the size of the request; `--runs` says how often.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import process_time

from recipelang import compile_text
from recipelang.ir.expressions import SignalReference
from recipelang.ir.plan import Choose
from recipelang.runtime.expressions import compile_expression
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
    runs = parser.parse_args().runs
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
    for size in (100, 1_000, 4_000, 32_000):
        text = (QUESTION * (1 + size // len(QUESTION)))[:size]
        first, everything = [], []
        for _ in range(runs):
            environment = {**known, "request": _request(text)}
            began = process_time()
            next((guard for guard in guards if guard(environment) is True), None)
            first.append(process_time() - began)
            environment = {**known, "request": _request(text)}
            began = process_time()
            for evaluate in (*signals, *guards):
                evaluate(environment)
            everything.append(process_time() - began)
        print(f"| {size:,} characters | {1000 * median(first):.3f} ms | {1000 * median(everything):.3f} ms |")


def _request(text: str) -> Request:
    return Request((Message("user", text),), readings=Readings(lambda name, value, words: None))


if __name__ == "__main__":
    main()
