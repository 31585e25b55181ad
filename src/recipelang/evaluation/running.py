"""Runs contestants on items: many at a time, item by item, so that whenever it ends all have been asked nearly the same."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256

import anyio

from recipelang.evaluation.grading import Grade
from recipelang.evaluation.items import Item
from recipelang.evaluation.outcomes import Outcome, ResultsFile
from recipelang.evaluation.packs import Verdict
from recipelang.evaluation.replaying import ReplayBackend
from recipelang.evaluation.spending import OverBudget, Spending, worst_cost
from recipelang.hosts.engine import Engine
from recipelang.hosts.reaching import models_of
from recipelang.hosts.requests import request_of
from recipelang.ir.plan import Entry
from recipelang.quick import dataclass, field
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ledger import Spend
from recipelang.runtime.ports import NotRecorded
from recipelang.runtime.values import Answer, Request


@dataclass(frozen=True, slots=True)
class Contestant:
    """A recipe with its arguments, or a single model: whatever answers by itself."""

    name: str
    engine: Engine
    entry: Entry
    digest: str  # of its plan
    single: bool = False  # whether it is one model, asked once

    @property
    def models(self) -> frozenset[str]:
        """The ids of all models that it may call."""
        plan = self.engine.plan
        return frozenset(plan.models[name].id for name in models_of(plan, self.entry))


Grading = Callable[[Item, str, frozenset[str]], Awaitable[Grade]]
"""Finds out whether a text answers an item; told with the ids of the models of which one may have written it."""


def ended_by(group: BaseExceptionGroup) -> BaseException:
    """What a group of tasks ended by, the groups in it opened."""
    first: BaseException = group.exceptions[0]
    return ended_by(first) if isinstance(first, BaseExceptionGroup) else first


@dataclass(slots=True)
class Evaluation:
    """A whole evaluation; `stopped` says why it ended before all was asked.

    `left_out`: the items on which a contestant asked for what was not recorded. They are no part of the evaluation any more; where it
    is none, the first one ends it.
    """

    contestants: Sequence[Contestant]
    items: Sequence[Item]
    grade: Grading
    results: ResultsFile
    spending: Spending
    pack: ReplayBackend | None = None
    seed: int = 0
    stopped: str = ""
    left_out: set[str] | None = None
    told: Callable[[Outcome], None] = lambda _: None
    _counted: set[str] = field(default_factory=set)  # the keys of outcomes that were paid for

    async def run(self, concurrency: int = 8) -> None:
        """Run what is not in the results yet."""
        self._count_what_was_paid()
        waiting = ((item, contestant) for item in self.items for contestant in self.contestants)

        async def work() -> None:
            for item, contestant in waiting:
                if self.stopped:
                    return
                key = self.key(contestant, item)
                if key not in self.results.known:
                    await self._tried(contestant, item, key)

        async with anyio.create_task_group() as group:
            for _ in range(concurrency):
                group.start_soon(work)
        if self.left_out:
            self.items = [item for item in self.items if item.id not in self.left_out]

    def _count_what_was_paid(self) -> None:
        """What an evaluation that this one goes on with has spent is spent."""
        for contestant in self.contestants:
            for outcome in self.outcomes(contestant):
                if outcome.key not in self._counted:
                    self.spending.spent += (outcome.cost or 0.0) + (outcome.judging or 0.0)
                    self._counted.add(outcome.key)

    def outcomes(self, contestant: Contestant) -> list[Outcome]:
        """What is known of a contestant, in the order of the items."""
        keys = (self.key(contestant, item) for item in self.items)
        return [self.results.known[key] for key in keys if key in self.results.known]

    def key(self, contestant: Contestant, item: Item) -> str:
        told = [contestant.digest, repr(contestant.entry.arguments), contestant.entry.name, self.seed, item.id]
        asked = [item.messages, item.grader, item.reference, item.tests, item.schema, item.tolerance]
        return sha256(json.dumps([told, asked], default=repr).encode()).hexdigest()[:20]

    async def _tried(self, contestant: Contestant, item: Item, key: str) -> None:
        try:
            await self._one(contestant, item, key)
        except NotRecorded:
            if self.left_out is None:
                raise
            self.left_out.add(item.id)

    async def _one(self, contestant: Contestant, item: Item, key: str) -> None:
        if self.pack is None:
            outcome = await self._outcome(contestant, item, key)
        else:
            with self.pack.answering(item.id):
                outcome = await self._outcome(contestant, item, key)
        if outcome is not None:
            self._counted.add(key)
            self.results.add(outcome)
            self.told(outcome)

    async def _outcome(self, contestant: Contestant, item: Item, key: str) -> Outcome | None:
        worst = self._worst(contestant, item, request := request_of(list(item.messages)))
        unknown = (
            "a model has no price"
            if self.pack is None
            else f"the pack has calls of its models on `{item.id}` with no cost (`usd`)"
        )
        try:
            async with self.spending.held(contestant.name, worst, unknown) as settle:
                try:
                    result = await contestant.engine.answer(contestant.entry, request, seed=self.seed)
                except RunFailure as failure:
                    settle(self._paid(failure.spend))
                    return self._told(contestant, item, key, Grade(Verdict.WRONG), failure.spend, failure=str(failure))
                settle(self._paid(result.spend))
        except OverBudget as problem:
            self.stopped = self.stopped or str(problem)
            return None
        return await self._graded(contestant, item, key, result)

    def _worst(self, contestant: Contestant, item: Item, request: Request) -> float:
        """The most that a run can cost, in dollars. What was recorded of a call may be more than what its price comes to."""
        worst = worst_cost(contestant.entry, request)
        certificate = contestant.entry.certificate
        if self.pack is None or certificate is None or certificate.total.calls == 0:
            return worst
        recorded = certificate.total.calls * self.pack.dearest(item.id, contestant.models)
        return recorded if math.isinf(worst) else recorded + worst

    def _paid(self, spend: Spend | None) -> float | None:
        """What a run cost. A call that was given up may have used all that it was allowed, or all that it was recorded to use."""
        if spend is not None and spend.cost is not None:
            return spend.cost
        return None if self.pack is None else self.pack.paid()

    async def _graded(self, contestant: Contestant, item: Item, key: str, result: RunResult) -> Outcome:
        answer = result.answer if isinstance(result.answer, Answer) else None
        authors = contestant.models if answer is None else frozenset((answer.model.id,))
        grade = await self.grade(item, result.text, authors)
        return self._told(contestant, item, key, grade, result.spend, result)

    def _told(
        self,
        contestant: Contestant,
        item: Item,
        key: str,
        grade: Grade,
        spend: Spend | None,
        result: RunResult | None = None,
        failure: str = "",
    ) -> Outcome:
        answer = None if result is None else result.answer
        return Outcome(
            contestant.name,
            item.id,
            key,
            grade.verdict,
            None if result is None else result.text,
            answer.model.id if isinstance(answer, Answer) else None,
            self._paid(spend),
            0 if spend is None else spend.calls,
            0 if spend is None else spend.prompt_tokens,
            0 if spend is None else spend.completion_tokens,
            0.0 if spend is None else spend.seconds,
            failure,
            grade.why,
            dict(grade.judges),
            spend is not None and spend.reported,
            grade.said,
            self.seed if self.pack is None else 0,  # recorded answers are no others by another seed
            grade.cost,
        )
