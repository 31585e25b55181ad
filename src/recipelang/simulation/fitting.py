"""Profiles from what has happened: traces, cassettes and journals tell latencies, tokens, failures and how sure models were."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import fmean, pstdev
from typing import Any

from recipelang.backends.cassettes import CassetteProblem, Recorded
from recipelang.backends.cassettes.document import FORMAT, RecordedRun, parse_cassette, quantity
from recipelang.hosts.stores import lines_in
from recipelang.quick import dataclass, field
from recipelang.runtime.confidence import confidence
from recipelang.runtime.ports import BackendError, FailureKind, Reply, StoreProblem
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

    @property
    def calls(self) -> int:
        return len(self.latencies) + self.failures.total()

    def drawn_again(self, draw: Random) -> Seen:
        """As many calls, drawn from these."""
        ended: list[FailureKind | None] = [None] * len(self.latencies)
        ended += self.failures.elements()
        drawn = Counter(draw.choices(ended, k=self.calls))
        answered = drawn.pop(None, 0) or 1  # of no answers there is no profile

        def again(values: Sequence[float]) -> list[float]:
            return draw.choices(values, k=answered) if values else []

        failures = Counter({kind: times for kind, times in drawn.items() if kind is not None})
        return Seen(again(self.latencies), again(self.tokens), failures, again(self.sure))

    def profile(self) -> Profile:
        middle = fmean(self.sure) if self.sure else 0.0
        sureness = Sureness(round(middle, 6), round(middle, 6), round(pstdev(self.sure), 6)) if self.sure else None
        rates = tuple((kind, times / self.calls) for kind, times in self.failures.items())
        return Profile(_spread(self.latencies), _spread(self.tokens), failures=rates, confidence=sureness)


@dataclass(slots=True)
class History:
    """What is known of runs that were: how each model did, and what was asked."""

    models: dict[str, Seen] = field(default_factory=lambda: defaultdict(Seen))
    runs: list[RecordedRun] = field(default_factory=list)

    def profiles(self) -> Profiles:
        """Of all models that have answered; nobody here knows what is right."""
        known = {name: seen for name, seen in self.models.items() if seen.latencies and seen.tokens}
        return Profiles({name: seen.profile() for name, seen in known.items()})

    def drawn_again(self, draw: Random) -> History:
        """As many calls of each model, drawn from those that there were: what else might have been seen (the bootstrap)."""
        return History({name: seen.drawn_again(draw) for name, seen in self.models.items()}, self.runs)

    def of(self, model: str) -> Seen:
        """What was seen of a model, which may go by the name that it has in its own file."""
        return self.models.get(model) or self.models.get(model.rpartition(".")[2]) or Seen()


def fitted(paths: Sequence[str]) -> Profiles:
    """The profiles of all models in traces, cassettes and journals. Raises `ProfileProblem`, `OSError`."""
    return history_in(paths).profiles()


def history_in(paths: Sequence[str]) -> History:
    """What traces, cassettes and journals tell. Raises `ProfileProblem`, `OSError`.

    Calls that were given up are left out: all that is known of them is that they would have taken longer. So are those that were never sent.
    """
    history = History()
    for path in paths:
        content = Path(path).read_bytes()
        if content.startswith(b"SQLite format 3"):
            _see_journal(path, history)
        else:
            _see_text(path, content, history)
    return history


def _see_journal(path: str, history: History) -> None:
    try:
        runs = lines_in(path)
    except StoreProblem as problem:
        raise ProfileProblem(str(problem)) from problem
    for name, lines in runs:
        _see_cassette(f"{path}: the run `{name}`", "".join(lines), history)


def _see_text(path: str, content: bytes, history: History) -> None:
    text = content.decode(errors="replace")
    trace = _trace(text)
    if trace is not None:
        _see_trace(path, trace, history)
    elif FORMAT in text.partition("\n")[0]:
        _see_cassette(path, text, history)
    else:
        raise ProfileProblem(f"{path} is neither a trace nor a cassette nor a journal")


def _see_trace(path: str, trace: Mapping[str, Any], history: History) -> None:
    try:
        _see_events(trace["events"], history.models)
    except (LookupError, TypeError, ValueError, AttributeError) as problem:
        raise ProfileProblem(f"{path} is a damaged trace: {type(problem).__name__}: {problem}") from problem


def _see_cassette(name: str, text: str, history: History) -> None:
    try:
        _see_calls(parse_cassette(name, text), history)
    except CassetteProblem as problem:
        raise ProfileProblem(str(problem)) from problem


def _trace(text: str) -> Mapping[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_trace = isinstance(document, dict) and document.get("format") == "recipelang.trace"
    return document if is_trace else None


def _see_events(events: Sequence[Mapping[str, Any]], models: dict[str, Seen]) -> None:
    for event in events:
        if event["kind"] == "call_end" and not event.get("cached"):
            models[event["model"]].latencies.append(quantity(event["latency"]))
            models[event["model"]].tokens.append(quantity(event["completion_tokens"]))
        elif event["kind"] == "call_failed" and event["failure"] in set(FailureKind) and event.get("sent", True):
            models[event["model"]].failures[FailureKind(event["failure"])] += 1


def _see_calls(recorded: Recorded, history: History) -> None:
    history.runs += recorded.runs
    for call in recorded.calls:
        model = call.asked.get("model")
        if not isinstance(model, str):
            continue
        seen = history.models[model]
        match call.outcome:
            case Reply(usage=usage, logprobs=logprobs, cached=False):
                seen.latencies.append(call.seconds)
                if usage is not None:
                    seen.tokens.append(usage.completion_tokens)
                sure = confidence(logprobs)
                if sure is not None:
                    seen.sure.append(sure)
            case BackendError(kind=kind, sent=True):
                seen.failures[kind] += 1
            case _:
                pass


def _spread(values: Sequence[float]) -> Quantiles:
    whole = Quantiles(tuple(sorted(values)))
    if len(values) <= MOST_VALUES:
        return whole
    return Quantiles(tuple(whole.at(place / (MOST_VALUES - 1)) for place in range(MOST_VALUES)))
