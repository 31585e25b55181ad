"""Backends with several addresses, circuits and a limit of calls at once."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from random import Random

import anyio
import pytest

from model_calls import CALL, model_call
from recipelang.backends.crowding import Crowd
from recipelang.backends.replicas import Replicas
from recipelang.backends.scripted import After, Outcome, ScriptedBackend
from recipelang.ir.plan import Backend
from recipelang.runtime.ports import BackendError, Delta, Departure, FailureKind, ModelCall, Reply
from recipelang.runtime.values import Message

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

DOWN = BackendError(FailureKind.REFUSED, "can't connect", may_pass=True)
CROWDED = BackendError(FailureKind.RATE_LIMIT, "HTTP 429: slow down", 429, may_pass=True)
WRONG = BackendError(FailureKind.REQUEST, "HTTP 400: no", 400)


def replicas(*scripts: Outcome | list[Outcome], **settings: object) -> tuple[Replicas, list[ScriptedBackend]]:
    backends = [ScriptedBackend({"*": script}) for script in scripts]
    plan = Backend("lab", "openai", "http://gpu-0/v1", **settings)  # type: ignore[arg-type]  # its own settings
    return Replicas(plan, [(f"http://gpu-{n}/v1", backend) for n, backend in enumerate(backends)]), backends


def about(topic: str, *, again: bool = False) -> ModelCall:
    return model_call(messages=(Message("user", topic),), again=again)


async def failure_of(call: Callable[[], object]) -> BackendError:
    with pytest.raises(BackendError) as raised:
        await call()  # type: ignore[misc]  # a coroutine function
    return raised.value


def counts(backends: list[ScriptedBackend]) -> list[int]:
    return [len(backend.calls) for backend in backends]


# ----------------------------------------------------------------- addresses


async def test_a_conversation_goes_where_it_went_before_and_different_ones_are_spread() -> None:
    both, backends = replicas("a", "b")
    for turn in range(5):
        more = [Message("assistant", "yes"), Message("user", "and?")] * turn
        await both.complete(model_call(messages=(Message("system", "Be brief."), Message("user", "Why?"), *more)))
    assert sorted(counts(backends)) == [0, 5]
    for topic in range(100):
        await both.complete(about(f"topic {topic}"))
    assert min(counts(backends)) > 30


async def test_an_address_more_or_less_moves_only_its_own_conversations() -> None:
    three, of_three = replicas("a", "b", "c")
    two, of_two = replicas("a", "b")
    moved = 0
    for topic in range(90):
        await three.complete(about(f"topic {topic}"))
        await two.complete(about(f"topic {topic}"))
    stayed = [{c.messages[0].content for c in backend.calls} for backend in of_three]
    for place in (0, 1):
        moved += len(stayed[place] - {c.messages[0].content for c in of_two[place].calls})
    assert moved == 0


async def test_one_conversation_does_not_crowd_one_address() -> None:
    both, backends = replicas(After(10, "a"), After(10, "b"))
    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(both.complete, CALL)
        await anyio.sleep(1)
        busy = [len(backend.open) for backend in backends]
    assert sum(busy) == 40
    assert max(busy) <= 26


async def test_the_second_of_two_equal_calls_goes_to_another_address() -> None:
    both, backends = replicas("a", "b")
    await both.complete(about("it"))
    await both.complete(about("it", again=True))
    assert counts(backends) == [1, 1]


async def test_an_address_that_failed_is_asked_last_for_a_while() -> None:
    both, backends = replicas(DOWN, "b")
    failed = 0
    for topic in range(20):
        try:
            await both.complete(about(f"topic {topic}"))
        except BackendError:
            failed += 1
    assert failed == 1
    await anyio.sleep(11)
    for topic in range(20):
        try:
            await both.complete(about(f"topic {topic}"))
        except BackendError:
            failed += 1
    assert failed == 2
    assert counts(backends)[0] == 2


async def test_a_stream_is_counted_until_it_ends() -> None:
    both, backends = replicas("one two", "one two")
    deltas = [delta async for delta in both.stream(CALL)]
    assert "".join(delta.text for delta in deltas) == "one two"
    assert sum(counts(backends)) == 1
    assert [replica.in_flight for replica in both._replicas] == [0, 0]  # noqa: SLF001 - nothing else shows it


# ------------------------------------------------------------------ circuits


async def test_a_circuit_opens_refuses_at_once_and_closes_after_a_good_probe() -> None:
    lab, (backend,) = replicas([DOWN, DOWN, DOWN, "fine"], circuit=3, cooldown=10.0)
    for _ in range(3):
        assert (await failure_of(partial(lab.complete, CALL))).message == "can't connect"
    refused = await failure_of(partial(lab.complete, CALL))
    assert refused.message == "not called: `small` failed too often, and is tried again in 10 s"
    assert not refused.may_pass
    assert not refused.sent
    assert len(backend.calls) == 3
    await anyio.sleep(10)
    assert (await lab.complete(CALL)).text == "fine"
    assert (await lab.complete(CALL)).text == "fine"


async def test_a_bad_probe_opens_the_circuit_again() -> None:
    lab, (backend,) = replicas(DOWN, circuit=2, cooldown=10.0)
    for _ in range(2):
        await failure_of(partial(lab.complete, CALL))
    await anyio.sleep(10)
    assert (await failure_of(partial(lab.complete, CALL))).message == "can't connect"
    assert "not called" in (await failure_of(partial(lab.complete, CALL))).message
    assert len(backend.calls) == 3


async def test_there_is_one_probe_at_a_time_and_one_that_is_given_up_counts_neither_way() -> None:
    lab, (backend,) = replicas([DOWN, After(60, "slow"), "fine"], circuit=1, cooldown=10.0)
    await failure_of(partial(lab.complete, CALL))
    await anyio.sleep(10)
    async with anyio.create_task_group() as group:
        group.start_soon(lab.complete, CALL)
        await anyio.sleep(1)
        assert "not called" in (await failure_of(partial(lab.complete, CALL))).message
        group.cancel_scope.cancel()
    assert (await lab.complete(CALL)).text == "fine"
    assert len(backend.calls) == 3


async def test_failures_far_apart_and_wrong_requests_open_no_circuit() -> None:
    lab, (backend,) = replicas([DOWN, DOWN, WRONG, WRONG, WRONG, "fine"], circuit=2, cooldown=10.0)
    await failure_of(partial(lab.complete, CALL))
    await anyio.sleep(11)
    for _ in range(4):
        await failure_of(partial(lab.complete, CALL))
    assert (await lab.complete(CALL)).text == "fine"
    assert len(backend.calls) == 6


async def test_a_good_probe_that_is_streamed_closes_the_circuit_though_its_listener_leaves_with_the_last_piece() -> (
    None
):
    lab, _ = replicas([DOWN, "fine"], circuit=1, cooldown=10.0)
    await failure_of(partial(lab.complete, CALL))
    await anyio.sleep(10)
    async with aclosing(lab.stream(CALL)) as deltas:
        async for delta in deltas:
            if delta.reply is not None:
                break
    assert lab.gauge("healthy", CALL.model) is True
    assert lab.gauge("latency", CALL.model) is not None


@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("may_pass", [True, False])
async def test_a_failure_of_any_kind_counts_for_the_circuit_if_and_only_if_it_may_pass(
    kind: FailureKind, may_pass: bool
) -> None:
    lab, (backend,) = replicas(BackendError(kind, "no", may_pass=may_pass), circuit=3)
    for _ in range(10):
        await failure_of(partial(lab.complete, CALL))
    assert len(backend.calls) == (3 if may_pass else 10)


async def test_each_model_and_each_address_has_a_circuit_of_its_own() -> None:
    both, _ = replicas(DOWN, "b", circuit=1)
    answered = 0
    for topic in range(20):
        try:
            answered += (await both.complete(about(f"topic {topic}"))).text == "b"
        except BackendError as error:
            assert error.message == "can't connect"  # noqa: PT017 - of a call that was made
    assert answered >= 19


# ------------------------------------------------------------------- crowding


class Counting:
    """Knows how many calls are in flight."""

    def __init__(self, outcome: Outcome) -> None:
        self.inner = ScriptedBackend({"*": outcome})
        self.peak = 0

    async def complete(self, call: ModelCall) -> Reply:
        self.peak = max(self.peak, len(self.inner.open) + 1)
        return await self.inner.complete(call)

    def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        return self.inner.stream(call)


async def test_no_more_are_called_at_once_and_too_many_that_wait_are_refused() -> None:
    backend = Counting(After(1, "fine"))
    lab = Replicas(Backend("lab", "openai", "u", parallel=3, queue=4), [("u", backend)])
    failures, replies = [], []

    async def call() -> None:
        try:
            replies.append(await lab.complete(CALL))
        except BackendError as error:
            failures.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(call)
    assert (len(replies), len(failures), backend.peak) == (7, 3, 3)
    assert {failure.message for failure in failures} == {"not called: 3 calls are in flight, and 4 wait"}
    assert not any(failure.sent for failure in failures)
    assert anyio.current_time() >= 3


async def fail_in(crowd: Crowd, error: BackendError) -> None:
    with suppress(BackendError):
        async with crowd.call("it", Departure()):
            await anyio.sleep(1)
            raise error


async def test_the_limit_shrinks_once_for_all_that_were_in_flight_and_grows_with_answers() -> None:
    crowd = Crowd(10, 0, anyio.current_time)
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(fail_in, crowd, CROWDED)
    assert crowd.limit == 7
    await fail_in(crowd, CROWDED)
    assert 4.8 < crowd.limit < 5
    await fail_in(crowd, DOWN)
    assert 4.8 < crowd.limit < 5
    for _ in range(200):
        async with crowd.call("it", Departure()):
            pass
    assert crowd.limit == 10


async def test_who_is_given_up_while_it_waits_leaves_its_place() -> None:
    crowd = Crowd(1, 5, anyio.current_time)

    async def wait() -> None:
        async with crowd.call("it", Departure()):
            raise AssertionError("it is not its turn")

    async with crowd.call("it", Departure()), anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(wait)
        await anyio.sleep(1)
        group.cancel_scope.cancel()
    async with crowd.call("it", Departure()):
        pass


# ------------------------------------------------------------ crowding by pace


class Server:
    """Serves so many calls at full speed; of more, each takes as much longer as there are more."""

    def __init__(self, at_full_speed: int, seconds: float = 1.0) -> None:
        self.at_full_speed = at_full_speed
        self.seconds = seconds
        self.in_flight = 0
        self.answered = 0
        self.draw = Random(7)

    async def complete(self, call: ModelCall) -> Reply:
        self.in_flight += 1
        try:
            slower = max(1.0, self.in_flight / self.at_full_speed)
            await anyio.sleep(self.seconds * self.draw.lognormvariate(0, 0.5) * slower)
        finally:
            self.in_flight -= 1
        self.answered += 1
        return Reply("fine")

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        yield Delta(reply=await self.complete(call))


async def asked_by(callers: int, lab: Replicas, seconds: float, call: ModelCall = CALL) -> None:
    """So many callers, each with one call after the other, for so long."""

    async def keep_asking() -> None:
        while True:
            await lab.complete(replace(call, departure=Departure()))

    async with anyio.create_task_group() as group:
        for _ in range(callers):
            group.start_soon(keep_asking)
        await anyio.sleep(seconds)
        group.cancel_scope.cancel()


def crowded(server: Server, most: int = 64) -> tuple[Replicas, Crowd]:
    lab = Replicas(Backend("lab", "openai", "u", parallel=most, queue=1_000), [("u", server)])
    crowd = lab._crowd  # noqa: SLF001 - nothing else shows it
    assert crowd is not None
    return lab, crowd


async def test_an_endpoint_that_becomes_slow_gets_fewer_calls_at_once_and_as_much_done() -> None:
    server = Server(8)
    lab, crowd = crowded(server)
    await asked_by(4, lab, 30)
    assert crowd.limit == 64
    before = server.answered
    await asked_by(64, lab, 120)
    assert 16 <= crowd.limit <= 28  # about twice what it serves at full speed
    assert server.answered - before > 0.95 * 120 * 8 / math.exp(0.125)  # nearly all that it can do


async def test_the_limit_is_back_once_the_endpoint_is_quick_again() -> None:
    server = Server(8)
    lab, crowd = crowded(server)
    await asked_by(4, lab, 30)
    await asked_by(64, lab, 60)
    server.at_full_speed = 64
    await asked_by(64, lab, 60)
    assert crowd.limit > 50


async def test_the_ups_and_downs_of_an_endpoint_with_room_cost_no_place() -> None:
    lab, crowd = crowded(Server(64))
    await asked_by(60, lab, 300)
    assert crowd.limit == 64


async def test_roles_that_answer_at_length_don_t_make_an_endpoint_slow() -> None:
    server = Server(64)
    lab, crowd = crowded(server)
    await asked_by(40, lab, 30)
    server.seconds = 20
    await asked_by(40, lab, 300, replace(CALL, role="essayist"))
    assert crowd.limit == 64


async def test_calls_that_are_given_up_tell_that_an_endpoint_is_slow() -> None:
    server = Server(64)
    lab, crowd = crowded(server)
    await asked_by(10, lab, 30)
    server.seconds = 1e6  # it hangs
    for _ in range(5):
        await asked_by(64, lab, 20)
    assert crowd.limit < 16


async def test_an_endpoint_that_is_slow_with_few_calls_too_gets_its_places_back() -> None:
    server = Server(64)
    lab, crowd = crowded(server)
    await asked_by(8, lab, 30)
    server.seconds = 5
    await asked_by(64, lab, 100)
    assert crowd.limit < 20
    await asked_by(64, lab, 600)
    assert crowd.limit > 30
