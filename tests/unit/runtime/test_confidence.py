"""How sure a model was, for whatever log-probabilities a provider tells."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipelang.runtime.confidence import confidence
from recipelang.runtime.values import TokenLogprob

HALF, QUARTER = math.log(0.5), math.log(0.25)
MEASURES = ("logprob", "margin", "hybrid")
INFINITE, NO_NUMBER = float("inf"), float("nan")


def test_logprob_is_the_geometric_mean_of_the_probabilities() -> None:
    tokens = (TokenLogprob("a", math.log(0.8)), TokenLogprob("b", math.log(0.2)))
    assert confidence(tokens, "logprob") == pytest.approx(0.4)


def test_margin_is_the_mean_lead_over_the_runner_up() -> None:
    tokens = (TokenLogprob("a", HALF, QUARTER), TokenLogprob("b", HALF, HALF))
    assert confidence(tokens, "margin") == pytest.approx(0.125)


def test_a_token_that_trails_its_runner_up_leads_by_nothing() -> None:
    assert confidence((TokenLogprob("a", QUARTER, HALF),), "margin") == 0


def test_hybrid_is_the_mean_of_both_and_of_the_one_where_no_runner_up_is_told() -> None:
    assert confidence((TokenLogprob("a", HALF, QUARTER),), "hybrid") == pytest.approx(0.375)
    assert confidence((TokenLogprob("a", HALF),), "hybrid") == pytest.approx(0.5)
    assert confidence((TokenLogprob("a", HALF),), "margin") is None


@pytest.mark.parametrize("measure", MEASURES)
def test_the_token_that_ends_an_answer_has_no_bytes_and_counts_for_nothing(measure: str) -> None:
    said = (TokenLogprob("a", HALF, QUARTER),)
    assert confidence((*said, TokenLogprob("", -30.0, -0.01)), measure) == confidence(said, measure)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("tokens", [None, (), (TokenLogprob("", -1.0),), (TokenLogprob("a", NO_NUMBER),)])
def test_where_no_token_tells_there_is_no_confidence(tokens: tuple[TokenLogprob, ...] | None, measure: str) -> None:
    assert confidence(tokens, measure) is None


def test_a_token_that_could_not_be_leaves_no_confidence_at_all() -> None:
    assert confidence((TokenLogprob("a", 0.0), TokenLogprob("b", -INFINITE)), "logprob") == 0


floats = st.floats() | st.floats(-30, 0)
tokens = st.builds(TokenLogprob, st.text(max_size=2), floats, st.none() | floats)


@given(said=st.lists(tokens, max_size=6), measure=st.sampled_from(MEASURES))
def test_it_is_none_or_a_score_whatever_a_provider_tells(said: list[TokenLogprob], measure: str) -> None:
    score = confidence(said, measure)
    assert score is None or 0 <= score <= 1
