"""Evaluations on a live backend: a budget for all runs together, failures, and what a run is known by."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from recipelang.evaluation.grading import Grade, graded_plainly
from recipelang.evaluation.items import Item
from recipelang.evaluation.outcomes import ResultsFile
from recipelang.evaluation.packs import Verdict
from recipelang.evaluation.running import Contestant, Evaluation
from recipelang.evaluation.spending import Spending, worst_cost
from recipelang.evaluation.worlds import STRATEGIES
from recipelang.hosts.engine import Engine
from recipelang.hosts.requests import request_of
from recipelang.runtime.ports import BackendError, FailureKind, ModelCall, Reply
from recipelang.runtime.values import Usage
from runs import plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

RECIPE = """
backend lab { kind = openai, url = "http://127.0.0.1:1/v1" }
model small { backend = lab, id = "small", price = { input = $1, output = $1 } }
role respond() { max_tokens = 100 }
recipe main(m: model) -> answer {
  ask reply = respond(model = m)
  return reply
}
"""
ITEMS = [Item(str(n), [{"role": "user", "content": f"{n}?"}], "exact", str(n)) for n in range(8)]


class Echo:
    """Says what it was asked, after a second; knows how many it has answered at once."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.calls = self.running = self.peak = 0

    async def complete(self, call: ModelCall) -> Reply:
        self.calls += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        await anyio.sleep(1)
        self.running -= 1
        asked = str(call.messages[-1].content).removesuffix("?")
        if asked == self.fails:
            raise BackendError(FailureKind.REFUSED, "no")
        return Reply(asked, usage=Usage(20, 30))


async def grade(item: Item, text: str, authors: frozenset[str]) -> Grade:
    return graded_plainly(item, text)


async def evaluated(
    backend: Echo,
    most: float | None = None,
    concurrency: int = 3,
    results: str | Path | None = None,
    recipe: str = RECIPE,
) -> Evaluation:
    async with Engine(plan_of(recipe, world=""), backends={"lab": backend}) as engine:  # type: ignore[dict-item]  # it never streams
        contestant = Contestant("main", engine, engine.entry("main"), recipe)
        evaluation = Evaluation([contestant], ITEMS, grade, ResultsFile(results), Spending(most))
        await evaluation.run(concurrency)
    evaluation.results.close()
    return evaluation


def worst() -> float:
    engine = Engine(plan_of(RECIPE, world=""))
    return worst_cost(engine.entry("main"), request_of("0?"))


async def test_no_more_runs_than_allowed_go_on_at_once() -> None:
    backend = Echo()
    evaluation = await evaluated(backend, concurrency=3)
    assert (backend.calls, backend.peak, evaluation.stopped) == (8, 3, "")
    assert evaluation.spending.spent == pytest.approx(8 * 50e-6)


async def test_a_run_that_could_pass_the_budget_is_refused_before_it_begins() -> None:
    backend = Echo()
    most = 3 * 50e-6 + worst()
    evaluation = await evaluated(backend, most)
    assert evaluation.spending.spent <= most
    assert 4 <= backend.calls < 8
    assert "a run of `main` may cost" in evaluation.stopped


async def test_runs_wait_where_those_under_way_may_leave_enough() -> None:
    backend = Echo()
    evaluation = await evaluated(backend, worst() + 7 * 50e-6, concurrency=8)
    assert (backend.calls, evaluation.stopped) == (8, "")


async def test_nothing_is_run_where_the_budget_can_not_be_proved() -> None:
    backend = Echo()
    evaluation = await evaluated(backend, 100.0, recipe=RECIPE.replace(", price = { input = $1, output = $1 }", ""))
    assert (backend.calls, "a model has no price" in evaluation.stopped) == (0, True)


async def test_a_run_that_ends_without_an_answer_is_wrong_and_told() -> None:
    evaluation = await evaluated(Echo(fails="3"))
    [failed] = [one for one in evaluation.outcomes(evaluation.contestants[0]) if one.failure]
    assert (failed.item, failed.verdict, failed.answer) == ("3", Verdict.WRONG, None)
    assert "small" in failed.failure


async def test_what_is_in_the_results_is_not_run_again_unless_the_recipe_is_another(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    await evaluated(Echo(), results=file)
    again = Echo()
    evaluation = await evaluated(again, results=file)
    assert again.calls == 0
    assert len(evaluation.outcomes(evaluation.contestants[0])) == 8
    await evaluated(again, results=file, recipe=RECIPE.replace("100", "200"))
    assert again.calls == 8


class Says:
    """Says one thing after the other."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)

    async def complete(self, call: ModelCall) -> Reply:
        return Reply(self.texts.pop(0), usage=Usage(1, 1))


async def test_attempts_of_one_model_vote_by_what_they_come_to() -> None:
    backend = Says("Mars?", "I think so. Answer: Jupiter.", "Mars", "By mass. The answer is: **jupiter**")
    plan = plan_of(f"{STRATEGIES.read_text(encoding='utf-8')}\n{MODELS}", world="")

    async def is_right(by: str, said: str) -> bool:
        raise AssertionError

    functions = {"is_right": is_right}
    async with Engine(plan, backends={"lab": backend}, functions=functions) as engine:  # type: ignore[dict-item]  # it never streams
        result = await engine.run("first_attempts", "?", arguments={"thinker": "small", "samples": 4})
    assert result.text == "I think so. Answer: Jupiter."


MODELS = """
backend lab { kind = openai, url = "http://127.0.0.1:1/v1" }
model small { backend = lab, id = "small" }
"""
