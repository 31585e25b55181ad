"""The fault campaign in short: every fault, each standard recipe, in a few random schedules; and that it finds what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fault_campaign import FAULTS, STANDARD, Tallies, broken_of, in_virtual_time, over_http, table
from provider_faults import REPLIES
from recipelang.ir.plan import Plan, Step
from recipelang.runtime import scheduling
from recipelang.runtime.ledger import Account, Permits
from recipelang.runtime.steps.prepared import PreparedStep
from recipelang.runtime.steps.preparing import prepare_step

RUNS = len(FAULTS) * 8
QUICK = (
    "is reset",
    "redirects to another host",
    "sends broken JSON",
    "limits the rate",
    "ends the stream before the answer",
)


def test_no_fault_breaks_a_promise_of_a_standard_recipe() -> None:
    tallies: Tallies = {}
    in_virtual_time(RUNS, 7, tallies)
    assert not broken_of(tallies), "\n".join(broken_of(tallies)[:5])
    assert set(tallies) == set(FAULTS)
    assert sum(tally.runs for tally in tallies.values()) == RUNS
    assert 0 < sum(tally.answered for tally in tallies.values()) < RUNS
    assert table(tallies).count("\n") == len(FAULTS) + 1


def test_no_fault_breaks_a_promise_over_http() -> None:
    tallies: Tallies = {}
    over_http(len(STANDARD) * 2, 7, tallies, QUICK)
    assert not broken_of(tallies), "\n".join(broken_of(tallies)[:5])
    assert sum(tally.calls for tally in tallies.values()) > len(STANDARD)


def test_the_faults_are_those_of_the_page() -> None:
    assert set(REPLIES) <= set(FAULTS)


def leaking(permits: Permits) -> None:
    """A permit that is given back is not there again."""


@pytest.mark.parametrize(
    ("owner", "name", "wrong", "promise"),
    [(Permits, "release", leaking, "no leaked permit"), (Account, "leave", lambda account: None, "no leaked permit")],
)
def test_the_campaign_finds_what_breaks_a_promise(
    owner: type, name: str, wrong: object, promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, wrong)
    tallies: Tallies = {}
    in_virtual_time(30, 7, tallies)
    assert any(promise in line for line in broken_of(tallies))


def test_the_campaign_finds_a_fallback_that_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(step: Step, plan: Plan) -> PreparedStep:
        return replace(prepare_step(step, plan), fallback=None)

    monkeypatch.setattr(scheduling, "prepare_step", without)
    tallies: Tallies = {}
    in_virtual_time(60, 7, tallies)
    assert any("no lost answer" in line for line in broken_of(tallies))
