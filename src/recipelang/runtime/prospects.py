"""What an arm of a `choose` is expected to bring and to take: as its recipe says, else as its certificate proves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache

from recipelang.ir.certificate import Bound, Certificate
from recipelang.runtime.members import images_of
from recipelang.runtime.operators import finite
from recipelang.runtime.prompts import request_bytes
from recipelang.runtime.values import Prospect, Request, Value

Bounds = Mapping[str, tuple[Bound, ...]]
"""Of each `choose` that weighs its arms the most that each of them can use."""
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


def prospect(said: Mapping[str, Callable[[], Value]], bound: Bound, request: Request) -> Prospect:
    """From what a recipe says of an arm, and what is proved of it, for this request; each is found once, where it is asked for."""

    @cache
    def read(name: str) -> float | None:
        value = said[name]() if name in said else _proved(name, bound, request)
        return float(value) if isinstance(value, (int, float)) else None

    return Prospect(read)


def _proved(name: str, bound: Bound, request: Request) -> float | None:
    match name:
        case "cost" if bound.cost is not None:
            return finite(bound.cost.at(request_bytes(request), sum(map(images_of, request.messages))))
        case "cost":
            return None
        case "time":
            return finite(bound.seconds)
        case _:
            return 0.0


def rank(by: Value) -> tuple[int, float | str]:
    """A key that orders what arms are compared by: what is absent comes before all else."""
    if isinstance(by, str):
        return 2, by
    return (1, float(by)) if isinstance(by, (int, float)) else (0, 0.0)
