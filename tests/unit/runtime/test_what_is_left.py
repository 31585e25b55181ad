"""What is left of a run's budget, as a policy reads it: true when it is asked, and none where nothing limits it."""

from __future__ import annotations

import pytest

from recipelang.runtime.gauging import Dials
from recipelang.runtime.ledger import Limits
from runs import asking, outcome_of, plan_of

POLICY = """
signal poor: bool = (cost_left() or $100) < $0.00005

recipe main(m: model) -> answer {
  budget { calls = 5, cost = $1, time = 10s }
  choose first_reply {
    when poor => fail("poor")
    otherwise => speak(model = m)
  }
  choose reply {
    when (calls_left() or 99) == 1 and first_reply.valid and (time_left() or 1h) <= 10s => speak(model = m)
    otherwise => fail("not one call less")
  }
  return reply
}
"""


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_later_step_sees_that_a_call_has_been_made() -> None:
    outcome = await outcome_of(plan_of(POLICY), lambda call: "said", arguments={"m": "small"}, request=asking("Why?"))
    told = {event.data["gauge"]: event.data["value"] for event in outcome.trace.of("gauge")}
    assert (outcome.failure, told["calls_left"]) == (None, 1)
    assert 0 < told["cost_left"] <= 1
    assert 0 < told["time_left"] <= 10


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_what_the_caller_allows_is_all_that_is_left() -> None:
    outcome = await outcome_of(
        plan_of(POLICY),
        lambda call: "said",
        arguments={"m": "small"},
        request=asking("Why?"),
        most=Limits(cost=0.00004),
    )
    assert "poor" in str(outcome.failure)


def test_where_nothing_limits_a_run_nothing_is_known() -> None:
    told: list[object] = []
    dials = Dials({}, lambda gauge, model, value: told.append((gauge, model, value)))
    assert [dials.left(what) for what in ("calls_left", "tokens_left", "cost_left", "time_left")] == [None] * 4
    assert told[0] == ("calls_left", "", None)
