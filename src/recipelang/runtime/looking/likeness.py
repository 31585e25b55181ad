"""Likeness of texts: by their words and triples of characters or, where an encoder is installed, by what they mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from recipelang.ir.labels import WORDS
from recipelang.quick import dataclass
from recipelang.runtime.looking.encoder import cosine, has_encoder, vector_of, vectors_of
from recipelang.runtime.looking.texts import UNSPACED_ONE, WORD, ends_of, folded, shortened
from recipelang.runtime.members import text_of
from recipelang.runtime.values import Answer, Request

Texts = tuple[str, ...]
_LITTLE = 0.3
"""Likeness below which two contrasts say little."""


def similar(examples: Texts, of: str, by: str = WORDS) -> float:
    return max(likenesses(examples, of, by), default=0.0)


def similar_found(examples: Texts, of: str, by: str = WORDS) -> Texts:
    """The example that is nearest."""
    found = likenesses(examples, of, by)
    at = max(range(len(found)), key=found.__getitem__, default=None)
    return () if at is None or found[at] <= 0 else (examples[at],)


def contrast(hard: Texts, easy: Texts, of: str, by: str = WORDS) -> float:
    one, other = similar(hard, of, by), similar(easy, of, by)
    return min(1.0, max(0.0, 0.5 + 0.5 * (one - other) / max(one + other, _LITTLE)))


def contrast_found(hard: Texts, easy: Texts, of: str, by: str = WORDS) -> Texts:
    return similar_found((*hard, *easy), of, by)


def similarity(a: Answer | str, b: Answer | str, by: str = WORDS) -> float:
    one, other = (what.text if isinstance(what, Answer) else what for what in (a, b))
    if has_encoder(by):
        return cosine(vector_of(one), vector_of(other))
    words, others = (set(WORD.findall(text.casefold())) for text in (one, other))
    return len(words & others) / len(words | others) if words or others else 1.0


def measured_by(given: Mapping[str, object]) -> str:
    """By what likeness is measured here for these arguments: the encoder that the plan names or, without it, words."""
    by = str(given.get("by", WORDS))
    return "" if by == WORDS else by if has_encoder(by) else f"words, for want of {by}"


def prepare(given: Mapping[str, object]) -> None:
    """Look at the examples among some arguments now, and not in the middle of a request."""
    if has_encoder(str(given.get("by", WORDS))):
        for examples in given.values():
            if isinstance(examples, tuple) and examples:
                vectors_of(examples)


def reask(what: Request, turns: int = 1, by: str = WORDS) -> float:
    before = _asked_before(what, turns, by)
    return min(before)[0] if before else 0.0


def reask_found(what: Request, turns: int = 1, by: str = WORDS) -> Texts:
    """The messages before, where the last one is like them."""
    return tuple(shortened(text) for likeness, text in _asked_before(what, turns, by) if likeness > 0)


def _asked_before(what: Request, turns: int, by: str) -> list[tuple[float, str]]:
    """So many messages of the user before the last one, each with how like it is; none where there are fewer."""
    said = [text for message in what.messages if message.role == "user" and (text := text_of(message)).strip()]
    if len(said) <= turns:
        return []
    last, before = said[-1], said[-turns - 1 : -1]
    if has_encoder(by):
        return [(cosine(vector_of(last), vector_of(text)), text) for text in before]
    return [(_overlap(_grams_of_text(last), _grams_of_text(text)), text) for text in before]


def likenesses(examples: Texts, of: str, by: str) -> tuple[float, ...]:
    """Of each example how like the text is to it."""
    return _likenesses(examples, of, by if has_encoder(by) else WORDS)


@lru_cache(maxsize=64)
def _likenesses(examples: Texts, of: str, by: str) -> tuple[float, ...]:
    """The same, kept for a while, since a policy asks for the nearest in several ways."""
    if not examples:
        return ()
    if by != WORDS:
        vector = vector_of(of)
        return tuple(cosine(vector, row) for row in vectors_of(examples))
    return _Examples.prepared(examples).likenesses(_grams_of_text(of))


# ----------------------------------------------------------------- by words


def _grams(text: str) -> frozenset[str]:
    """The words of a text and their triples of characters; of writings without blanks, the pairs."""
    found: set[str] = set()
    for word in set(WORD.findall(folded(text))):
        padded = f" {word} "
        size = 2 if UNSPACED_ONE.search(word) else 3
        found.update([padded[at : at + size] for at in range(len(padded) - size + 1)])
        found.add(word)
    return frozenset(found)


@lru_cache(maxsize=16)
def _grams_of_text(text: str) -> frozenset[str]:
    return _grams(ends_of(text))


@dataclass(frozen=True, slots=True)
class _Examples:
    """Examples as they are compared with many texts: each of their grams with those that have it."""

    having: Mapping[str, tuple[int, ...]]
    roots: tuple[float, ...]  # of the sizes of their grams

    @classmethod
    @lru_cache(maxsize=512)
    def prepared(cls, examples: Texts) -> _Examples:
        having: dict[str, list[int]] = {}
        grams = [_grams(example) for example in examples]
        for at, own in enumerate(grams):
            for gram in own:
                having.setdefault(gram, []).append(at)
        return cls({gram: tuple(those) for gram, those in having.items()}, tuple(math.sqrt(len(own)) for own in grams))

    def likenesses(self, grams: frozenset[str]) -> tuple[float, ...]:
        """The cosine of the sets of grams, for each example."""
        shared = [0] * len(self.roots)
        for gram in self.having.keys() & grams:
            for at in self.having[gram]:
                shared[at] += 1
        root = math.sqrt(len(grams))
        return tuple([same / (root * own) if same else 0.0 for same, own in zip(shared, self.roots, strict=True)])


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The cosine of two sets."""
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0
