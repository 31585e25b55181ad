"""What the built-in functions do, each as its line in `recipelang.ir.functions` says; pure and total."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from recipelang.ir.plan import Contract, Model
from recipelang.ir.sizing import HEADING_BYTES, PIECE_MARGIN, PIECE_SLACK
from recipelang.runtime import looking
from recipelang.runtime.confidence import confidence as confidence_of
from recipelang.runtime.contracts import extract
from recipelang.runtime.disclosures import PERSONAL, SECRET, given_away, gives_away, texts_of
from recipelang.runtime.gauging import LEFT
from recipelang.runtime.members import estimated_tokens
from recipelang.runtime.operators import StepFailed, finite
from recipelang.runtime.pieces import pieces
from recipelang.runtime.values import (
    Answer,
    Authored,
    Prospect,
    Request,
    Said,
    Task,
    TaskPlan,
    Value,
    byte_length,
    key_of,
    to_json,
)

Items = tuple[Value, ...]
OfItem = Callable[[Value], Value]  # an expression over `it`
Number = int | float
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,9})?")
"""A number as programs write it; of no length that takes time to read."""


def _itself(item: Value) -> Value:
    return item


# -------------------------------------------------------------------- lists


def size(xs: Items) -> int:
    return len(xs)


def count(xs: Items, where: OfItem) -> int:
    return sum(1 for item in xs if where(item))


def first(xs: Items) -> Value:
    return _some(xs, "first")[0]


def last(xs: Items) -> Value:
    return _some(xs, "last")[-1]


def take(xs: Items, n: int) -> Items:
    return xs[: max(0, n)]


def best(xs: Items, by: OfItem) -> Value:
    return max(_some(xs, "best"), key=_rank(by))


def worst(xs: Items, by: OfItem) -> Value:
    return min(_some(xs, "worst"), key=_rank(by))


def sort(xs: Items, by: OfItem, descending: bool = False) -> Items:
    return tuple(sorted(xs, key=_rank(by), reverse=descending))


def top(xs: Items, n: int, by: OfItem) -> Items:
    return sort(xs, by, descending=True)[: max(0, n)]


def unique(xs: Items, by: OfItem = _itself) -> Items:
    seen: dict[Hashable, Value] = {}
    for item in xs:
        seen.setdefault(key_of(by(item)), item)
    return tuple(seen.values())


def shuffled(xs: Items) -> Items:
    return tuple(sorted(xs, key=_digest))


def _digest(item: Value) -> bytes:
    """A key that only what an item is decides: for an answer its text."""
    return blake2b(json.dumps(to_json(item), sort_keys=True).encode(), digest_size=8).digest()


# ------------------------------------------------------------------ numbers


def mean(xs: Items, of: OfItem = _itself) -> float:
    numbers = _numbers(map(of, xs))
    return float(finite(sum(number / len(numbers) for number in numbers)))


def sum_of(xs: Items, of: OfItem = _itself) -> float:
    return float(finite(sum(_numbers(map(of, xs)))))


def least(*xs: Number) -> Number:
    return min(xs)


def greatest(*xs: Number) -> Number:
    return max(xs)


def clamp(x: Number, low: Number = 0, high: Number = 1) -> Number:
    return max(low, min(x, high))


def absolute(x: Number) -> Number:
    return abs(x)


def rounded(x: Number) -> int:
    return int(finite(round(x)))


def ceil(x: Number) -> int:
    return int(finite(math.ceil(x)))


def floor(x: Number) -> int:
    return int(finite(math.floor(x)))


# -------------------------------------------------------------------- texts


def lower(text: str) -> str:
    if isinstance(text, Said):
        return Said.of(text.lower(), text.limit)
    return Authored(text.lower()) if isinstance(text, Authored) else text.lower()


def contains(text: str, part: str) -> bool:
    return part in text


def chunks(text: str, n: int) -> Items:
    parts = pieces(text, n := max(1, n))
    if not isinstance(text, Said):
        return tuple(parts)
    shown = int(text.limit * PIECE_SLACK / n) + PIECE_MARGIN  # of each its share of what is shown of the whole
    return tuple(Said.of(part, shown) for part in parts)


def estimate_tokens(text: str) -> int:
    return estimated_tokens(byte_length(text))


def number(text: str | None) -> float | None:
    told = "" if text is None else text.strip()
    return finite(float(told)) if _NUMBER.fullmatch(told) else None


def pii(what: Request | Answer | str) -> bool:
    return any(gives_away(PERSONAL, text) for text in texts_of(what))


def secrets(what: Request | Answer | str) -> bool:
    return any(gives_away(SECRET, text) for text in texts_of(what))


def pii_found(what: Request | Answer | str) -> Iterable[str]:
    return (found for text in texts_of(what) for found in given_away(PERSONAL, text))


def secrets_found(what: Request | Answer | str) -> Iterable[str]:
    return (found for text in texts_of(what) for found in given_away(SECRET, text))


# ------------------------------------------------------------------ answers


def matches(what: Answer | str, form: Contract) -> bool:
    return extract(form, _text(what)).valid


def agreement(xs: Items, key: OfItem) -> float:
    counts: dict[Hashable, int] = {}
    for _, voted in _votes(xs, key):
        counts[voted] = counts.get(voted, 0) + 1
    return max(counts.values()) / len(xs) if counts else 0.0


def decided(xs: Items, key: OfItem, of: int) -> bool:
    counts = Counter(voted for _, voted in _votes(xs, key)).most_common(2)
    if not counts:
        return False
    runner_up = counts[1][1] if len(counts) > 1 else 0
    return counts[0][1] > runner_up + max(0, of - len(xs))


def majority(xs: Items, key: OfItem) -> Value:
    return weighted_vote(xs, key, lambda _: 1)


def weighted_vote(xs: Items, key: OfItem, weight: OfItem) -> Value:
    _some(xs, "weighted_vote")
    votes = _votes(xs, key)
    if not votes:
        return xs[0]
    weights = _weights([item for item, _ in votes], weight)
    totals: dict[Hashable, Number] = {}
    for (_, voted), heavy in zip(votes, weights, strict=True):
        totals[voted] = finite(totals.get(voted, 0) + heavy)
    winner = max(totals, key=totals.__getitem__)
    return max(
        ((item, heavy) for (item, voted), heavy in zip(votes, weights, strict=True) if voted == winner),
        key=lambda vote: vote[1],
    )[0]


def confidence(answer: Answer, measure: str = "hybrid", missing: float | None = None) -> float:
    found = confidence_of(answer.logprobs, measure)
    return (missing or 0.0) if found is None else found


# ------------------------------------------------------------------- models


def cheapest(models: tuple[Model, ...]) -> Model:
    return min(_some(models, "cheapest"), key=_expense)


def strongest(models: tuple[Model, ...]) -> Model:
    return max(_some(models, "strongest"), key=lambda model: -math.inf if model.rating is None else model.rating)


# -------------------------------------------------------------------- plans


def single_task(worker: Model, instruction: str) -> TaskPlan:
    shown = byte_length(worker.name) + HEADING_BYTES + instruction.limit if isinstance(instruction, Said) else None
    return TaskPlan((Task("task", instruction, worker),), shown)


WORDS: dict[str, Callable[..., Iterable[str]]] = {
    "keywords": looking.keywords_found,
    "frequency": looking.frequency_found,
    "ordered": looking.ordered_found,
    "regex": looking.regex_found,
    "occurrences": looking.occurrences_found,
    "density": looking.density_found,
    "constraints": looking.constraints_found,
    "demanded_form": looking.demanded_form_found,
    "similar": looking.similar_found,
    "contrast": looking.contrast_found,
    "domain": looking.domain_found,
    "reask": looking.reask_found,
    "injection": looking.injection_found,
    "pii": pii_found,
    "secrets": secrets_found,
}
"""For functions that look for something in a text, what finds the words that made them say so."""
# -------------------------------------------------------- arms of a `choose`


def expected_quality(arm: Prospect) -> float:
    return arm.read("quality") or 0.0


def expected_cost(arm: Prospect) -> float | None:
    return arm.read("cost")


def expected_time(arm: Prospect) -> float:
    return arm.read("time") or 0.0


MEANS: dict[str, Callable[[Mapping[str, object]], str]] = {
    "language": lambda given: looking.told_by(),
    **dict.fromkeys(("domain", "similar", "contrast", "reask"), looking.measured_by),
}
"""For functions whose value hangs on what is installed, what they go by here; empty where nothing could be in its place."""
IMPLEMENTATIONS: dict[str, Callable[..., Any]] = {  # Any: each has its own signature
    "healthy": lambda of: True,  # outside of a run nobody watches
    "load": lambda of: None,
    "kv_cache": lambda of: None,
    "latency": lambda of: None,
    **dict.fromkeys(LEFT, lambda: None),  # outside of a run nothing limits it
    "expected_quality": expected_quality,
    "expected_cost": expected_cost,
    "expected_time": expected_time,
    "keywords": looking.keywords,
    "frequency": looking.frequency,
    "ordered": looking.ordered,
    "regex": looking.regex,
    "occurrences": looking.occurrences,
    "words": looking.words,
    "messages": looking.messages,
    "density": looking.density,
    "constraints": looking.constraints,
    "demanded_form": looking.demanded_form,
    "language": looking.language,
    "domain": looking.domain,
    "similar": looking.similar,
    "contrast": looking.contrast,
    "reask": looking.reask,
    "injection": looking.injection,
    "size": size,
    "shuffled": shuffled,
    "chunks": chunks,
    "decided": decided,
    "pii": pii,
    "secrets": secrets,
    "single_task": single_task,
    "count": count,
    "first": first,
    "last": last,
    "take": take,
    "best": best,
    "worst": worst,
    "sort": sort,
    "top": top,
    "unique": unique,
    "mean": mean,
    "sum": sum_of,
    "min": least,
    "max": greatest,
    "clamp": clamp,
    "abs": absolute,
    "round": rounded,
    "ceil": ceil,
    "floor": floor,
    "lower": lower,
    "contains": contains,
    "estimate_tokens": estimate_tokens,
    "number": number,
    "matches": matches,
    "similarity": looking.similarity,
    "agreement": agreement,
    "majority": majority,
    "weighted_vote": weighted_vote,
    "confidence": confidence,
    "cheapest": cheapest,
    "strongest": strongest,
}

# ---------------------------------------------------- what they are made of


def _some(xs: tuple[Any, ...], function: str) -> tuple[Any, ...]:  # Any: items of whatever type came in
    if not xs:
        raise StepFailed(f"`{function}` has nothing to choose from: the list is empty")
    return xs


def _rank(by: OfItem) -> Callable[[Value], tuple[int, Any]]:
    """A key that sorts any values: none before numbers before texts before what has no order."""

    def rank(item: Value) -> tuple[int, Any]:
        value = by(item)
        if value is None:
            return (0, 0)
        if isinstance(value, (int, float)):
            return (1, value)
        return (2, value) if isinstance(value, str) else (3, 0)

    return rank


def _numbers(values: Iterable[Value]) -> Sequence[Number]:
    """The numbers among some values; absent ones are left out."""
    return [value for value in values if isinstance(value, (int, float))]


def _votes(xs: Items, key: OfItem) -> list[tuple[Value, Hashable]]:
    """The items that vote, each with the key it votes for."""
    keyed = ((item, key(item)) for item in xs)
    return [(item, key_of(voted)) for item, voted in keyed if voted is not None]


def _weights(items: Sequence[Value], weight: OfItem) -> list[Number]:
    """The weights of the items; one that is absent is the mean of the others, or 1 where there are none."""
    given = [weight(item) for item in items]
    known = _numbers(given)
    stand_in = finite(sum(number / len(known) for number in known)) if known else 1
    return [value if isinstance(value, (int, float)) else stand_in for value in given]


def _text(what: Answer | str) -> str:
    return what.text if isinstance(what, Answer) else what


def _expense(model: Model) -> tuple[bool, float, float]:
    if model.price is None:
        return (True, 0.0, 0.0)
    return (False, model.price.output, model.price.input)
