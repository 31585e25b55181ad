"""What a run costs in things that can be counted: tasks, what is left afterwards, and how far plans may grow."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator

import anyio
import anyio.lowlevel
import pytest

from recipelang import Delta, Engine, ModelCall, Reply, compile_text

pytestmark = pytest.mark.anyio

HEAD = """
backend lab { kind = openai, url = "http://127.0.0.1:1/v1" }
model m { backend = lab, id = "m" }
role r() { max_tokens = 10 }
"""


class Forgetful:
    """Answers, and keeps nothing of what it was asked."""

    async def complete(self, call: ModelCall) -> Reply:
        return Reply("so")

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        yield Delta(reply=Reply("so"))


def engine_of(recipe: str) -> Engine:
    plan = compile_text(HEAD + recipe).library
    assert plan is not None
    return Engine(plan, backends={"lab": Forgetful()})


ONE = 'recipe one() -> answer { ask a = r(model = m)  return a }  expose "one" = one()'


async def test_a_recipe_whose_steps_follow_each_other_starts_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine_of(ONE) as engine:

        def refuse() -> None:
            raise AssertionError("a task group was opened")

        monkeypatch.setattr(anyio, "create_task_group", refuse)
        assert (await engine.run("one", "?")).text == "so"


async def test_a_thousand_runs_leave_nothing_behind() -> None:
    async with engine_of(ONE) as engine:
        for _ in range(50):
            await engine.run("one", "?")
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(1_000):
            await engine.run("one", "?")
            await anyio.lowlevel.checkpoint()  # the loop clears away timers that were cancelled, a hundred at a time
        gc.collect()
        assert len(gc.get_objects()) - before < 500


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_fan_out_of_a_thousand_branches_runs_to_its_end() -> None:
    recipe = """recipe wide() -> answer {
      budget { calls = 1000 }
      fanout all = r(model = m) for m in [m] { samples = 1000 }
      return first(all)
    }  expose "wide" = wide()"""
    async with engine_of(recipe) as engine:
        result = await engine.run("wide", "?")
    assert (result.text, result.spend.calls) == ("so", 1000)


@pytest.mark.slow
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_plan_of_five_thousand_steps_runs_to_its_end() -> None:
    lets = "\n".join(f"  let v{n} = v{n - 1}" for n in range(1, 5_000))
    recipe = f'recipe long() -> answer {{\n  ask v0 = r(model = m)\n{lets}\n  return v4999\n}}\nexpose "long" = long()'
    async with engine_of(recipe) as engine:
        assert (await engine.run("long", "?")).text == "so"
