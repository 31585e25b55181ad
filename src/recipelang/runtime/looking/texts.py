"""A text as it is looked at: folded once, whoever asks, and its ends where it is long."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from recipelang.runtime.values import encodable

LOOKED_AT = 8_000
"""Characters of a text that likeness, mistyped phrases and densities look at: its first half and its last."""
_AT_HAND = 16
"""Texts whose folded form is kept for the next one who asks: those of the requests under way, near enough."""
WORD = re.compile(r"\w+")
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
UNSPACED_ONE = re.compile(f"[{_UNSPACED}]")
UNIT = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
"""A word or, of a writing without blanks between words, a character."""


def folded(text: str) -> str:
    """One case, one form of each character, one blank between words."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", encodable(text)).replace("’", "'")
    return " ".join(text.casefold().split())


folded_once = lru_cache(maxsize=_AT_HAND)(folded)
"""The same, for texts that many look at."""


def ends_of(text: str, most: int = LOOKED_AT) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}\n{text[-(most // 2) :]}"


def shortened(text: str, most: int = 60) -> str:
    """The text as one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
