"""Law 7: no run leaks a task, a call or a permit, whenever it is cancelled and whatever its backend does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipelang.hosts.binding import bound_entry
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter, RunResult
from recipelang.runtime.ports import BackendError, Delta, Event, FailureKind, ModelCall, Reply
from recipelang.runtime.values import Usage
from runs import asking, every_backend, plan_of

PLAN = plan_of(
    """
    recipe main() -> text {
      budget { time = 20s }
      fanout xs = team(m) for m in [small, large, third] { samples = 4, parallel = 3, quorum = 2, grace = 1s, on_error = skip, fallback = [] }
      cascade steps = speak(model = m) for m in [small, large] { accept = it.text == "yes", on_error = skip, timeout = 6s, fallback = none }
      ask unread = speak(model = third) { optional = true }
      ask grade = grader(xs, model = large) { timeout = 4s, optional = true }
      repeat final = final_words(final, steps, grade, model = small) up to 2 times { start = steps, timeout = 5s }
      return final.text if final != none else "nothing"
    }
    recipe team(m: model) -> answer {
      budget { parallel = 2 }
      fanout both = speak(model = m) for n in [1, 2] { quorum = 1, timeout = 5s, on_error = skip }
      ask again = final_words(first(both), none, none, model = m) { retries = 1, timeout = 5s, fallback = first(both) }
      return again
    }
    record grade { score: score }
    role grader(xs: answer[]) -> grade { max_tokens = 50, prompt = "Grade: {{ xs }}" }
    role final_words(said: answer?, more: answer?, grade: grade?) { max_tokens = 50, prompt = "{{ said }} {{ more }} {{ grade }}" }
    """
)
ENTRY = bound_entry(PLAN, "main", {}, [])
MODELS = ("small", "large", "third")


class Bug(Exception):
    """What no backend may raise."""


@dataclass
class Unruly:
    """A backend that does what it was drawn to do, and knows the calls that are open in it."""

    behaviour: Callable[[ModelCall], Awaitable[Reply]]
    open: int = 0

    async def complete(self, call: ModelCall) -> Reply:
        self.open += 1
        try:
            return await self.behaviour(call)
        finally:
            self.open -= 1

    def stream(self, call: ModelCall) -> AsyncGenerator[Delta, None]:
        raise NotImplementedError


@dataclass
class Journal:
    events: list[Event] = field(default_factory=list)

    def record(self, event: Event) -> None:
        self.events.append(event)


# ---------------------------------------------------------- what backends do


async def says(text: str) -> Reply:
    return Reply(text, usage=Usage(10, 5))


async def fails_for_now() -> Reply:
    raise BackendError(FailureKind.RATE_LIMIT, "busy", may_pass=True)


async def fails_for_good() -> Reply:
    raise BackendError(FailureKind.REQUEST, "no such model")


async def says_nothing_ever() -> Reply:
    await anyio.sleep_forever()
    raise AssertionError


async def lies_about_its_usage() -> Reply:
    return Reply("yes", usage=Usage(10**6, 10**6))


async def turns_cancellation_into_a_failure() -> Reply:
    try:
        return await says_nothing_ever()
    except BaseException as cancelled:
        raise BackendError(FailureKind.REFUSED, "the connection was closed", may_pass=True) from cancelled


async def tidies_up_for_a_while() -> Reply:
    try:
        return await says_nothing_ever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.25)


async def has_a_bug() -> Reply:
    raise Bug


TIDY: tuple[Callable[[], Awaitable[Reply]], ...] = (
    lambda: says("yes"),
    lambda: says("no"),
    lambda: says('{"score": 0.5}'),
    fails_for_now,
    fails_for_good,
    says_nothing_ever,
    lies_about_its_usage,
)
ALL = (*TIDY, turns_cancellation_into_a_failure, tidies_up_for_a_while)
moments = st.integers(0, 60).map(lambda quarter: quarter / 4)


@st.composite
def backends(draw: st.DrawFn, kinds: tuple[Callable[[], Awaitable[Reply]], ...] = ALL) -> Unruly:
    """A backend that takes its time for each call, and then does the next thing on its list for the model."""
    plans = {
        model: draw(st.lists(st.tuples(moments, st.sampled_from(kinds)), min_size=1, max_size=4)) for model in MODELS
    }
    told = dict.fromkeys(MODELS, 0)

    async def behaviour(call: ModelCall) -> Reply:
        name = call.model.name
        delay, act = plans[name][told[name] % len(plans[name])]
        told[name] += 1
        await anyio.sleep(delay / 2)
        return await act()

    return Unruly(behaviour)


async def run(backend: Unruly, journal: Journal) -> RunResult | RunFailure:
    try:
        return await Interpreter(PLAN, every_backend(PLAN, backend)).run(ENTRY, asking(), journal=journal)
    except RunFailure as failure:
        return failure


def nothing_is_left(backend: Unruly, journal: Journal) -> None:
    """All calls are closed and accounted for, all steps have ended, and the trace says that the run has."""
    kinds = [event.kind for event in journal.events]
    assert backend.open == 0
    assert kinds[0] == "run_start"
    assert kinds[-1] == "run_end"
    assert kinds.count("run_end") == 1
    assert kinds.count("step_start") == kinds.count("step_end")
    sent = kinds.count("call_start")
    assert sent == sum(kinds.count(kind) for kind in ("call_end", "call_failed", "call_cancelled"))
    assert journal.events[-1].data["calls"] == sent


@pytest.mark.anyio
@pytest.mark.virtual_time
@given(backend=backends(), patience=moments)
async def test_a_run_that_is_cancelled_at_any_moment_leaves_nothing_behind(backend: Unruly, patience: float) -> None:
    journal, before = Journal(), {task.id for task in anyio.get_running_tasks()}
    began, result = anyio.current_time(), None
    with anyio.move_on_after(patience) as scope:
        result = await run(backend, journal)
    assert (result is None) is scope.cancelled_caught
    assert anyio.current_time() - began <= patience + 0.25  # what a backend may take to tidy up
    assert {task.id for task in anyio.get_running_tasks()} == before
    if journal.events:  # a scope whose time is up at once may never let it begin
        nothing_is_left(backend, journal)
    if scope.cancelled_caught and journal.events:
        assert journal.events[-1].data["status"] == "cancelled"


@pytest.mark.anyio
@pytest.mark.virtual_time
@given(backend=backends())
async def test_a_run_that_is_left_alone_ends_in_its_time_and_leaves_nothing_behind(backend: Unruly) -> None:
    journal, before = Journal(), {task.id for task in anyio.get_running_tasks()}
    result = await run(backend, journal)
    assert result.spend is not None
    assert result.spend.seconds <= 20.25
    assert {task.id for task in anyio.get_running_tasks()} == before
    nothing_is_left(backend, journal)


@pytest.mark.anyio
@pytest.mark.virtual_time
@given(backend=backends((*TIDY, has_a_bug)), patience=moments)
async def test_a_bug_of_a_backend_is_one_clear_error_and_leaves_nothing_behind(
    backend: Unruly, patience: float
) -> None:
    journal, before = Journal(), {task.id for task in anyio.get_running_tasks()}
    with anyio.move_on_after(patience):
        try:
            await run(backend, journal)
        except Bug as bug:
            broken = [event for event in journal.events if event.data.get("failure") == "broken"]
            notes = "\n".join(bug.__notes__)
            assert any(f"`{event.data['model']}`, called in step `{event.step}`" in notes for event in broken)
            assert journal.events[-1].data["status"] == "broken"
    assert {task.id for task in anyio.get_running_tasks()} == before
    if journal.events:
        nothing_is_left(backend, journal)


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
@pytest.mark.anyio
@pytest.mark.virtual_time
@given(backend=backends((*TIDY, tidies_up_for_a_while)), patience=moments)
async def test_a_host_may_cancel_a_run_in_the_way_of_asyncio(backend: Unruly, patience: float) -> None:
    """Between the moments in which a run cancels calls of its own: anyio 4.16 may lose one that comes in the very same turn."""
    journal, before = Journal(), asyncio.all_tasks()
    timeout = patience + 1 / 16
    try:
        await asyncio.wait_for(run(backend, journal), timeout)
    except TimeoutError:
        assert journal.events[-1].at <= timeout + 4 * 0.25  # level by level, each may tidy up
        assert journal.events[-1].data["status"] == "cancelled"
    nothing_is_left(backend, journal)
    assert asyncio.all_tasks() == before
