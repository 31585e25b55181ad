"""Amounts of money as authors write them."""

from __future__ import annotations

import pytest

from recipelang.ir.amounts import dollars


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0"),
        (0.1, "$0.10"),
        (0.0046, "$0.0046"),
        (1.5, "$1.50"),
        (20, "$20"),
        (1234.5, "$1234.50"),
        (1e-7, "$0.0000001"),
    ],
)
def test_money_has_as_many_digits_as_it_takes_and_never_one_alone(amount: float, shown: str) -> None:
    assert dollars(amount) == shown
