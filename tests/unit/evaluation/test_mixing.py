"""A recipe is held to what two single models asked at random would bring for the same money."""

from __future__ import annotations

import random

import pytest

from recipelang.evaluation.mixing import best_mixes, mixed_of
from recipelang.evaluation.outcomes import Outcome
from recipelang.evaluation.packs import Verdict


def outcome(item: int, right: bool, cost: float | None) -> Outcome:
    verdict = Verdict.RIGHT if right else Verdict.WRONG
    return Outcome("x", str(item), f"{item}", verdict, "A", "m", cost, 1, 1, 1, 0.0)


def a_run(n: int, rate: float, cost: float, draw: random.Random) -> list[Outcome]:
    return [outcome(item, draw.random() < rate, cost) for item in range(n)]


def test_the_mix_costs_what_the_recipe_does() -> None:
    singles = {
        "cheap": [outcome(item, item < 5, 1.0) for item in range(10)],
        "dear": [outcome(item, item < 9, 3.0) for item in range(10)],
    }
    recipe = [outcome(item, item < 8, 2.0 if item % 2 else 1.0) for item in range(10)]
    mixed = mixed_of("team", recipe, singles)
    assert mixed is not None
    assert (mixed.cheaper, mixed.dearer, mixed.share) == ("cheap", "dear", 0.25)
    assert mixed.accuracy == pytest.approx(0.6)
    assert mixed.difference.value == pytest.approx(0.2)


def test_a_mix_itself_is_no_better_than_it_is_and_the_interval_says_so_as_often_as_it_claims() -> None:
    draw, inside, n, tries = random.Random(7), 0, 200, 300
    for _ in range(tries):
        cheap, dear = a_run(n, 0.5, 1.0, draw), a_run(n, 0.8, 5.0, draw)
        mixture = [draw.choice(pair) for pair in zip(cheap, dear, strict=True)]
        mixed = mixed_of("mix", mixture, {"cheap": cheap, "dear": dear})
        assert mixed is not None
        inside += mixed.difference.low <= 0 <= mixed.difference.high
    assert inside / tries == pytest.approx(0.95, abs=0.035)


def test_models_that_a_mix_of_others_beats_are_in_none() -> None:
    points = {"a": (1.0, 0.5), "b": (2.0, 0.55), "c": (3.0, 0.9), "d": (4.0, 0.8), "e": (9.0, 0.95)}
    assert best_mixes(points) == ["a", "c", "e"]


def test_who_costs_more_than_all_is_held_to_the_best_alone_and_who_costs_less_to_none() -> None:
    singles = {
        "cheap": [outcome(item, item < 5, 1.0) for item in range(10)],
        "dear": [outcome(item, item < 8, 3.0) for item in range(10)],
    }
    above = mixed_of("team", [outcome(item, item < 9, 5.0) for item in range(10)], singles)
    assert above is not None
    assert (above.dearer, above.share) == ("dear", 1.0)
    assert above.difference.value == pytest.approx(0.1)
    assert mixed_of("team", [outcome(item, True, 0.5) for item in range(10)], singles) is None


def test_an_unknown_cost_can_not_be_matched() -> None:
    singles = {"cheap": [outcome(item, True, 1.0) for item in range(4)]}
    assert mixed_of("team", [outcome(item, True, None) for item in range(4)], singles) is None
