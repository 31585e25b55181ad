"""What members of a panel said to questions that all of them were asked: out of a pack, or out of the results of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from recipelang.evaluation.outcomes import Outcome
from recipelang.evaluation.packs import Pack, Verdict
from recipelang.evaluation.replaying import SampleRule, as_asked
from recipelang.quick import dataclass


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
