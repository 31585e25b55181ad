"""Which words make a phrase count where a profile ranks phrases by BM25: each phrase is a document, and the request asks for it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

K1, B = 1.2, 0.75
_WORDS = """
i me my myself we our ours ourselves you your yours yourself he him his himself she her hers herself it its
itself they them their theirs themselves what which who whom this that these those am is are was were be
been being have has had having do does did doing a an the and but if or because as until while of at by for
with about against between into through during before after above below to from up down in out on off over
under again further then once here there when where why how all any both each few more most other some such
no nor not only own same so than too very s t can will just don should now
"""
STOP = frozenset(_WORDS.split())
"""Words that mean nothing to it."""
_ENDINGS = ("ations", "ation", "ings", "ing", "ions", "ion", "ers", "ies", "ed", "er", "es", "e", "s", "y")
FORMS = "(?:s|es|d|ed|e|er|ers|ing|ings|ion|ions|ation|ations|y|ies)?"
"""What may follow a stem."""
_WORD = re.compile(r"[a-z0-9']+")


def stems(phrase: str) -> list[str]:
    """The words of a phrase that mean something, without their endings."""
    return [_stem(word) for word in _WORD.findall(phrase.lower()) if word not in STOP]


def enough(phrases: list[str], threshold: float) -> Iterator[tuple[str, list[str]]]:
    """Of each phrase those stems of which each by itself gives it a score that is enough."""
    documents = [stems(phrase) for phrase in phrases]
    longest = sum(map(len, documents)) / len(documents) if documents else 0
    holding = Counter(stem for document in documents for stem in set(document))
    for phrase, document in zip(phrases, documents, strict=True):
        counted = Counter(document)
        yield (
            phrase,
            [
                stem
                for stem in counted
                if _score(counted[stem], holding[stem], len(documents), len(document) / longest) >= threshold
            ],
        )


def _score(times: int, holding: int, documents: int, length: float) -> float:
    rare = math.log(1 + (documents - holding + 0.5) / (holding + 0.5))
    return rare * times * (K1 + 1) / (times + K1 * (1 - B + B * length))


def _stem(word: str) -> str:
    bare = word.removesuffix("'s")
    for ending in _ENDINGS:
        if bare.endswith(ending) and len(bare) - len(ending) >= 3 and not bare.endswith("ss"):
            return bare.removesuffix(ending)
    return bare
