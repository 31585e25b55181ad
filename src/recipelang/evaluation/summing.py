"""What outcomes come to: accuracy, cost and latency for each contestant, and how two of them compare on the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from recipelang.evaluation.mixing import Mixed
from recipelang.evaluation.outcomes import Outcome
from recipelang.quick import dataclass, field
from recipelang.runtime.values import Json
from recipelang.statistics import Interval, Paired, kappa, mean, paired, quantile, ratio, share

QUANTILES = (0.1, 0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Summary:
    """One contestant on some items. What could not be graded does not count for accuracy, and is told."""

    name: str
    runs: int
    graded: int
    right: int
    failed: int  # runs that ended without an answer: they count as wrong
    cost: Interval | None  # dollars a run; none where a price is unknown
    calls: float  # a run
    prompt_tokens: float | None  # a run; none where a provider did not tell
    completion_tokens: float | None
    latency: Mapping[float, float] | None  # seconds by quantile; none where none was measured
    seconds: Sequence[float]
    single: bool = False

    @property
    def accuracy(self) -> Interval:
        return share(self.right, self.graded)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A contestant against the baseline, on the items that were graded for both."""

    name: str
    baseline: str
    pairs: Paired
    cost: Interval | None  # its cost over that of the baseline


@dataclass(frozen=True, slots=True)
class Oracle:
    """What always choosing the right model would bring: on how many items any single model was right, and the cheapest."""

    n: int
    right: int
    cost: float | None  # a run: of the cheapest that is right, or else of the cheapest


@dataclass(frozen=True, slots=True)
class JudgesAgree:
    one: str
    other: str
    n: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Report:
    title: str
    summaries: Sequence[Summary]
    comparisons: Sequence[Comparison]
    oracle: Oracle | None
    slices: Mapping[str, Sequence[Summary]] = field(default_factory=dict)  # by the value of the field
    slice: str | None = None
    judges: Sequence[JudgesAgree] = ()
    spent: float = 0.0
    notes: Sequence[str] = ()
    mixtures: Sequence[Mixed] = ()  # each recipe against a mix of single models at its cost

    @property
    def frontier(self) -> list[Summary]:
        """Those that none is both cheaper and better than, cheapest first."""
        known = sorted((s for s in self.summaries if s.cost and s.runs), key=lambda s: (_dollars(s), -s.accuracy.value))
        found: list[Summary] = []
        for summary in known:
            if not found or summary.accuracy.value > found[-1].accuracy.value:
                found.append(summary)
        return found


def _dollars(summary: Summary) -> float:
    return summary.cost.value if summary.cost else 0.0


def summary_of(name: str, outcomes: Sequence[Outcome], *, single: bool = False) -> Summary:
    costs = [outcome.cost for outcome in outcomes]
    known = [cost for cost in costs if cost is not None]
    seconds = [outcome.seconds for outcome in outcomes]
    graded = [outcome for outcome in outcomes if outcome.is_graded]
    n = max(1, len(outcomes))
    reported = all(outcome.reported for outcome in outcomes)
    return Summary(
        name,
        len(outcomes),
        len(graded),
        sum(outcome.is_right for outcome in graded),
        sum(bool(outcome.failure) for outcome in outcomes),
        mean(known) if known and len(known) == len(costs) else None,
        sum(outcome.calls for outcome in outcomes) / n,
        sum(outcome.prompt_tokens for outcome in outcomes) / n if reported else None,
        sum(outcome.completion_tokens for outcome in outcomes) / n if reported else None,
        {at: quantile(seconds, at) for at in QUANTILES} if any(seconds) else None,
        seconds,
        single,
    )


def comparison_of(name: str, outcomes: Sequence[Outcome], baseline: str, others: Sequence[Outcome]) -> Comparison:
    theirs = {outcome.item: outcome for outcome in others if outcome.is_graded}
    both = [(mine, theirs[mine.item]) for mine in outcomes if mine.is_graded and mine.item in theirs]
    pairs = paired([mine.is_right for mine, _ in both], [other.is_right for _, other in both])
    costs = [(a.cost, b.cost) for a, b in both]
    known = [(a, b) for a, b in costs if a is not None and b is not None]
    cost = ratio([a for a, _ in known], [b for _, b in known]) if len(known) == len(costs) else None
    return Comparison(name, baseline, pairs, cost)


def oracle_of(singles: Sequence[Sequence[Outcome]]) -> Oracle | None:
    """Over the items that every single model was graded on; none where there are fewer than two models."""
    if len(singles) < 2:
        return None
    by_item: dict[str, list[Outcome]] = {}
    for outcomes in singles:
        for outcome in outcomes:
            if outcome.is_graded:
                by_item.setdefault(outcome.item, []).append(outcome)
    whole = [outcomes for outcomes in by_item.values() if len(outcomes) == len(singles)]
    costs = [_cheapest(outcomes) for outcomes in whole]
    known = [cost for cost in costs if cost is not None]
    cost = sum(known) / len(known) if known and len(known) == len(costs) else None
    return Oracle(len(whole), sum(any(o.is_right for o in outcomes) for outcomes in whole), cost)


def _cheapest(outcomes: Sequence[Outcome]) -> float | None:
    wanted = [outcome for outcome in outcomes if outcome.is_right] or outcomes
    costs = [outcome.cost for outcome in wanted if outcome.cost is not None]
    return min(costs) if len(costs) == len(wanted) else None


def agreement_of(outcomes: Sequence[Outcome]) -> list[JudgesAgree]:
    """How far each two judges agree, on what both said something of."""
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.judges))
    found = []
    for one, other in combinations(names, 2):
        votes = [(outcome.judges.get(one), outcome.judges.get(other)) for outcome in outcomes]
        both = [(a, b) for a, b in votes if a is not None and b is not None]
        agreed = sum(a == b for a, b in both)
        found.append(JudgesAgree(one, other, len(both), agreed, kappa([a for a, _ in both], [b for _, b in both])))
    return found


def as_json(report: Report) -> dict[str, Json]:
    return {
        "title": report.title,
        "contestants": [_summary_json(summary) for summary in report.summaries],
        "compared": [_comparison_json(comparison) for comparison in report.comparisons],
        "mixtures": [_mixed_json(mixed) for mixed in report.mixtures],
        "oracle": report.oracle and {"n": report.oracle.n, "right": report.oracle.right, "cost": report.oracle.cost},
        "frontier": [summary.name for summary in report.frontier],
        "slices": {value: [_summary_json(one) for one in many] for value, many in report.slices.items()},
        "judges": [
            {"judges": [one.one, one.other], "n": one.n, "agreed": one.agreed, "kappa": one.kappa}
            for one in report.judges
        ],
        "spent": report.spent,
        "notes": list(report.notes),
    }


def _summary_json(summary: Summary) -> dict[str, Json]:
    return {
        "name": summary.name,
        "single": summary.single,
        "runs": summary.runs,
        "graded": summary.graded,
        "right": summary.right,
        "failed": summary.failed,
        "accuracy": _interval_json(summary.accuracy),
        "cost": summary.cost and _interval_json(summary.cost),
        "calls": summary.calls,
        "prompt_tokens": summary.prompt_tokens,
        "completion_tokens": summary.completion_tokens,
        "latency": summary.latency and {f"p{round(at * 100)}": seconds for at, seconds in summary.latency.items()},
    }


def _comparison_json(comparison: Comparison) -> dict[str, Json]:
    pairs = comparison.pairs
    return {
        "name": comparison.name,
        "baseline": comparison.baseline,
        "n": pairs.n,
        "only_it": pairs.only_first,
        "only_baseline": pairs.only_second,
        "difference": _interval_json(pairs.difference),
        "p": pairs.p,
        "cost_ratio": comparison.cost and _interval_json(comparison.cost),
    }


def _mixed_json(mixed: Mixed) -> dict[str, Json]:
    return {
        "name": mixed.name,
        "mix": [mixed.cheaper, mixed.dearer],
        "share": mixed.share,
        "n": mixed.n,
        "accuracy": mixed.accuracy,
        "difference": _interval_json(mixed.difference),
    }


def _interval_json(interval: Interval) -> list[float | None]:
    """Value, low, high; none where a bound is unknown."""
    return [value if abs(value) != float("inf") else None for value in (interval.value, interval.low, interval.high)]
