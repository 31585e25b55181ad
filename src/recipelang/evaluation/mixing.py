"""What two single models asked at random would bring for the same money: who can't beat that has routed nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from recipelang.evaluation.outcomes import Outcome
from recipelang.quick import dataclass
from recipelang.statistics import Interval, mean

Point = tuple[float, float]
"""A cost and an accuracy."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """A contestant against the best mix of two single models that costs as much as it does, on the same items."""

    name: str
    cheaper: str
    dearer: str
    share: float  # of the items that the dearer one is asked
    n: int
    accuracy: float  # of the mix
    difference: Interval  # of the contestant to it


def mixed_of(name: str, outcomes: Sequence[Outcome], singles: Mapping[str, Sequence[Outcome]]) -> Mixed | None:
    """None where no mix costs as little, or where a cost is unknown.

    The interval is by the delta method: it counts in that the cost of both is an estimate too.
    """
    own = {outcome.item: outcome for outcome in outcomes if outcome.is_graded}
    others = {single: {each.item: each for each in found if each.is_graded} for single, found in singles.items()}
    items = [item for item in own if all(item in found for found in others.values())]
    columns = [[own[item] for item in items], *([found[item] for item in items] for found in others.values())]
    if len(items) < 2 or any(outcome.cost is None for column in columns for outcome in column):
        return None
    mine, *theirs = [_points(column) for column in columns]
    names = dict(zip(others, theirs, strict=True))
    cost = _mean(mine)[0]
    ends = _around(cost, {single: _mean(points) for single, points in names.items()})
    if ends is None:
        return None
    low, high = (names[end] for end in ends)
    gap = _mean(high)[0] - _mean(low)[0]
    share = min(1.0, (cost - _mean(low)[0]) / gap) if gap else 1.0
    rise = (_mean(high)[1] - _mean(low)[1]) / gap if gap and share < 1 else 0.0  # accuracy for a dollar
    differences = [
        (right - a_right) - share * (b_right - a_right) - rise * ((paid - a_paid) - share * (b_paid - a_paid))
        for (paid, right), (a_paid, a_right), (b_paid, b_right) in zip(mine, low, high, strict=True)
    ]
    accuracy = _mean(low)[1] + share * (_mean(high)[1] - _mean(low)[1])
    return Mixed(name, *ends, share, len(items), accuracy, _interval(differences))


def _interval(differences: Sequence[float]) -> Interval:
    """The mean, with the interval of Wald and one more of each kind of difference, as Bonett and Price have it for pairs."""
    wider = mean([*differences, 1.0, -1.0])
    return Interval(mean(differences).value, wider.low, wider.high)


def best_mixes(points: Mapping[str, Point]) -> list[str]:
    """The single models of which mixes of neighbours are best at their cost, cheapest first: the upper hull.

    >>> best_mixes({"a": (1, 0.5), "b": (2, 0.55), "c": (3, 0.9), "d": (4, 0.8)})
    ['a', 'c']
    """
    hull: list[str] = []
    for name in sorted(points, key=lambda name: (points[name][0], -points[name][1])):
        if hull and points[name][1] <= points[hull[-1]][1]:
            continue
        while len(hull) > 1 and _is_below(points[hull[-2]], points[hull[-1]], points[name]):
            hull.pop()
        hull.append(name)
    return hull


def _is_below(first: Point, middle: Point, last: Point) -> bool:
    """Whether the middle lies below the line from the first to the last, or on it."""
    return (middle[1] - first[1]) * (last[0] - first[0]) <= (last[1] - first[1]) * (middle[0] - first[0])


def _around(cost: float, points: Mapping[str, Point]) -> tuple[str, str] | None:
    """The two whose mix is the best at a cost; above all of them the last one alone."""
    hull = best_mixes(points)
    if not hull or cost < points[hull[0]][0]:
        return None
    for low, high in pairwise(hull):
        if cost <= points[high][0]:
            return low, high
    return hull[-1], hull[-1]


def _points(outcomes: Sequence[Outcome]) -> list[Point]:
    return [(outcome.cost or 0.0, float(outcome.is_right)) for outcome in outcomes]


def _mean(points: Sequence[Point]) -> Point:
    n = len(points)
    return math.fsum(cost for cost, _ in points) / n, math.fsum(right for _, right in points) / n
