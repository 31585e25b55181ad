"""Profiles from what has happened: traces and cassettes tell latencies, tokens, failures and how sure models were."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from recipelang.backends.cassettes import CassetteProblem, Recorded
from recipelang.backends.cassettes.document import parse_cassette
from recipelang.quick import dataclass
from recipelang.runtime.confidence import confidence
from recipelang.runtime.ports import BackendError, FailureKind, Reply
from recipelang.simulation.profiles import Profile, ProfileProblem, Profiles, Quantiles, Sureness

MOST_VALUES = 101
"""Values that a profile keeps of a quantity: its quantiles, where there are more."""


@dataclass(slots=True)
class Seen:
    """What was seen of a model."""

    latencies: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    failures: Counter[FailureKind] = field(default_factory=Counter)
    sure: list[float] = field(default_factory=list)

    def profile(self) -> Profile:
        calls = len(self.latencies) + self.failures.total()
        middle = fmean(self.sure) if self.sure else 0.0
        sureness = Sureness(round(middle, 6), round(middle, 6), round(pstdev(self.sure), 6)) if self.sure else None
        rates = tuple((kind, times / calls) for kind, times in self.failures.items())
        return Profile(_spread(self.latencies), _spread(self.tokens), failures=rates, confidence=sureness)


def fitted(paths: Sequence[str]) -> Profiles:
    """The profiles of all models in traces and cassettes; nobody there knows what is right. Raises `ProfileProblem`, `OSError`.

    Calls that were given up are left out: all that is known of them is that they would have taken longer.
    """
    models: dict[str, Seen] = defaultdict(Seen)
    for path in paths:
        text = Path(path).read_text(encoding="utf-8")
        trace = _trace(text)
        if trace is not None:
            _see_trace(trace, models)
            continue
        try:
            _see_cassette(parse_cassette(path, text), models)
        except CassetteProblem as problem:
            raise ProfileProblem(f"{path} is neither a trace nor a cassette") from problem
    return Profiles({name: seen.profile() for name, seen in models.items() if seen.latencies and seen.tokens})


def _trace(text: str) -> Mapping[str, Any] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    is_trace = isinstance(document, dict) and document.get("format") == "recipelang.trace"
    return document if is_trace else None


def _see_trace(trace: Mapping[str, Any], models: dict[str, Seen]) -> None:
    for event in trace["events"]:
        if event["kind"] == "call_end":
            models[event["model"]].latencies.append(event["latency"])
            models[event["model"]].tokens.append(event["completion_tokens"])
        elif event["kind"] == "call_failed" and event["failure"] in set(FailureKind):
            models[event["model"]].failures[FailureKind(event["failure"])] += 1


def _see_cassette(recorded: Recorded, models: dict[str, Seen]) -> None:
    for call in recorded.calls:
        if "model" not in call.asked:
            continue
        seen = models[call.asked["model"]]
        match call.outcome:
            case Reply(usage=usage, logprobs=logprobs):
                seen.latencies.append(call.seconds)
                if usage is not None:
                    seen.tokens.append(usage.completion_tokens)
                sure = confidence(logprobs)
                if sure is not None:
                    seen.sure.append(sure)
            case BackendError(kind=kind):
                seen.failures[kind] += 1
            case _:
                pass


def _spread(values: Sequence[float]) -> Quantiles:
    whole = Quantiles(tuple(sorted(values)))
    if len(values) <= MOST_VALUES:
        return whole
    return Quantiles(tuple(whole.at(place / (MOST_VALUES - 1)) for place in range(MOST_VALUES)))
