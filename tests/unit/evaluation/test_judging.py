"""Judges: asked twice with the order swapped, without names, never about their own words, and free to say nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from recipelang.evaluation.items import Item
from recipelang.evaluation.judging import Jury, judging_plan
from recipelang.evaluation.outcomes import Outcome
from recipelang.evaluation.packs import Verdict
from recipelang.evaluation.spending import Spending
from recipelang.evaluation.summing import agreement_of, oracle_of, summary_of
from recipelang.hosts.engine import Engine
from recipelang.runtime.ports import ModelCall, Reply
from recipelang.runtime.values import Usage
from runs import plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

WORLD = """
backend lab { kind = openai, url = "http://127.0.0.1:1/v1" }
model one { backend = lab, id = "one", price = { input = $1, output = $1 } }
model two { backend = lab, id = "two", price = { input = $1, output = $1 } }
model three { backend = lab, id = "three", price = { input = $1, output = $1 } }
role respond() {}
recipe main(m: model) -> answer {
  ask reply = respond(model = m)
  return reply
}
"""
ITEM = Item("1", [{"role": "user", "content": "Who wrote Hamlet?"}], "judge", "Shakespeare")


class Judges:
    """A backend on which each judge says what it is told to, by what stands first in its prompt."""

    def __init__(self, says: Callable[[str, bool], bool | None]) -> None:
        self.says = says
        self.prompts: list[str] = []

    async def complete(self, call: ModelCall) -> Reply:
        prompt = "\n".join(str(message.content) for message in call.messages)
        self.prompts.append(prompt)
        same = self.says(call.model.id, prompt.index("Shakespeare") < prompt.index("the Bard"))
        text = "no idea" if same is None else f'{{"reasoning": "", "same": {str(same).lower()}}}'
        return Reply(text, usage=Usage(10, 10))


async def graded(
    backend: Judges, *judges: str, authors: tuple[str, ...] = (), own: bool = False, most: float | None = None
) -> tuple[Verdict, dict[str, bool | None]]:
    plan = judging_plan(plan_of(WORLD, world=""))
    async with Engine(plan, backends={"lab": backend}) as engine:  # type: ignore[dict-item]  # it never streams
        jury = Jury(engine, judges, Spending(most), judge_own=own)
        grade = await jury.grade(ITEM, "It was the Bard", frozenset(authors or ("someone",)))
    return grade.verdict, dict(grade.judges)


async def test_a_judge_sees_both_orders_and_no_names() -> None:
    backend = Judges(lambda judge, reference_first: True)
    assert await graded(backend, "one") == (Verdict.RIGHT, {"one": True})
    first, second = backend.prompts
    assert first.index("Shakespeare") < first.index("the Bard")
    assert second.index("the Bard") < second.index("Shakespeare")
    assert not any("someone" in prompt or "reference" in prompt for prompt in backend.prompts)


async def test_a_judge_that_goes_by_the_order_has_said_nothing() -> None:
    backend = Judges(lambda judge, reference_first: reference_first)
    assert await graded(backend, "one") == (Verdict.UNGRADED, {"one": None})


async def test_a_judge_that_fails_has_not_said_no() -> None:
    backend = Judges(lambda judge, _: None if judge == "one" else True)
    assert await graded(backend, "one", "two") == (Verdict.RIGHT, {"one": None, "two": True})
    assert await graded(backend, "one") == (Verdict.UNGRADED, {"one": None})


async def test_the_most_judges_decide_and_a_tie_decides_nothing() -> None:
    backend = Judges(lambda judge, _: judge != "one")
    assert (await graded(backend, "one", "two", "three"))[0] is Verdict.RIGHT
    assert (await graded(backend, "one", "two"))[0] is Verdict.UNGRADED


async def test_no_model_judges_its_own_words_unless_told_to() -> None:
    backend = Judges(lambda judge, _: True)
    assert await graded(backend, "one", "two", authors=("one",)) == (Verdict.RIGHT, {"two": True})
    assert await graded(backend, "one", authors=("one",)) == (Verdict.UNGRADED, {})
    assert await graded(backend, "one", authors=("one",), own=True) == (Verdict.RIGHT, {"one": True})


async def test_nobody_judges_words_that_may_be_its_own() -> None:
    backend = Judges(lambda judge, _: True)
    assert await graded(backend, "one", "two", "three", authors=("one", "three")) == (Verdict.RIGHT, {"two": True})
    assert await graded(backend, "one", "two", authors=("one", "two")) == (Verdict.UNGRADED, {})


async def test_what_a_judge_took_that_says_nothing_is_paid_for() -> None:
    plan = judging_plan(plan_of(WORLD, world=""))
    spending = Spending(1.0)
    async with Engine(plan, backends={"lab": Judges(lambda judge, _: None)}) as engine:  # type: ignore[dict-item]  # it never streams
        grade = await Jury(engine, ["one"], spending).grade(ITEM, "It was the Bard", frozenset(("someone",)))
    assert grade.judges == {"one": None}
    assert grade.cost == pytest.approx(2 * 20e-6)  # it was asked, and asked to mend it
    assert spending.spent == grade.cost


async def test_a_judge_is_not_asked_beyond_the_budget() -> None:
    backend = Judges(lambda judge, _: True)
    assert await graded(backend, "one", most=0.00001) == (Verdict.UNGRADED, {"one": None})
    assert backend.prompts == []


def outcome(item: str, verdict: Verdict, cost: float | None = 1.0, **judges: bool | None) -> Outcome:
    return Outcome("x", item, item, verdict, "", "m", cost, 1, 1, 1, 0.0, judges=judges)


def test_what_could_not_be_graded_counts_neither_way() -> None:
    found = summary_of("x", [outcome("1", Verdict.RIGHT), outcome("2", Verdict.UNGRADED), outcome("3", Verdict.WRONG)])
    assert (found.runs, found.graded, found.right, found.accuracy.value) == (3, 2, 1, 0.5)


def test_one_unknown_cost_makes_the_mean_unknown() -> None:
    assert summary_of("x", [outcome("1", Verdict.RIGHT), outcome("2", Verdict.RIGHT, None)]).cost is None


def test_judges_agree_on_what_both_said_something_of() -> None:
    [found] = agreement_of(
        [
            outcome("1", Verdict.RIGHT, one=True, two=True),
            outcome("2", Verdict.RIGHT, one=True, two=False),
            outcome("3", Verdict.RIGHT, one=None, two=False),
        ]
    )
    assert (found.one, found.other, found.n, found.agreed) == ("one", "two", 2, 1)


def test_an_oracle_takes_the_cheapest_that_is_right_or_else_the_cheapest() -> None:
    cheap = [outcome("1", Verdict.WRONG, 1.0), outcome("2", Verdict.WRONG, 1.0)]
    dear = [outcome("1", Verdict.RIGHT, 5.0), outcome("2", Verdict.WRONG, 5.0)]
    found = oracle_of([cheap, dear])
    assert found is not None
    assert (found.n, found.right, found.cost) == (2, 1, 3.0)
    assert oracle_of([cheap]) is None
