"""Recorded answers as evidence: a pack is replayed with each version of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio

from recipelang.calibration.evidence import Asked, Came, EvidenceProblem, Weighed
from recipelang.evaluation.items import Item
from recipelang.evaluation.packs import Pack, Verdict
from recipelang.evaluation.replaying import Plainly, ReplayBackend
from recipelang.evaluation.running import ended_by
from recipelang.hosts.engine import Engine
from recipelang.hosts.reaching import models_of
from recipelang.hosts.requests import request_of
from recipelang.ir.expressions import Constant
from recipelang.ir.plan import Choose, Entry, Plan
from recipelang.quick import dataclass, field, replace
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import BOUND, RunResult
from recipelang.runtime.ports import NotRecorded
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Answer

AT_ONCE = 16
_T = TypeVar("_T")


@dataclass
class Replayed:
    """The recorded answers of a pack."""

    pack: Pack
    backend: ReplayBackend
    questions: Sequence[str] = ()
    items: Mapping[str, Item] = field(default_factory=dict)

    def those_with(self, asked: Asked, items: Sequence[Item]) -> list[Item]:
        """The questions to which all models that may be asked have a graded answer."""
        needed = [asked.plan.models[name].id for name in models_of(asked.plan, asked.entry)]
        rows = {item.id: [self.backend.recorded(item.id, model) for model in needed] for item in items}
        graded = self.pack.verdicts
        return [
            item
            for item in items
            if all(row is not None and graded[row.place] is not Verdict.UNGRADED for row in rows[item.id])
        ]

    def outcomes(self, asked: Asked, questions: Sequence[str]) -> list[Came]:
        return self._each(asked, questions, lambda came, trace: came)

    def weighed(self, asked: Asked, step: str, questions: Sequence[str]) -> list[Weighed]:
        def told(_: Came, trace: Trace) -> Weighed:
            return {
                int(event.data["arm"]): {name: event.data.get(name) for name in ("quality", "cost", "time")}
                for event in trace.of("arm_weighed", step)
            }

        return self._each(asked, questions, told)

    def alone(self, asked: Asked, step: str, arm: int, questions: Sequence[str]) -> list[Came | None]:
        def told(came: Came, trace: Trace) -> Came | None:
            if not trace.of("arm_taken", step):
                return None
            below = (f"{step}.", f"{step}[")
            calls = [event for event in trace.of("call_end") if event.step == step or event.step.startswith(below)]
            at = {event.kind: event.at for event in trace.events if event.step == step}
            cost = sum(event.data.get("cost") or 0.0 for event in calls)
            return Came(came.right, cost, at.get("step_end", 0.0) - at.get("step_start", 0.0))

        return self._each(Asked(_with_arm(asked, step, arm), asked.entry), questions, told)

    def _each(self, asked: Asked, questions: Sequence[str], told: Callable[[Came, Trace], _T]) -> list[_T]:
        found: dict[str, _T] = {}

        async def work(engine: Engine, waiting: Any) -> None:  # Any: one iterator that all take from
            for question in waiting:
                with self.backend.answering(question):
                    found[question] = told(*await self._one(engine, asked.entry, question))

        async def all_of_them() -> None:
            backends = dict.fromkeys(asked.plan.backends, Plainly(self.backend, asked.plan))
            async with Engine(asked.plan, backends=backends) as engine, anyio.create_task_group() as group:
                waiting = iter(questions)
                for _ in range(AT_ONCE):
                    group.start_soon(work, engine, waiting)

        try:
            anyio.run(all_of_them, backend_options={"loop_factory": VirtualTimeLoop})
        except BaseExceptionGroup as group:
            problem = ended_by(group)
            raise (EvidenceProblem(str(problem)) if isinstance(problem, NotRecorded) else problem) from group
        return [found[question] for question in questions]

    async def _one(self, engine: Engine, entry: Entry, question: str) -> tuple[Came, Trace]:
        request = request_of(list(self.items[question].messages))
        try:
            result = await engine.answer(entry, request)
        except RunFailure as failure:
            trace = failure.trace or Trace(entry.name, 0, ())
            _must_be_whole(trace)
            cost = failure.spend.cost if failure.spend is not None else None
            return Came(False, cost or 0.0), trace
        _must_be_whole(result.trace)
        cost = result.spend.cost
        if cost is None:
            raise EvidenceProblem("what calls cost was not recorded: nothing can be weighed against it")
        return Came(self._is_right(result), cost, result.spend.seconds), result.trace

    def _is_right(self, result: RunResult) -> bool:
        if not isinstance(result.answer, Answer):
            raise EvidenceProblem("the recipe gives no answer of a model, which alone was graded")
        return self.backend.verdict(result.answer.model.id, result.answer.text) is Verdict.RIGHT


def _must_be_whole(trace: Trace) -> None:
    """Raise where a call was not made because those before it had cost more than can be by the prices that are declared."""
    for event in trace.of("call_refused"):
        if BOUND in str(event.data.get("message")):
            raise EvidenceProblem(
                f"`{event.data.get('model')}` was not asked: {event.data.get('message')}; "
                "models whose recorded calls cost more than their `price` says are better declared without one"
            )


def _with_arm(asked: Asked, step: str, arm: int) -> Plan:
    """The plan in which a `choose` takes this arm where it applies, and no other."""
    recipe = asked.plan.recipes[asked.entry.recipe]

    def alone(chosen: Choose) -> Choose:
        arms = (each if at == arm else replace(each, when=Constant(False)) for at, each in enumerate(chosen.arms))
        return replace(chosen, arms=tuple(arms), by=None, fallback=None)

    steps = (alone(each) if each.name == step and isinstance(each, Choose) else each for each in recipe.steps)
    return replace(asked.plan, recipes={**asked.plan.recipes, recipe.name: replace(recipe, steps=tuple(steps))})
