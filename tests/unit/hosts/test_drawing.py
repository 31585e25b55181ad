"""What a run that is kept draws from the purse of its key, over all its processes."""

from __future__ import annotations

import anyio
import pytest

from recipelang import Engine, Limits, MemoryPurses, MemoryStore, ModelCall, RunFailure, RunFailureKind, ScriptedBackend
from recipelang.backends.scripted import After, Script
from recipelang.runtime.ledger import Share
from recipelang.runtime.purses import Purse, Taken
from runs import every_backend, plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

PLAN = plan_of("""
role weigh(said: answer) { max_tokens = 100, prompt = "{{ said }}" }
recipe main() -> answer {
  ask one   = speak(model = small)
  ask two   = weigh(one, model = small)
  ask three = weigh(two, model = small)
  return three
}
expose "main" = main()
""")
QUESTION = "Which planet is the largest?"


class Died(BaseException):
    """Stands for the end of a process: nothing is done after it, not even what is done in any case."""


class Deaf:
    """Purses that don't hear what a process books as it dies: it is not there to do so."""

    def __init__(self, purses: MemoryPurses) -> None:
        self._purses = purses

    def of(self, key: str) -> Purse:
        return DeafPurse(self._purses.of(key))


class DeafPurse:
    counts_tokens = True

    def __init__(self, purse: Purse) -> None:
        self._purse = purse

    async def take(self, most: Limits) -> Taken:
        return await self._purse.take(most)

    async def settle(self, taken: Taken, used: Share) -> None:
        raise Died


def dying_at(number: int) -> Script:
    made = 0

    def script(call: ModelCall) -> After:
        nonlocal made
        made += 1
        if made == number:
            raise Died
        return After(1, f"said {made}")

    return script


async def died_at(number: int, store: MemoryStore, purses: MemoryPurses, *, begun: bool = False) -> None:
    """A run that is killed at that call of its process: what this would still write or book is lost."""
    backends = every_backend(PLAN, ScriptedBackend(dying_at(number)))
    try:
        async with Engine(PLAN, backends=backends, store=store, ledger=Deaf(purses)) as engine:
            await (engine.resume("r") if begun else engine.run("main", QUESTION, run_id="r", key="ann"))
    except BaseException as ended:  # noqa: BLE001 - whichever group it comes in
        assert "Died" in repr(ended)  # noqa: PT017
    lines = store._lines["r"]  # noqa: SLF001 - nothing else takes a line back
    assert '"booked"' in lines.pop()


async def resumed(store: MemoryStore, purses: MemoryPurses, script: Script) -> int:
    """Go on; gives how many calls were made for it."""
    backend = ScriptedBackend(script)
    async with Engine(PLAN, backends=every_backend(PLAN, backend), store=store, ledger=purses) as engine:
        result = await engine.resume("r")
    assert result.text
    assert (await purses.used("ann")).calls == result.spend.calls
    assert (await purses.used("ann")).cost == pytest.approx(result.spend.cost)
    return len(backend.calls)


async def test_a_run_that_died_goes_on_with_what_it_had_drawn() -> None:
    store, purses = MemoryStore(), MemoryPurses(Limits(calls=4))
    await died_at(3, store, purses)
    assert (await purses.used("ann")).calls == 3
    # two were answered and one was lost: the one that is made in its place is the only one that is drawn anew
    assert await resumed(store, purses, {"*": "the end"}) == 1
    assert (await purses.used("ann")).calls == 4


async def test_a_run_that_died_twice_draws_only_what_is_missing() -> None:
    store, purses = MemoryStore(), MemoryPurses(Limits(calls=5, cost=1.0))
    await died_at(2, store, purses)
    before = await purses.used("ann")
    await died_at(1, store, purses, begun=True)
    assert (await purses.used("ann")).calls == before.calls + 1
    assert await resumed(store, purses, {"*": "the end"}) == 2
    assert (await purses.used("ann")).calls == 5


async def test_a_run_that_its_host_gave_up_draws_only_the_rest() -> None:
    store, purses = MemoryStore(), MemoryPurses(Limits(calls=4))
    backend = ScriptedBackend({"*": After(10, "late")})
    async with Engine(PLAN, backends=every_backend(PLAN, backend), store=store, ledger=purses) as engine:
        with anyio.move_on_after(15):
            await engine.run("main", QUESTION, run_id="r", key="ann")
    assert (await purses.used("ann")).calls == 2  # one was answered, one given up
    assert await resumed(store, purses, {"*": "the end"}) == 2
    assert (await purses.used("ann")).calls == 4


async def test_a_run_that_has_ended_draws_nothing_when_it_is_told_again() -> None:
    store, purses = MemoryStore(), MemoryPurses(Limits(calls=3))
    backend = ScriptedBackend({"*": "yes"})
    async with Engine(PLAN, backends=every_backend(PLAN, backend), store=store, ledger=purses) as engine:
        told = await engine.run("main", QUESTION, run_id="r", key="ann")
        for _ in range(2):
            again = await engine.resume("r")
            assert (again.text, again.spend.calls, again.spend.cost) == (told.text, told.spend.calls, told.spend.cost)
        with pytest.raises(RunFailure) as refused:
            await engine.run("main", QUESTION, run_id="s", key="ann")
    assert refused.value.kind is RunFailureKind.BUDGET
    assert len(backend.calls) == 3
    assert (await purses.used("ann")).calls == 3


async def test_a_key_with_nothing_left_ends_its_run_as_far_as_it_had_drawn() -> None:
    """The lost call is drawn no more, and the run has to do with one call fewer."""
    store, purses = MemoryStore(), MemoryPurses(Limits(calls=3))
    await died_at(3, store, purses)
    with pytest.raises(RunFailure) as refused:
        await resumed(store, purses, {"*": "the end"})
    assert refused.value.kind is RunFailureKind.BUDGET
    assert (await purses.used("ann")).calls == 3


async def test_a_run_that_is_streamed_is_kept_and_resumed_as_any_other() -> None:
    store = MemoryStore()
    backend = ScriptedBackend({"*": "Jupiter it is"})
    async with Engine(PLAN, backends=every_backend(PLAN, backend), store=store) as engine:
        async with engine.stream("main", QUESTION, run_id="r") as answer:
            pieces = [piece async for piece in answer]
        again = await engine.resume("r")
    assert len(pieces) > 1
    assert "".join(pieces) == answer.result.text == again.text == "Jupiter it is"
    assert len(backend.calls) == 3


async def test_a_stream_whose_listener_left_can_be_resumed() -> None:
    store = MemoryStore()
    backend = ScriptedBackend({"*": "Jupiter it is"})
    async with Engine(PLAN, backends=every_backend(PLAN, backend), store=store) as engine:
        async with engine.stream("main", QUESTION, run_id="r") as answer:
            async for _ in answer:
                break
        assert await store.unfinished() == ["r"]
        result = await engine.resume("r")
    assert result.text == "Jupiter it is"
    assert 3 <= len(backend.calls) <= 4
    assert await store.unfinished() == []
