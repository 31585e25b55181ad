"""What many outcomes come to: means, quantiles and shares, each with its interval of 95%."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from recipelang.quick import dataclass
from recipelang.runtime.values import Json
from recipelang.simulation.running import Outcome
from recipelang.statistics import Interval, Z, share


@dataclass(frozen=True, slots=True)
class Quantity:
    """How something is spread over the runs."""

    mean: Interval
    p50: Interval
    p95: Interval
    p99: Interval
    most: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a number of runs came to. `cost` in dollars: none where a model has no price; `correct`: where that is known."""

    runs: int
    latency: Quantity  # seconds
    calls: Quantity
    tokens: Quantity
    cost: Quantity | None
    answered_by: dict[str, Interval]
    correct: Interval | None
    fallbacks: dict[str, Interval]  # by step
    failures: dict[str, Interval]  # by kind: runs without an answer

    def as_json(self) -> dict[str, Json]:
        return asdict(self)


def figures_of(outcomes: Sequence[Outcome]) -> Figures:
    runs = len(outcomes)
    costs = [outcome.spend.cost for outcome in outcomes if outcome.spend.cost is not None]
    known = [outcome.correct for outcome in outcomes if outcome.correct is not None]
    return Figures(
        runs,
        quantity(outcome.spend.seconds for outcome in outcomes),
        quantity(outcome.spend.calls for outcome in outcomes),
        quantity(outcome.spend.tokens for outcome in outcomes),
        quantity(costs) if len(costs) == runs else None,
        _shares((outcome.answered_by for outcome in outcomes), runs),
        share(sum(known), runs) if len(known) == runs else None,
        _shares((step for outcome in outcomes for step in outcome.fallbacks), runs),
        _shares((outcome.failure for outcome in outcomes), runs),
    )


def quantity(values: Iterable[float]) -> Quantity:
    ordered = sorted(values)
    mean = math.fsum(ordered) / len(ordered)
    spread = math.fsum((value - mean) ** 2 for value in ordered) / max(1, len(ordered) - 1)
    error = Z * math.sqrt(spread / len(ordered))
    found = Interval(mean, mean - error, mean + error)
    middle, high, highest = (_quantile(ordered, at) for at in (0.5, 0.95, 0.99))
    return Quantity(found, middle, high, highest, ordered[-1])


def _quantile(ordered: Sequence[float], share: float) -> Interval:
    """The interval lies between two of the values: so many of all are below the true one, give or take."""
    total = len(ordered)
    error = Z * math.sqrt(total * share * (1 - share))

    def at(place: float) -> float:
        return ordered[min(max(math.ceil(place) - 1, 0), total - 1)]

    return Interval(at(total * share), at(total * share - error), at(total * share + error + 1))


def _shares(names: Iterable[str | None], total: int) -> dict[str, Interval]:
    counted = Counter(name for name in names if name is not None)
    return {name: share(times, total) for name, times in counted.most_common()}
