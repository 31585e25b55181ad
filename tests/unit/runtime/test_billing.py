"""What a backend says was billed: booked where it can be, and not believed where it can't."""

from __future__ import annotations

import math

import pytest

from recipelang.runtime.ports import BackendError, FailureKind, Reply
from recipelang.runtime.values import Answer, Usage
from runs import Outcome, outcome_of, plan_of

pytestmark = pytest.mark.anyio

PRICED = """
model paid { backend = lab, id = "paid-1", price = { input = $1, output = $2 } }
recipe main() -> answer {
  ask reply = speak(model = paid)
  return reply
}
"""
BY_PRICE = (10 * 1 + 5 * 2) / 1_000_000


async def billed(cost: float | None) -> Outcome:
    return await outcome_of(plan_of(PRICED), {"*": Reply("Jupiter", usage=Usage(10, 5), cost=cost)})


async def test_a_bill_is_booked_told_and_known_of_the_answer() -> None:
    outcome = await billed(0.000125)
    assert outcome.spend.cost == 0.000125
    assert [event.data["cost"] for event in outcome.trace.of("call_end")] == [0.000125]
    assert isinstance(outcome.value, Answer)
    assert outcome.value.cost == 0.000125


@pytest.mark.parametrize("cost", [None, -1.0, math.inf, math.nan], ids=str)
async def test_without_a_bill_that_can_be_tokens_times_price_is_booked(cost: float | None) -> None:
    assert (await billed(cost)).spend.cost == pytest.approx(BY_PRICE)


RETRIED = PRICED.replace("speak(model = paid)", "speak(model = paid) { retries = 1 }")
UNSENT = BackendError(FailureKind.REFUSED, "can't connect", may_pass=True, sent=False)


async def test_a_call_that_was_never_sent_is_no_call_and_costs_nothing() -> None:
    outcome = await outcome_of(plan_of(RETRIED), {"*": [UNSENT, Reply("Jupiter", usage=Usage(10, 5))]})
    spend = outcome.spend
    assert (spend.calls, spend.wasted_calls, spend.wasted_tokens, spend.tokens) == (1, 0, 0, 15)
    assert spend.cost == pytest.approx(BY_PRICE)
    assert spend.reported
    (failed,) = outcome.trace.of("call_failed")
    assert (failed.data["sent"], failed.data["tokens"], failed.data["cost"]) == (False, 0, 0.0)
    assert len(outcome.trace.of("call_start")) == 2


async def test_a_call_that_was_sent_and_broke_off_counts_at_what_it_may_have_used() -> None:
    broken = BackendError(FailureKind.REFUSED, "the connection broke", may_pass=True)
    outcome = await outcome_of(plan_of(RETRIED), {"*": [broken, Reply("Jupiter", usage=Usage(10, 5))]})
    (failed,) = outcome.trace.of("call_failed")
    assert failed.data["sent"] is True
    assert outcome.spend.calls == 2
    assert outcome.spend.wasted_tokens == failed.data["tokens"] > 100
    assert not outcome.spend.reported
