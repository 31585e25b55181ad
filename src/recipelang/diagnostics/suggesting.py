"""The name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one known name that is closest to `name`; none where nothing is close, or two are equally so.

    Close is one slip for every three letters: a letter more, less, another, or two in the wrong order.

    >>> nearest("slover", ["solver", "judge"])
    'solver'
    >>> nearest("m1", ["m2", "m3"]) is None
    True
    """
    most = min(3, len(name) // 3)
    distances: dict[str, int] = {}
    for other in known:
        if other != name and abs(len(other) - len(name)) <= most:
            distances[other] = _slips(name, other)
    least = min(distances.values(), default=most + 1)
    closest = [other for other, distance in distances.items() if distance == least]
    return closest[0] if least <= most and len(closest) == 1 else None


def _slips(one: str, other: str) -> int:
    """How many slips turn one word into the other (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, row = row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before = above
    return row[-1]
