"""The ledger: what it sets aside, books and refuses, and permits that are handed over fairly and never leak."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import FREE, LARGE, SMALL
from recipelang.runtime.ledger import Account, Limits, Permits, Refused, cost_of
from recipelang.runtime.values import Usage


def account(**limits: float) -> Account:
    return Account("the budget of `main`", Limits(**limits))  # type: ignore[arg-type]  # whole numbers are ints


# ------------------------------------------------------------------ reserving


def test_a_call_is_set_aside_at_the_most_that_it_may_use_and_booked_at_what_it_used() -> None:
    book = account(tokens=1_000)
    reservation = book.reserve(SMALL, 300, 100)
    assert book.tokens == 400
    assert book.settle(reservation, Usage(20, 5)) == pytest.approx(cost_of(SMALL.price, 20, 5)) if SMALL.price else None
    assert (book.tokens, book.calls) == (25, 1)
    spend = book.totals.spend(1.5)
    assert (spend.prompt_tokens, spend.completion_tokens, spend.tokens, spend.seconds) == (20, 5, 25, 1.5)
    assert (spend.wasted_calls, spend.reported) == (0, True)


def test_what_was_billed_goes_before_tokens_times_price() -> None:
    book = account(cost=1)
    assert book.settle(book.reserve(SMALL, 300, 100), Usage(20, 5), billed=0.75) == 0.75
    assert (book.cost, book.totals.spend(0).cost) == (0.75, 0.75)
    with pytest.raises(Refused):
        book.reserve(SMALL, 300_000, 0)


def test_what_was_billed_is_a_cost_without_a_price() -> None:
    book = account()
    assert book.settle(book.reserve(FREE, 300, 100), Usage(20, 5), billed=0.75) == 0.75
    assert book.totals.spend(0).cost == 0.75


def test_what_is_wasted_counts_in_the_sums_and_is_told_apart() -> None:
    book = account()
    reservation = book.reserve(SMALL, 300, 100)
    book.settle(reservation, reservation.at_most(), wasted=True)
    spend = book.totals.spend(0)
    assert (spend.calls, spend.tokens, spend.wasted_calls, spend.wasted_tokens) == (1, 400, 1, 400)
    assert spend.reported is False


def test_calls_are_numbered_from_one_through_all_accounts_of_a_run() -> None:
    outer = account()
    inner = outer.open("the budget of `inner`", Limits(calls=3))
    assert [book.reserve(SMALL, 1, 1).number for book in (outer, inner, outer)] == [1, 2, 3]


def test_a_model_without_a_price_leaves_the_cost_unknown() -> None:
    book = account()
    assert book.settle(book.reserve(FREE, 1, 1), Usage(1, 1)) is None
    assert book.settle(book.reserve(SMALL, 1, 1), Usage(1, 1)) is not None
    assert book.totals.spend(0).cost is None


# ------------------------------------------------------------------- refusing


def test_no_call_is_made_beyond_the_number_of_calls() -> None:
    book = account(calls=1)
    book.reserve(SMALL, 1, 1)
    with pytest.raises(Refused, match="the budget of `main` is 1 calls, and all have been made"):
        book.reserve(SMALL, 1, 1)


def test_no_call_is_made_that_could_pass_the_tokens() -> None:
    book = account(tokens=100)
    book.reserve(SMALL, 50, 10)
    with pytest.raises(Refused, match="the call may use 41 tokens, and 40 of 100 are left of the budget of `main`"):
        book.reserve(SMALL, 40, 1)
    book.reserve(SMALL, 39, 1)


def test_no_call_is_made_that_could_pass_the_money() -> None:
    book = account(cost=0.001)
    with pytest.raises(Refused, match=r"the call may cost \$0.003000, and \$0.001000 of \$0.001000 is left"):
        book.reserve(LARGE, 100, 100)


def test_a_sum_that_fits_exactly_is_not_refused_for_rounding() -> None:
    book = account(cost=0.3)
    for _ in range(3):
        book.reserve(LARGE, 10_000, 0)  # $0.1 each, and three of them are more than 0.3 in floats
    with pytest.raises(Refused):
        book.reserve(LARGE, 1, 0)


def test_a_model_without_a_price_is_refused_where_the_budget_is_money() -> None:
    with pytest.raises(Refused, match="is in money, and the model has no price"):
        account(cost=1.0).reserve(FREE, 1, 1)


def test_a_call_that_is_refused_leaves_no_mark_on_any_account() -> None:
    outer = account(tokens=10)
    inner = outer.open("the budget of `inner`", Limits(tokens=1_000))
    with pytest.raises(Refused, match="`main`"):
        inner.reserve(SMALL, 50, 50)
    assert (inner.tokens, inner.calls, outer.tokens, outer.calls, inner.totals.begun) == (0, 0, 0, 0, 0)


def test_what_is_spent_inside_is_spent_outside() -> None:
    outer = account(tokens=1_000)
    inner = outer.open("the budget of `inner`", Limits(tokens=500))
    inner.settle(inner.reserve(SMALL, 50, 50), Usage(10, 10))
    assert (inner.tokens, outer.tokens) == (20, 20)
    outer.settle(outer.reserve(SMALL, 50, 50), Usage(30, 30))
    assert (inner.tokens, outer.tokens) == (20, 80)


def test_a_recipe_without_limits_has_no_account_of_its_own() -> None:
    outer = account(tokens=1_000)
    assert outer.open("the budget of `inner`", Limits()) is outer


@given(calls=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(0, 1)), max_size=20))
def test_the_tokens_of_honest_calls_never_pass_the_limit(calls: list[tuple[int, int, float]]) -> None:
    book = account(tokens=200)
    for prompt, completion, share in calls:
        try:
            reservation = book.reserve(SMALL, prompt, completion)
        except Refused:
            continue
        assert book.tokens <= 200
        book.settle(reservation, Usage(int(prompt * share), int(completion * share)))
    assert book.totals.spend(0).tokens == book.tokens <= 200


# -------------------------------------------------------------------- permits


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_those_who_wait_for_a_permit_get_it_in_the_order_in_which_they_came() -> None:
    permits, order = Permits(1), list[int]()

    async def hold(number: int) -> None:
        await anyio.sleep(number / 1_000)
        await permits.acquire()
        order.append(number)
        await anyio.sleep(1)
        permits.release()

    async with anyio.create_task_group() as group:
        for number in (3, 1, 2, 0):
            group.start_soon(hold, number)
    assert order == [0, 1, 2, 3]
    assert permits.free == 1


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_permit_that_was_handed_to_one_who_is_cancelled_goes_to_the_next() -> None:
    permits, got = Permits(1), list[str]()
    await permits.acquire()

    async def hold(name: str) -> None:
        await permits.acquire()
        got.append(name)
        permits.release()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group, anyio.create_task_group() as cancelled:
            cancelled.start_soon(hold, "cancelled")
            await anyio.wait_all_tasks_blocked()
            group.start_soon(hold, "next")
            await anyio.wait_all_tasks_blocked()
            permits.release()  # handed over to the first, who is cancelled before it can know
            cancelled.cancel_scope.cancel()
    assert got[-1] == "next"
    assert permits.free == 1


@pytest.mark.anyio
@pytest.mark.virtual_time
@given(data=st.data())
async def test_no_permit_leaks_whenever_those_who_wait_are_cancelled(data: st.DataObject) -> None:
    outer = account(parallel=2)
    inner = outer.open("the budget of `inner`", Limits(parallel=1))
    most = [0, 0]

    async def call(book: Account, patience: float, takes: float) -> None:
        with anyio.move_on_after(patience):
            await book.enter()
            try:
                most[0] = max(most[0], outer.totals.in_flight)
                await anyio.sleep(takes)
            finally:
                book.leave()

    times = st.integers(0, 4).map(float)
    async with anyio.create_task_group() as group:
        for _ in range(data.draw(st.integers(1, 6))):
            book = data.draw(st.sampled_from((outer, inner)))
            group.start_soon(call, book, data.draw(times), data.draw(times))
    assert most[0] <= 2
    assert outer.totals.in_flight == 0
    assert outer.permits is not None
    assert inner.permits is not None
    assert (outer.permits.free, inner.permits.free) == (2, 1)
