"""What each member of a panel brings to its vote: leave one out, Shapley values, agreement, and what would do as well in its place.

Knows nothing of recipes: a vote is a plurality, a tie goes to the answer whose first voter ranks best, who gave none does not vote.
Whatever is chosen, a rank, a best member, a smaller panel, is chosen on one half of the questions and told of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import factorial, fsum
from random import Random

from recipelang.evaluation.ballots import Ballot, Members
from recipelang.evaluation.items import in_first_half
from recipelang.quick import dataclass
from recipelang.statistics import Interval, Paired, paired, share

MOST_MEMBERS = 8
"""Members for which all panels that they could make are looked at: 256."""
ORDERS = 40
"""Orders in which members of larger panels come in, for their Shapley values."""
FEWEST_QUESTIONS = 20
"""Of fewer, halves are too small to choose on one and to measure on the other."""


def vote(ballots: Iterable[Ballot]) -> bool:
    """Whether a vote of these, in order of rank, is right; where nobody votes it is not."""
    counts: dict[str, int] = {}
    first: dict[str, bool] = {}
    for ballot in ballots:
        if ballot.said is not None:
            counts[ballot.said] = counts.get(ballot.said, 0) + 1
            first.setdefault(ballot.said, ballot.is_right)
    return first[max(counts, key=counts.__getitem__)] if counts else False  # of equals the one that was there first


class _Votes:
    """The votes of all panels that members can make, each counted once."""

    def __init__(self, members: Members, ranks: Sequence[Sequence[str]]) -> None:
        """`ranks`: who comes before whom in a tie, for each question."""
        self._rows = [[(name, members.ballots[name][place]) for name in ranked] for place, ranked in enumerate(ranks)]
        self._known: dict[frozenset[str], list[bool]] = {}

    def of(self, panel: Iterable[str]) -> list[bool]:
        key = frozenset(panel)
        if key not in self._known:
            self._known[key] = [vote(ballot for name, ballot in row if name in key) for row in self._rows]
        return self._known[key]

    def right(self, panel: Iterable[str]) -> int:
        return sum(self.of(panel))

    def as_they_come(self, order: Sequence[str]) -> Iterator[int]:
        """How many votes are right when the first member is there, when the second one has come in, and so on."""
        tallies: list[dict[str, tuple[int, int, bool]]] = [{} for _ in self._rows]
        leads: list[tuple[int, int, bool]] = [(0, 0, False)] * len(self._rows)
        places = [{name: rank for rank, (name, _) in enumerate(row)} for row in self._rows]
        for name in order:
            for at, row in enumerate(self._rows):
                rank = places[at][name]
                ballot = row[rank][1]
                if ballot.said is None:
                    continue
                count, best, is_right = tallies[at].get(ballot.said, (0, -rank, ballot.is_right))
                now = (count + 1, max(best, -rank), ballot.is_right if -rank >= best else is_right)
                tallies[at][ballot.said] = now
                leads[at] = max(leads[at], now)
            yield sum(is_right for _, _, is_right in leads)


@dataclass(frozen=True, slots=True)
class Brings:
    """What a member brings: alone, its share of what the panel can do, and how the panel does with it and without it."""

    name: str
    alone: Interval
    cost: float | None
    shapley: float  # the shares add up to the panel's accuracy
    left_out: Paired  # the panel with it against the panel without it


@dataclass(frozen=True, slots=True)
class Rival:
    """Something in place of the panel, against it."""

    what: str
    accuracy: Interval
    cost: float | None
    against: Paired


@dataclass(frozen=True)
class Economics:
    n: int
    panel: Sequence[str]
    accuracy: Interval
    cost: float | None
    members: Sequence[Brings]
    agreement: Mapping[tuple[str, str], float]  # how often two of them say the same
    rivals: Sequence[Rival]
    suggested: Mapping[str, Rival]  # by what for; chosen on one half of the questions, measured on the other


def economics(members: Members) -> Economics:
    names, n = members.names, len(members.questions)
    votes = _Votes(members, _ranks_of_others(members))
    whole = votes.of(names)
    shares = _shapley(names, votes, n)
    brings = [
        Brings(
            name,
            share(sum(ballot.is_right for ballot in members.ballots[name]), n),
            _cost(members.ballots[name]),
            shares[name],
            paired(whole, votes.of(other for other in names if other != name)),
        )
        for name in names
    ]
    return Economics(
        n,
        names,
        share(sum(whole), n),
        _sum(_cost(members.ballots[name]) for name in names),
        brings,
        {(a, b): _agreement(members.ballots[a], members.ballots[b]) for a, b in combinations(names, 2)},
        list(_rivals(members, whole)),
        _suggested(members) if len(names) > 1 and n >= FEWEST_QUESTIONS else {},
    )


def _halves(members: Members) -> tuple[list[int], list[int]]:
    """The places of the questions in each half."""
    halves = list(map(in_first_half, members.questions))
    return [at for at, first in enumerate(halves) if first], [at for at, first in enumerate(halves) if not first]


def _ranks_of_others(members: Members) -> list[list[str]]:
    """For each question the members as they rank on the half that it is not in: it has no say in its own vote."""
    first, second = _halves(members)
    in_first = set(first)
    by_first, by_second = members.ranked(first), members.ranked(second)
    return [by_second if at in in_first else by_first for at in range(len(members.questions))]


def _cost(ballots: Sequence[Ballot]) -> float | None:
    """Of one ballot on average."""
    known = [ballot.cost for ballot in ballots if ballot.cost is not None]
    return fsum(known) / max(1, len(known)) if len(known) == len(ballots) else None


def _sum(costs: Iterable[float | None]) -> float | None:
    told = list(costs)
    known = [cost for cost in told if cost is not None]
    return fsum(known) if len(known) == len(told) else None


def _shapley(names: Sequence[str], votes: _Votes, n: int) -> dict[str, float]:
    """What a member adds to those that are there before it, over all orders in which they can come in, or over many drawn ones."""
    if len(names) <= MOST_MEMBERS:
        return {name: _exact(name, names, votes) / n for name in names}
    draw = Random(0)
    added = dict.fromkeys(names, 0)
    for _ in range(ORDERS):
        order = draw.sample(names, len(names))
        before = 0
        for name, right in zip(order, votes.as_they_come(order), strict=True):
            added[name] += right - before
            before = right
    return {name: times / ORDERS / n for name, times in added.items()}


def _exact(name: str, names: Sequence[str], votes: _Votes) -> float:
    others = [other for other in names if other != name]
    return fsum(
        factorial(size)
        * factorial(len(others) - size)
        / factorial(len(names))
        * (votes.right([*panel, name]) - votes.right(panel))
        for size in range(len(others) + 1)
        for panel in combinations(others, size)
    )


def _agreement(one: Sequence[Ballot], other: Sequence[Ballot]) -> float:
    same = sum(a.said is not None and a.said == b.said for a, b in zip(one, other, strict=True))
    return same / max(1, len(one))


# ------------------------------------------------------------- in its place


def _rivals(members: Members, whole: Sequence[bool]) -> Iterator[Rival]:
    """The best member alone, and each that was asked several times, as often as the panel has members."""
    bests = [ranked[0] for ranked in _ranks_of_others(members)]
    ballots = [members.ballots[best][place] for place, best in enumerate(bests)]
    alone = f"{bests[0]} alone" if len(set(bests)) == 1 else "the best on the other half alone"
    yield _rival(alone, [ballot.is_right for ballot in ballots], _cost(ballots), whole)
    for name, attempts in members.again.items():
        times = min(len(attempts), len(members.ballots))
        if times > 1:
            yield _rival(f"{name} {times} times", _repeated(attempts[:times]), _paid(attempts[:times]), whole)


def _repeated(attempts: Sequence[Sequence[Ballot]]) -> list[bool]:
    return [vote(row) for row in zip(*attempts, strict=True)]


def _paid(attempts: Sequence[Sequence[Ballot]]) -> float | None:
    return _sum(map(_cost, attempts))


def _rival(what: str, rights: Sequence[bool], cost: float | None, whole: Sequence[bool]) -> Rival:
    return Rival(what, share(sum(rights), len(rights)), cost, paired(rights, whole))


@dataclass(frozen=True, slots=True)
class _Candidate:
    what: str
    rights: Sequence[bool]
    cost: float | None


def _suggested(members: Members) -> dict[str, Rival]:
    """What does best on one half of the questions, and what costs least of all that does as well as the panel there; told of the
    other half."""
    first, second = _halves(members)
    if not first or not second:
        return {}
    votes = _Votes(members, [members.ranked(first)] * len(members.questions))
    whole = votes.of(members.ballots)

    def fits(rights: Sequence[bool]) -> int:
        return sum(rights[at] for at in first)

    def price(candidate: _Candidate) -> float:
        return float("inf") if candidate.cost is None else candidate.cost

    candidates = list(_candidates(members, votes, fits))
    best = max(candidates, key=lambda one: (fits(one.rights), -price(one)))
    as_good = [one for one in candidates if fits(one.rights) >= fits(whole)]
    chosen = {"for accuracy": best}
    if as_good and (cheapest := min(as_good, key=lambda one: (price(one), -fits(one.rights)))) is not best:
        chosen["for money"] = cheapest
    return {
        why: _rival(one.what, [one.rights[at] for at in second], one.cost, [whole[at] for at in second])
        for why, one in chosen.items()
    }


def _candidates(members: Members, votes: _Votes, fits: Callable[[Sequence[bool]], int]) -> Iterator[_Candidate]:
    """Smaller panels, all of them or those on the way up from nobody, and one member several times."""
    for panel in _smaller(list(members.ballots), votes, fits):
        what = " + ".join(panel) if len(panel) > 1 else f"{panel[0]} alone"
        yield _Candidate(what, votes.of(panel), _sum(_cost(members.ballots[name]) for name in panel))
    for name, attempts in members.again.items():
        for times in range(2, len(attempts) + 1):
            yield _Candidate(f"{name} {times} times", _repeated(attempts[:times]), _paid(attempts[:times]))


def _smaller(names: Sequence[str], votes: _Votes, fits: Callable[[Sequence[bool]], int]) -> Iterator[tuple[str, ...]]:
    if len(names) <= MOST_MEMBERS:
        for size in range(1, len(names)):
            yield from combinations(names, size)
        return
    yield from ((name,) for name in names)
    panel: tuple[str, ...] = ()
    while len(panel) < MOST_MEMBERS:
        rest = [name for name in names if name not in panel]
        panel = max(((*panel, name) for name in rest), key=lambda wider: fits(votes.of(wider)))
        yield panel
