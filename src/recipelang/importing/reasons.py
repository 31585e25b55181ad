"""Why a setting is not carried over, by where it stands; knows no foreign format."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNHEARD = "recipes have nothing like it"
CACHE = "nothing is answered from a cache unless `recipelang serve` is told to"


def bare(place: str) -> str:
    """A place without what says which item of a list it is."""
    return re.sub(r"\[[^\]]*\]", "", place)


def reason_in(reasons: Mapping[str, str], place: str) -> str:
    """The reason of a bare place, or else of the nearest one around it that has any."""
    while place and place not in reasons:
        place = place.rpartition(".")[0]
    return reasons.get(place, UNHEARD)
