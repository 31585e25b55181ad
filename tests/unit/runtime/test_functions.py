"""Every built-in function does what its line in `recipelang.ir.functions` says, for odd input as well."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import FREE, LARGE, SMALL, answer
from recipelang.ir.functions import FUNCTIONS
from recipelang.ir.plan import Contract, Extraction, Model, Price
from recipelang.ir.sizing import GREATEST_INTEGER
from recipelang.runtime.functions import IMPLEMENTATIONS
from recipelang.runtime.operators import GREATEST_FLOAT, StepFailed
from recipelang.runtime.values import Authored, RecordValue, Said, TokenLogprob

LETTER = Contract("letter", Extraction("pattern", "ANSWER: ([A-J])"))
A, B, NO_VOTE = answer("a", value="A"), answer("b", value="B"), answer("none")


def call(name: str, *arguments: Any, **named: Any) -> Any:  # Any: each function has its own signature
    return IMPLEMENTATIONS[name](*arguments, **named)


def value(item: Any) -> Any:  # Any: an answer's value
    return item.value


def itself(item: Any) -> Any:
    return item


def test_each_function_of_the_language_is_there_and_no_other() -> None:
    assert IMPLEMENTATIONS.keys() == FUNCTIONS.keys()


# --------------------------------------------------------------------- lists


def test_size_counts_the_items() -> None:
    assert call("size", ()) == 0
    assert call("size", (1, None, 3)) == 3


def test_count_counts_those_for_which_the_condition_holds() -> None:
    assert call("count", (1, 2, 3), lambda item: item > 1) == 2
    assert call("count", (), itself) == 0


def test_first_and_last_are_the_ends() -> None:
    assert call("first", (1, 2, 3)) == 1
    assert call("last", (1, 2, 3)) == 3


@pytest.mark.parametrize("name", ["first", "last"])
def test_an_end_of_nothing_fails_the_step(name: str) -> None:
    with pytest.raises(StepFailed, match=f"`{name}` has nothing to choose from: the list is empty"):
        call(name, ())


@pytest.mark.parametrize(("n", "taken"), [(2, (1, 2)), (9, (1, 2, 3)), (0, ()), (-1, ())])
def test_take_gives_the_first_or_all(n: int, taken: tuple[int, ...]) -> None:
    assert call("take", (1, 2, 3), n) == taken


def test_best_and_worst_are_the_first_of_equals() -> None:
    items = (("a", 1), ("b", 2), ("c", 2), ("d", 1))
    assert call("best", items, lambda item: item[1]) == ("b", 2)
    assert call("worst", items, lambda item: item[1]) == ("a", 1)


def test_what_is_absent_is_least() -> None:
    assert call("best", (None, -5), itself) == -5
    assert call("worst", (-5, None), itself) is None
    assert call("sort", (3, None, -5), itself) == (None, -5, 3)
    assert call("best", (SMALL, FREE), lambda model: model.rating) is SMALL


def test_values_of_different_types_have_an_order_too() -> None:
    assert call("sort", ("b", 2, None, "a", 1), itself) == (None, 1, 2, "a", "b")


@pytest.mark.parametrize("name", ["best", "worst"])
def test_the_best_of_nothing_fails_the_step(name: str) -> None:
    with pytest.raises(StepFailed, match=name):
        call(name, (), itself)


def test_sort_leaves_equals_as_they_were_in_either_direction() -> None:
    items = (("a", 1), ("b", 0), ("c", 1))
    assert call("sort", items, lambda item: item[1]) == (("b", 0), ("a", 1), ("c", 1))
    assert call("sort", items, lambda item: item[1], True) == (("a", 1), ("c", 1), ("b", 0))
    assert call("sort", (), itself) == ()


@pytest.mark.parametrize(("n", "items"), [(2, (3, 2)), (9, (3, 2, 1)), (0, ()), (-2, ())])
def test_top_gives_the_greatest_first(n: int, items: tuple[int, ...]) -> None:
    assert call("top", (1, 3, 2), n, itself) == items


def test_unique_keeps_the_first_of_each() -> None:
    assert call("unique", (3, 1, 3, 2, 1)) == (3, 1, 2)
    assert call("unique", (A, B, answer("again", value="A")), value) == (A, B)
    assert call("unique", (SMALL, LARGE, SMALL)) == (SMALL, LARGE)
    assert call("unique", ((1, 2), (1, 2))) == ((1, 2),)
    assert call("unique", (RecordValue({"n": 1}), RecordValue({"n": 1}))) == (RecordValue({"n": 1}),)
    assert call("unique", (None, None)) == (None,)


# ------------------------------------------------------------------- numbers


def test_the_mean_and_the_sum_leave_out_what_is_absent() -> None:
    assert call("mean", (1, None, 3)) == 2
    assert call("sum", (1, None, 3)) == 4


@pytest.mark.parametrize("items", [(), (None,)])
def test_the_mean_and_the_sum_of_none_are_zero(items: tuple[None, ...]) -> None:
    assert call("mean", items) == 0
    assert call("sum", items) == 0


def test_the_mean_and_the_sum_stay_finite() -> None:
    assert call("mean", (GREATEST_FLOAT, GREATEST_FLOAT)) == GREATEST_FLOAT
    assert call("sum", (GREATEST_FLOAT, GREATEST_FLOAT)) == GREATEST_FLOAT
    assert call("sum", (-GREATEST_FLOAT, -GREATEST_FLOAT)) == -GREATEST_FLOAT


def test_the_mean_may_be_that_of_an_expression() -> None:
    assert call("mean", (SMALL, LARGE, FREE), lambda model: model.rating) == 1150


def test_min_and_max_are_those_of_numbers() -> None:
    assert call("min", 3, 1.5, 2) == 1.5
    assert call("max", 3, 1.5, 2) == 3


@pytest.mark.parametrize(
    ("x", "low", "high", "clamped"), [(0.5, 0, 1, 0.5), (-3, 0, 1, 0), (3, 0, 1, 1), (3, 5, 1, 5), (7, 2, 9, 7)]
)
def test_clamp_gives_the_nearest_end(x: float, low: float, high: float, clamped: float) -> None:
    assert call("clamp", x, low, high) == clamped
    if (low, high) == (0, 1):
        assert call("clamp", x) == clamped


def test_abs_is_the_distance_from_zero() -> None:
    assert call("abs", -2) == 2
    assert call("abs", 0.5) == 0.5


@pytest.mark.parametrize(
    ("x", "rounded", "up", "down"),
    [
        (0.5, 0, 1, 0),
        (1.5, 2, 2, 1),
        (2.5, 2, 3, 2),
        (-0.5, 0, 0, -1),
        (2.6, 3, 3, 2),
        (4, 4, 4, 4),
        (-2.6, -3, -2, -3),
    ],
)
def test_rounding_goes_to_the_even_one_up_or_down(x: float, rounded: int, up: int, down: int) -> None:
    assert (call("round", x), call("ceil", x), call("floor", x)) == (rounded, up, down)


@pytest.mark.parametrize("name", ["round", "ceil", "floor"])
def test_rounding_stops_at_the_greatest_integer(name: str) -> None:
    assert call(name, GREATEST_FLOAT) == GREATEST_INTEGER
    assert call(name, -GREATEST_FLOAT) == -GREATEST_INTEGER


# --------------------------------------------------------------------- texts


def test_lower_keeps_whose_words_they_are() -> None:
    assert call("lower", "ÄBC") == "äbc"
    assert isinstance(call("lower", Authored("A")), Authored)
    said = call("lower", Said.of("A", 7))
    assert (said, said.limit) == ("a", 7)
    assert not isinstance(call("lower", "A"), Authored)


@pytest.mark.parametrize(
    ("text", "part", "there"), [("Jupiter", "pit", True), ("Jupiter", "PIT", False), ("", "", True), ("", "a", False)]
)
def test_contains_looks_for_it_as_it_is_spelled(text: str, part: str, there: bool) -> None:
    assert call("contains", text, part) is there


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("ü", 1), ("\ud800", 1)])
def test_tokens_are_estimated_as_a_quarter_of_the_bytes(text: str, tokens: int) -> None:
    assert call("estimate_tokens", text) == tokens


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.93", 0.93),
        (" -4\n", -4),
        ("+.5e2", 50),
        ("1e999", sys.float_info.max),
        ("-1e999", -sys.float_info.max),
        ("1,5", None),
        ("1_000", None),
        ("٣", None),
        ("nan", None),
        ("inf", None),
        ("0x10", None),
        ("4 or 5", None),
        ("9" * 1000, None),
        (".", None),
        ("", None),
        (None, None),
    ],
)
def test_a_text_is_a_number_or_none(text: str | None, value: float | None) -> None:
    assert call("number", text) == value


# ------------------------------------------------------------------- answers


def test_matches_holds_an_answer_or_a_text_to_a_contract() -> None:
    assert call("matches", answer("ANSWER: B"), LETTER) is True
    assert call("matches", "ANSWER: B", LETTER) is True
    assert call("matches", "ANSWER: Z", LETTER) is False
    assert call("matches", "", LETTER) is False


@pytest.mark.parametrize(
    ("a", "b", "similar"),
    [
        ("the red planet", "The RED planet!", 1),
        ("a b", "b c", 1 / 3),
        ("a", "b", 0),
        ("", "", 1),
        ("", "a", 0),
        ("?!", "...", 1),
        ("Straße", "STRASSE", 1),
    ],
)
def test_similarity_is_the_share_of_words_in_common(a: str, b: str, similar: float) -> None:
    assert call("similarity", a, b) == pytest.approx(similar)
    assert call("similarity", answer(b), answer(a)) == pytest.approx(similar)


@pytest.mark.parametrize(
    ("votes", "share"),
    [((), 0), ((A,), 1), ((A, A, B), 2 / 3), ((A, NO_VOTE, NO_VOTE), 1 / 3), ((NO_VOTE, NO_VOTE), 0), ((A, B), 0.5)],
)
def test_agreement_is_the_share_of_the_most_frequent(votes: tuple[Any, ...], share: float) -> None:
    assert call("agreement", votes, value) == pytest.approx(share)


def test_the_majority_is_the_first_item_of_the_most_frequent() -> None:
    again = answer("later", value="B")
    assert call("majority", (A, B, again), value) is B


def test_a_tie_goes_to_what_was_seen_first() -> None:
    assert call("majority", (B, A, A, B), value) is B
    assert call("weighted_vote", (B, A), value, lambda _: 1) is B


def test_what_is_absent_does_not_vote() -> None:
    assert call("majority", (NO_VOTE, NO_VOTE, A), value) is A


def test_where_nobody_votes_the_first_stands() -> None:
    assert call("majority", (NO_VOTE, answer("other")), value) is NO_VOTE


@pytest.mark.parametrize(("name", "more"), [("majority", ()), ("weighted_vote", (lambda _: 1,))])
def test_a_vote_of_nobody_fails_the_step(name: str, more: tuple[Callable[[Any], float], ...]) -> None:
    with pytest.raises(StepFailed):
        call(name, (), value, *more)


def test_weights_are_added_up_and_the_heaviest_of_the_winners_is_given() -> None:
    light, heavy = answer("light", value="A", model=SMALL), answer("heavy", value="A", model=LARGE)
    other = answer("other", value="B", model=LARGE)
    assert call("weighted_vote", (light, other, heavy), value, lambda item: item.model.rating) is heavy


def test_a_weight_that_is_absent_is_the_mean_of_the_others() -> None:
    free = answer("free", value="B", model=FREE)  # weighs (900 + 1400) / 2, more than the small one alone
    small, large = answer("small", value="A", model=SMALL), answer("large", value="C", model=LARGE)
    assert call("weighted_vote", (small, free, large), value, lambda item: item.model.rating) is large
    assert call("weighted_vote", (small, free), value, lambda item: item.model.rating) is small
    assert call("weighted_vote", (small, free, free), value, lambda item: item.model.rating) is free


def test_where_no_weight_is_known_all_weigh_the_same() -> None:
    assert call("weighted_vote", (A, B, B), value, lambda _: None) is B


def test_confidence_is_none_of_the_measures_where_there_are_no_tokens() -> None:
    sure = answer(logprobs=(TokenLogprob("a", 0.0, -50.0),))
    for measure in ("logprob", "margin", "hybrid"):
        assert call("confidence", sure, measure) == pytest.approx(1)
        assert call("confidence", answer(), measure) == 0


# -------------------------------------------------------------------- models


def test_the_cheapest_goes_by_output_then_input_and_unpriced_ones_come_last() -> None:
    other = Model("other", "lab", "other", price=Price(0.5, 2))
    assert call("cheapest", (FREE, LARGE, SMALL)) is SMALL
    assert call("cheapest", (SMALL, other)) is other
    assert call("cheapest", (FREE,)) is FREE


def test_the_strongest_goes_by_rating_and_unrated_ones_come_last() -> None:
    twin = Model("twin", "lab", "twin", rating=1400)
    assert call("strongest", (FREE, SMALL, LARGE, twin)) is LARGE
    assert call("strongest", (FREE,)) is FREE


@pytest.mark.parametrize("name", ["cheapest", "strongest"])
def test_no_model_at_all_fails_the_step(name: str) -> None:
    with pytest.raises(StepFailed, match=name):
        call(name, ())


# ------------------------------------------------------------------ totality

values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from((A, SMALL))
)
lists = st.lists(values, max_size=4).map(tuple)


@given(items=lists, weights=st.lists(st.none() | st.floats(-1e308, 1e308), min_size=4, max_size=4))
def test_whatever_a_list_holds_it_can_be_ranked_counted_and_voted_on(items: Any, weights: list[float | None]) -> None:
    assert len(call("sort", items, itself)) == len(items)
    assert len(call("unique", items)) <= len(items)
    assert 0 <= call("agreement", items, itself) <= 1
    assert -GREATEST_FLOAT <= call("mean", items) <= GREATEST_FLOAT
    if items:
        weight_of = dict(zip(map(id, items), weights, strict=False))
        assert call("best", items, itself) in items or items != items
        call("weighted_vote", items, itself, lambda item: weight_of[id(item)])
