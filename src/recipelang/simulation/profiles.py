"""Profiles of models: how long they take, how often they fail, how much they say, how often they are right; as a TOML file."""

from __future__ import annotations

import json
import math
import re
import tomllib
from bisect import bisect
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

from recipelang.quick import dataclass, field
from recipelang.runtime.ports import FailureKind

NORMAL = NormalDist()
_P95 = NORMAL.inv_cdf(0.95)


RIGHT, MANY_WRONG = "ANSWER: right", "ANSWER: wrong {}"
"""How answers end, unless a profile says something else."""


class ProfileProblem(ValueError):
    """A file that is no profile of models, or one that lacks a model; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A quantity that is spread as these values are, which are in order: one, for one that is always the same."""

    values: tuple[float, ...]

    def at(self, share: float) -> float:
        """The value that so large a share of all are below."""
        place = share * (len(self.values) - 1)
        low = int(place)
        high = min(low + 1, len(self.values) - 1)
        return self.values[low] + (self.values[high] - self.values[low]) * (place - low)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A quantity whose logarithm is spread normally: most are near the median, and a few are far above it."""

    median: float
    p95: float

    def at(self, share: float) -> float:
        width = math.log(self.p95 / self.median) / _P95
        return self.median * math.exp(width * NORMAL.inv_cdf(min(max(share, 1e-9), 1 - 1e-9)))


Spread = Quantiles | LogNormal


@dataclass(frozen=True, slots=True)
class Sureness:
    """The mean confidence of right and of wrong answers, and the standard deviation of either."""

    right: float
    wrong: float
    spread: float = 0.1


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a model. `judges`: where it is shown right answers and wrong ones, how often it sides with the right."""

    latency: Spread  # seconds
    tokens: Spread  # of completion
    correct: float | None = None
    failures: tuple[tuple[FailureKind, float], ...] = ()
    confidence: Sureness | None = None
    judges: float | None = None

    def failing(self, share: float) -> FailureKind | None:
        """How the call fails that has this place among all calls, from 0 to 1."""
        bounds, total = [], 0.0
        for _, rate in self.failures:
            total += rate
            bounds.append(total)
        place = bisect(bounds, share)
        return self.failures[place][0] if place < len(self.failures) else None


@dataclass(frozen=True, slots=True)
class Profiles:
    """Models by their names. `correlation`: how alike models are in what they get right, from 0 to 1; `repeats`: the same
    for two answers of one model; `alike`: how often a wrong answer is the one that other wrong answers are.
    `right` is how a right answer ends, and `wrong` how wrong ones do: where none is said, there are very many."""

    models: Mapping[str, Profile] = field(default_factory=dict)
    correlation: float = 0.0
    repeats: float = 0.0
    alike: float = 0.0
    right: str = RIGHT
    wrong: tuple[str, ...] = ()

    def concluded(self, text: str) -> list[str]:
        """What is concluded in a text, by one answer or by several that it shows."""
        wrong = "|".join(map(re.escape, self.wrong)) or MANY_WRONG.format(r"\d+")
        return re.findall(f"{re.escape(self.right)}|{wrong}", text)

    def wrong_answer(self, number: int) -> str:
        return self.wrong[number % len(self.wrong)] if self.wrong else MANY_WRONG.format(number)

    def of(self, name: str) -> Profile:
        if name in self.models:
            return self.models[name]
        short = name.rpartition(".")[2]
        if short in self.models:
            return self.models[short]
        raise ProfileProblem(f"there is no profile of `{name}`; there are {', '.join(self.models) or 'none'}")

    def over(self, other: Profiles) -> Profiles:
        """These, and those of the other for what is not here."""
        return Profiles(
            {**other.models, **self.models}, self.correlation, self.repeats, self.alike, self.right, self.wrong
        )


def read_profiles(name: str, text: str) -> Profiles:
    """Raises `ProfileProblem`."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ProfileProblem(f"{name} is no TOML: {problem}") from problem
    reading = _Reading(name)
    reading.only(told, "the file", ("models", "correlation", "repeats", "alike", "right", "wrong"))
    correlation = reading.share(told.get("correlation", 0.0), "correlation")
    repeats = reading.share(told.get("repeats", correlation), "repeats")
    if repeats < correlation:
        raise reading.problem(
            "`repeats` is less than `correlation`: a model is at least as much like itself as like others"
        )
    models = {
        model: reading.profile(model, its) for model, its in reading.table(told.get("models", {}), "models").items()
    }
    right, wrong = told.get("right", RIGHT), told.get("wrong", [])
    if not all(isinstance(one, str) and one for one in (right, *wrong)) or right in wrong or isinstance(wrong, str):
        raise reading.problem("`right` is a text, and `wrong` a list of others")
    return Profiles(models, correlation, repeats, reading.share(told.get("alike", 0.0), "alike"), right, tuple(wrong))


@dataclass(frozen=True, slots=True)
class _Reading:
    name: str

    def problem(self, why: str) -> ProfileProblem:
        return ProfileProblem(f"{self.name}: {why}")

    def only(self, told: Mapping[str, Any], what: str, known: Sequence[str]) -> None:
        for key in told:
            if key not in known:
                raise self.problem(f"{what} has no `{key}`; it may have {', '.join(known)}")

    def table(self, told: Any, what: str) -> Mapping[str, Any]:
        if not isinstance(told, Mapping):
            raise self.problem(f"`{what}` is no table")
        return told

    def number(self, told: Any, what: str) -> float:
        if isinstance(told, bool) or not isinstance(told, int | float) or not 0 <= told < math.inf:
            raise self.problem(f"`{what}` is {told!r}, and is a number that is not below 0")
        return float(told)

    def share(self, told: Any, what: str) -> float:
        value = self.number(told, what)
        if value > 1:
            raise self.problem(f"`{what}` is {told!r}, and is a share from 0 to 1")
        return value

    def profile(self, model: str, told: Any) -> Profile:
        its = self.table(told, model)
        self.only(its, f"`{model}`", ("latency", "tokens", "correct", "failures", "confidence", "judges"))
        for needed in ("latency", "tokens"):
            if needed not in its:
                raise self.problem(f"`{model}` has no `{needed}`")
        return Profile(
            self.spread(its["latency"], f"{model}.latency"),
            self.spread(its["tokens"], f"{model}.tokens"),
            self.share(its["correct"], f"{model}.correct") if "correct" in its else None,
            self.failures(its.get("failures", {}), f"{model}.failures"),
            self.sureness(its["confidence"], f"{model}.confidence") if "confidence" in its else None,
            self.share(its["judges"], f"{model}.judges") if "judges" in its else None,
        )

    def spread(self, told: Any, what: str) -> Spread:
        match told:
            case {"median": median, "p95": p95} if len(told) == 2:
                middle, high = self.number(median, f"{what}.median"), self.number(p95, f"{what}.p95")
                if not 0 < middle <= high:
                    raise self.problem(f"`{what}`: the median is above 0, and not above the p95")
                return LogNormal(middle, high)
            case {"values": [_, *_] as values} if len(told) == 1:
                return Quantiles(tuple(sorted(self.number(value, what) for value in values)))
            case {}:
                raise self.problem(f"`{what}` is a number, {{ median, p95 }}, or {{ values = [...] }}")
            case _:
                return Quantiles((self.number(told, what),))

    def failures(self, told: Any, what: str) -> tuple[tuple[FailureKind, float], ...]:
        rates = []
        for kind, rate in self.table(told, what).items():
            if kind not in set(FailureKind):
                raise self.problem(f"`{what}` has no `{kind}`; calls fail by {', '.join(FailureKind)}")
            rates.append((FailureKind(kind), self.share(rate, f"{what}.{kind}")))
        if sum(rate for _, rate in rates) > 1:
            raise self.problem(f"`{what}` are more than all calls")
        return tuple(rates)

    def sureness(self, told: Any, what: str) -> Sureness:
        its = self.table(told, what)
        self.only(its, f"`{what}`", ("right", "wrong", "spread"))
        values = {key: self.share(value, f"{what}.{key}") for key, value in its.items()}
        if not {"right", "wrong"} <= values.keys():
            raise self.problem(f"`{what}` says how sure the model is when it is `right` and when it is `wrong`")
        return Sureness(**values)


def profiles_as_toml(profiles: Profiles) -> str:
    """The file that says the same."""
    lines = [f"correlation = {profiles.correlation}", f"repeats = {profiles.repeats}", f"alike = {profiles.alike}"]
    lines += [f"right = {json.dumps(profiles.right)}", f"wrong = {json.dumps(profiles.wrong)}"]
    for name, profile in profiles.models.items():
        lines += ["", f"[models.{json.dumps(name)}]", f"latency = {_spread(profile.latency)}"]
        lines.append(f"tokens = {_spread(profile.tokens)}")
        lines += [f"{key} = {value}" for key in ("correct", "judges") if (value := getattr(profile, key)) is not None]
        if profile.failures:
            rates = ", ".join(f"{kind} = {rate:.6g}" for kind, rate in profile.failures)
            lines.append(f"failures = {{ {rates} }}")
        if profile.confidence is not None:
            sure = profile.confidence
            lines.append(f"confidence = {{ right = {sure.right}, wrong = {sure.wrong}, spread = {sure.spread} }}")
    return "\n".join(lines) + "\n"


def _spread(spread: Spread) -> str:
    match spread:
        case LogNormal(median, p95):
            return f"{{ median = {median:.6g}, p95 = {p95:.6g} }}"
        case Quantiles((value,)):
            return f"{value:.6g}"
        case Quantiles(values):
            return f"{{ values = [{', '.join(f'{value:.6g}' for value in values)}] }}"
