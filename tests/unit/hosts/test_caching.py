"""Replies that serve again: only for an equal call of the same key, one for each sample, at no cost and within all bounds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from recipelang import (
    BackendError,
    Cache,
    Engine,
    FailureKind,
    Limits,
    MemoryPurses,
    MemoryState,
    ModelCall,
    Reply,
    RunFailure,
    RunResult,
    ScriptedBackend,
    SqliteState,
    SqliteStore,
    Usage,
)
from recipelang.backends.scripted import Outcome
from runs import plan_of

pytestmark = pytest.mark.anyio
RECIPE = """
role cold() { temperature = 0 max_tokens = 50 }
recipe main() -> answer { ask reply = speak(model = small) return reply }
recipe thrice() -> answer {
  fanout xs = cold(model = small) for n in [1, 2, 3]
  return first(xs)
}
"""
"""Under a temperature of 0 no seed is sent, so that equal calls are told apart by nothing but their number."""


def numbered() -> ScriptedBackend:
    """Says something else each time."""
    numbers = count(1)
    return ScriptedBackend(lambda call: Reply(f"answer {next(numbers)}", usage=Usage(11, 3)))


async def asked(
    backend: ScriptedBackend, cache: Cache, *questions: str, recipe: str = "main", key: str = "", **options: object
) -> list[RunResult]:
    async with Engine(plan_of(RECIPE), backends={"lab": backend}, cache=cache, **options) as engine:  # type: ignore[arg-type]  # an engine's own
        return [await engine.run(recipe, question, key=key, content=True) for question in questions]


async def test_an_equal_call_gets_the_reply_that_was_given_before_and_no_other_does() -> None:
    backend = numbered()
    results = await asked(backend, Cache(), "Hello?", "Hello?", "Hello!")
    assert [result.text for result in results] == ["answer 1", "answer 1", "answer 2"]
    assert len(backend.calls) == 2
    assert [result.trace.of("call_end")[0].data.get("cached") for result in results] == [None, True, None]


async def test_without_a_cache_every_call_is_made() -> None:
    backend = numbered()
    async with Engine(plan_of(RECIPE), backends={"lab": backend}) as engine:
        assert [(await engine.run("main", "Hello?")).text for _ in range(2)] == ["answer 1", "answer 2"]


async def test_a_reply_that_was_known_costs_nothing() -> None:
    purses = MemoryPurses(Limits(calls=2, tokens=1_000, cost=1.0))
    first, *others = await asked(numbered(), Cache(), *["Hello?"] * 3, key="ann", ledger=purses)
    assert (first.spend.calls, first.spend.tokens) == (1, 14)
    assert [(one.spend.calls, one.spend.tokens, one.spend.cost, one.spend.reported) for one in others] == [
        (0, 0, 0.0, True)
    ] * 2
    used = await purses.used("ann")
    assert (used.calls, used.tokens) == (1, 14)


async def test_a_call_that_a_budget_does_not_hold_is_refused_even_where_its_reply_is_known() -> None:
    cache = Cache()
    purses = MemoryPurses(Limits(calls=1))
    await asked(numbered(), cache, "Hello?", key="ann", ledger=purses)
    with pytest.raises(RunFailure, match="no calls are left"):
        await asked(numbered(), cache, "Hello?", key="ann", ledger=purses)


async def test_n_samples_of_one_prompt_stay_n_samples() -> None:
    cache, backend = Cache(), numbered()
    first, again = await asked(backend, cache, "Hello?", "Hello?", recipe="thrice")
    said = [[event.data["text"] for event in result.trace.of("call_end")] for result in (first, again)]
    assert said == [["answer 1", "answer 2", "answer 3"]] * 2
    assert len(backend.calls) == 3


async def test_a_sample_that_failed_leaves_its_place_to_the_next_one() -> None:
    cache = Cache()
    state: Iterator[Outcome] = iter([BackendError(FailureKind.SERVER, "down"), Reply("up"), Reply("no")])
    backend = ScriptedBackend(lambda call: next(state))
    with pytest.raises(RunFailure):
        await asked(backend, cache, "Hello?")
    results = await asked(backend, cache, "Hello?", "Hello?")
    assert [result.text for result in results] == ["up", "up"]


@pytest.mark.parametrize(("across", "calls"), [(False, 2), (True, 1)])
async def test_keys_see_no_replies_of_each_other_unless_they_are_to(across: bool, calls: int) -> None:
    cache, backend = Cache(across_keys=across), numbered()
    for key in ("ann", "bob"):
        await asked(backend, cache, "Hello?", key=key)
    assert len(backend.calls) == calls


async def test_another_seed_asks_anew() -> None:
    backend = numbered()
    async with Engine(plan_of(RECIPE), backends={"lab": backend}, cache=Cache()) as engine:
        texts = [(await engine.run("main", "Hello?", seed=seed)).text for seed in (1, 2, 1)]
    assert texts == ["answer 1", "answer 2", "answer 1"]


async def test_a_reply_serves_no_longer_than_it_is_to() -> None:
    now = [0.0]
    cache, backend = Cache(60, state=MemoryState(clock=lambda: now[0])), numbered()
    for at in (0.0, 59.0, 61.0):
        now[0] = at
        await asked(backend, cache, "Hello?")
    assert len(backend.calls) == 2


async def test_a_stream_speaks_a_known_reply_at_once() -> None:
    backend = numbered()
    async with Engine(plan_of(RECIPE), backends={"lab": backend}, cache=Cache()) as engine:
        for _ in range(2):
            async with engine.stream("main", "Hello?") as answer:
                assert "".join([piece async for piece in answer]) == "answer 1"
            assert answer.result.text == "answer 1"
    assert len(backend.calls) == 1


async def test_processes_share_replies_by_a_file(tmp_path: Path) -> None:
    backend = numbered()
    for _ in range(2):
        (result,) = await asked(backend, Cache(state=SqliteState(tmp_path / "state.db")), "Hello?")
        assert result.text == "answer 1"


async def test_where_replies_cannot_be_recalled_they_are_asked_for(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "state.db")
    state.close()
    results = await asked(numbered(), Cache(state=state), "Hello?", "Hello?")
    assert [result.text for result in results] == ["answer 1", "answer 2"]


async def test_a_run_that_is_resumed_pays_nothing_for_what_was_known(tmp_path: Path) -> None:
    cache, backend = Cache(), numbered()
    store = SqliteStore(tmp_path / "runs.db")
    async with Engine(plan_of(RECIPE), backends={"lab": backend}, cache=cache, store=store) as engine:
        await engine.run("main", "Hello?")
        assert (await engine.run("main", "Hello?", run_id="r")).spend.calls == 0
    async with Engine(plan_of(RECIPE), backends={"lab": backend}, store=store) as engine:
        again = await engine.resume("r")
    assert (again.text, again.spend.calls, len(backend.calls)) == ("answer 1", 0, 1)


async def test_all_that_is_sent_tells_calls_apart() -> None:
    """What a reply depends on is in its name: a field of a call that is added must be thought of here."""
    told = {"model", "messages", "max_tokens", "temperature", "logprobs", "schema", "tools", "seed", "strict", "others"}
    not_sent = {"role", "sample", "again", "headers", "departure"}
    assert set(ModelCall.__slots__) == told | not_sent
