"""A budget for a whole evaluation: a run begins only where its certificate shows that it can't be passed."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from recipelang.ir.plan import Entry
from recipelang.runtime.admission import Worst
from recipelang.runtime.values import Request


class OverBudget(Exception):
    """What a run may cost is more than what is left."""


class Spending:
    """What was spent and what is set aside for runs under way; `most` in dollars, none: no limit."""

    def __init__(self, most: float | None = None) -> None:
        self.most = most
        self.spent = 0.0  # with what an evaluation that is gone on with has paid before
        self._held = 0.0
        self._settled = anyio.Event()

    @asynccontextmanager
    async def held(
        self, name: str, worst: float, unknown: str = "a model has no price"
    ) -> AsyncIterator[Callable[[float | None], None]]:
        """Sets the most that a run can cost aside while it runs; what is yielded takes what it did cost.

        Waits while runs under way may leave enough. Raises `OverBudget`, with why the most is `unknown` where it has no end.
        """
        if self.most is not None:
            while self.spent + self._held + worst > self.most and self._held > 0:
                await self._settled.wait()
            if self.spent + self._held + worst > self.most:
                raise OverBudget(
                    f"a run of `{name}` may cost ${worst:.6f}, and ${max(0.0, self.most - self.spent):.6f} is left"
                    if math.isfinite(worst)
                    else f"what a run of `{name}` may cost can't be proved: {unknown}"
                )
            self._held += worst
        cost: float | None = worst

        def settle(paid: float | None) -> None:
            nonlocal cost
            cost = paid

        try:
            yield settle
        finally:  # who never said what it cost may have cost all
            if self.most is not None:
                self._held = max(0.0, self._held - worst)
                self.spent += worst if cost is None else cost
            else:
                self.spent += 0.0 if cost is None or math.isinf(cost) else cost
            self._settled.set()
            self._settled = anyio.Event()


def worst_cost(entry: Entry, request: Request) -> float:
    """The most that a run can cost, in dollars; infinite where that is unknown."""
    if entry.certificate is None:
        return math.inf
    cost = Worst.of(entry.certificate.total, request).cost
    return math.inf if cost is None else cost
