"""Fits numbers: what arms are expected to bring by least squares, all other numbers by what comes of the whole recipe."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from recipelang.calibration.editing import spelled, with_values
from recipelang.calibration.evidence import Asked, Came, Evidence, EvidenceProblem, Weighed
from recipelang.calibration.regression import Singular, least_squares
from recipelang.ir.plan import ESTIMATES
from recipelang.quick import dataclass, field
from recipelang.semantics.fittable import Slot, Unit
from recipelang.statistics import Z, quantile
from recipelang.syntax import nodes

Kind = nodes.NumberKind
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0)  # fmt: skip
"""Where a threshold on a share is looked for: nearer to each other where confidence is high."""
FACTORS = (0.1, 0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 4.0, 10.0)
MOST_CASES = 20
BETWEEN = 4
"""Further places on each side of the best, in the second look."""
SCALES = (1.0, 0.5, 0.25)
"""What numbers are multiplied by where what is expected is clamped at them: it is linear in them, so that any will do."""
RESAMPLES = 300


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted number, and between what it lies with 95 % confidence."""

    slot: Slot
    value: float
    low: float
    high: float


@dataclass
class Fitter:
    """Fits the numbers of one text; `compiled` gives none for a text that is no recipe, which is then no candidate."""

    evidence: Evidence
    compiled: Callable[[str], Asked | None]
    questions: Sequence[str]
    worth: float  # dollars that one more right answer is worth
    seed: int = 0
    seen: dict[str, list[Came] | None] = field(default_factory=dict)

    # ------------------------------------------------------- what is expected

    def estimates(self, text: str, units: Sequence[Unit]) -> dict[int, Fit]:
        """The numbers of what the arms of one `choose` are expected to bring and to take."""
        step = units[0].name.rpartition(".")[2]
        asked = self._asked(text)
        wanted = {unit.arm: self.evidence.alone(asked, step, unit.arm or 0, self.questions) for unit in units}
        parts = [part for unit in units for part in _parts(unit)]
        values = {slot.node.span.start: float(slot.node.value) for part in parts for slot in part.slots}
        anchor, base = self._anchored(text, step, parts, values)
        columns = self._columns(text, step, parts, anchor, base)
        return {at: fit for part in parts for at, fit in _solved(part, columns[part], wanted[part.arm], anchor).items()}

    def _anchored(
        self, text: str, step: str, parts: Sequence[_Part], values: dict[int, float]
    ) -> tuple[dict[int, float], list[Weighed]]:
        """Numbers at which what is expected still moves with them, and what it is there: what was clamped does not."""
        tried: list[tuple[int, dict[int, float], list[Weighed]]] = []
        for scale in SCALES:
            scaled = {at: value * scale for at, value in values.items()}
            base = self.evidence.weighed(self._asked(self._with(text, parts, scaled)), step, self.questions)
            if not any(base):
                raise EvidenceProblem(f"`{step}` never weighs its arms: `by` says what they are compared by")
            clamped = sum(arm.get("quality") in (0, 1) for each in base for arm in each.values())
            tried.append((clamped, scaled, base))
            if not clamped:
                break
        _, anchor, base = min(tried, key=lambda each: each[0])
        return anchor, base

    def _with(self, text: str, parts: Sequence[_Part], values: dict[int, float]) -> str:
        return with_values(text, [slot.node for part in parts for slot in part.slots], values)

    def _columns(
        self,
        text: str,
        step: str,
        parts: Sequence[_Part],
        values: dict[int, float],
        base: Sequence[Weighed],
    ) -> dict[_Part, list[tuple[float | None, list[float]]]]:
        """What each part comes to for each question, and how fast it grows with each of its numbers."""
        columns: dict[_Part, list[tuple[float | None, list[float]]]] = {
            part: [((each.get(part.arm) or {}).get(part.attribute), []) for each in base] for part in parts
        }
        for place in range(max(len(part.slots) for part in parts)):
            moved = dict(values)
            for part in parts:
                if place < len(part.slots):
                    slot = part.slots[place]
                    moved[slot.node.span.start] = _moved(values[slot.node.span.start], slot.node.kind)
            other = self.evidence.weighed(self._asked(self._with(text, parts, moved)), step, self.questions)
            for part in parts:
                if place < len(part.slots):
                    at = part.slots[place].node
                    by = _shown(moved, at) - _shown(values, at)
                    for (value, grows), weighed in zip(columns[part], other, strict=True):
                        after = (weighed.get(part.arm) or {}).get(part.attribute)
                        grows.append(0.0 if value is None or after is None else (after - value) / by)
        return columns

    # ------------------------------------------------------------- the others

    def search(self, text: str, unit: Unit) -> tuple[str, dict[int, Fit]]:
        """The numbers of a unit with which the recipe is worth most, one after the other, and the text with them."""
        numbers = [slot.node for slot in unit.slots]
        values = {node.span.start: float(node.value) for node in numbers}
        found: dict[int, Fit] = {}
        for _ in range(1 if len(numbers) == 1 else 2):
            for slot in unit.slots:
                fit = self._best(text, numbers, values, slot)
                found[slot.node.span.start] = fit
                values[slot.node.span.start] = fit.value
        return with_values(text, numbers, values), found

    def _best(self, text: str, numbers: Sequence[nodes.Number], values: dict[int, float], slot: Slot) -> Fit:
        at = slot.node.span.start

        def worth(value: float) -> list[float] | None:
            came = self._came(with_values(text, numbers, {**values, at: value}))
            return None if came is None else [each.right - each.cost / self.worth for each in came]

        tried: dict[float, list[float]] = {}
        for candidates in (_candidates(slot, values[at]), None):
            places = candidates if candidates is not None else _between(slot, tried)
            for value in places:
                shown = _as_written(value, slot.node.kind)
                if shown not in tried and (found := worth(shown)) is not None:
                    tried[shown] = found
        if len(tried) < 2:
            raise EvidenceProblem(f"`{slot.label}` has no other value with which this is a recipe")
        low, high = _spread(tried, self.seed)
        return Fit(slot, _middle(tried, values[at]), low, high)

    def _came(self, text: str) -> list[Came] | None:
        if text not in self.seen:
            asked = self.compiled(text)
            self.seen[text] = None if asked is None else self.evidence.outcomes(asked, self.questions)
        return self.seen[text]

    def _asked(self, text: str) -> Asked:
        asked = self.compiled(text)
        if asked is None:
            raise EvidenceProblem("with other numbers this is no recipe: put the sum into `clamp(...)`")
        return asked


@dataclass(frozen=True)
class _Part:
    """The numbers of one thing that is expected of one arm."""

    arm: int
    attribute: str
    slots: tuple[Slot, ...]


def _parts(unit: Unit) -> list[_Part]:
    named = {name: tuple(s for s in unit.slots if s.label.split()[0] == name) for name in ESTIMATES}
    return [_Part(unit.arm or 0, name, slots) for name, slots in named.items() if slots]


def _solved(
    part: _Part,
    columns: Sequence[tuple[float | None, list[float]]],
    wanted: Sequence[Came | None],
    values: dict[int, float],
) -> dict[int, Fit]:
    """One step towards the numbers with which the part comes nearest to what came of the arm; none falls below 0."""
    kept = list(range(len(part.slots)))
    known = [
        (value, grows, _measured(came, part.attribute))
        for (value, grows), came in zip(columns, wanted, strict=True)
        if value is not None and came is not None
    ]
    if not known:
        raise EvidenceProblem(f"arm {part.arm + 1} applies to no question")
    starts = [slot.node.span.start for slot in part.slots]
    before = [values[start] for start in starts]
    weights, errors = [0.0] * len(before), [0.0] * len(before)
    while kept:
        rows = [[grows[at] for at in kept] for _, grows, _ in known]
        goal = [
            measured - value + sum(before[at] * grows[at] for at in range(len(before)))
            for value, grows, measured in known
        ]
        try:
            solved, spread = least_squares(rows, goal)
        except Singular as singular:
            label = part.slots[kept[singular.column]].label
            raise EvidenceProblem(
                f"`{label}` of arm {part.arm + 1} can't be fitted: what it weighs is the same for every question, or goes with another"
            ) from singular
        for at, weight, error in zip(kept, solved, spread, strict=True):
            weights[at], errors[at] = weight, error
        below = [at for at in kept if weights[at] < 0]
        if not below:
            break
        worst = min(below, key=lambda at: weights[at] / (errors[at] or 1e-9))
        kept.remove(worst)
        weights[worst] = 0.0
    return {
        start: Fit(slot, weight, max(0.0, weight - Z * error), weight + Z * error)
        for start, slot, weight, error in zip(starts, part.slots, weights, errors, strict=True)
    }


def _measured(came: Came, attribute: str) -> float:
    return {"quality": float(came.right), "cost": came.cost, "time": came.seconds}[attribute]


def _moved(value: float, kind: Kind) -> float:
    """Another value of an estimate, far enough that it shows in how it is written, and a share stays one."""
    less = value * 0.9
    if _as_written(less, kind) != _as_written(value, kind):
        return less
    return value + (0.05 if kind is Kind.FLOAT else 0.001 if kind is Kind.MONEY else 1.0)


def _shown(values: dict[int, float], node: nodes.Number) -> float:
    return _as_written(values[node.span.start], node.kind)


def _as_written(value: float, kind: Kind) -> float:
    """The value as it comes back from the text: rounded."""
    return float(spelled(value, kind).strip("$s"))


# -------------------------------------------------------------- candidates


def _candidates(slot: Slot, now: float) -> list[float]:
    if slot.node.kind is Kind.INT:
        high = min(slot.high, slot.low + MOST_CASES - 1)
        return [slot.low + step for step in range(int(high - slot.low) + 1)]
    if slot.high <= 1:
        return [now, *SHARES]
    return [now * factor for factor in FACTORS] if now else [0.0, 0.01, 0.1, 1.0]


def _between(slot: Slot, tried: dict[float, list[float]]) -> list[float]:
    """Places on both sides of the best so far."""
    if slot.node.kind is Kind.INT or not tried:
        return []
    ordered = sorted(tried)
    best = ordered.index(max(ordered, key=lambda value: sum(tried[value])))
    low, high = ordered[max(0, best - 1)], ordered[min(len(ordered) - 1, best + 1)]
    middle = ordered[best]
    steps = range(1, BETWEEN + 1)
    return [end + (middle - end) * step / (BETWEEN + 1) for end in (low, high) for step in steps]


def _middle(tried: dict[float, list[float]], now: float) -> float:
    """The best value; of several that are equally good the one that there was, else the middle one."""
    totals = {value: sum(worth) for value, worth in tried.items()}
    most = max(totals.values())
    best = sorted(value for value, total in totals.items() if total >= most - 1e-9)
    return now if now in best else best[len(best) // 2]


def _spread(tried: dict[float, list[float]], seed: int) -> tuple[float, float]:
    """Between what the best value lies, by drawing the questions again: 95 % of the draws, equally good ones included."""
    draw = random.Random(seed)
    values = sorted(tried)
    n = len(tried[values[0]])
    lows, highs = [], []
    for _ in range(RESAMPLES):
        drawn = draw.choices(range(n), k=n)
        totals = [sum(map(tried[value].__getitem__, drawn)) for value in values]
        best = [value for value, total in zip(values, totals, strict=True) if total >= max(totals) - 1e-9]
        lows.append(best[0])
        highs.append(best[-1])
    return quantile(lows, 0.025), quantile(highs, 0.975)
