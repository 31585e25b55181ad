"""From a recipe and recorded runs to the recipe with fitted numbers, and what another half of the runs says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from recipelang.calibration.editing import spelled, with_comment, with_values
from recipelang.calibration.evidence import Asked, Came, Evidence, EvidenceProblem
from recipelang.calibration.fitting import Fit, Fitter
from recipelang.diagnostics.suggesting import nearest
from recipelang.evaluation.items import in_first_half
from recipelang.formatting.proving import formatted
from recipelang.hosts.reaching import models_of
from recipelang.quick import dataclass, replace
from recipelang.semantics.fittable import Unit, units
from recipelang.semantics.modules import Program
from recipelang.semantics.provenance import DIGITS, Fitted, Provenance, rest_of, written
from recipelang.source import Source
from recipelang.statistics import Interval, Paired, mean, paired, ratio
from recipelang.syntax.parser import parse

FEWEST = 100
"""Questions on each half, at least: with fewer a fitted number is chance."""


UNKNOWN = "0" * DIGITS
"""Stands for the digest of the rest until all is in its place."""


class CalibrationProblem(Exception):
    """What can't be calibrated; the message says why, and what would help."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the recipe comes to with the old numbers and the new, on questions that they were not fitted to."""

    n: int
    before: tuple[float, float]  # the share that is right, dollars a run
    after: tuple[float, float]
    pairs: Paired
    cost: Interval | None
    value: Interval  # what a question is worth more, in right answers

    @property
    def bears_out(self) -> bool:
        """Whether the new numbers may be as good: worse is only what is worse within its interval too."""
        return self.value.high >= 0

    @property
    def is_better(self) -> bool:
        """Whether they are better, with 95 % confidence."""
        return self.value.low > 0


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The text with the fitted numbers and where they come from, and how they fare on the other half."""

    text: str
    fits: Sequence[tuple[Unit, Sequence[Fit]]]
    n: int
    held_out: HeldOut


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be fitted, to what, and what is said of it."""

    source: Source
    names: Sequence[str]  # none: what was calibrated before
    compiled: Callable[[str], Asked | None]
    program: Callable[[str], Program]
    evidence: Evidence
    worth: float
    data: str
    digest: str
    today: date
    days: int
    seed: int = 0


def calibrated(task: Task) -> Calibrated:
    """Fit on the first half, hold to the second; raises `CalibrationProblem` and `EvidenceProblem`."""
    first = [question for question in task.evidence.questions if in_first_half(question)]
    second = [question for question in task.evidence.questions if not in_first_half(question)]
    if min(len(first), len(second)) < FEWEST:
        raise CalibrationProblem(
            f"too few questions: {len(first)} to fit and {len(second)} to hold it to, and each takes {FEWEST} at least"
        )
    asked = task.compiled(task.source.text)
    if asked is None:
        raise CalibrationProblem(f"{task.source.name} does not go with these runs")
    fitter = Fitter(task.evidence, task.compiled, first, task.worth, task.seed)
    text, fits = task.source.text, []
    for name in _names(task):
        text, found = _fitted(fitter, text, name)
        fits += found
    noted = _laid_out(task.source, _noted(task, asked, text, fits, len(first)))
    after = task.compiled(text)
    if after is None:
        raise CalibrationProblem("with the fitted numbers this is no recipe any more: fit fewer of them at a time")
    held_out = _held_out(task.evidence.outcomes(asked, second), task.evidence.outcomes(after, second), task.worth)
    return Calibrated(noted, fits, len(first), held_out)


def _laid_out(before: Source, text: str) -> str:
    """In the one layout where the file was: a number of another length may break or join lines."""
    if formatted(before, lambda _: None) != before.text:
        return text
    return formatted(Source(before.name, text), lambda _: None) or text


def fittable(source: Source) -> list[Unit]:
    """All numbers of a file that can be fitted."""
    return list(units(parse(source, lambda _: None)))


def _names(task: Task) -> list[str]:
    """The names to fit, one after the other."""
    known = list(dict.fromkeys(unit.name for unit in fittable(task.source)))
    if not known:
        raise CalibrationProblem(
            f"{task.source.name} has no numbers to fit: there are none in its bands, signals, parameters and steps"
        )
    if task.names:
        for name in task.names:
            if name not in known:
                near = nearest(name, known)
                raise CalibrationProblem(
                    f"there is nothing to fit called `{name}`{f', did you mean `{near}`?' if near else ''}; there is {', '.join(known)}"
                )
        return list(task.names)
    file = parse(task.source, lambda _: None)
    before = {slot.node.span.start for each in written(task.source, file) for slot in each.slots}
    names = dict.fromkeys(
        unit.name for unit in units(file) if any(slot.node.span.start in before for slot in unit.slots)
    )
    if not names:
        raise CalibrationProblem(f"nothing was calibrated before: `--fit` says what is; there is {', '.join(known)}")
    return list(names)


def _fitted(fitter: Fitter, text: str, name: str) -> tuple[str, list[tuple[Unit, list[Fit]]]]:
    """The text with the numbers of a name fitted: what is expected of arms all together, the others unit by unit."""
    found: list[tuple[Unit, list[Fit]]] = []
    mine = [unit for unit in fittable(Source("<recipe>", text)) if unit.name == name]
    arms = [unit for unit in mine if unit.arm is not None]
    if arms:
        fits = fitter.estimates(text, arms)
        numbers = [slot.node for unit in arms for slot in unit.slots]
        found += [(unit, [fits[slot.node.span.start] for slot in unit.slots]) for unit in arms]
        text = with_values(text, numbers, {at: fit.value for at, fit in fits.items()})
    for place, unit in enumerate(unit for unit in mine if unit.arm is None):
        now = [each for each in fittable(Source("<recipe>", text)) if each.name == name and each.arm is None][place]
        text, fits = fitter.search(text, now)
        found.append((unit, [fits[slot.node.span.start] for slot in now.slots]))
    return text, found


def _noted(task: Task, asked: Asked, text: str, fits: Sequence[tuple[Unit, Sequence[Fit]]], n: int) -> str:
    """The text with a comment above each unit; the digest of the rest comes last, when all is in its place."""
    models = tuple(sorted(asked.plan.models[name].id for name in models_of(asked.plan, asked.entry)))
    blank = Provenance((), task.data, task.digest, n, task.today, task.days, models, UNKNOWN)
    for where, fit in _comments(fits).items():
        unit = _unit_at(text, where)
        text = with_comment(text, unit, replace(blank, numbers=tuple(map(_told, fit))))
    program = task.program(text)
    noted = written(program.root.source, program.root.file)
    mine = {(unit.name, unit.arm) for unit, _ in fits}
    for each in sorted(noted, key=lambda each: -each.span.start):
        if each.provenance.rest == UNKNOWN:
            rest = rest_of(program, each.recipe, noted)
            whole = program.root.source.text[each.span.start : each.span.end]
            text = text[: each.span.start] + whole.removesuffix(UNKNOWN) + rest + text[each.span.end :]
    if sum(each.provenance.rest == UNKNOWN for each in noted) < len(_comments(fits)):
        raise CalibrationProblem(
            f"a comment above {', '.join(sorted(name for name, _ in mine))} would not belong to it alone: `recipelang fmt` first"
        )
    return text


def _comments(fits: Iterable[tuple[Unit, Sequence[Fit]]]) -> dict[tuple[str, int | None], list[Fit]]:
    """The fits below one comment: the parameters of a recipe stand together."""
    found: dict[tuple[str, int | None], list[Fit]] = {}
    firsts: dict[int, tuple[str, int | None]] = {}
    for unit, each in fits:
        key = firsts.setdefault(unit.start, (unit.name, unit.arm))
        found.setdefault(key, []).extend(each)
    return found


def _unit_at(text: str, where: tuple[str, int | None]) -> Unit:
    return next(unit for unit in fittable(Source("<recipe>", text)) if (unit.name, unit.arm) == where)


def _told(fit: Fit) -> Fitted:
    kind = fit.slot.node.kind
    return Fitted(fit.slot.label, *(spelled(value, kind) for value in (fit.value, fit.low, fit.high)))


def _held_out(before: Sequence[Came], after: Sequence[Came], worth: float) -> HeldOut:
    value = [(new.right - old.right) - (new.cost - old.cost) / worth for old, new in zip(before, after, strict=True)]
    return HeldOut(
        len(before),
        _summed(before),
        _summed(after),
        paired([each.right for each in after], [each.right for each in before]),
        ratio([each.cost for each in after], [each.cost for each in before]),
        mean(value),
    )


def _summed(came: Sequence[Came]) -> tuple[float, float]:
    return sum(each.right for each in came) / len(came), sum(each.cost for each in came) / len(came)


__all__ = ["Calibrated", "CalibrationProblem", "EvidenceProblem", "HeldOut", "Task", "calibrated", "fittable"]
