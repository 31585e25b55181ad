"""A run that may use less than its certificate: what later steps need is set aside, and a fallback gives what there is."""

from __future__ import annotations

import pytest

from recipelang.backends.scripted import ScriptedBackend
from recipelang.hosts.binding import bound_entry
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.interpreter import Interpreter, RunResult
from recipelang.runtime.ledger import Account, Limits, Need, Refused, Share, allotted
from runs import asking, every_backend, plan_of

WRITE = """
role write(xs: answer[..8]) { max_tokens = 50, prompt = "Join: {{ xs }}" }
"""
PANEL = """
recipe main() -> answer {
  fanout xs = speak(model = small) for n in [1, 2, 3, 4, 5, 6] { on_error = skip }
  ask final = write(xs, model = large)<policy>
  return final
}
"""


async def run(text: str, most: Limits) -> RunResult:
    plan = plan_of(WRITE + text)
    interpreter = Interpreter(plan, every_backend(plan, ScriptedBackend({"*": "yes"})))
    return await interpreter.run(bound_entry(plan, "main", {}, []), asking(), most=most)


def refusals(result: RunResult) -> list[str]:
    return [event.data["message"] for event in result.trace.events if event.kind == "call_refused"]


@pytest.mark.anyio
async def test_a_wide_fan_out_leaves_the_synthesis_its_call() -> None:
    result = await run(PANEL.replace("<policy>", ""), Limits(calls=4))
    assert result.spend.calls == 4
    assert [event.step for event in result.trace.events if event.kind == "call_start"][-1] == "final"
    assert len(refusals(result)) == 3
    assert all("4 calls, 3 made and 1 set aside for what comes after" in message for message in refusals(result))


@pytest.mark.anyio
async def test_it_leaves_the_synthesis_its_tokens_and_its_money() -> None:
    free = await run(PANEL.replace("<policy>", ""), Limits())
    final = next(event for event in free.trace.events if event.kind == "call_start" and event.step == "final")
    assert final is not None
    for most in (Limits(tokens=6_000), Limits(cost=0.06)):
        result = await run(PANEL.replace("<policy>", ""), most)
        assert "final" in [event.step for event in result.trace.events if event.kind == "call_end"]


@pytest.mark.anyio
async def test_where_the_rest_does_not_allow_a_step_its_fallback_gives_the_best_so_far_and_the_trace_says_so() -> None:
    text = PANEL.replace("<policy>", " { fallback = first(xs) }").replace("[1, 2, 3, 4, 5, 6]", "[1, 2]")
    result = await run(text, Limits(calls=1))
    assert result.text == "yes"
    taken = [event.data for event in result.trace.events if event.kind == "fallback_taken"]
    assert [data["failure"] for data in taken] == ["budget"]
    assert "1 calls, and all have been made" in taken[0]["why"]


@pytest.mark.anyio
async def test_a_step_without_a_stand_in_comes_before_one_that_has_one() -> None:
    text = """
    recipe main() -> answer {
      ask first_draft = speak(model = small)
      ask more = speak(model = third) { optional = true }
      ask final = write([first_draft], model = large)
      return final if more == none else more
    }
    """
    result = await run(text, Limits(calls=2))
    assert sorted(event.step for event in result.trace.events if event.kind == "call_start") == ["final", "first_draft"]


@pytest.mark.anyio
async def test_a_recipe_inside_leaves_the_steps_around_it_what_they_need() -> None:
    text = """
    recipe main() -> answer {
      run found = panel()
      ask final = write(found, model = large)
      return final
    }
    recipe panel() -> answer[..6] {
      fanout xs = speak(model = small) for n in [1, 2, 3, 4, 5, 6] { on_error = skip }
      return xs
    }
    """
    result = await run(text, Limits(calls=3))
    steps = [event.step for event in result.trace.events if event.kind == "call_start"]
    assert steps[-1] == "final"
    assert len(steps) == 3


@pytest.mark.anyio
async def test_inside_a_recipe_the_later_steps_are_kept_their_share_as_well() -> None:
    text = (
        PANEL.replace("main", "inner").replace("<policy>", "") + "recipe main() -> answer { run x = inner() return x }"
    )
    result = await run(text, Limits(calls=2))
    assert [event.step for event in result.trace.events if event.kind == "call_start"] == ["x.xs[0]", "x.final"]


@pytest.mark.anyio
async def test_what_was_set_aside_for_a_step_that_is_skipped_is_free_again() -> None:
    text = """
    recipe main() -> answer {
      ask a = speak(model = small) { when = request.turns > 5 }
      ask b = write([a] if a != none else [], model = small) { retries = 2 }
      ask c = speak(model = third)
      return b if c.valid else c
    }
    """
    result = await run(text, Limits(calls=2))
    assert result.spend.calls == 2


@pytest.mark.anyio
async def test_where_nothing_is_left_to_begin_with_the_run_says_so() -> None:
    with pytest.raises(RunFailure) as ended:
        await run(PANEL.replace("<policy>", ""), Limits(tokens=10))
    assert ended.value.kind is RunFailureKind.QUORUM
    assert {cause.kind for cause in ended.value.causes} == {RunFailureKind.BUDGET}
    assert ended.value.spend is not None
    assert ended.value.spend.calls == 0


# -------------------------------------------------------------- the arithmetic


def need(least: int, most: int, *, stands_in: bool = False) -> Need:
    return Need(Share(calls=least), Share(calls=most), stands_in)


@pytest.mark.parametrize(
    ("room", "shares"),
    [
        (20, [8, 1, 2]),
        (10, [2, 1, 2]),  # the wide step does not get all that it may need, and goes on with what is free
        (3, [2, 0, 1]),  # of the last one only the least; nothing stands in for the first and the last
        (2, [2, 0, 0]),
        (1, [0, 0, 1]),
        (0, [0, 0, 0]),
    ],
)
def test_shares_go_first_to_what_nothing_stands_in_for_and_then_to_the_later_steps(
    room: int, shares: list[int]
) -> None:
    needs = [need(2, 8), need(1, 1, stands_in=True), need(1, 2)]
    assert [share.calls for share in allotted(Limits(calls=room), needs, (2, 1, 0))] == shares


def test_a_share_is_used_up_by_its_step_and_given_back_when_that_ends() -> None:
    from answers import SMALL

    book = Account("the bound of the run", Limits(calls=3), is_tight=True)
    first, last = book.set_aside(["a", "b"], [need(1, 5), need(1, 1)], (1, 0))
    first.reserve(SMALL, 1, 1)
    first.reserve(SMALL, 1, 1)
    with pytest.raises(Refused, match="2 made and 1 set aside for what comes after"):
        first.reserve(SMALL, 1, 1)
    last.reserve(SMALL, 1, 1)
    with pytest.raises(Refused, match="all have been made"):
        last.reserve(SMALL, 1, 1)
    assert book.calls == 3
