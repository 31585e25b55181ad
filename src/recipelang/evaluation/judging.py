"""Judges: models that say whether an answer comes to the same as the right one, asked so that they can't favour either.

A judge sees two answers without names and is asked twice, with their order swapped; where it says different things the two
times, or fails, it has said nothing. No model judges its own words unless told to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from recipelang.compilation import compile_text
from recipelang.evaluation.grading import Grade, comparable
from recipelang.evaluation.items import Item
from recipelang.evaluation.packs import Verdict
from recipelang.evaluation.spending import OverBudget, Spending, worst_cost
from recipelang.hosts.engine import Engine
from recipelang.hosts.requests import request_of
from recipelang.ir.plan import Entry, Plan
from recipelang.quick import replace
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.values import Request, to_json

RECIPE = Path(__file__).with_name("judge.recipe")


@cache
def _judge() -> Plan:
    plan = compile_text(RECIPE.read_text(encoding="utf-8")).plan
    assert plan is not None  # it comes with the package
    return plan


def judging_plan(plan: Plan) -> Plan:
    """The plan of the judge with the models of another one."""
    return replace(_judge(), models=plan.models, backends=plan.backends, entries={})


class Jury:
    """Several judges, of which the most decide; a tie of those that said something, or none, decides nothing."""

    def __init__(self, engine: Engine, judges: Sequence[str], spending: Spending, *, judge_own: bool = False) -> None:
        self._engine = engine
        self._entries: Mapping[str, Entry] = {
            name: engine.entry("same_answer", {"judge": name}) for name in dict.fromkeys(judges)
        }
        self._spending = spending
        self._judge_own = judge_own

    async def grade(self, item: Item, text: str, authors: frozenset[str]) -> Grade:
        """`authors` are the ids of the models of which one may have written the answer."""
        votes: dict[str, bool | None] = {}
        cost: float | None = 0.0
        for name, entry in self._entries.items():
            if self._engine.plan.models[name].id in authors and not self._judge_own:
                continue
            votes[name], paid = await self._asked(entry, item, text)
            cost = None if cost is None or paid is None else cost + paid
        yes, no = sum(vote is True for vote in votes.values()), sum(vote is False for vote in votes.values())
        verdict = Verdict.UNGRADED if yes == no else Verdict.RIGHT if yes > no else Verdict.WRONG
        why = ""
        if verdict is Verdict.UNGRADED:
            why = "the judges did not decide" if votes else "nobody judges words that may be its own"
        return Grade(verdict, why, votes, cost, comparable(item, text))

    async def _asked(self, entry: Entry, item: Item, text: str) -> tuple[bool | None, float | None]:
        """What a judge says in both orders, where it is the same, and what that cost."""
        said: list[bool] = []
        cost: float | None = 0.0
        for one, other in ((str(item.reference), text), (text, str(item.reference))):
            request = request_of(item.question, metadata={"one": one, "other": other})
            try:
                async with self._spending.held(entry.name, worst_cost(entry, request)) as settle:
                    same, paid = await self._said(entry, request)
                    settle(paid)
            except OverBudget:
                return None, cost
            cost = None if cost is None or paid is None else cost + paid
            if same is None:
                return None, cost
            said.append(same)
        return (said[0] if said[0] == said[1] else None), cost

    async def _said(self, entry: Entry, request: Request) -> tuple[bool | None, float | None]:
        """What a judge says once, none where it fails, and what that cost: a failure is paid for too."""
        try:
            result = await self._engine.answer(entry, request)
        except RunFailure as failure:
            return None, None if failure.spend is None else failure.spend.cost
        return bool(to_json(result.answer)), result.spend.cost
