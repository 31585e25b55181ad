"""Abstract values: what can be said of a value before a run, as an upper bound."""

from __future__ import annotations

import math

from recipelang.ir.certificate import Linear
from recipelang.quick import dataclass

NOTHING = Linear()


@dataclass(frozen=True, slots=True)
class Number:
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, slots=True)
class Words:
    """A text, by its greatest size in bytes of UTF-8; `text` where it is known to be that one."""

    size: Linear = NOTHING
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """A bool: true, false, or none where both may be."""

    value: bool | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """An answer: its greatest size as it is quoted, the completion tokens of its role, and the models it may be of."""

    size: int
    max_tokens: int
    models: frozenset[str] | None  # none: any


@dataclass(frozen=True, slots=True)
class Models:
    """A model: one of these; none: any."""

    names: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Contracts:
    repair: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list of at most `high` items, each below `item`; `exact` are the items where they are known one by one."""

    low: int
    high: float
    item: Abstract
    exact: tuple[Abstract, ...] | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """A record. `size` is how large it is quoted where a model made it; `built`: the recipe may have made it."""

    fields: tuple[tuple[str, Abstract], ...]
    size: int | None = None  # none: no model did
    built: bool = True


@dataclass(frozen=True, slots=True)
class Plans:
    """A plan of at most `steps` tasks for some of these workers (none: any), quoted in at most `size` bytes."""

    workers: frozenset[str] | None
    steps: float
    size: Linear


@dataclass(frozen=True, slots=True)
class Nothing:
    """The value `none`."""


@dataclass(frozen=True, slots=True)
class Other:
    """Nothing that grows, and of which nothing is known."""


Abstract = Number | Words | Truth | Nothing | Answers | Models | Contracts | Items | Fields | Plans | Other


def join(one: Abstract, other: Abstract) -> Abstract:
    """What both are below."""
    match one, other:
        case Number(low, high), Number(low2, high2):
            return Number(min(low, low2), max(high, high2))
        case Words(size, text), Words(size2, text2):
            return Words(size.join(size2), text if text == text2 else None)
        case Truth(value), Truth(value2):
            return Truth(value if value == value2 else None)
        case Nothing(), Nothing():
            return Nothing()
        case Answers(), Answers():
            return Answers(
                max(one.size, other.size), max(one.max_tokens, other.max_tokens), _either(one.models, other.models)
            )
        case Models(names), Models(names2):
            return Models(_either(names, names2))
        case Contracts(repair), Contracts(repair2):
            return Contracts(max(repair, repair2))
        case Items(), Items():
            if one.high == 0 or other.high == 0:
                longer = other if one.high == 0 else one
                return Items(0, longer.high, longer.item)
            exact = one.exact if one.exact == other.exact else None
            return Items(min(one.low, other.low), max(one.high, other.high), join(one.item, other.item), exact)
        case Fields(fields, size), Fields(fields2, size2):
            others = dict(fields2)
            joined = tuple((name, join(value, others.get(name, value))) for name, value in fields)
            sizes = [known for known in (size, size2) if known is not None]
            return Fields(joined, max(sizes, default=None), one.built or other.built)
        case Plans(), Plans():
            return Plans(_either(one.workers, other.workers), max(one.steps, other.steps), one.size.join(other.size))
        case ((Nothing() | Other() | Truth()), _):
            return perhaps(other)
        case _:
            return perhaps(one)


def perhaps(value: Abstract) -> Abstract:
    """The same where it may be none instead, or something else: how large it is still holds, what it is does not."""
    match value:
        case Words(size):
            return Words(size)
        case Fields(fields, size, built):
            return Fields(tuple((name, perhaps(inside)) for name, inside in fields), size, built)
        case Nothing() | Other() | Truth():
            return Truth()
        case _:
            return value


def told(value: Abstract, size: int) -> Abstract:
    """The same where a model said it, of which no text is quoted past `size` bytes."""
    match value:
        case Words(text):
            return Words(Linear(min(size, text.constant)))
        case Items(low, high, item):
            return Items(low, high, told(item, size))
        case Fields(fields):
            return Fields(tuple((name, told(inside, size)) for name, inside in fields), size, built=False)
        case _:
            return value


def given_by_host(value: Abstract, size: int) -> Abstract:
    """The same where a function of the host gave it: of each text `size` bytes are quoted, and a record field by field."""
    match value:
        case Words(text):
            return Words(Linear(min(size, text.constant)))
        case Items(low, high, item):
            return Items(low, high, given_by_host(item, size))
        case Fields(fields):
            return Fields(tuple((name, given_by_host(inside, size)) for name, inside in fields))
        case _:
            return value


def _either(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return None if one is None or other is None else one | other
