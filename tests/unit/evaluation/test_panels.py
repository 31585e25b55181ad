"""What members of a panel bring: nothing is chosen on the questions that it is told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from recipelang.evaluation.ballots import Ballot, Members, PanelProblem, members_in
from recipelang.evaluation.items import in_first_half
from recipelang.evaluation.outcomes import Outcome
from recipelang.evaluation.packs import Verdict
from recipelang.evaluation.panelreport import suggestions
from recipelang.evaluation.panels import _ranks_of_others, _Votes, economics

QUESTIONS = [f"q{place}" for place in range(40)]
FIRST = [place for place, question in enumerate(QUESTIONS) if in_first_half(question)]
SECOND = [place for place in range(40) if place not in FIRST]


def members(said: Mapping[str, Sequence[str]], cost: Mapping[str, float | None] | None = None) -> Members:
    """Members that say these letters; `A` is right everywhere, `-` is no answer."""
    costs = cost or {}
    ballots = {
        name: [Ballot(None if letter == "-" else letter, letter == "A", costs.get(name, 1.0)) for letter in letters]
        for name, letters in said.items()
    }
    return Members(QUESTIONS[: len(next(iter(said.values())))], ballots, {})


def right_on(places: Sequence[int], otherwise: str = "B") -> list[str]:
    return ["A" if place in places else otherwise for place in range(40)]


def test_shares_add_up_to_the_accuracy_of_the_panel_and_are_those_of_all_orders() -> None:
    told = members({"a": right_on(range(30)), "b": right_on(range(10, 40), "C"), "c": right_on(range(0, 40, 3))})
    found = economics(told)
    shares = {member.name: member.shapley for member in found.members}
    assert sum(shares.values()) == pytest.approx(found.accuracy.value)
    votes = _Votes(told, _ranks_of_others(told))
    added = dict.fromkeys(shares, 0.0)
    for order in permutations(shares):
        before = 0
        for name, right in zip(order, votes.as_they_come(order), strict=True):
            added[name] += (right - before) / 40 / 6
            before = right
    assert added == pytest.approx(shares)


def test_votes_as_members_come_in_are_those_of_the_panels_that_they_make() -> None:
    told = members({"a": list("AB-CA" * 8), "b": list("BBACA" * 8), "c": list("CA-BC" * 8), "d": list("-AABC" * 8)})
    votes = _Votes(told, _ranks_of_others(told))
    for order in permutations("abcd"):
        assert list(votes.as_they_come(order)) == [votes.right(order[: size + 1]) for size in range(4)]


def test_a_member_ranks_by_the_half_that_a_question_is_not_in() -> None:
    told = members({"first": right_on(FIRST), "second": right_on(SECOND, "C")})
    ranks = _ranks_of_others(told)
    assert {ranks[place][0] for place in FIRST} == {"second"}
    assert {ranks[place][0] for place in SECOND} == {"first"}
    assert economics(told).accuracy.value == 0.0  # each tie goes to the one that was better elsewhere


def test_many_weak_voters_are_left_out_of_what_is_suggested() -> None:
    strong = ["A" if place % 10 else "B" for place in range(40)]
    weak = {f"weak{number}": ["A" if place % 5 == number else "D" for place in range(40)] for number in range(3)}
    found = economics(members({"strong": strong, **weak}, {"strong": 4.0, "weak0": 1.0, "weak1": 1.0, "weak2": 1.0}))
    assert found.accuracy.value < 0.9
    best = found.suggested["for accuracy"]
    assert best.what == "strong alone"
    assert best.against.n == len(SECOND)
    assert best.against.difference.low > 0
    assert "it does better" in suggestions(found)[0]
    assert "at 57% of its cost" in suggestions(found)[0]


def test_where_a_cheaper_one_does_as_well_as_the_panel_it_is_suggested_for_money() -> None:
    missed = FIRST[:1]
    said = {
        "good": right_on(range(40)),
        "fair": right_on([place for place in range(40) if place not in missed]),
        "poor": right_on(SECOND),
    }
    found = economics(members(said, {"good": 9.0}))
    assert found.suggested["for accuracy"].what == "good alone"
    assert (found.suggested["for money"].what, found.suggested["for money"].cost) == ("fair alone", 1.0)


def test_of_more_than_eight_members_smaller_panels_are_found_on_the_way_up() -> None:
    crowd = {f"m{number}": right_on(range(number, 40, 2), "CDEFGHIJK"[number]) for number in range(9)}
    found = economics(members({**crowd, "best": right_on(range(39))}))
    assert "best" in found.suggested["for accuracy"].what
    assert found.suggested["for accuracy"].what.count("+") < 8
    assert sum(member.shapley for member in found.members) == pytest.approx(found.accuracy.value)


def test_a_cost_that_is_unknown_is_not_nothing() -> None:
    found = economics(members({"a": right_on(range(30)), "b": right_on(range(20))}, {"a": 1.0, "b": None}))
    assert [member.cost for member in found.members] == [1.0, None]
    assert found.cost is None
    assert "of its cost" not in suggestions(found)[0]


def test_of_few_questions_nothing_is_suggested() -> None:
    assert suggestions(economics(members({"a": list("AB"), "b": list("BA")}))) == [
        "No suggestion: it takes two members and 20 questions."
    ]


def outcome(contestant: str, item: str, said: str | None = "A", seed: int = 0, ungraded: bool = False) -> Outcome:
    verdict = Verdict.UNGRADED if ungraded else Verdict.RIGHT if said == "A" else Verdict.WRONG
    key = f"{contestant}{item}{seed}{said}"
    return Outcome(contestant, item, key, verdict, said, "m", 0.5, 1, 1, 1, 0.0, said=said, seed=seed)


def test_runs_of_an_evaluation_make_a_panel_and_other_seeds_are_other_attempts() -> None:
    runs = [
        *(outcome("one", item, said) for item, said in (("x", "A"), ("y", "B"), ("z", "A"))),
        *(outcome("two", item, said) for item, said in (("x", "A"), ("y", "A"))),
        outcome("two", "z", ungraded=True),
        *(outcome("one", item, "C", seed=1) for item in ("x", "y")),
        outcome("one", "y", "A"),  # run again: the recipe was another one then
    ]
    found = members_in(runs, ["one", "two"])
    assert found.questions == ["x", "y"]
    assert [ballot.said for ballot in found.ballots["one"]] == ["A", "A"]
    assert {name: [[b.said for b in time] for time in times] for name, times in found.again.items()} == {
        "one": [["A", "A"], ["C", "C"]]
    }


def test_members_with_no_question_in_common_are_no_panel() -> None:
    with pytest.raises(PanelProblem, match="no question that all of these members"):
        members_in([outcome("one", "x"), outcome("two", "y")], ["one", "two"])


def test_programs_can_not_vote() -> None:
    runs = [replace(outcome(name, "x"), said=None) for name in ("one", "two")]
    with pytest.raises(PanelProblem, match="can't be compared, so that there is no vote"):
        members_in(runs, ["one", "two"])
