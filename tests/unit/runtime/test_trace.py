"""The trace: JSON for any content, told live, and complete."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipelang.runtime.ports import Event
from recipelang.runtime.trace import Recorder, Trace, event_as_json
from recipelang.runtime.values import Message, Request
from runs import outcome_of, plan_of

ONE_CALL = "recipe main() -> answer { ask reply = speak(model = small) return reply }"


class Ticking:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        self.seconds += 1
        return self.seconds


class Listening:
    def __init__(self) -> None:
        self.heard: list[Event] = []

    def record(self, event: Event) -> None:
        self.heard.append(event)


def test_events_are_stamped_from_the_beginning_of_the_run_and_told_as_they_happen() -> None:
    journal = Listening()
    recorder = Recorder(Ticking(), journal)
    recorder.record("step_start", "reply", step_kind="ask")
    recorder.record("step_end", "reply", status="ok")
    assert [event.at for event in journal.heard] == [1, 2]
    assert recorder.trace("main", 3) == Trace("main", 3, tuple(journal.heard))


def test_events_are_found_by_kind_and_by_step() -> None:
    events = (Event(0, "kept", "a"), Event(1, "kept", "b"), Event(2, "dropped", "a"))
    trace = Trace("main", 0, events)
    assert trace.of("kept") == events[:2]
    assert trace.of("kept", "b") == events[1:2]
    assert trace.of("gone") == ()


def test_an_event_is_flat() -> None:
    event = Event(1.23456789, "kept", "xs[0]", {"why": "it is"})
    assert event_as_json(event) == {"at": 1.234568, "kind": "kept", "step": "xs[0]", "why": "it is"}


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3).map(MappingProxyType)
    ),
    max_leaves=6,
)


@given(data=st.dictionaries(st.text(max_size=5), anything, max_size=3))
def test_a_trace_is_json_that_any_reader_takes_whatever_is_in_it(data: dict[str, Any]) -> None:
    trace = Trace("main", 0, (Event(0, "call_end", "reply", data),))
    text = json.dumps(trace.as_json(), ensure_ascii=False, allow_nan=False)
    assert json.loads(text.encode("utf-8"))["version"] == 1


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_what_was_said_is_in_the_trace_only_where_it_is_wanted() -> None:
    request = Request((Message("user", ({"type": "text", "text": "a\ud800 secret"},)),))
    plan = plan_of(ONE_CALL)
    with_content = await outcome_of(plan, {"small": "Jupiter\udfff"}, request=request, content=True)
    text = json.dumps(with_content.trace.as_json(), ensure_ascii=False)
    assert "a\ufffd secret" in text
    assert "Jupiter\ufffd" in text
    without = await outcome_of(plan, {"small": "Jupiter"}, request=request)
    assert not {"messages", "text"} & {name for event in without.trace.events for name in event.data}
    assert "secret" not in json.dumps(without.trace.as_json())


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_each_step_that_starts_ends_and_each_call_that_is_sent_has_one_outcome() -> None:
    plan = plan_of(
        """
        recipe main() -> answer {
          fanout xs = speak(model = m) for m in [small, large, third] { quorum = 1, on_error = skip }
          ask unread = speak(model = large)
          return first(xs)
        }
        """
    )
    outcome = await outcome_of(plan, {"small": "a", "large": "b", "third": "c"})
    kinds = [event.kind for event in outcome.trace.events]
    assert kinds.count("step_start") == kinds.count("step_end")
    outcomes = [
        event.data["call"]
        for event in outcome.trace.events
        if event.kind in ("call_end", "call_failed", "call_cancelled")
    ]
    assert sorted(outcomes) == [event.data["call"] for event in outcome.trace.of("call_start")]
    assert (kinds[0], kinds[-1]) == ("run_start", "run_end")
