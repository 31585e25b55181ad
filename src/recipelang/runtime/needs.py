"""What each step of a recipe needs of a budget, from its certificate: so that a run with less keeps what matters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from graphlib import TopologicalSorter

from recipelang.ir.certificate import Bound, Certificate
from recipelang.ir.expressions import Constant
from recipelang.ir.plan import Choose, Fanout, HostCall, Let, Recipe, RecipeCall, Return, Step
from recipelang.quick import dataclass
from recipelang.runtime.ledger import Need, Share


@dataclass(frozen=True, slots=True)
class StepNeed:
    """The bound of a step, and which part of it is enough where nothing fails."""

    bound: Bound
    least: float
    stands_in: bool

    def at(self, size: int, images: int) -> Need:
        """For a request of so many bytes, with so many images."""
        return Need(_share(self.bound, self.least, size, images), _share(self.bound, 1, size, images), self.stands_in)


def needs_of(recipe: Recipe, certificate: Certificate | None) -> tuple[StepNeed, ...]:
    """What the steps need, in the order of the recipe; nothing where no certificate says."""
    bounds = {} if certificate is None else {step.step: step.bound for step in certificate.steps}
    return tuple(_need(step, bounds.get(step.name, Bound())) for step in recipe.steps)


def _need(step: Step, bound: Bound) -> StepNeed:
    stands_in = not isinstance(step, Let) and (step.fallback is not None or getattr(step, "optional", False))
    return StepNeed(bound, min(1.0, _calls(step, bound) / bound.calls) if bound.calls else 1.0, stands_in)


def _calls(step: Step, bound: Bound) -> float:
    """How many calls are enough where nothing fails; of a recipe, all that it may make."""
    match step:
        case Return():
            return 0
        case Let() | HostCall():
            return bound.calls
        case Choose(arms=arms):
            return bound.calls if any(isinstance(arm.call, RecipeCall) for arm in arms) else 1
        case _ if isinstance(step.call, RecipeCall):
            return bound.calls
        case Fanout(quorum=Constant(int() as quorum)):
            return quorum
        case Fanout(quorum=None, on_error="fail", keep=None):
            return bound.calls
        case _:
            return 1


def _share(bound: Bound, part: float, size: int, images: int) -> Share:
    prompt = bound.prompt_tokens.at(size, images)
    tokens = 0 if math.isinf(prompt) else math.ceil(part * (prompt + bound.completion_tokens))
    cost = 0.0 if bound.cost is None or math.isinf(prompt) else part * bound.cost.at(size, images)
    return Share(math.ceil(part * bound.calls), tokens, cost)


def last_first(needs: Sequence[frozenset[int]], answer: int) -> tuple[int, ...]:
    """The steps by their places so that each comes before those whose values it reads, and `return` before all."""
    order: list[int] = []
    steps = TopologicalSorter(dict(enumerate(needs)))
    steps.prepare()
    while ready := sorted(steps.get_ready()):
        order += ready
        steps.done(*ready)
    return (answer, *(place for place in reversed(order) if place != answer))
