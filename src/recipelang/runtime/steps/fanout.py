"""`fanout`: the same call for each item, side by side, until enough branches are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Literal, cast

import anyio
from anyio.abc import TaskGroup

from recipelang.ir.plan import Fanout, Plan
from recipelang.quick import dataclass, field
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.steps.calls import PreparedCall, prepare_call
from recipelang.runtime.steps.guards import Guard, prepare_guard
from recipelang.runtime.steps.prepared import (
    PreparedStep,
    compile_optional,
    names_in,
    names_in_call,
    prepare_fallback,
)
from recipelang.runtime.values import Value, key_of

Spread = Literal["round_robin", "first", "equal"]


def spread_over(items: Sequence[Value], samples: int, spread: Spread) -> tuple[Value, ...]:
    """The item of each of so many branches.

    >>> spread_over(("a", "b", "c"), 5, "round_robin")
    ('a', 'b', 'c', 'a', 'b')
    >>> spread_over(("a", "b", "c"), 5, "equal")
    ('a', 'a', 'b', 'b', 'c')
    >>> spread_over(("a", "b", "c"), 2, "first")
    ('a', 'a')
    """
    if not items:
        return ()
    match spread:
        case "round_robin":
            return tuple(items[index % len(items)] for index in range(samples))
        case "first":
            return (items[0],) * samples
        case "equal":
            each, more = divmod(samples, len(items))
            return tuple(item for index, item in enumerate(items) for _ in range(each + (index < more)))


def occurrences(items: Sequence[Value]) -> list[int]:
    """For each item, how many equal ones stand before it.

    >>> occurrences(("a", "b", "a", "a"))
    [0, 0, 1, 2]
    """
    seen: Counter[Hashable] = Counter()
    counts = []
    for key in map(key_of, items):
        counts.append(seen[key])
        seen[key] += 1
    return counts


@dataclass(slots=True)
class Gathering:
    """The branches of one fan-out as they come in. `needed`: so many are enough to succeed."""

    policy: FanningOut
    frame: Frame
    path: str
    deadline: float
    items: tuple[Value, ...]
    samples: Sequence[int]  # for each item, how many equal ones stand before it
    needed: int
    started: int = 0
    kept: dict[int, Value] = field(default_factory=dict)
    lost: dict[int, RunFailure | None] = field(default_factory=dict)  # none: dropped by `keep`
    over: bool = False  # nothing more is waited for
    decided: bool = False  # because `until` holds
    error: Exception | None = None  # what ends the step at once
    group: TaskGroup | None = None

    async def gather(self, at_once: int) -> tuple[Value, ...]:
        if self.needed <= len(self.items):
            async with anyio.create_task_group() as self.group:
                for _ in range(min(at_once, len(self.items)) - 1):
                    self.group.start_soon(self._work)
                await self._work()
        if self.error is not None:
            raise self.error
        self._tell_the_rest()
        if len(self.kept) < self.needed:
            raise self._too_few()
        return tuple(self.kept[index] for index in sorted(self.kept))

    async def _work(self) -> None:
        """Take the next branch, until there is none or no more is needed."""
        while self.started < len(self.items) and not self.over:
            index = self.started
            self.started += 1
            try:
                await self._branch(index)
            except RunFailure as failure:
                self._fail(index, failure)
            except Exception as error:  # noqa: BLE001 - a bug ends the step as it is, not inside an exception group
                self._stop(error)

    async def _branch(self, index: int) -> None:
        policy, item = self.policy, self.items[index]
        values = {**self.frame.values, policy.variable: item}
        place = f"{self.path}[{index}]"
        value = await policy.call(self.frame, values, place, self.deadline, self.samples[index])
        recorder = self.frame.execution.recorder
        if policy.keep is not None:
            verdict = policy.keep({**values, "it": value}, place)
            if not verdict.holds:
                recorder.record("dropped", place, why="`keep` does not hold", **verdict.seen)
                self.lost[index] = None
                self._settle_if_hopeless()
                return
        self.kept[index] = value
        recorder.record("kept", place)
        if self._decided():
            self.decided = True
            self._stop()
        elif policy.quorum is not None and len(self.kept) == self.needed:
            self._reached()

    def _decided(self) -> bool:
        """Whether `until` holds for what is in: then the rest can change nothing that matters."""
        until = self.policy.until
        if until is None or len(self.kept) < self.needed:
            return False
        tried = tuple(self.kept[index] for index in sorted(self.kept))
        verdict = until({**self.frame.values, "tried": tried}, self.path)
        met = "until_met" if verdict.holds else "until_unmet"
        self.frame.execution.recorder.record(met, self.path, kept=len(tried), **verdict.seen)
        return verdict.holds

    def _fail(self, index: int, failure: RunFailure) -> None:
        place = f"{self.path}[{index}]"
        self.frame.execution.recorder.record("dropped", place, why=failure.reason, failure=failure.kind.value)
        self.lost[index] = failure
        if self.policy.skip or self._enough():
            self._settle_if_hopeless()
        else:
            self._stop(failure)

    def _enough(self) -> bool:
        return self.policy.quorum is not None and len(self.kept) >= self.needed

    def _reached(self) -> None:
        """A quorum is in: wait for the rest as long as `grace` says, then cancel it."""
        pending = len(self.items) - len(self.kept) - len(self.lost)
        grace = self.policy.grace
        self.frame.execution.recorder.record(
            "quorum", self.path, kept=len(self.kept), quorum=self.needed, pending=pending, grace=grace
        )
        if pending == 0 or self.group is None:
            return
        if grace > 0:
            self.group.cancel_scope.deadline = self.frame.execution.timer() + grace
        else:
            self._stop()

    def _settle_if_hopeless(self) -> None:
        if len(self.items) - len(self.lost) < self.needed and not self.over:
            self._stop()

    def _stop(self, error: Exception | None = None) -> None:
        self.over = True
        self.error = self.error or error
        if self.group is not None:
            self.group.cancel_scope.cancel()

    def _tell_the_rest(self) -> None:
        """Say of each branch that did not come in that it was given up: nothing is dropped in silence."""
        why = "the quorum was there" if self._enough() else "the quorum could not be reached any more"
        why = "`until` holds" if self.decided else why
        for index in range(len(self.items)):
            if index not in self.kept and index not in self.lost:
                self.frame.execution.recorder.record("dropped", f"{self.path}[{index}]", why=why)

    def _too_few(self) -> RunFailure:
        failures = tuple(failure for failure in self.lost.values() if failure is not None)
        dropped = len(self.lost) - len(failures)
        counted = f"{len(self.kept)} of {len(self.items)} answers, quorum {self.needed}"
        reasons = [failure.reason for failure in failures]
        if dropped:
            reasons.append(f"{dropped} dropped by `keep`")
        message = f"{counted}: {'; '.join(reasons)}" if reasons else counted
        return RunFailure(RunFailureKind.QUORUM, message, step=self.path, causes=failures)


@dataclass(frozen=True, slots=True)
class FanningOut:
    call: PreparedCall
    variable: str
    items: Evaluator
    samples: Evaluator | None
    spread: Spread
    parallel: Evaluator | None
    keep: Guard | None
    quorum: Evaluator | None
    until: Guard | None
    grace: float
    skip: bool  # whether a branch that fails is only left out

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        items = cast(tuple[Value, ...], evaluate(self.items, frame.values, path))
        if self.samples is not None:
            items = spread_over(items, _count(self.samples, "samples", frame, path), self.spread)
        at_once = len(items) if self.parallel is None else _count(self.parallel, "parallel", frame, path)
        needed = self._needed(frame, path)
        return await Gathering(self, frame, path, deadline, items, occurrences(items), needed).gather(at_once)

    def _needed(self, frame: Frame, path: str) -> int:
        """How many branches must be kept. Without a quorum: one, where any may be lost; else no failure is forgiven."""
        if self.quorum is not None:
            return _count(self.quorum, "quorum", frame, path)
        return 1 if self.skip or self.keep is not None else 0


def _count(compiled: Evaluator, name: str, frame: Frame, path: str) -> int:
    number = cast(int, evaluate(compiled, frame.values, path))
    if number < 1:
        raise RunFailure(RunFailureKind.FAILED, f"`{name}` is {number}, and must be at least 1", step=path)
    return number


def prepare_fanout(step: Fanout, plan: Plan) -> PreparedStep:
    inside = (names_in_call(step.call) | names_in(step.keep, step.until)) - {step.variable, "it", "tried"}
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=inside | names_in(step.over, step.samples, step.parallel, step.quorum, step.fallback),
        work=FanningOut(
            call=prepare_call(step.call, plan, timeout=step.timeout),
            variable=step.variable,
            items=compile_expression(step.over, plan),
            samples=compile_optional(step.samples, plan),
            spread=step.spread,
            parallel=compile_optional(step.parallel, plan),
            keep=prepare_guard(step.keep, plan),
            quorum=compile_optional(step.quorum, plan),
            until=prepare_guard(step.until, plan),
            grace=step.grace,
            skip=step.on_error == "skip",
        ),
        timeout=step.timeout,
        fallback=prepare_fallback(step.fallback, plan),
    )
