"""Boundaries at run time: which models may not see a request. Where a boundary can't tell, it holds."""

from __future__ import annotations

from recipelang.ir.plan import Model, Plan
from recipelang.ir.reading import that_see_requests
from recipelang.quick import dataclass
from recipelang.runtime.expressions import Environment, Evaluator, StepFailed, compile_expression
from recipelang.runtime.values import Request


@dataclass(frozen=True, slots=True)
class PreparedBoundary:
    name: str
    when: Evaluator
    allow: Evaluator

    def holds(self, request: Request) -> bool:
        return _is(self.when, {"request": request}, otherwise=True)

    def allows(self, model: Model, request: Request) -> bool:
        return _is(self.allow, {"request": request, "it": model}, otherwise=False)


def prepare_boundaries(plan: Plan) -> tuple[PreparedBoundary, ...]:
    return tuple(
        PreparedBoundary(name, compile_expression(boundary.when, plan), compile_expression(boundary.allow, plan))
        for name, boundary in plan.boundaries.items()
    )


def withheld(boundaries: tuple[PreparedBoundary, ...], plan: Plan, requests: tuple[Request, ...]) -> dict[str, str]:
    """The models and functions of the plan that may not see all requests of a run, each with the boundary that says so."""
    found: dict[str, str] = {}
    for boundary in boundaries:
        for request in requests:
            if boundary.holds(request):
                kept = (name for name, seen in that_see_requests(plan).items() if not boundary.allows(seen, request))
                found |= dict.fromkeys(kept, boundary.name)
    return found


def _is(condition: Evaluator, values: Environment, *, otherwise: bool) -> bool:
    try:
        return condition(values) is True
    except StepFailed:
        return otherwise
