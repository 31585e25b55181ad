"""What grows, and what doesn't: `python bench/growth.py [--runs 10000] [--json FILE]`.

Every call is answered in process, and each figure is from a fresh process. A plan of a chain of steps and a fan-out of so many
branches: what compiling takes, and what a run takes for each step or branch, which should stay the same. The memory of an engine with one
plan, and what so many runs add to it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any  # Any: figures as JSON has them, and an answer of a library that is imported late

CHAINS = (10, 100, 1_000, 5_000)
WIDTHS = (10, 100, 1_000)
MODELS = """
backend mock { kind = openai, url = "http://127.0.0.1:9/v1" }
model a { backend = mock, id = "a", price = { input = $0.05, output = $0.20 } }
role answer() { max_tokens = 256 }
role improve(draft: answer) { max_tokens = 256, prompt = "Improve this.\\n\\n{{ draft }}" }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="what grows, and what doesn't")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "NUMBER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        kind, number = asked.one[0], int(asked.one[1])
        print(json.dumps(asyncio.run(memory(number) if kind == "memory" else growth(kind, number))))
        return
    figures = {
        "chain": {n: in_a_process("chain", n) for n in CHAINS},
        "fanout": {n: in_a_process("fanout", n) for n in WIDTHS},
    }
    print(f"{'':28} {'compile, ms':>12} {'each, µs':>10} {'a run, ms':>10} {'each, µs':>10}")
    for kind, by in figures.items():
        what = "steps one after the other" if kind == "chain" else "branches side by side"
        for number, f in by.items():
            print(
                f"{f'{number:,} {what}':28} {f['compile'] * 1e3:12.1f} {f['compile'] / number * 1e6:10.1f}"
                f" {f['run'] * 1e3:10.2f} {f['run'] / number * 1e6:10.1f}"
            )
    held = in_a_process("memory", asked.runs)
    print(
        f"\nan engine with one plan: {held['open']:.1f} MB; after 1,000 runs {held['warm']:.1f}, after {asked.runs:,} {held['end']:.1f}"
    )
    if asked.json:
        asked.json.write_text(json.dumps({**figures, "memory": held}, indent=2) + "\n")


def in_a_process(kind: str, number: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", kind, str(number)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout))


def recipe_of(kind: str, number: int) -> str:
    budget = f"budget {{ calls = {number}, parallel = {number}, time = 1h }}"
    if kind == "chain":
        steps = [
            "ask s0 = answer(model = a)",
            *(f"ask s{place} = improve(s{place - 1}, model = a)" for place in range(1, number)),
        ]
        return "\n".join(
            [
                MODELS,
                f"recipe main() -> answer {{\n  {budget}",
                *steps,
                f"return s{number - 1}\n}}",
                'expose "main" = main()',
            ]
        )
    samples = f"fanout votes = answer(model = m) for m in [a] {{ samples = {number} }}"
    return (
        f'{MODELS}\nrecipe main() -> answer {{\n  {budget}\n  {samples}\n  return votes[0]\n}}\nexpose "main" = main()'
    )


async def growth(kind: str, number: int) -> dict[str, float]:
    from recipelang import Engine, compile_text

    compile_text(recipe_of(kind, 3))  # so that nothing is imported, and no class written, on the clock
    began = time.process_time()
    compilation = compile_text(recipe_of(kind, number))
    plan = compilation.plan
    took = time.process_time() - began
    if plan is None:
        raise AssertionError([str(each.message) for each in compilation.diagnostics])
    async with Engine(plan, backends={"mock": in_process()}) as engine:
        await engine.run("main", "What is the capital of France?")
        runs = max(1, 2_000 // number)
        began = time.process_time()
        for _ in range(runs):
            await engine.run("main", "What is the capital of France?")
        return {"compile": took, "run": (time.process_time() - began) / runs}


async def memory(runs: int) -> dict[str, float]:
    from recipelang import Engine, compile_text

    plan = compile_text(recipe_of("fanout", 3)).plan
    assert plan is not None
    async with Engine(plan, backends={"mock": in_process()}) as engine:
        found = {"open": resident()}
        for place in range(runs):
            await engine.run("main", "What is the capital of France?")
            if place == min(1_000, runs) - 1:
                found["warm"] = resident()
    return {**found, "end": resident()}


def in_process() -> Any:
    from recipelang import Reply

    class InProcess:
        async def complete(self, call: object) -> Reply:
            return Reply("Paris.")

    return InProcess()


def resident() -> float:
    """MB of memory now; where the system does not say, the most so far."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmRSS:")[2].split()[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
