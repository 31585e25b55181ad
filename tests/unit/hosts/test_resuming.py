"""Runs that are kept in a journal, and taken up again after their process has died."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import anyio
import pytest

from killed_runs import broken_promises, killed, slowly, undisturbed
from recipelang import (
    BackendError,
    Engine,
    FailureKind,
    MemoryStore,
    ModelCall,
    Plan,
    RunFailure,
    ScriptedBackend,
    SqliteStore,
    StoreProblem,
)
from recipelang.backends.scripted import After, Script
from runs import every_backend, plan_of
from upstream import Upstream

PLAN = plan_of("""
extern look(of: text) -> text { timeout = 5s, cost = $0.5 }
role weigh(seen: text?) { max_tokens = 100, prompt = "{{ seen }}" }
recipe main() -> answer {
  fanout drafts = speak(model = m) for m in [small, large, third] { quorum = 2, on_error = skip, timeout = 20s }
  call   seen   = look(drafts[0].text) { optional = true }
  ask    last   = weigh(seen, model = large) { retries = 1, fallback = drafts[0] }
  return last
}
expose "main" = main()
""")
QUESTION = "Which planet is the largest?"


class Interrupted(BaseException):
    """Stands for the end of a process: nothing is written down after it."""


async def look(of: str) -> str:
    return f"seen {of}"


def engine(store: MemoryStore | SqliteStore, script: Script, plan: Plan = PLAN) -> tuple[Engine, ScriptedBackend]:
    backend = ScriptedBackend(script)
    functions = {"look": look} if plan.externs else {}
    return Engine(plan, backends=every_backend(plan, backend), functions=functions, store=store), backend


def dying_at(number: int) -> Script:
    made = 0

    def script(call: ModelCall) -> After:
        nonlocal made
        made += 1
        if made == number:
            raise Interrupted
        return After(made, f"{call.model.name} {made}")

    return script


async def broken_off(store: MemoryStore, number: int) -> ScriptedBackend:
    """A run whose process dies at that call."""
    opened, backend = engine(store, dying_at(number))
    try:
        async with opened:
            await opened.run("main", QUESTION, run_id="r")
    except BaseException as ended:  # noqa: BLE001 - whichever group it comes in
        assert "Interrupted" in repr(ended)  # noqa: PT017
    return backend


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_what_was_answered_is_not_asked_again_and_is_in_the_ledger() -> None:
    store = MemoryStore()
    before = await broken_off(store, 4)
    opened, after = engine(store, {"*": "the last word"})
    async with opened:
        result = await opened.resume("r")
    assert [call.model.name for call in before.calls] == ["small", "large", "third", "large"]
    assert [call.model.name for call in after.calls] == ["large"]
    assert result.text == "the last word"
    lost = result.trace.of("calls_lost")[0].data
    # two drafts, the one that was given up, the call that was in flight, and the one that was made in its place
    assert (result.spend.calls, result.spend.wasted_calls, lost["calls"]) == (5, 2, 1)
    assert result.spend.cost is not None
    assert result.spend.cost > 0.5  # the host's function is paid once, and is in the ledger


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_run_that_has_ended_gives_its_answer_once_more_and_asks_nobody() -> None:
    store = MemoryStore()
    opened, first = engine(store, {"*": After(1, "Jupiter"), "third": After(9, "Saturn")})
    async with opened:
        told = await opened.run("main", QUESTION, run_id="r")
        again = await opened.resume("r")
    assert again.text == told.text == "Jupiter"
    assert len(first.calls) == 4
    assert (again.spend.calls, again.spend.cost) == (told.spend.calls, told.spend.cost)
    assert await store.unfinished() == []


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_what_came_first_comes_first_again() -> None:
    """The two slowest by place came first by time: the same two make the quorum again."""
    store = MemoryStore()
    delays = {"small": After(9, "slow"), "large": After(2, "second"), "third": After(1, "first")}
    opened, backend = engine(store, {**delays, "weigh": "end"})
    async with opened:
        told = await opened.run("main", QUESTION, run_id="r")
        again = await opened.resume("r")
    kept = [[event.step for event in run.trace.of("kept")] for run in (told, again)]
    assert kept[0] == kept[1] == ["drafts[2]", "drafts[1]"]
    assert len(backend.calls) == 4


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_failures_are_settled_too() -> None:
    store = MemoryStore()
    down = BackendError(FailureKind.SERVER, "HTTP 503", may_pass=True)
    opened, backend = engine(store, {"*": down})
    async with opened:
        with pytest.raises(RunFailure) as first:
            await opened.run("main", QUESTION, run_id="r")
        with pytest.raises(RunFailure) as second:
            await opened.resume("r")
    assert str(first.value) == str(second.value)
    assert len(backend.calls) == 2  # with two of three down no quorum can be met


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("seconds", [0, 1])
@pytest.mark.parametrize("sent", [True, False])
async def test_calls_that_failed_at_the_same_moment_are_in_the_ledger_as_they_were(sent: bool, seconds: int) -> None:
    """The first failure ends the fan-out; where the others had ended as well they are not given up when it is resumed,
    and where they had not even begun they are not sent."""
    plan = plan_of("""
    recipe main() -> answer {
      fanout drafts = speak(model = m) for m in [small, large, third] { quorum = 3, on_error = skip }
      return drafts[0]
    }
    expose "main" = main()
    """)
    store, failure = MemoryStore(), BackendError(FailureKind.REFUSED, "can't connect", sent=sent)
    opened, backend = engine(store, {"*": After(seconds, failure) if seconds else failure}, plan)
    spent = []
    async with opened:
        for run in (opened.run("main", QUESTION, run_id="r"), opened.resume("r")):
            with pytest.raises(RunFailure) as failed:
                await run
            assert failed.value.spend is not None
            spent.append((failed.value.spend.calls, failed.value.spend.tokens, failed.value.spend.wasted_calls))
    assert spent[0] == spent[1]
    assert len(backend.calls) == (3 if seconds else 1)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_calls_of_a_run_that_its_host_gave_up_are_asked_again() -> None:
    store = MemoryStore()
    opened, backend = engine(store, {"*": After(5, "late")})
    async with opened:
        with anyio.move_on_after(1):
            await opened.run("main", QUESTION, run_id="r")
        result = await opened.resume("r")
    assert result.text == "late"
    assert result.trace.of("calls_lost")[0].data["calls"] == 3
    assert len(backend.calls) == 3 + 3 + 1


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_run_of_recipes_that_have_changed_is_refused() -> None:
    store = MemoryStore()
    await broken_off(store, 4)
    other = plan_of('recipe main() -> answer {\n ask a = speak(model = small)\n return a\n}\nexpose "main" = main()')
    opened, backend = engine(store, {"*": "no"}, other)
    async with opened:
        with pytest.raises(StoreProblem, match="its recipes have changed since it began"):
            await opened.resume("r")
    assert backend.calls == []


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_name_is_used_once_and_one_that_is_not_there_is_said_so() -> None:
    store = MemoryStore()
    opened, backend = engine(store, {"*": "yes"})
    async with opened:
        await opened.run("main", QUESTION, run_id="r")
        calls = len(backend.calls)
        with pytest.raises(StoreProblem, match="there is a run `r`"):
            await opened.run("main", QUESTION, run_id="r")
        with pytest.raises(StoreProblem, match="there is no run `s`"):
            await opened.resume("s")
    assert len(backend.calls) == calls


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_run_that_another_process_takes_up_ends_where_it_was() -> None:
    """Two processes can't both go on: the one that was thought dead can't add to the journal any more."""
    store = MemoryStore()
    opened, _ = engine(store, {"*": After(5, "late")})
    problems: list[StoreProblem] = []

    async def first() -> None:
        try:
            await opened.run("main", QUESTION, run_id="r")
        except StoreProblem as problem:
            problems.append(problem)

    async with opened, anyio.create_task_group() as group:
        group.start_soon(first)
        await anyio.sleep(1)
        assert (await opened.resume("r")).text == "late"
    assert "taken up by another process" in str(problems[0])


@pytest.mark.anyio
async def test_a_run_without_a_name_is_not_kept_and_a_name_needs_a_store() -> None:
    store = MemoryStore()
    opened, backend = engine(store, {"*": "yes"})
    async with opened:
        await opened.run("main", QUESTION)
        assert await store.unfinished() == []
    without = Engine(PLAN, backends=every_backend(PLAN, backend), functions={"look": look})
    async with without:
        with pytest.raises(RuntimeError, match=r"Engine\(..., store=...\)"):
            await without.run("main", QUESTION, run_id="r")


# ---------------------------------------------------------------- the file


@pytest.mark.anyio
async def test_files_that_are_no_journals_are_told_apart(tmp_path: Path) -> None:
    text, other, newer = (tmp_path / name for name in ("text", "other", "newer"))
    text.write_text("nothing of the kind, but long enough to be looked at" * 20)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")
    connection.close()
    SqliteStore(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for path, why in ((text, "no journal of recipelang"), (other, "something else"), (newer, "version 99")):
        with pytest.raises(StoreProblem, match=why):
            SqliteStore(path)


@pytest.mark.anyio
async def test_a_journal_that_another_process_keeps_locked_is_said_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db", patience=0.01)
    other = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreProblem, match="locked: another process"):
        await store.begin("r", ["{}\n"])
    other.close()
    assert await store.begin("r", ["{}\n"]) == 1
    store.close()


@pytest.mark.anyio
async def test_a_damaged_run_is_said_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    await store.begin("r", ["{}\n", "half a li\n"])
    opened, _ = engine(store, {"*": "no"})
    async with opened:
        with pytest.raises(StoreProblem, match="the run `r` is damaged in the journal"):
            await opened.resume("r")
    store.close()


@pytest.mark.anyio
async def test_lines_come_back_as_they_were_written_from_another_process(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    holder = await store.begin("r", ["a\n"])
    await store.add("r", holder, ["b\n", "c\n"])
    store.close()
    again = SqliteStore(tmp_path / "runs.db")
    assert await again.unfinished() == ["r"]
    new, lines = await again.take_up("r")
    assert (new, lines) == (holder + 1, ["a\n", "b\n", "c\n"])
    with pytest.raises(StoreProblem, match="taken up by another process"):
        await again.add("r", holder, ["d\n"])
    await again.add("r", new, ["d\n"], ended=True)
    assert (await again.read("r"), await again.unfinished()) == (["a\n", "b\n", "c\n", "d\n"], [])
    again.close()


# ------------------------------------------------------------ killed in earnest


def test_a_run_whose_process_is_killed_at_any_moment_is_resumed_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    drawn = random.Random(4)
    with Upstream(slowly) as upstream:
        whole = undisturbed(tmp_path, upstream)
        for number in range(6):
            folder = tmp_path / str(number)
            folder.mkdir()
            run = killed(folder, upstream, drawn.uniform(0, 1.2 * whole.spend.seconds))
            assert broken_promises(run, whole.text) == []
