"""Numbers put into a recipe's text, and the comment above them: every other character stays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from recipelang.semantics.fittable import Unit
from recipelang.semantics.provenance import COMMENT, Provenance
from recipelang.syntax import nodes

Kind = nodes.NumberKind
Values = Mapping[int, float]
"""The new values of numbers, by where they stand in the text."""


def spelled(value: float, kind: Kind) -> str:
    """A number as the language writes it, with three digits or four decimals, whichever is finer near 1.

    >>> spelled(0.70914, Kind.FLOAT), spelled(0.99876, Kind.FLOAT), spelled(3.0, Kind.INT), spelled(0.000123456, Kind.MONEY)
    ('0.709', '0.9988', '3', '$0.000123')
    """
    if kind is Kind.INT:
        return str(round(value))
    decimals = 4 if 0.99 <= value < 1 else max(0, 3 - len(str(int(value)))) if value >= 1 else 15
    plain = f"{float(f'{value:.3g}') if decimals == 15 else round(value, decimals):.15f}".rstrip("0")
    plain = f"{plain}0" if plain.endswith(".") and kind is Kind.FLOAT else plain.rstrip(".")
    return {Kind.MONEY: f"${plain}", Kind.DURATION: f"{plain}s"}.get(kind, plain)


def with_values(text: str, slots: Sequence[nodes.Number], values: Values) -> str:
    """The text with other numbers; the others are as they were."""
    for number in sorted(slots, key=lambda number: -number.span.start):
        if number.span.start in values:
            new = spelled(values[number.span.start], number.kind)
            text = text[: number.span.start] + new + text[number.span.end :]
    return text


_ABOVE = re.compile(rf"(?:{COMMENT.pattern})\Z", re.MULTILINE)


def with_comment(text: str, unit: Unit, provenance: Provenance) -> str:
    """The text of a unit's file with the comment above the unit, in the place of the one that was there."""
    head, tail = text[: unit.start], text[unit.start :]
    indent = " " * (len(tail) - len(tail.lstrip(" ")))
    head = _ABOVE.sub("", head)
    return head + "".join(f"{indent}{line}\n" for line in provenance.lines()) + tail
