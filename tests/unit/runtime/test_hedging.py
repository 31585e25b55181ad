"""`hedge`: a call that takes long is sent a second time, and the first answer wins."""

from __future__ import annotations

import pytest

from recipelang.backends.scripted import After, Script
from recipelang.compilation import compile_text
from recipelang.ir.plan import Ask
from recipelang.runtime.ports import BackendError, FailureKind, ModelCall
from runs import WORLD, Outcome, outcome_of, plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

BUSY = BackendError(FailureKind.SERVER, "HTTP 500: oops", 500, may_pass=True)


def hedged(policy: str = "hedge = 2s", budget: str = "calls = 4, parallel = 4") -> str:
    return f"""
      recipe main() -> answer {{
        budget {{ {budget} }}
        ask reply = speak(model = small) {{ {policy} }}
        return reply
      }}"""


async def run(script: Script, text: str | None = None) -> Outcome:
    outcome = await outcome_of(plan_of(text or hedged()), script)
    assert not outcome.backend.open
    return outcome


def kinds(outcome: Outcome) -> list[str]:
    return [event.kind for event in outcome.trace.events]


async def test_a_quick_answer_is_asked_for_once() -> None:
    outcome = await run({"small": After(1, "quick")})
    assert outcome.text == "quick"
    assert outcome.spend.calls == 1
    assert "hedged" not in kinds(outcome)


async def test_the_second_call_wins_and_the_first_is_given_up_and_booked() -> None:
    outcome = await run({"small": [After(60, "slow"), After(1, "quick")]})
    assert outcome.text == "quick"
    assert outcome.spend.seconds == 3
    assert (outcome.spend.calls, outcome.spend.wasted_calls, outcome.spend.peak_parallel) == (2, 1, 2)
    assert [call.again for call in outcome.backend.calls] == [False, True]
    assert [event.data["why"] for event in outcome.trace.events if event.kind == "call_cancelled"] == ["not needed"]


async def test_the_first_call_wins_where_it_answers_first() -> None:
    outcome = await run({"small": [After(5, "first"), After(60, "second")]})
    assert outcome.text == "first"
    assert (outcome.spend.seconds, outcome.spend.wasted_calls) == (5, 1)


async def test_a_failure_of_one_waits_for_the_other() -> None:
    for script in ([After(3, BUSY), After(4, "other")], [After(6, "other"), After(1, BUSY)]):
        outcome = await run({"small": script})
        assert outcome.text == "other"
        assert outcome.spend.seconds == 6


async def test_a_failure_before_the_hedge_is_one_of_a_single_call() -> None:
    outcome = await run({"small": [BUSY, "again"]}, hedged("hedge = 2s, retries = 1"))
    assert outcome.text == "again"
    assert outcome.spend.calls == 2
    assert "hedged" not in kinds(outcome)


async def test_where_both_fail_the_failure_is_the_models() -> None:
    outcome = await run({"small": [After(3, BUSY), After(3, BUSY)]})
    assert outcome.failure is not None
    assert isinstance(outcome.failure.__cause__, BackendError)
    assert outcome.spend.wasted_calls == 2


async def test_each_retry_is_hedged_and_all_stays_within_the_certificate() -> None:
    plan = plan_of(hedged("hedge = 2s, retries = 1"))
    certificate = plan.recipes["main"].certificate
    assert certificate is not None
    assert (certificate.total.calls, certificate.total.parallel) == (4, 2)
    outcome = await outcome_of(plan, {"small": After(3, BUSY)})
    assert (outcome.spend.calls, outcome.spend.peak_parallel) == (4, 2)


async def test_both_are_given_up_when_the_time_is_up() -> None:
    outcome = await run({"small": After(60, "late")}, hedged("hedge = 2s, timeout = 9s"))
    assert outcome.failure is not None
    assert (outcome.spend.seconds, outcome.spend.wasted_calls) == (9, 2)
    assert [e.data["why"] for e in outcome.trace.events if e.kind == "call_cancelled"] == ["timeout", "timeout"]


async def test_a_bug_in_one_of_them_ends_the_run_as_it_is() -> None:
    class Bug(Exception):
        pass

    def script(call: ModelCall) -> After:
        if call.again:
            raise Bug
        return After(60, "slow")

    with pytest.raises(Bug) as raised:
        await run(script)
    assert "called in step `reply`" in raised.value.__notes__[0]


def test_a_hedge_after_the_time_is_up_is_a_mistake() -> None:
    compilation = compile_text(f"{WORLD}\n{hedged('hedge = 9s, timeout = 9s')}\n")
    assert any("`hedge` comes too late" in diagnostic.message for diagnostic in compilation.diagnostics)
    assert compilation.plan is None


def test_what_a_hedge_may_cost_is_held_to_the_budget() -> None:
    compilation = compile_text(f"{WORLD}\n{hedged(budget='calls = 1')}\n")
    assert compilation.plan is None
    (step,) = [s for s in plan_of(hedged()).recipes["main"].steps if isinstance(s, Ask)]
    assert step.hedge == 2
