"""How sure a measurement is: intervals for shares, for differences of pairs and for ratios of costs, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipelang.quick import dataclass

Z = 1.959963984540054
"""Standard deviations that 95 % of a normal distribution lie within."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value, and between what it lies with 95 % confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Paired:
    """Two contestants on the same items: for how many only the first was right, only the second, and all there are."""

    only_first: int
    only_second: int
    n: int

    @property
    def difference(self) -> Interval:
        """First less second, by Bonett and Price (2012): the interval of Wald, with one more of each kind of difference.

        >>> Paired(30, 10, 100).difference.value
        0.2
        """
        if not self.n:
            return Interval(0.0, -1.0, 1.0)
        one, other = (self.only_first + 1) / (self.n + 2), (self.only_second + 1) / (self.n + 2)
        middle = one - other
        spread = Z * math.sqrt(max(0.0, one + other - middle * middle) / (self.n + 2))
        value = (self.only_first - self.only_second) / self.n
        return Interval(value, max(-1.0, middle - spread), min(1.0, middle + spread))

    @property
    def p(self) -> float:
        """How likely so great a difference is where there is none: McNemar's test, exact.

        >>> Paired(5, 0, 10).p
        0.0625
        """
        both = self.only_first + self.only_second
        fewer = min(self.only_first, self.only_second)
        logs = (math.lgamma(both + 1) - math.lgamma(k + 1) - math.lgamma(both - k + 1) for k in range(fewer + 1))
        return min(1.0, round(2 * math.fsum(math.exp(log - both * math.log(2)) for log in logs), 12))


def paired(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    both = list(zip(first, second, strict=True))
    return Paired(sum(a and not b for a, b in both), sum(b and not a for a, b in both), len(both))


def share(right: int, n: int) -> Interval:
    """A share, with the interval of Wilson.

    >>> round(share(8, 10).low, 6), round(share(8, 10).high, 6)
    (0.490162, 0.943318)
    """
    if not n:
        return Interval(0.0, 0.0, 1.0)
    value, square = right / n, Z * Z
    middle = (value + square / (2 * n)) / (1 + square / n)
    spread = Z * math.sqrt(value * (1 - value) / n + square / (4 * n * n)) / (1 + square / n)
    return Interval(value, max(0.0, middle - spread), min(1.0, middle + spread))


def mean(values: Sequence[float]) -> Interval:
    """A mean, with the interval of a normal distribution; of one value nothing is known of its spread."""
    n = len(values)
    middle = math.fsum(values) / n
    if n < 2:
        return Interval(middle, -math.inf, math.inf)
    spread = Z * math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (n - 1) / n)
    return Interval(middle, middle - spread, middle + spread)


def ratio(first: Sequence[float], second: Sequence[float]) -> Interval | None:
    """The mean of the first over the mean of the second, of pairs, by the delta method; none where the second is 0."""
    n = len(first)
    if n < 2 or not any(second):
        return None
    top, bottom = math.fsum(first) / n, math.fsum(second) / n
    value = top / bottom
    rest = math.fsum((a - value * b) ** 2 for a, b in zip(first, second, strict=True)) / (n - 1)
    spread = Z * math.sqrt(rest / n) / bottom
    return Interval(value, max(0.0, value - spread), value + spread)


def quantile(values: Sequence[float], at: float) -> float:
    """The value below which so great a share lies, between neighbours in proportion.

    >>> quantile([1.0, 2.0, 4.0], 0.75)
    3.0
    """
    ordered = sorted(values)
    place = at * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def kappa(first: Sequence[bool], second: Sequence[bool]) -> float | None:
    """Cohen's kappa: how far two judges agree beyond chance; none where chance alone would make them agree.

    >>> kappa([True, True, False, False], [True, False, False, False])
    0.5
    """
    n = len(first)
    if not n:
        return None
    seen = sum(a == b for a, b in zip(first, second, strict=True)) / n
    yes_first, yes_second = sum(first) / n, sum(second) / n
    chance = yes_first * yes_second + (1 - yes_first) * (1 - yes_second)
    return None if chance == 1 else (seen - chance) / (1 - chance)
