"""Intervals and tests against values that are known from elsewhere."""

from __future__ import annotations

import math

import pytest

from recipelang.statistics import Paired, kappa, mean, paired, quantile, ratio, share


def test_wilsons_interval_is_that_of_the_books() -> None:
    found = share(15, 20)
    assert (found.low, found.high) == pytest.approx((0.5313, 0.8881), abs=1e-4)


def test_a_share_of_all_or_none_stays_within_0_and_1() -> None:
    assert share(10, 10).high == pytest.approx(1.0)
    assert share(0, 10).low == pytest.approx(0.0)
    assert (share(0, 0).low, share(0, 0).high) == (0.0, 1.0)


def test_mcnemars_test_is_the_exact_binomial_one() -> None:
    assert Paired(3, 9, 50).p == pytest.approx(0.14599609375)
    assert Paired(4, 4, 50).p == 1.0
    assert Paired(0, 0, 50).p == 1.0
    assert Paired(2000, 1000, 9000).p < 1e-60


def test_the_interval_of_a_paired_difference_is_that_of_bonett_and_price() -> None:
    found = Paired(12, 3, 60).difference
    spread = 1.959964 * math.sqrt((13 / 62 + 4 / 62 - (9 / 62) ** 2) / 62)
    assert (found.low, found.high) == pytest.approx((9 / 62 - spread, 9 / 62 + spread), abs=1e-6)
    assert found.value == 0.15


def test_only_items_on_which_two_differ_make_a_difference() -> None:
    assert paired([True, True, False, False], [True, False, True, False]) == Paired(1, 1, 4)


def test_a_ratio_of_costs_that_is_always_the_same_has_no_spread() -> None:
    found = ratio([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert ratio([1.0, 1.0], [0.0, 0.0]) is None


def test_of_one_value_the_spread_is_unknown() -> None:
    assert mean([2.0]).high == math.inf


def test_quantiles_of_one_value_are_that_value() -> None:
    assert [quantile([7.0], at) for at in (0.0, 0.5, 0.99)] == [7.0, 7.0, 7.0]


def test_judges_that_always_say_the_same_thing_agree_by_chance_alone() -> None:
    assert kappa([True, True], [True, True]) is None
    assert kappa([], []) is None
