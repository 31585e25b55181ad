"""What each member of a panel brings to its vote, from recorded answers: leave one out, Shapley values, agreement, a smaller panel.

Knows nothing of recipes: a vote is a plurality, a tie goes to the answer whose first voter ranks best, who gave none does not vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import factorial, fsum

from recipelang.evaluation.items import in_first_half
from recipelang.evaluation.packs import Pack, Verdict
from recipelang.evaluation.replaying import SampleRule, as_asked
from recipelang.evaluation.reporting import Table
from recipelang.evaluation.statistics import Interval, Paired, paired, share
from recipelang.runtime.values import Json

MOST_MEMBERS = 8
"""Members for which all panels that they could make are looked at: 256."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a member said to a question: none, where nothing that can be compared."""

    said: str | None
    is_right: bool
    cost: float


@dataclass(frozen=True, slots=True)
class Members:
    """Ballots of each member, all on the same questions; members from the best one on."""

    questions: Sequence[str]
    ballots: Mapping[str, Sequence[Ballot]]
    again: Mapping[str, Sequence[Sequence[Ballot]]]  # of members that were asked several times: for each time

    @property
    def names(self) -> list[str]:
        return list(self.ballots)


def members_of(pack: Pack, models: Sequence[str], sample: SampleRule = as_asked) -> Members:
    """The members' answers to the questions that all of them have a graded answer to."""

    def ballot(question: str, model: str, number: int) -> Ballot | None:
        row = pack.rows.get((question, model, number))
        if row is None or pack.verdicts[row.place] is Verdict.UNGRADED:
            return None
        return Ballot(row.final, pack.verdicts[row.place] is Verdict.RIGHT, row.cost or 0.0)

    found: dict[str, list[Ballot]] = {model: [] for model in models}
    questions = []
    for question in pack.questions:
        ballots = [ballot(question, model, sample(question, pack.samples[model], 0)) for model in found]
        if None not in ballots:
            questions.append(question)
            for model, one in zip(found, ballots, strict=True):
                if one is not None:
                    found[model].append(one)
    ranked = sorted(found, key=lambda model: (-sum(b.is_right for b in found[model]), model))
    again: dict[str, list[list[Ballot]]] = {}
    for model in ranked:
        if pack.samples[model] < 2:
            continue
        times = [[ballot(question, model, time) for question in questions] for time in range(pack.samples[model])]
        whole = [[b for b in time if b is not None] for time in times]
        again[model] = [time for time in whole if len(time) == len(questions)]
    return Members(questions, {model: found[model] for model in ranked}, again)


def vote(ballots: Sequence[Ballot]) -> bool:
    """Whether a vote of these, in order of rank, is right; where nobody votes it is not."""
    counts = Counter(ballot.said for ballot in ballots if ballot.said is not None)
    if not counts:
        return False
    most = max(counts.values())
    return next(ballot.is_right for ballot in ballots if ballot.said is not None and counts[ballot.said] == most)


class _Votes:
    """The votes of all panels that members can make, each counted once."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._known: dict[tuple[str, ...], list[bool]] = {}

    def of(self, panel: Sequence[str]) -> list[bool]:
        key = tuple(name for name in self._members.ballots if name in panel)
        if key not in self._known:
            rows = zip(*(self._members.ballots[name] for name in key), strict=True)
            self._known[key] = [vote(row) for row in rows] if key else [False] * len(self._members.questions)
        return self._known[key]

    def right(self, panel: Sequence[str]) -> int:
        return sum(self.of(panel))


@dataclass(frozen=True, slots=True)
class Brings:
    """What a member brings: alone, its share of what the panel can do, and how the panel does with it and without it."""

    name: str
    alone: Interval
    cost: float
    shapley: float | None  # the shares add up to the panel's accuracy; none where there are too many members
    left_out: Paired  # the panel with it against the panel without it


@dataclass(frozen=True, slots=True)
class Rival:
    """Something in place of the panel, against it."""

    what: str
    accuracy: Interval
    cost: float
    against: Paired


@dataclass(frozen=True)
class Economics:
    n: int
    panel: Sequence[str]
    accuracy: Interval
    cost: float
    members: Sequence[Brings]
    agreement: Mapping[tuple[str, str], float]  # how often two of them say the same
    rivals: Sequence[Rival]
    smaller: Rival | None  # chosen on one half of the questions, measured on the other

    @cached_property
    def suggestion(self) -> str:
        if self.smaller is None:
            return "No suggestion: there are too many members, or too few questions."
        difference = self.smaller.against.difference
        words = f"{difference.value * 100:+.1f} points, 95 % from {difference.low * 100:+.1f} to {difference.high * 100:+.1f}"
        price = f" at {self.smaller.cost / self.cost:.0%} of its cost" if self.cost else ""
        if difference.low > 0:
            verdict = "it does better"
        elif difference.high < 0:
            verdict = "it does worse: keep the panel"
        else:
            verdict = "no difference can be told"
        return (
            f"Suggestion: {self.smaller.what}. Chosen on half of the questions and measured on the other "
            f"{self.smaller.against.n}: {words} against the whole panel{price}; {verdict}."
        )


def economics(members: Members) -> Economics:
    names, n = members.names, len(members.questions)
    votes = _Votes(members)
    whole = votes.of(names)
    cost = fsum(_cost(members.ballots[name]) for name in names)
    shares = _shapley(names, votes, n) if len(names) <= MOST_MEMBERS and n else {}
    brings = [
        Brings(
            name,
            share(sum(ballot.is_right for ballot in members.ballots[name]), n),
            _cost(members.ballots[name]),
            shares.get(name),
            paired(whole, votes.of([other for other in names if other != name])),
        )
        for name in names
    ]
    return Economics(
        n,
        names,
        share(sum(whole), n),
        cost,
        brings,
        {(a, b): _agreement(members.ballots[a], members.ballots[b]) for a, b in combinations(names, 2)},
        list(_rivals(members, whole)),
        _smaller(members, votes) if 1 < len(names) <= MOST_MEMBERS and n >= 20 else None,
    )


def _cost(ballots: Sequence[Ballot]) -> float:
    return fsum(ballot.cost for ballot in ballots) / max(1, len(ballots))


def _shapley(names: Sequence[str], votes: _Votes, n: int) -> dict[str, float]:
    """Exact: over all panels without a member, what it adds to them, each weighed by how often it comes about in an order."""
    found = {}
    for name in names:
        others = [other for other in names if other != name]
        found[name] = (
            fsum(
                factorial(size)
                * factorial(len(others) - size)
                / factorial(len(names))
                * (votes.right([*panel, name]) - votes.right(panel))
                for size in range(len(others) + 1)
                for panel in combinations(others, size)
            )
            / n
        )
    return found


def _agreement(one: Sequence[Ballot], other: Sequence[Ballot]) -> float:
    same = sum(a.said is not None and a.said == b.said for a, b in zip(one, other, strict=True))
    return same / max(1, len(one))


def _rivals(members: Members, whole: Sequence[bool]) -> Iterator[Rival]:
    """The best member alone, and each that was asked several times, as often as the panel has members."""
    best = members.names[0]
    yield _rival(f"{best} alone", [b.is_right for b in members.ballots[best]], _cost(members.ballots[best]), whole)
    for name, times in members.again.items():
        used = times[: len(members.names)]
        if len(used) > 1:
            rights = [vote(row) for row in zip(*used, strict=True)]
            yield _rival(f"{name} {len(used)} times", rights, fsum(map(_cost, used)), whole)


def _rival(what: str, rights: Sequence[bool], cost: float, whole: Sequence[bool]) -> Rival:
    return Rival(what, share(sum(rights), len(rights)), cost, paired(rights, whole))


def _smaller(members: Members, votes: _Votes) -> Rival:
    """The best part of the panel on one half of the questions, cheapest of equals, measured on the other half."""
    names = members.names
    first = list(map(in_first_half, members.questions))

    def worth(panel: Sequence[str]) -> tuple[int, float]:
        right = sum(is_right for is_right, is_in in zip(votes.of(panel), first, strict=True) if is_in)
        return right, -fsum(_cost(members.ballots[name]) for name in panel)

    parts = [panel for size in range(1, len(names)) for panel in combinations(names, size)]
    chosen = max(parts, key=worth)
    rest = [place for place, is_in in enumerate(first) if not is_in]
    rights, whole = votes.of(chosen), votes.of(names)
    what = " + ".join(chosen) if len(chosen) > 1 else f"{chosen[0]} alone"
    cost = fsum(_cost(members.ballots[name]) for name in chosen)
    return _rival(what, [rights[place] for place in rest], cost, [whole[place] for place in rest])


# ---------------------------------------------------------------- telling


def panel_tables(found: Economics) -> list[Table]:
    whole = [["the panel", _percent(found.accuracy), f"{found.cost:.3g}", "", "", ""]]
    rows = [
        [
            member.name,
            _percent(member.alone),
            f"{member.cost:.3g}",
            "–" if member.shapley is None else f"{member.shapley * 100:.1f}",
            *_points(member.left_out),
        ]
        for member in found.members
    ]
    head = ["", "accuracy", "$ a run", "Shapley, points", "its vote adds", "95 %"]
    names = [member.name for member in found.members]
    agreement = [
        [one, *(f"{found.agreement[one, other]:.0%}" if (one, other) in found.agreement else "" for other in names)]
        for one in names[:-1]
    ]
    rivals = [[r.what, _percent(r.accuracy), f"{r.cost:.3g}", *_points(r.against)] for r in found.rivals]
    return [
        Table(f"A panel of {len(names)} on {found.n} questions", head, [*whole, *rows]),
        Table("How often two say the same", ["", *names], agreement),
        Table("In its place", ["", "accuracy", "$ a run", "against the panel", "95 %"], rivals),
    ]


def panel_json(found: Economics) -> dict[str, Json]:
    return {
        "questions": found.n,
        "accuracy": _triple(found.accuracy),
        "cost": found.cost,
        "members": [
            {
                "name": member.name,
                "accuracy": _triple(member.alone),
                "cost": member.cost,
                "shapley": member.shapley,
                "vote_adds": _triple(member.left_out.difference),
            }
            for member in found.members
        ],
        "agreement": [{"of": list(pair), "share": value} for pair, value in found.agreement.items()],
        "rivals": [_rival_json(rival) for rival in found.rivals],
        "smaller": found.smaller and _rival_json(found.smaller),
        "suggestion": found.suggestion,
    }


def _rival_json(rival: Rival) -> dict[str, Json]:
    against = _triple(rival.against.difference)
    return {"what": rival.what, "accuracy": _triple(rival.accuracy), "cost": rival.cost, "against_panel": against}


def _triple(interval: Interval) -> list[float]:
    return [interval.value, interval.low, interval.high]


def _percent(interval: Interval) -> str:
    return f"{interval.value * 100:.1f} %"


def _points(pairs: Paired) -> list[str]:
    found = pairs.difference
    return [f"{found.value * 100:+.1f} points", f"{found.low * 100:+.1f} to {found.high * 100:+.1f}"]
