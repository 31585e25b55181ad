"""Recipes with slips in them: tokens and lines of recipes of the corpus left out, doubled, swapped, or taken from another."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

TOKEN = re.compile(r'r?"""[\s\S]*?"""|r?"[^"\n]*"|#[^\n]*|\$?\d[\w.%]*|\w+|\s+|[<>=!-]=|[-=]>|\.\.|.', re.DOTALL)
STRANGE = (
    "\0",
    "\ufeff",
    "漢",
    "\x1b",
    "{{",
    "{% if x %}",
    "9" * 400,
    "1e9",
    "(" * 70,
    '"""',
    "none",
    "it",
    "request",
    "?",
)


def tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


def mutations(texts: Sequence[str], seed: int, count: int) -> Iterator[str]:
    """`count` texts, each made of one of `texts` by one to four slips; the same for the same seed."""
    dice = random.Random(seed)
    spares = [token for text in texts for token in tokens(text) if token.strip()]
    for _ in range(count):
        text = dice.choice(texts)
        for _ in range(dice.randint(1, 4)):
            text = _slip(text, spares, dice)
        yield text


def _slip(text: str, spares: list[str], dice: random.Random) -> str:
    by_line = dice.random() < 0.2
    parts = text.splitlines(keepends=True) if by_line else tokens(text)
    if not parts:
        return dice.choice(spares)
    here, there = dice.randrange(len(parts)), dice.randrange(len(parts))
    match dice.randrange(6):
        case 0:
            del parts[here]
        case 1:
            parts.insert(here, parts[there])
        case 2:
            parts[here], parts[there] = parts[there], parts[here]
        case 3:
            parts[here] = dice.choice(spares)
        case 4:
            parts[here] = dice.choice(STRANGE)
        case _:
            parts.insert(here, dice.choice(spares))
    return "".join(parts)
