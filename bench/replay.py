"""How many runs a minute are replayed from recorded answers, and whether the memory stays as it is.

    python bench/replay.py PACK [RUNS]

PACK is the folder of a pack of recorded answers (`recipelang.evaluation.packs`); each strategy makes RUNS runs, 50 000 by
default, on the questions that its models have answered. Times are those of one process, on one core.
"""

from __future__ import annotations

import resource
import sys
import time
from itertools import cycle, islice

import anyio

from recipelang import Engine, compile_text
from recipelang.evaluation.packs import Pack, read_pack
from recipelang.evaluation.replaying import ReplayBackend, concluded, drawn
from recipelang.runtime.values import Message, Request

PANEL = 5
AT_ONCE = 16
RECIPE = """
backend recorded { kind = openai, url = "http://127.0.0.1:1/v1" }

role respond() { max_tokens = 1M }

recipe single(panel: model[1..16]) -> answer {
  ask reply = respond(model = first(panel))
  return reply
}

recipe vote(panel: model[1..16]) -> answer {
  fanout votes = respond(model = m) for m in panel
  return majority(votes, key = it.text or none)
}
"""


def main() -> None:
    pack = read_pack(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    backend = ReplayBackend(pack, sample=drawn, says=concluded, in_time=False)
    panel = pack.models[:PANEL]
    questions = [q for q in pack.questions if all(backend.recorded(q, model) for model in panel)]
    print(f"{pack.name}: {len(questions)} questions, {len(pack.rows)} answers, {mebibytes()} MiB")
    for recipe in ("single", "vote"):
        began = time.perf_counter()
        anyio.run(replay, pack, backend, recipe, list(islice(cycle(questions), runs)))
        passed = time.perf_counter() - began
        print(f"{recipe:<7} {runs / passed * 60:>9,.0f} runs a minute, {mebibytes()} MiB at most")


async def replay(pack: Pack, backend: ReplayBackend, recipe: str, questions: list[str]) -> None:
    names = {model: f"m{place}" for place, model in enumerate(pack.models[:PANEL])}
    models = [f'model {name} {{ backend = recorded, id = "{model}" }}' for model, name in names.items()]
    plan = compile_text("\n".join([RECIPE, *models])).plan
    assert plan is not None
    waiting = iter(questions)
    async with Engine(plan, backends={"recorded": backend}) as engine:
        entry = engine.entry(recipe, {"panel": list(names.values())})

        async def work() -> None:
            for question in waiting:
                with backend.answering(question):
                    await engine.answer(entry, Request((Message("user", question),)))

        async with anyio.create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(work)


def mebibytes() -> int:
    """The most memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
