"""From an evaluation to its report: whom all are compared with, and how often a single model may be asked for the same money."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from recipelang.evaluation.mixing import Mixed, mixed_of
from recipelang.evaluation.outcomes import Outcome
from recipelang.evaluation.running import Contestant, Evaluation
from recipelang.evaluation.summing import (
    Report,
    Summary,
    agreement_of,
    comparison_of,
    oracle_of,
    summary_of,
)

MOST_SAMPLES = 16


def report_of(
    evaluation: Evaluation, data: str, baseline: str | None, field: str | None, notes: Sequence[str]
) -> Report:
    found = {contestant.name: evaluation.outcomes(contestant) for contestant in evaluation.contestants}
    singles = [contestant.name for contestant in evaluation.contestants if contestant.single]
    summaries = [summary_of(name, outcomes, single=name in singles) for name, outcomes in found.items()]
    against = _baseline(baseline, summaries)
    others = [name for name in found if name != against] if against is not None else []
    missing = len(evaluation.items) * len(found) - sum(map(len, found.values()))
    if evaluation.stopped:
        notes = [*notes, f"Stopped, {missing} runs short: {evaluation.stopped}."]
    return Report(
        f"Evaluation on {data}: {len(evaluation.items)} questions",
        summaries,
        [comparison_of(name, found[name], str(against), found[str(against)]) for name in others],
        oracle_of([found[name] for name in singles]),
        _sliced(evaluation, found, field),
        field,
        agreement_of([outcome for outcomes in found.values() for outcome in outcomes]),
        math.fsum(outcome.cost or 0.0 for outcomes in found.values() for outcome in outcomes),
        notes,
        _mixtures(found, singles),
    )


def _mixtures(found: Mapping[str, Sequence[Outcome]], singles: Sequence[str]) -> list[Mixed]:
    """Each recipe against a mix of single models, where there are two of these at least."""
    alone = {name: found[name] for name in singles}
    mixes = (mixed_of(name, outcomes, alone) for name, outcomes in found.items() if name not in alone)
    return [mixed for mixed in mixes if mixed is not None] if len(alone) > 1 else []


def _baseline(wanted: str | None, summaries: Sequence[Summary]) -> str | None:
    """The one that was asked for, or the best single model, or the first; none where there is nobody to compare."""
    names = [summary.name for summary in summaries]
    for name in (wanted, f"single {wanted}"):
        if name in names:
            return name
    if len(names) < 2:
        return None
    singles = [summary for summary in summaries if summary.single]
    return max(singles, key=lambda summary: summary.accuracy.value).name if singles else names[0]


def _sliced(evaluation: Evaluation, found: dict[str, list[Outcome]], field: str | None) -> dict[str, list[Summary]]:
    if field is None:
        return {}
    values = {item.id: item.slice(field) for item in evaluation.items}
    return {
        value: [
            summary_of(name, [outcome for outcome in outcomes if values[outcome.item] == value])
            for name, outcomes in found.items()
        ]
        for value in sorted(set(values.values()))
    }


def equal_cost(evaluation: Evaluation, single: Contestant) -> tuple[int, str]:
    """How often a model can be asked for what the dearest recipe costs, and words for it; below 2 it makes no vote."""
    costs = {
        contestant.name: summary_of(contestant.name, evaluation.outcomes(contestant)).cost
        for contestant in evaluation.contestants
        if not contestant.single
    }
    own = summary_of(single.name, evaluation.outcomes(single)).cost
    known = [(cost.value, name) for name, cost in costs.items() if cost is not None]
    if own is None or not own.value or not known:
        return 0, f"How often {single.name} could be asked for the same money is unknown: a cost is."
    most, dearest = max(known)
    times = min(MOST_SAMPLES, round(most / own.value))
    if times < 2:
        return times, f"{dearest} costs less than two calls of {single.name}: its vote with itself has no equal cost."
    return times, f"{single.name} is asked {times} times for about what {dearest} costs."
