"""What a kept run has drawn from its purse, in all its processes: written down with it, so that nothing is set aside twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import reduce

from recipelang.backends.cassettes.document import line_of
from recipelang.backends.cassettes.resuming import Kept
from recipelang.quick import dataclass
from recipelang.runtime.ledger import NOTHING, Limits, Refused, Share
from recipelang.runtime.purses import Purse, Taken
from recipelang.runtime.values import Json


@dataclass(slots=True)
class Draw:
    """What was taken once, and what was booked in its place, once the process that took it had ended by itself."""

    taken: Taken
    used: Share | None = None


def draws_in(lines: Sequence[str]) -> list[Draw]:
    """What has been written down of them; raises `LookupError`, `TypeError` or `ValueError` where that is damaged."""
    draws: list[Draw] = []
    for line in lines:
        entry = json.loads(line)
        if entry.get("kind") == "drawn":
            draws.append(Draw(Taken(Limits(**entry["most"]), entry["period"])))
        elif entry.get("kind") == "booked":
            draws[entry["draw"]].used = Share(**entry["used"])
    return draws


@dataclass(slots=True)
class KeptPurse:
    """The purse of a kept run. What an earlier process took and did not use is this one's; it takes no more than is missing.

    A process that dies between two lines may leave too much booked, and never too little: what is taken is written down
    after it is taken, and what is booked before it is.
    """

    purse: Purse
    kept: Kept
    draws: list[Draw]

    @property
    def counts_tokens(self) -> bool:
        return self.purse.counts_tokens

    async def take(self, most: Limits) -> Taken:
        if self.kept.has_ended:  # it asks nobody, and needs what it had
            return Taken(_together([draw.taken.most for draw in self.draws], most), 0)
        had = [Limits(**_plain(draw.used)) if draw.used is not None else draw.taken.most for draw in self.draws]
        missing = most.without(reduce(Share.plus, (Taken(one, 0).share for one in had), NOTHING))
        if not self.draws or any(part for part in (missing.calls, missing.tokens, missing.cost)):
            try:
                had.append((await self._draw(missing if self.draws else most)).most)
            except Refused:
                if all(draw.used is not None for draw in self.draws):
                    raise
        return Taken(_together(had, most), self.draws[-1].taken.period)

    async def _draw(self, most: Limits) -> Taken:
        taken = await self.purse.take(most)
        await self.kept.note(line_of({"kind": "drawn", "most": _plain(taken.most), "period": taken.period}))
        self.draws.append(Draw(taken))
        return taken

    async def settle(self, taken: Taken, used: Share) -> None:
        """Book what all processes used, less what is booked already; each draw as far as it goes, the last one the rest."""
        left = reduce(Share.less, (draw.used for draw in self.draws if draw.used is not None), used)
        open_ = [place for place, draw in enumerate(self.draws) if draw.used is None]
        if self.kept.has_ended:
            return
        for place in open_:
            draw = self.draws[place]
            draw.used = left if place == open_[-1] else left.less(left.less(draw.taken.share))
            left = left.less(draw.used)
            await self.kept.note(line_of({"kind": "booked", "draw": place, "used": asdict(draw.used)}))
            await self.purse.settle(draw.taken, draw.used)


def _plain(amounts: Limits | Share) -> dict[str, Json]:
    return {"calls": amounts.calls, "tokens": amounts.tokens, "cost": amounts.cost}


def _together(parts: Sequence[Limits], most: Limits) -> Limits:
    """The sum of what was taken. What was not limited once is not limited; of no parts, the most."""
    if not parts:
        return Limits(most.calls, most.tokens, most.cost)

    def total(name: str) -> float | None:
        amounts = [getattr(part, name) for part in parts]
        return None if None in amounts else sum(amounts)

    return Limits(total("calls"), total("tokens"), total("cost"))  # type: ignore[arg-type]  # of each its own kind of number
