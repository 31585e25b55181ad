"""Runs of one's own as evidence: what came of the arms of a choice, each of which was run on every question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recipelang.calibration.evidence import Asked, Came, EvidenceProblem, Weighed
from recipelang.evaluation.items import Item
from recipelang.evaluation.outcomes import Outcome
from recipelang.hosts.requests import request_of
from recipelang.hosts.routing import Choice, called, route
from recipelang.ir.expressions import FailExpression
from recipelang.ir.plan import Choose, RecipeCall
from recipelang.quick import dataclass


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
