"""Amounts as people read them; knows nothing of who pays."""

from __future__ import annotations


def dollars(amount: float) -> str:
    """An amount as an author writes it: whole dollars, or with cents and as many digits more as it takes.

    >>> dollars(0.1), dollars(2), dollars(0.00025)
    ('$0.10', '$2', '$0.00025')
    """
    whole, _, cents = f"{amount:.9f}".rstrip("0").partition(".")
    return f"${whole}.{cents.ljust(2, '0')}" if cents else f"${whole}"
