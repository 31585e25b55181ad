"""A long text cut into pieces of about the same size, between paragraphs, lines or words where there are any near."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.ir.sizing import PIECE_SLACK

_BREAKS = (b"\n\n", b"\n", b" ")
_CONTINUES = 0b1000_0000  # how a byte of UTF-8 begins that goes on with a character


def pieces(text: str, n: int) -> Iterator[str]:
    """At most `n` pieces that make up the text; none is longer than `PIECE_SLACK` times its share, and a character.

    >>> list(pieces("one two three four", 2))
    ['one two ', 'three four']
    """
    data = text.encode("utf-8", "surrogatepass")
    share = len(data) / n
    ends = [_cut(data, round(share * number), int(share * (PIECE_SLACK - 1) / 2)) for number in range(1, n)]
    start = 0
    for end in [*ends, len(data)]:
        if end > start:
            yield data[start:end].decode("utf-8", "surrogatepass")
            start = end
    if not data:
        yield text


def _cut(data: bytes, wanted: int, slack: int) -> int:
    """The best place for a cut near the one that is wanted: after a break, or else before a character."""
    for mark in _BREAKS:
        before = data.rfind(mark, max(0, wanted - slack), wanted)
        after = data.find(mark, wanted, wanted + slack)
        found = [place + len(mark) for place in (before, after) if place >= 0]
        if found:
            return min(found, key=lambda place: abs(place - wanted))
    while 0 < wanted < len(data) and data[wanted] & 0b1100_0000 == _CONTINUES:
        wanted -= 1
    return wanted
