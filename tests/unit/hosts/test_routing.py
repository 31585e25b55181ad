"""Which way a request goes is told with all that it hangs on, and is the way that a run takes."""

from __future__ import annotations

import pytest

from recipelang.hosts.binding import bound_entry
from recipelang.hosts.routing import BEFORE, HANGS, MAY_BE_BEFORE, Route, route
from runs import asking, outcome_of, plan_of

POLICY = """
signal brief: bool   = keywords(["briefly", "in short"])
signal length: score = clamp(request.tokens / 100)
signal effort: score = clamp(length - 0.4 * brief)
signal unread: text  = request.text
signal mine: bool    = regex(r"[0-9]{3}")
band workload = effort { light < 0.3 <= heavy }

recipe inner(m: model) -> answer {
  choose reply {
    when brief => speak(model = m)
    otherwise  => fail("say it briefly")
  }
  return reply
}

recipe main(quick: model, thorough: model) -> answer {
  let both = [quick, thorough]
  choose reply {
    when mine and not brief   => speak(model = thorough)
    when workload == light    => inner(first(both))
    when reading.valid        => speak(model = thorough)
    otherwise                 => speak(model = thorough)
    fallback = reading
  }
  ask reading = speak(model = quick)
  return reply
}
"""


def route_of(question: str) -> Route:
    plan = plan_of(POLICY)
    return route(plan, bound_entry(plan, "main", {"quick": "small", "thorough": "large"}, []), asking(question))


def test_each_signal_is_told_with_the_words_that_caused_it() -> None:
    signals = {signal.name: signal for signal in route_of("Briefly: what is 123?").signals}
    assert (signals["brief"].value, signals["brief"].words) == (True, ("briefly",))
    assert signals["mine"].words == ("123",)
    assert set(signals["effort"].reads) == {"length", "brief"}
    assert signals["workload"].value == "light"


def test_an_arm_is_told_with_both_sides_of_what_it_compares() -> None:
    choice, inner = route_of("Briefly: what is 123?").choices
    first, second, third, _ = choice.arms
    assert not first.taken
    assert first.condition is not None
    assert [part.value for part in first.condition.parts] == [True, False]
    assert second.taken
    assert second.condition is not None
    assert [(part.text, part.value) for part in second.condition.parts] == [("workload", "light")]
    assert third.why_not == BEFORE
    assert (inner.step, inner.recipe) == ("reply.reply", "inner")
    assert inner.taken is not None
    assert second.calls == "inner(m = small)"


def test_what_hangs_on_a_model_is_said_to() -> None:
    choice = route_of("what is it? " * 60).choices[0]
    assert [arm.why_not for arm in choice.arms] == ["", "", HANGS, MAY_BE_BEFORE]
    assert choice.taken is None


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_run_reads_each_signal_once_and_only_where_something_asks() -> None:
    plan = plan_of(POLICY)
    outcome = await outcome_of(
        plan, lambda call: "said", arguments={"quick": "small", "thorough": "large"}, request=asking("Briefly?")
    )
    told = [event.data for event in outcome.trace.of("signal")]
    assert sorted(str(data["name"]) for data in told) == ["brief", "effort", "length", "mine", "workload"]
    assert next(data["words"] for data in told if data["name"] == "brief") == ["briefly"]


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_words_of_the_request_are_told_only_where_texts_are() -> None:
    plan = plan_of(POLICY)
    outcome = await outcome_of(
        plan, lambda call: "said", arguments={"quick": "small", "thorough": "large"}, request=asking("Briefly, 123?")
    )
    mine = next(event.data for event in outcome.trace.of("signal") if event.data["name"] == "mine")
    assert (mine["value"], mine["words"]) == (True, [])


BOUNDED = """
boundary inside { when = contains(request.conversation, "secret plan"), allow = it.name == "small" }
recipe main(quick: model, thorough: model) -> answer {
  choose reply {
    when inside => speak(model = quick)
    otherwise   => speak(model = thorough)
  }
  return reply
}
"""


@pytest.mark.parametrize(("question", "kept"), [("The secret plan?", True), ("What is it?", False)])
def test_a_boundary_is_told_with_those_who_may_not_see_the_request(question: str, kept: bool) -> None:
    plan = plan_of(BOUNDED)
    way = route(plan, bound_entry(plan, "main", {"quick": "small", "thorough": "large"}, []), asking(question))
    (boundary,) = way.boundaries
    assert (boundary.name, boundary.holds) == ("inside", kept)
    assert ("large" in boundary.withheld, "small" in boundary.withheld) == (kept, False)


def test_what_looked_is_told_where_it_may_differ_by_machine() -> None:
    plan = plan_of(
        'signal near: bool = similar(["Briefly, please."], by = meaning) > 0.9\nsignal tongue: bool = language() == en\n'
        + POLICY.replace("when brief => speak", "when brief and near and tongue => speak")
    )
    way = route(
        plan, bound_entry(plan, "main", {"quick": "small", "thorough": "large"}, []), asking("Briefly, please.")
    )
    by = {signal.name: signal.by for signal in way.signals}
    assert by["near"][0] in ("use_multilingual_3", "words, for want of use_multilingual_3")
    assert by["tongue"][0] in ("py3langid", "common words")
    assert by["brief"] == ()
