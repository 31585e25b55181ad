"""Proof of boundaries: that no call of an exposed recipe shows the request to who may not see it."""

from __future__ import annotations

from recipelang.ir.plan import Boundary, Entry, Plan
from recipelang.ir.reading import that_see_requests
from recipelang.quick import dataclass, replace
from recipelang.validation.bounds import Prover, Visit
from recipelang.validation.evaluating import Facts, truth_of
from recipelang.validation.graph import PlanFault, UnsoundPlan
from recipelang.validation.values import Models


@dataclass(frozen=True, slots=True)
class Leak:
    """The ways for a request to reach a model, or a function of the host, that a boundary keeps it from."""

    boundary: str
    model: str
    paths: tuple[str, ...]  # `reply → answers → panelist on cloud_model`


def leaks(plan: Plan, entry: Entry) -> list[Leak]:
    """Where an entry could break a boundary of the plan; an empty list proves that it keeps to them all.

    The recipe is walked as for its certificate, with what is known while the boundary holds: an arm that can't be taken
    then is not looked at. Of models that can't be told apart, each may be the one.
    """
    return [leak for boundary in plan.boundaries.values() for leak in _leaks(plan, entry, boundary)]


def must_keep_boundaries(plan: Plan) -> None:
    """Raises `UnsoundPlan` where an entry of a plan that any tool may have made could break one of its boundaries."""
    faults = [
        PlanFault(
            f'entry "{name}"',
            f"`{leak.model}` could see a request that the boundary `{leak.boundary}` keeps from it, by way of {leak.paths[0]}",
        )
        for name, entry in plan.entries.items()
        for leak in leaks(plan, entry)
    ]
    if faults:
        raise UnsoundPlan(faults)


def _leaks(plan: Plan, entry: Entry, boundary: Boundary) -> list[Leak]:
    prover = Prover(plan, assumed=frozenset((boundary.name,)))
    prover.exposed(entry)
    allowed = _allowed(boundary, plan, prover.facts)
    ways: dict[str, dict[str, None]] = {}
    for visit in prover.visits:
        for name in sorted(_seeing(visit, plan) - allowed):
            ways.setdefault(name, {})[_path(visit, name)] = None
    return [Leak(boundary.name, name, tuple(paths)) for name, paths in ways.items()]


def _seeing(visit: Visit, plan: Plan) -> set[str]:
    return set(plan.models) if visit.models is None else set(visit.models)


def _path(visit: Visit, name: str) -> str:
    return " → ".join((*visit.trail, name if visit.role is None else f"{visit.role} on {name}"))


def _allowed(boundary: Boundary, plan: Plan, facts: Facts) -> set[str]:
    """Those for whom `allow` holds, whatever the request is."""
    seeing = that_see_requests(plan)
    facts = replace(facts, plan=replace(plan, models=seeing))
    return {n for n in seeing if truth_of(boundary.allow, {"it": Models(frozenset((n,)))}, facts) is True}
