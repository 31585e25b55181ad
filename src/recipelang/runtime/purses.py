"""Purses: what a host lets one of its clients use in a time, such as a key in a day; knows nothing of where that is kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

from recipelang.quick import dataclass, replace
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.ledger import Limits, Refused, Share, Totals


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run may use of a purse. `period` is the time that it was taken in, where it is also settled."""

    most: Limits
    period: int

    @property
    def share(self) -> Share:
        return Share(self.most.calls or 0, self.most.tokens or 0, self.most.cost or 0.0)


class Purse(Protocol):
    """What one client may use. Whoever takes from it gets no more than is left, and is told what that is."""

    @property
    def counts_tokens(self) -> bool:
        """Whether it limits tokens or money."""
        ...

    async def take(self, most: Limits) -> Taken:
        """Set aside what a run may use, and no more than is left; raises `Refused` where nothing is."""
        ...

    async def settle(self, taken: Taken, used: Share) -> None:
        """Book what a run used in place of what it had taken."""
        ...


class Purses(Protocol):
    """The purses of all clients of a host, by their keys."""

    def of(self, key: str) -> Purse: ...


@dataclass(slots=True)
class Hold:
    """What a run was granted, and what it has used so far, once it has begun."""

    limits: Limits
    totals: Totals | None = None


@asynccontextmanager
async def held(purse: Purse | None, most: Limits) -> AsyncGenerator[Hold]:
    """Take from a purse before a run and settle after it, however it ends; raises `RunFailure` where nothing is left."""
    if purse is None:
        yield Hold(most)
        return
    try:
        taken = await purse.take(most)
    except Refused as refused:
        raise RunFailure(RunFailureKind.BUDGET, str(refused)) from refused
    hold = Hold(most.tightened(taken.most))
    try:
        yield hold
    finally:
        used = (hold.totals or Totals()).spend(0.0).share
        with anyio.CancelScope(shield=True):
            await purse.settle(taken, used)


def granted(allowance: Limits, used: Share, most: Limits, whose: str) -> Limits:
    """What a run may have of an allowance of which so much is used; raises `Refused` where nothing is left."""
    left = allowance.without(used)
    for what, amount in (("calls", left.calls), ("tokens", left.tokens), ("dollars", left.cost)):
        if amount is not None and amount <= 0:
            raise Refused(f"not run: no {what} are left of {whose}")
    return replace(most.tightened(left), parallel=None)
