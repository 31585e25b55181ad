"""What an arm of a `choose` is expected to bring and to take: as its recipe says, else as its certificate proves."""

from __future__ import annotations

import math
from collections.abc import Mapping

from recipelang.ir.certificate import Bound, Certificate
from recipelang.runtime.members import images_of
from recipelang.runtime.operators import finite
from recipelang.runtime.prompts import request_bytes
from recipelang.runtime.values import Prospect, Request, Value

Bounds = Mapping[str, tuple[Bound, ...]]
"""Of each `choose` that weighs its arms the most that each of them can use."""
ESTIMATES = ("quality", "cost", "time")
UNPROVED = Bound(cost=None, seconds=math.inf)
"""Of an arm of a plan that has no certificate."""


def bounds_of_arms(certificate: Certificate | None) -> Bounds | None:
    """None where there is no certificate; in one, what is not there uses nothing."""
    return None if certificate is None else {step.step: step.arms for step in certificate.steps if step.arms}


def bound_of_arm(bounds: Bounds | None, step: str, arm: int) -> Bound:
    if bounds is None:
        return UNPROVED
    arms = bounds.get(step, ())
    return arms[arm] if arm < len(arms) else Bound()


def prospect(said: Mapping[str, Value], bound: Bound, request: Request) -> Prospect:
    """From what a recipe says of an arm, and what is proved of it, for this request."""
    quality, cost, time = (said.get(name) for name in ESTIMATES)
    if cost is None and bound.cost is not None:
        cost = finite(bound.cost.at(request_bytes(request), sum(map(images_of, request.messages))))
    return Prospect(
        float(quality) if isinstance(quality, (int, float)) else 0.0,
        float(cost) if isinstance(cost, (int, float)) else None,
        float(time) if isinstance(time, (int, float)) else finite(bound.seconds),
    )


def rank(by: Value) -> tuple[int, float | str]:
    """A key that orders what arms are compared by: what is absent comes before all else."""
    if isinstance(by, str):
        return 2, by
    return (1, float(by)) if isinstance(by, (int, float)) else (0, 0.0)
