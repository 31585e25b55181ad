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
    near = _looked_for(phrases, within).found_in(text)
    there = {at for at in near if within or next(_places(folded(phrases[at]), text), None) is not None}
    words = set(WORD.findall(ends_of(text))) if fuzzy > 0 else set()
    for at, phrase in enumerate(phrases):
        if at in there or (fuzzy > 0 and _nearly(WORD.findall(folded(phrase)), words, text, fuzzy)):
            yield phrase


def frequency(phrases: Texts, of: str) -> float:
    text = folded_once(of)
    units = len(UNIT.findall(text))
    found = sum(1 for at in _looked_for(phrases).found_in(text) for _ in _places(folded(phrases[at]), text))
    return min(1.0, found / units) if units else 0.0


def frequency_found(phrases: Texts, of: str) -> Iterator[str]:
    return keywords_found(phrases, of)


def words(of: str) -> int:
    return len(UNIT.findall(folded_once(of)))


def ordered(phrases: Texts, of: str) -> bool:
    text, at = folded_once(of), 0
    for phrase in map(folded, phrases):
        place = next(_places(phrase, text, at), None)
        if place is None:
            return False
        at = place + len(phrase)
    return bool(phrases)


def ordered_found(phrases: Texts, of: str) -> Texts:
    return phrases if ordered(phrases, of) else ()


@lru_cache(maxsize=512)
def _looked_for(phrases: Texts, within: bool = False) -> PatternSet:
    """What finds in one pass which of the phrases may be in a folded text: whole words as far as ASCII goes."""
    return pattern_set(tuple(_pattern(folded(phrase), within) for phrase in phrases))


def _pattern(phrase: str, within: bool) -> str:
    if not phrase:
        return _NOWHERE
    alone = not within
    before = _NO_WORD_BEFORE if alone and _is_of_a_word(phrase[0]) else ""
    after = _NO_WORD_AFTER if alone and _is_of_a_word(phrase[-1]) else ""
    return f"{before}{quoted(phrase)}{after}"


_NOWHERE = r"[^\x00-\x{10FFFF}]"
_NO_WORD_BEFORE = "(?:^|[^0-9a-z_])"
_NO_WORD_AFTER = "(?:$|[^0-9a-z_])"


def _is_of_a_word(character: str) -> bool:
    """Whether a word goes on at the character; a character of a writing without blanks is a word by itself."""
    return (character.isalnum() or character == "_") and not UNSPACED_ONE.match(character)


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
    return bool(before and after) and _is_of_a_word(before) and _is_of_a_word(after)


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
