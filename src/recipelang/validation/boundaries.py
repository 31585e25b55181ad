"""Proof of boundaries: that no call of an exposed recipe reaches a model that may not see the request."""

from __future__ import annotations

from dataclasses import dataclass

from recipelang.ir.plan import Boundary, Entry, Plan
from recipelang.validation.bounds import Prover, Visit
from recipelang.validation.evaluating import Facts, truth_of
from recipelang.validation.values import Models


@dataclass(frozen=True, slots=True)
class Leak:
    """A way for a request to reach a model that a boundary keeps it from."""

    boundary: str
    model: str
    trail: tuple[str, ...]
    role: str

    @property
    def path(self) -> str:
        """`reply → answers → panelist on cloud_model`."""
        return " → ".join((*self.trail, f"{self.role} on {self.model}"))


def leaks(plan: Plan, entry: Entry) -> list[Leak]:
    """Where an entry could break a boundary of the plan; an empty list proves that it keeps to them all.

    The recipe is walked as for its certificate, with what is known while the boundary holds: an arm that can't be taken
    then is not looked at. Of models that can't be told apart, each may be the one.
    """
    return [leak for boundary in plan.boundaries.values() for leak in _leaks(plan, entry, boundary)]


def _leaks(plan: Plan, entry: Entry, boundary: Boundary) -> list[Leak]:
    prover = Prover(plan, assumed=frozenset((boundary.name,)))
    prover.exposed(entry)
    allowed = {name for name in plan.models if _allows(boundary, name, prover.facts)}
    found = [
        Leak(boundary.name, model, visit.trail, visit.role)
        for visit in prover.visits
        for model in sorted(_models(visit, plan) - allowed)
    ]
    return list({(leak.trail, leak.model): leak for leak in found}.values())


def _models(visit: Visit, plan: Plan) -> set[str]:
    return set(plan.models) if visit.models is None else set(visit.models)


def _allows(boundary: Boundary, model: str, facts: Facts) -> bool:
    return truth_of(boundary.allow, {"it": Models(frozenset((model,)))}, facts) is True
