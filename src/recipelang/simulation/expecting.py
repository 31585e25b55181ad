"""What is to be expected of an entry, from a history of its models: simulated on what was seen, as sure as that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import fsum
from random import Random
from statistics import stdev

from recipelang.hosts.reaching import models_of, recipes_of
from recipelang.hosts.recorded import request_again
from recipelang.hosts.requests import RequestProblem
from recipelang.ir.plan import Entry, Plan, RoleCall
from recipelang.ir.reading import nodes_in
from recipelang.quick import dataclass
from recipelang.runtime.ledger import Spend
from recipelang.runtime.values import Json, Message, Request
from recipelang.simulation.figures import quantity
from recipelang.simulation.fitting import History
from recipelang.simulation.profiles import ProfileProblem
from recipelang.simulation.running import Outcome, simulated
from recipelang.statistics import Interval, share

WORLDS, REQUESTS = 20, 25
"""So many histories are drawn from the one that there is, and so many requests simulated with each."""
SURE = 2.093
"""Standard deviations on either side, for 95%: of Student's t with one degree of freedom less than there are worlds."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The mean over requests, between what it lies with 95% confidence, and what 95 of 100 requests stay below."""

    mean: float
    low: float
    high: float
    p95: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be expected, as far as `seen` shows it: the calls of each model that ended by themselves. `asked`: the
    requests of the history that stand for all; 0: one of a size does. `unsure`: the models of which nobody knows how sure
    their answers were, where something reads that."""

    runs: int
    seen: dict[str, int]
    asked: int
    unsure: tuple[str, ...]
    calls: Expectation
    prompt_tokens: Expectation
    completion_tokens: Expectation
    cost: Expectation | None  # dollars; none: a model has no price
    seconds: Expectation
    parallel: Expectation
    unanswered: Interval  # the share of requests without an answer

    def as_json(self) -> dict[str, Json]:
        return asdict(self)


def expected(plan: Plan, entry: Entry, history: History, size: int | None, *, default: int, seed: int = 0) -> Expected:
    """For requests of that many bytes, or those of the history, or where it has none of `default` bytes.

    The interval is about the history, too: each simulation goes by other calls, drawn from those that were seen, and the
    fewer there are, the more these differ. Raises `ProfileProblem` for a model that the history has no answer of. Not to be called on a
    running event loop.
    """
    asked = [] if size is not None else _asked(plan, entry, history)
    requests = asked or [of_size(default if size is None else size)]
    models = models_of(plan, entry)
    draw = Random(seed)
    worlds = [
        simulated(
            plan,
            entry,
            history.drawn_again(draw).profiles(),
            runs=REQUESTS,
            seed=seed + REQUESTS * world,
            requests=draw.choices(requests, k=REQUESTS),
        )
        for world in range(WORLDS)
    ]
    failed = sum(outcome.failure is not None for world in worlds for outcome in world)
    is_priced = all(outcome.spend.cost is not None for world in worlds for outcome in world)
    return Expected(
        WORLDS * REQUESTS,
        {model: history.of(model).calls for model in models},
        len(asked),
        tuple(model for model in models if not history.of(model).sure) if _reads_confidence(plan, entry) else (),
        _expectation(worlds, "calls"),
        _expectation(worlds, "prompt_tokens"),
        _expectation(worlds, "completion_tokens"),
        _expectation(worlds, "cost") if is_priced else None,
        _expectation(worlds, "seconds"),
        _expectation(worlds, "peak_parallel"),
        share(failed, WORLDS * REQUESTS),
    )


def _asked(plan: Plan, entry: Entry, history: History) -> list[Request]:
    """What was asked of this entry, or of its recipe by another name."""
    own = [run for run in history.runs if run.exposed == entry.name] or [
        run for run in history.runs if run.recipe == entry.recipe
    ]
    try:
        return [request_again(plan, run.request) for run in own]
    except (RequestProblem, LookupError, TypeError) as problem:
        raise ProfileProblem(f"what was asked in a run of it can't be asked again: {problem}") from problem


def _reads_confidence(plan: Plan, entry: Entry) -> bool:
    """Whether a call of it asks for log-probabilities, which is done where something reads how sure an answer is."""
    calls = nodes_in(tuple(plan.recipes[name] for name in recipes_of(plan, entry)))
    return any(isinstance(node, RoleCall) and node.logprobs for node in calls)


def of_size(size: int) -> Request:
    """A request of so many bytes, which says nothing."""
    return Request((Message("user", ("word " * (size // 5 + 1))[:size]),))


def _expectation(worlds: Sequence[Sequence[Outcome]], name: str) -> Expectation:
    drawn = [[float(_of(outcome.spend, name)) for outcome in world] for world in worlds]
    means = [fsum(values) / len(values) for values in drawn]
    mean, error = fsum(means) / len(means), SURE * stdev(means)
    p95 = quantity(value for values in drawn for value in values).p95.value
    return Expectation(mean, max(0.0, mean - error), mean + error, p95)


def _of(spend: Spend, name: str) -> float:
    return getattr(spend, name) or 0.0
