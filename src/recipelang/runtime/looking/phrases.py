"""Phrases in a text: as whole words, in any case, in order, mistyped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from recipelang.ir.patterns import PatternSet, pattern_set, quoted
from recipelang.runtime.looking.texts import UNIT, UNSPACED_ONE, WORD, ends_of, folded, folded_once

Texts = tuple[str, ...]


def keywords(phrases: Texts, of: str, fuzzy: int = 0, within: bool = False) -> bool:
    return next(keywords_found(phrases, of, fuzzy, within), None) is not None


def keywords_found(phrases: Texts, of: str, fuzzy: int = 0, within: bool = False) -> Iterator[str]:
    text = folded_once(of)
    wanted, looked_for = _prepared(phrases)
    there = {at for at in looked_for.found_in(text) if within or next(_places(wanted[at], text), None) is not None}
    words = set(WORD.findall(ends_of(text))) if fuzzy > 0 else set()
    for at, phrase in enumerate(phrases):
        if (at in there and wanted[at]) or (fuzzy > 0 and _nearly(WORD.findall(wanted[at]), words, text, fuzzy)):
            yield phrase


def frequency(phrases: Texts, of: str) -> float:
    text = folded_once(of)
    wanted, looked_for = _prepared(phrases)
    units = len(UNIT.findall(text))
    found = sum(1 for at in looked_for.found_in(text) for _ in _places(wanted[at], text))
    return min(1.0, found / units) if units else 0.0


def frequency_found(phrases: Texts, of: str) -> Iterator[str]:
    return keywords_found(phrases, of)


def words(of: str) -> int:
    return len(UNIT.findall(folded_once(of)))


def ordered(phrases: Texts, of: str) -> bool:
    text, at = folded_once(of), 0
    for phrase in _prepared(phrases)[0]:
        place = next(_places(phrase, text, at), None)
        if place is None:
            return False
        at = place + len(phrase)
    return bool(phrases)


def ordered_found(phrases: Texts, of: str) -> Texts:
    return phrases if ordered(phrases, of) else ()


@lru_cache(maxsize=512)
def _prepared(phrases: Texts) -> tuple[Texts, PatternSet]:
    """Phrases as they are looked for, and what finds those of them that may be there in one pass."""
    wanted = tuple(map(folded, phrases))
    return wanted, pattern_set(tuple(map(quoted, wanted)))


def _places(phrase: str, text: str, at: int = 0) -> Iterator[int]:
    """Where a phrase stands in a text as whole words; of writings without blanks, anywhere."""
    if not phrase:
        return
    while (at := text.find(phrase, at)) >= 0:
        end = at + len(phrase)
        if not _goes_on(text[at - 1 : at], phrase[0]) and not _goes_on(phrase[-1], text[end : end + 1]):
            yield at
        at += 1


def _goes_on(before: str, after: str) -> bool:
    """Whether two characters are of one word."""
    both = before + after
    return len(both) == 2 and all(c.isalnum() or c == "_" for c in both) and not UNSPACED_ONE.search(both)


# ---------------------------------------------------------------- mistyped


def _nearly(wanted: Sequence[str], words: set[str], text: str, edits: int) -> bool:
    """Whether words stand there that so many edits make the wanted ones."""
    if not wanted or not all(any(_edits(one, other, edits) <= edits for other in words) for one in wanted):
        return False  # a word of the phrase is nowhere near any: what most phrases come to
    said = WORD.findall(ends_of(text))
    return any(_runs(wanted, said[at : at + len(wanted)], edits) for at in range(len(said) - len(wanted) + 1))


def _runs(wanted: Sequence[str], said: Sequence[str], edits: int) -> bool:
    left = edits
    for one, other in zip(wanted, said, strict=True):
        left -= _edits(one, other, left)
        if left < 0:
            return False
    return True


def _edits(one: str, other: str, most: int) -> int:
    """How many edits make one word the other, or `most` and one where they are more; two neighbours in the wrong order are one."""
    if one == other:
        return 0
    if abs(len(one) - len(other)) > most or len(one) > 40 or len(one) <= most:
        return most + 1
    older: list[int] = []
    row = list(range(len(other) + 1))
    for i, c in enumerate(one, 1):
        newer = [i]
        for j, d in enumerate(other, 1):
            cost = min(row[j] + 1, newer[j - 1] + 1, row[j - 1] + (c != d))
            if older and j > 1 and c == other[j - 2] and d == one[i - 2]:
                cost = min(cost, older[j - 2] + 1)
            newer.append(cost)
        if min(newer) > most and min(row) > most:
            return most + 1
        older, row = row, newer
    return min(row[-1], most + 1)
