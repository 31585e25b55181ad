"""What recorded runs say of a recipe with other numbers in it: a pack is replayed, and of results the arms are looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio

from recipelang.evaluation.items import Item
from recipelang.evaluation.outcomes import Outcome
from recipelang.evaluation.packs import Pack, Verdict
from recipelang.evaluation.replaying import Plainly, ReplayBackend
from recipelang.hosts.engine import Engine
from recipelang.hosts.local import models_of
from recipelang.hosts.requests import request_of
from recipelang.hosts.routing import Choice, called, route
from recipelang.ir.expressions import Constant, FailExpression
from recipelang.ir.plan import Choose, Entry, Plan, RecipeCall
from recipelang.quick import dataclass, field, replace
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ports import NotRecorded
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Answer

AT_ONCE = 16
BOUND = "the bound of the run"
"""How the account is called that the certificate opens."""
_T = TypeVar("_T")


class EvidenceProblem(Exception):
    """Recorded runs that say nothing of a recipe; the message says why."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one question: whether it was right, dollars, seconds."""

    right: bool
    cost: float
    seconds: float = 0.0


Weighed = Mapping[int, Mapping[str, float | None]]
"""What was expected of each arm that applied, by its place: `quality`, `cost`, `time`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A recipe with its arguments, of one version of its text."""

    plan: Plan
    entry: Entry


class Evidence(Protocol):
    """Recorded runs of questions."""

    questions: Sequence[str]

    def outcomes(self, asked: Asked, questions: Sequence[str]) -> list[Came]:
        """What would have come of the recipe, question by question."""
        ...

    def weighed(self, asked: Asked, step: str, questions: Sequence[str]) -> list[Weighed]:
        """What a `choose` expects of its arms, question by question."""
        ...

    def alone(self, asked: Asked, step: str, arm: int, questions: Sequence[str]) -> list[Came | None]:
        """What comes of a question where this arm is taken; cost and time are the arm's own. None where it does not apply."""
        ...


# ------------------------------------------------------------------ packs


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
            raise _first(group) from group
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


def _first(group: BaseExceptionGroup) -> BaseException:
    """The one that a group of tasks ended by; what was never recorded is a problem of the evidence."""
    inside = group.exceptions[0]
    if isinstance(inside, BaseExceptionGroup):
        return _first(inside)
    return EvidenceProblem(str(inside)) if isinstance(inside, NotRecorded) else inside


def _with_arm(asked: Asked, step: str, arm: int) -> Plan:
    """The plan in which a `choose` takes this arm where it applies, and no other."""
    recipe = asked.plan.recipes[asked.entry.recipe]

    def alone(chosen: Choose) -> Choose:
        arms = (each if at == arm else replace(each, when=Constant(False)) for at, each in enumerate(chosen.arms))
        return replace(chosen, arms=tuple(arms), by=None, fallback=None)

    steps = (alone(each) if each.name == step and isinstance(each, Choose) else each for each in recipe.steps)
    return replace(asked.plan, recipes={**asked.plan.recipes, recipe.name: replace(recipe, steps=tuple(steps))})


# ---------------------------------------------------------------- results


@dataclass
class LookedUp:
    """Runs of one's own, as `eval --results` keeps them: each arm is a contestant that was asked every question."""

    items: Mapping[str, Item]
    outcomes_of: Mapping[str, Mapping[str, Outcome]]  # by contestant and question
    questions: Sequence[str] = ()

    def those_with(self, asked: Asked, items: Sequence[Item]) -> list[Item]:
        """The questions that every arm which an entry could take has a graded run of."""
        contestants = {self._contestant(asked, choice, number) for choice, number in self._arms(asked)}
        return [
            item
            for item in items
            if all(
                (outcome := self.outcomes_of[name].get(item.id)) is not None and outcome.is_graded
                for name in contestants
            )
        ]

    def _arms(self, asked: Asked) -> list[tuple[Choose, int]]:
        steps = [step for step in asked.plan.recipes[asked.entry.recipe].steps if isinstance(step, Choose)]
        if not steps:
            raise EvidenceProblem(
                f"`{asked.entry.recipe}` chooses nothing: results say what came of whole recipes, so that they can fit a choice among these"
            )
        return [
            (step, number)
            for step in steps
            for number, arm in enumerate(step.arms)
            if not isinstance(arm.call, FailExpression)
        ]

    def outcomes(self, asked: Asked, questions: Sequence[str]) -> list[Came]:
        return [self._came(asked, self._choice(asked, question), question) for question in questions]

    def weighed(self, asked: Asked, step: str, questions: Sequence[str]) -> list[Weighed]:
        return [
            {
                arm.number - 1: {each.name: _number(each.value) for each in arm.expected}
                for arm in self._choice(asked, question).arms
                if arm.by is not None
            }
            for question in questions
        ]

    def alone(self, asked: Asked, step: str, arm: int, questions: Sequence[str]) -> list[Came | None]:
        chosen = next(each for each, _ in self._arms(asked) if each.name == step)
        name = self._contestant(asked, chosen, arm)
        return [_came(self.outcomes_of[name][question]) for question in questions]

    def _came(self, asked: Asked, choice: Choice, question: str) -> Came:
        taken = choice.taken
        if taken is None:
            raise EvidenceProblem(
                f"which arm of `{choice.step}` is taken hangs on what models say, which results don't tell"
            )
        step = next(each for each, _ in self._arms(asked) if each.name == choice.step)
        if isinstance(step.arms[taken.number - 1].call, FailExpression):
            return Came(False, 0.0)
        return _came(self.outcomes_of[self._contestant(asked, step, taken.number - 1)][question])

    def _choice(self, asked: Asked, question: str) -> Choice:
        request = request_of(list(self.items[question].messages))
        return next(iter(route(asked.plan, asked.entry, request).choices))

    def _contestant(self, asked: Asked, step: Choose, arm: int) -> str:
        """Whose runs are those of an arm: an exposed name with the same arguments, or the one that goes by the recipe's name."""
        call = step.arms[arm].call
        wanted = call.recipe if isinstance(call, RecipeCall) else getattr(call, "role", "")
        said = self._said(asked, step.name)[arm]
        exposed = [name for name, entry in asked.plan.entries.items() if called(asked.plan, entry) == said]
        for name in (*exposed, wanted, wanted.rpartition(".")[2]):
            if name in self.outcomes_of:
                return name
        raise EvidenceProblem(
            f"no results are of arm {arm + 1} of `{step.name}`, `{said}`: there are those of {', '.join(self.outcomes_of) or 'nobody'}. "
            f'Give it a name, `expose "name" = {wanted}(...)`, and evaluate that too'
        )

    def _said(self, asked: Asked, step: str) -> list[str]:
        """What the arms of a choice call, with their arguments, as the first question shows them."""
        item = next(iter(self.items.values()))
        choices = route(asked.plan, asked.entry, request_of(list(item.messages))).choices
        return [arm.calls for choice in choices if choice.step == step for arm in choice.arms]


def _came(outcome: Outcome) -> Came:
    if outcome.cost is None:
        raise EvidenceProblem(f"what `{outcome.contestant}` cost is unknown: its models have no price")
    return Came(outcome.is_right, outcome.cost, outcome.seconds)


def _number(value: Any) -> float | None:  # Any: JSON
    return float(value) if isinstance(value, (int, float)) else None


# ----------------------------------------------------------------- digests


def digest_of(path: Path) -> str | None:
    """The digest of data: of a file, or of what a pack has in its folder; none where there is nothing."""
    files = sorted(path.glob("*.json*")) if path.is_dir() else [path]
    hashed = sha256()
    for file in files:
        try:
            hashed.update(file.read_bytes())
        except OSError:
            return None
    return hashed.hexdigest() if files else None
