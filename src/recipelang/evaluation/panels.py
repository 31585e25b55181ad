"""What each member of a panel brings to its vote: leave one out, Shapley values, agreement, and what would do as well in its place.

Knows nothing of recipes: a vote is a plurality, a tie goes to the answer whose first voter ranks best, who gave none does not vote.
Whatever is chosen, a rank, a best member, a smaller panel, is chosen on one half of the questions and told of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import factorial, fsum
from random import Random

from recipelang.evaluation.items import in_first_half
from recipelang.evaluation.outcomes import Outcome
from recipelang.evaluation.packs import Pack, Verdict
from recipelang.evaluation.replaying import SampleRule, as_asked
from recipelang.evaluation.statistics import Interval, Paired, paired, share
from recipelang.quick import dataclass

MOST_MEMBERS = 8
"""Members for which all panels that they could make are looked at: 256."""
ORDERS = 40
"""Orders in which members of larger panels come in, for their Shapley values."""
FEWEST_QUESTIONS = 20
"""Of fewer, halves are too small to choose on one and to measure on the other."""


class PanelProblem(Exception):
    """Members of whom nothing can be told; the message says why."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a member said to a question: none, where nothing that can be compared. A cost of none is unknown."""

    said: str | None
    is_right: bool
    cost: float | None


@dataclass(frozen=True, slots=True)
class Members:
    """Ballots of each member, all on the same questions."""

    questions: Sequence[str]
    ballots: Mapping[str, Sequence[Ballot]]
    again: Mapping[str, Sequence[Sequence[Ballot]]]  # of members that were asked several times: for each time

    @property
    def names(self) -> list[str]:
        """From the best one on."""
        return self.ranked(range(len(self.questions)))

    def ranked(self, places: Iterable[int]) -> list[str]:
        """The members by how often they were right on some of the questions; equals by name."""
        asked = list(places)
        return sorted(self.ballots, key=lambda name: (-sum(self.ballots[name][at].is_right for at in asked), name))


def members_of(pack: Pack, models: Sequence[str], sample: SampleRule = as_asked) -> Members:
    """The members' answers to the questions that all of them have a graded answer to."""

    def ballot(question: str, model: str, number: int) -> Ballot | None:
        row = pack.rows.get((question, model, number))
        if row is None or pack.verdicts[row.place] is Verdict.UNGRADED:
            return None
        return Ballot(row.final, pack.verdicts[row.place] is Verdict.RIGHT, row.cost)

    def once(question: str, model: str) -> Ballot | None:
        return ballot(question, model, sample(question, pack.samples[model], 0))

    def times(question: str, model: str) -> Sequence[Ballot | None]:
        return [ballot(question, model, number) for number in range(pack.samples[model])]

    return _members(models, list(pack.questions), once, times)


def members_in(outcomes: Iterable[Outcome], names: Sequence[str]) -> Members:
    """The members' answers in an evaluation's results; runs with other seeds are other attempts."""
    told: dict[tuple[str, str], dict[int, Ballot]] = {}
    for outcome in outcomes:  # what was run again later counts
        if outcome.is_graded:
            known = told.setdefault((outcome.item, outcome.contestant), {})
            known[outcome.seed] = Ballot(outcome.said, outcome.is_right, outcome.cost)

    def times(question: str, name: str) -> Sequence[Ballot]:
        return [ballot for _, ballot in sorted(told.get((question, name), {}).items())]

    def once(question: str, name: str) -> Ballot | None:
        return next(iter(times(question, name)), None)

    return _members(names, list(dict.fromkeys(item for item, _ in told)), once, times)


def _members(
    names: Sequence[str],
    questions: Sequence[str],
    once: Callable[[str, str], Ballot | None],
    times: Callable[[str, str], Sequence[Ballot | None]],
) -> Members:
    found: dict[str, list[Ballot]] = {name: [] for name in names}
    whole = []
    for question in questions:
        ballots = [ballot for name in found if (ballot := once(question, name)) is not None]
        if len(ballots) == len(found):
            whole.append(question)
            for name, ballot in zip(found, ballots, strict=True):
                found[name].append(ballot)
    if not whole:
        raise PanelProblem("there is no question that all of these members have a graded answer to")
    if all(ballot.said is None for ballots in found.values() for ballot in ballots):
        raise PanelProblem(
            "these answers can't be compared, so that there is no vote: it is known only whether they were right"
        )
    again = {name: _attempts([times(question, name) for question in whole]) for name in found}
    return Members(whole, found, {name: attempts for name, attempts in again.items() if len(attempts) > 1})


def _attempts(by_question: Sequence[Sequence[Ballot | None]]) -> list[list[Ballot]]:
    """The first attempts at all questions, the second ones, and so on, while none is missing."""
    found = []
    for number in range(min(map(len, by_question))):
        ballots = [ballot for attempts in by_question if (ballot := attempts[number]) is not None]
        if len(ballots) < len(by_question):
            break
        found.append(ballots)
    return found


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

    @property
    def suggestions(self) -> list[str]:
        """In words."""
        if not self.suggested:
            return [f"No suggestion: it takes two members and {FEWEST_QUESTIONS} questions."]
        return [self._suggestion(why, rival) for why, rival in self.suggested.items()]

    def _suggestion(self, why: str, rival: Rival) -> str:
        difference = rival.against.difference
        words = f"{difference.value * 100:+.1f} points, 95 % from {difference.low * 100:+.1f} to {difference.high * 100:+.1f}"
        price = f" at {rival.cost / self.cost:.0%} of its cost" if self.cost and rival.cost is not None else ""
        if difference.low > 0:
            verdict = "it does better"
        elif difference.high < 0:
            verdict = "it does worse: keep the panel"
        else:
            verdict = "no difference can be told"
        return (
            f"Suggestion, {why}: {rival.what}. Chosen on half of the questions and measured on the other "
            f"{rival.against.n}: {words} against the whole panel{price}; {verdict}."
        )


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
