"""Conditions are joined with no more brackets than they need, and simplified where a part is always so."""

from __future__ import annotations

from recipelang.importing.conditions import ALWAYS, NEVER, Condition, all_of, any_of, compared, negated

A, B, C = (Condition(name) for name in "abc")


def test_brackets_stand_where_they_are_needed() -> None:
    assert all_of([A, any_of([B, C])]).text == "a and (b or c)"
    assert any_of([A, all_of([B, C])]).text == "a or b and c"
    assert negated(any_of([A, B])).text == "not (a or b)"
    assert all_of([negated(A), compared("x", ">", "1")]).text == "not a and x > 1"
    assert negated(compared("x", "==", "1")).text == "x != 1"
    assert negated(compared("x", "<", "1")).text == "not x < 1"


def test_what_is_always_or_never_so_is_left_out() -> None:
    assert all_of([A, ALWAYS]) == A
    assert all_of([A, NEVER]) == NEVER
    assert any_of([A, NEVER]) == A
    assert any_of([ALWAYS, A]) == ALWAYS
    assert (all_of([]), any_of([])) == (ALWAYS, NEVER)
    assert (negated(ALWAYS), negated(NEVER), negated(negated(A))) == (NEVER, ALWAYS, A)
    assert any_of([A, B, A]).text == "a or b"
