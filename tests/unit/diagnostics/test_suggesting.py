"""A suggestion is made only when it is close."""

from __future__ import annotations

import pytest

from recipelang.diagnostics.suggesting import nearest


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("slover", "solver"),  # two letters in the wrong order
        ("recepi", "recipe"),
        ("repply", "reply"),  # one too many
        ("smal", "small"),  # one missing
        ("confidance", "confidence"),  # another one
        ("qorum", "quorum"),
        ("aks", "ask"),
    ],
)
def test_a_slip_is_seen_through(written: str, meant: str) -> None:
    assert nearest(written, ["judge", meant, "something_else"]) == meant


@pytest.mark.parametrize("written", ["", "x", "m1", "judge", "completely_different"])
def test_what_is_not_close_is_not_suggested(written: str) -> None:
    assert nearest(written, ["solver", "recipe", "m2"]) is None


def test_of_two_that_are_equally_close_none_is_suggested() -> None:
    assert nearest("model_c", ["model_a", "model_b"]) is None


def test_a_name_is_not_suggested_for_itself() -> None:
    assert nearest("solver", ["solver"]) is None
