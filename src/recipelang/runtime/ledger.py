"""The ledger: reserves before a call is sent, settles after, and refuses what could break a budget."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import TypeVar

import anyio

from recipelang.ir.plan import Model, Price
from recipelang.quick import unguarded as dataclass
from recipelang.runtime.values import Json, Usage

ROUNDING = 1e-9
"""Dollars by which a sum of floats may pass a limit, so that a budget that fits exactly is not refused for rounding."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a run may use; none: no limit."""

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None  # dollars
    parallel: int | None = None  # calls in flight

    def __bool__(self) -> bool:
        return not (self.calls is None and self.tokens is None and self.cost is None and self.parallel is None)

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens or money are limited, which grow with the request."""
        return self.tokens is not None or self.cost is not None

    def tightened(self, other: Limits) -> Limits:
        """The lesser of both in everything."""
        if not other:
            return self
        return Limits(
            least(self.calls, other.calls),
            least(self.tokens, other.tokens),
            least(self.cost, other.cost),
            least(self.parallel, other.parallel),
        )

    def raised(self, more: Share) -> Limits:
        """So much more of all that is limited."""
        return Limits(
            None if self.calls is None else self.calls + more.calls,
            None if self.tokens is None else self.tokens + more.tokens,
            None if self.cost is None else self.cost + more.cost,
            self.parallel,
        )

    def without(self, used: Share) -> Limits:
        """What is left once so much is used."""
        left = left_of(self.calls, used.calls), left_of(self.tokens, used.tokens), left_of(self.cost, used.cost)
        return Limits(*left, self.parallel)


N = TypeVar("N", int, float)


def least(one: N | None, other: N | None) -> N | None:
    """The lesser of two limits, of which none is no limit."""
    return min((limit for limit in (one, other) if limit is not None), default=None)


NO_LIMITS = Limits()


def left_of(limit: N | None, used: N) -> N | None:
    """What is left of a limit, never less than nothing; of none, none."""
    return None if limit is None else max(limit - limit, limit - used)


@dataclass(frozen=True, slots=True)
class Spend:
    """What a run used. Calls that failed or were cancelled count in the sums, at what they may have used, and as wasted;
    those that were never sent don't count."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None  # dollars; none: a model that was called has no price
    seconds: float
    peak_parallel: int
    wasted_calls: int
    wasted_tokens: int
    reported: bool  # whether the providers told the usage of every call; false: the sums are upper bounds

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def share(self) -> Share:
        """So much of a budget; what has no price costs nothing there."""
        return Share(self.calls, self.tokens, self.cost or 0.0)

    def as_json(self) -> dict[str, Json]:
        """All of it by name, as it stands at the end of a trace."""
        return {figure: getattr(self, figure) for figure in self.__slots__}


@dataclass(frozen=True, slots=True)
class Share:
    """So much of a budget: what a step may need, or what is set aside for it."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0  # dollars

    def __bool__(self) -> bool:
        return self.calls > 0 or self.tokens > 0 or self.cost > 0

    def plus(self, other: Share) -> Share:
        return Share(self.calls + other.calls, self.tokens + other.tokens, self.cost + other.cost)

    def less(self, other: Share) -> Share:
        """What is left of it, which is never less than nothing."""
        left = max(0, self.calls - other.calls), max(0, self.tokens - other.tokens)
        return Share(*left, max(0.0, self.cost - other.cost))

    def fits(self, room: Limits) -> bool:
        return (
            (room.calls is None or self.calls <= room.calls)
            and (room.tokens is None or self.tokens <= room.tokens)
            and (room.cost is None or self.cost <= room.cost + ROUNDING)
        )


NOTHING = Share()


@dataclass(frozen=True, slots=True)
class Need:
    """What a step needs: `least` to come to its end where nothing fails, `most` at worst. `stands_in`: whether something
    stands in for its value where it fails, so that its recipe can do without it."""

    least: Share
    most: Share
    stands_in: bool


def allotted(room: Limits, needs: Sequence[Need], last_first: Sequence[int]) -> list[Share]:
    """What is set aside for each step where not all of them can have the most that they may need.

    First come those for which nothing stands in, each with the least that it needs; then the others, and whatever any
    of them may need more, the later steps first: what is spent before a step that can't be paid any more is lost.
    """
    shares = [NOTHING for _ in needs]

    def give(place: int, wanted: Share) -> None:
        nonlocal room
        more = wanted.less(shares[place])
        if more.fits(room):
            shares[place] = shares[place].plus(more)
            room = room.without(more)

    for place in reversed(last_first):
        if not needs[place].stands_in:
            give(place, needs[place].least)
    for wanted in ("least", "most"):
        for place in last_first:
            give(place, getattr(needs[place], wanted))
    return shares


class Refused(Exception):
    """A call was not sent because it could have broken a budget; the message has the numbers."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one call may use at most. `number` counts the calls of a run from 1."""

    number: int
    price: Price | None
    prompt_tokens: int
    completion_tokens: int
    cost: float

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def at_most(self) -> Usage:
        return Usage(self.prompt_tokens, self.completion_tokens, reported=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """A call that was in flight when its process died: the most that it may have used. No usage: a function of the host."""

    usage: Usage | None
    cost: float | None  # dollars; none: its model has no price

    @property
    def share(self) -> Share:
        if self.usage is None:
            return Share(cost=self.cost or 0.0)
        return Share(1, self.usage.total, self.cost or 0.0)


class Permits:
    """So many calls in flight at once; the others wait in the order in which they came."""

    __slots__ = ("_free", "_waiting")

    def __init__(self, total: int) -> None:
        self._free = total
        self._waiting: deque[anyio.Event] = deque()

    @property
    def free(self) -> int:
        return self._free

    async def acquire(self) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():  # the permit was handed over just before the cancellation
                self.release()
            else:
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1


class Account:
    """What one recipe run, and everything inside it, has used and may still use.

    `name` is said in messages: "the budget of `fusion`". A call is booked on the account of its recipe and on those of
    all recipes around it, the innermost first. `is_tight`: the run may use less than its certificate says, so that each
    step has an account of its own, with what is set aside for it; no call may use what is set aside for another step.
    """

    __slots__ = (
        "_permits",
        "calls",
        "cost",
        "is_tight",
        "limits",
        "lineage",
        "name",
        "permits",
        "share",
        "steps",
        "tokens",
        "totals",
    )

    def __init__(
        self,
        name: str,
        limits: Limits,
        parent: Account | None = None,
        *,
        is_tight: bool = False,
        share: Share = NOTHING,
    ) -> None:
        self.name = name
        self.limits = limits
        self.calls = 0
        self.tokens = 0
        self.cost = 0.0
        self.share = share
        self.steps: list[Account] = []  # those that are still to come or at work, each with its share
        self.is_tight: bool = is_tight if parent is None else parent.is_tight
        self.permits = None if limits.parallel is None else Permits(limits.parallel)
        self.totals: Totals = Totals() if parent is None else parent.totals
        self.lineage: tuple[Account, ...] = (self,) if parent is None else (self, *parent.lineage)
        self._permits = tuple(account.permits for account in self.lineage if account.permits is not None)

    def open(self, name: str, limits: Limits) -> Account:
        """The account of a recipe inside this one: itself, where that recipe has no limits of its own."""
        return Account(name, limits, self) if limits else self

    def set_aside(self, names: Sequence[str], needs: Sequence[Need], last_first: Sequence[int]) -> tuple[Account, ...]:
        """An account for each step of a recipe, with what is set aside for it."""
        shares = allotted(self.room(), needs, last_first)
        opened = tuple(Account(name, NO_LIMITS, self, share=share) for name, share in zip(names, shares, strict=True))
        self.steps += opened
        return opened

    def close(self, step: Account) -> None:
        """A step has ended, or is not needed: what was set aside for it and not used is free again."""
        if step in self.steps:
            self.steps.remove(step)

    def room(self) -> Limits:
        """What may still be used, by all limits together, with what is set aside left out."""
        room = NO_LIMITS
        for account, kept in self._kept():
            used = Share(account.calls, account.tokens, account.cost)
            room = room.tightened(account.limits.without(used.plus(kept)))
        return room

    def _kept(self) -> Iterator[tuple[Account, Share]]:
        """This account and those around it, each with what is set aside in it for other steps than the one at hand."""
        kept, inner = NOTHING, None
        for account in self.lineage:
            for step in account.steps:
                if step is not inner:
                    kept = kept.plus(step.still_to_come())
            yield account, kept
            inner = account

    def still_to_come(self) -> Share:
        """What is set aside for a step and not used yet."""
        return self.share.less(Share(self.calls, self.tokens, self.cost))

    async def enter(self) -> None:
        """Wait for the permits to have one more call in flight."""
        held: list[Permits] = []
        try:
            for permits in self._permits:
                await permits.acquire()
                held.append(permits)
        except BaseException:
            for permits in held:
                permits.release()
            raise
        self.totals.entered()

    def leave(self) -> None:
        self.totals.in_flight -= 1
        for permits in self._permits:
            permits.release()

    def reserve(self, model: Model, prompt_tokens: int, completion_tokens: int) -> Reservation:
        """Set aside what a call may use at most; raises `Refused` where an account can't hold it."""
        price = model.price
        cost = 0.0 if price is None else cost_of(price, prompt_tokens, completion_tokens)
        tokens = prompt_tokens + completion_tokens
        for account, kept in self._kept() if self.is_tight else zip(self.lineage, repeat(NOTHING), strict=False):
            account.admit(model, tokens, cost, kept)
        for account in self.lineage:
            account.calls += 1
            account.tokens += tokens
            account.cost += cost
        self.totals.begun += 1
        return Reservation(self.totals.begun, price, prompt_tokens, completion_tokens, cost)

    def settle(
        self, reservation: Reservation, usage: Usage, wasted: bool = False, billed: float | None = None
    ) -> float | None:
        """Book what a call used instead of what it might have used; gives its cost in dollars, none without a price.

        `billed` is what it is known to have cost, which goes before tokens times price.
        """
        price, cost = reservation.price, billed
        if cost is None and price is not None:
            cost = cost_of(price, usage.prompt_tokens, usage.completion_tokens)
        more_tokens = usage.total - reservation.prompt_tokens - reservation.completion_tokens
        more_cost = (cost or 0.0) - reservation.cost
        for account in self.lineage:
            account.tokens += more_tokens
            account.cost += more_cost
        self.totals.add(usage, cost, wasted)
        return cost

    def give_back(self, reservation: Reservation) -> None:
        """Take back a call that was never sent: nobody has heard of it, and nobody can bill it."""
        for account in self.lineage:
            account.calls -= 1
            account.tokens -= reservation.tokens
            account.cost -= reservation.cost

    def charge(self, cost: float) -> None:
        """Book what a function of the host costs, in dollars; raises `Refused` where an account can't hold it."""
        for account, kept in self._kept():
            limit, used = account.limits.cost, account.cost + kept.cost
            if limit is not None and used + cost > limit + ROUNDING:
                left = max(limit - account.cost, 0.0)
                aside = f", ${kept.cost:.6f} of it set aside for what comes after" if kept.cost else ""
                raise Refused(f"the call costs ${cost:.6f}, and ${left:.6f} is left of {account.name}{aside}")
        for account in self.lineage:
            account.cost += cost
        self.totals.cost += cost

    def write_off(self, lost: Sequence[Lost]) -> None:
        """Book calls of which nobody will ever know what they used, whatever the limits are: they have been sent."""
        for call in lost:
            for account in self.lineage:
                account.calls += call.share.calls
                account.tokens += call.share.tokens
                account.cost += call.share.cost
            if call.usage is None:
                self.totals.cost += call.share.cost
            else:
                self.totals.add(call.usage, call.cost, wasted=True)

    def admit(self, model: Model, tokens: int, cost: float, kept: Share = NOTHING) -> None:
        """Raise `Refused` where a call could use more than there is, or what is `kept` for other steps."""
        limits = self.limits
        if limits.calls is not None and self.calls + kept.calls >= limits.calls:
            if self.calls >= limits.calls:
                raise Refused(f"{self.name} is {limits.calls} calls, and all have been made")
            made = f"{self.calls} made and {kept.calls} set aside for what comes after"
            raise Refused(f"{self.name} is {limits.calls} calls, {made}")
        if limits.tokens is not None and self.tokens + kept.tokens + tokens > limits.tokens:
            left = max(limits.tokens - self.tokens, 0)
            aside = f", {kept.tokens} of them set aside for what comes after" if kept.tokens else ""
            raise Refused(
                f"the call may use {tokens} tokens, and {left} of {limits.tokens} are left of {self.name}{aside}"
            )
        if limits.cost is None:
            return
        if model.price is None:
            raise Refused(f"{self.name} is in money, and the model has no price")
        if self.cost + kept.cost + cost > limits.cost + ROUNDING:
            left_cost = max(limits.cost - self.cost, 0.0)
            aside = f", ${kept.cost:.6f} of it set aside for what comes after" if kept.cost else ""
            raise Refused(
                f"the call may cost ${cost:.6f}, and ${left_cost:.6f} of ${limits.cost:.6f} is left of {self.name}{aside}"
            )


class Totals:
    """The sums over all calls of a run."""

    __slots__ = (
        "begun",
        "calls",
        "completion_tokens",
        "cost",
        "in_flight",
        "peak",
        "prompt_tokens",
        "reported",
        "unpriced",
        "wasted_calls",
        "wasted_tokens",
    )

    def __init__(self) -> None:
        self.begun = 0
        self.calls = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cost = 0.0
        self.unpriced = False
        self.reported = True
        self.wasted_calls = 0
        self.wasted_tokens = 0
        self.in_flight = 0
        self.peak = 0

    def entered(self) -> None:
        self.in_flight += 1
        if self.in_flight > self.peak:
            self.peak = self.in_flight

    def add(self, usage: Usage, cost: float | None, wasted: bool) -> None:
        self.calls += 1
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.reported = self.reported and usage.reported
        if cost is None:
            self.unpriced = True
        else:
            self.cost += cost
        if wasted:
            self.wasted_calls += 1
            self.wasted_tokens += usage.total

    def spend(self, seconds: float) -> Spend:
        return Spend(
            calls=self.calls,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            cost=None if self.unpriced else self.cost,
            seconds=seconds,
            peak_parallel=self.peak,
            wasted_calls=self.wasted_calls,
            wasted_tokens=self.wasted_tokens,
            reported=self.reported,
        )


def cost_of(price: Price, prompt_tokens: int, completion_tokens: int) -> float:
    """Dollars for so many tokens."""
    return (prompt_tokens * price.input + completion_tokens * price.output) / 1_000_000
