"""The name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`, or none where nothing is close."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return found[0] if found else None
