"""What processes share: each change is whole, what is remembered may be forgotten, what is counted may not."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from uuid import uuid4

import anyio
import anyio.to_thread
import pytest

from recipelang.hosts.redis import RedisState
from recipelang.hosts.state import MemoryState, SqliteState, state_at
from recipelang.runtime.ports import State, StoreProblem
from recipelang.runtime.values import Json
from redis_servers import fake_redis, real_redis

Opened = Callable[..., State]
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with fake_redis() as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", "redis"])
def any_state(request: pytest.FixtureRequest, tmp_path: Path, redis: str) -> State:
    """One of each kind, of which nobody has heard before."""
    if request.param == "redis":
        RedisState(redis)._redis.flushall()  # noqa: SLF001 - the tests of this module share one
        return RedisState(redis)
    return MemoryState() if request.param == "memory" else SqliteState(tmp_path / "s.db")


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    def made(room: int = 1_000_000, clock: Callable[[], float] = lambda: 0.0) -> State:
        return (
            MemoryState(room, clock=clock)
            if request.param == "memory"
            else SqliteState(tmp_path / "s.db", room, clock=clock)
        )

    return made


def one_more(was: Json) -> tuple[Json, Json]:
    return (was or 0) + 1, was


async def test_a_change_sees_what_the_last_one_left_and_tells_what_it_likes(any_state: State) -> None:
    state = any_state
    assert [await state.change("n", 60, one_more) for _ in range(3)] == [None, 1, 2]
    assert await state.change("other", 60, one_more) is None


async def test_a_change_that_fails_changes_nothing(any_state: State) -> None:
    state = any_state
    await state.change("n", 60, one_more)

    def fails(was: Json) -> tuple[Json, None]:
        raise LookupError(was)

    with pytest.raises(LookupError, match="1"):
        await state.change("n", 60, fails)
    assert await state.change("n", 60, one_more) == 1


async def test_what_is_past_is_as_if_it_had_never_been(opened: Opened) -> None:
    now = [0.0]
    state = opened(clock=lambda: now[0])
    await state.change("n", 60, one_more)
    await state.remember("a", "A", 60)
    now[0] = 59.0
    assert (await state.recall("a"), await state.change("n", 1, one_more)) == ("A", 1)
    now[0] = 60.0
    assert (await state.recall("a"), await state.change("n", 60, one_more)) == (None, None)


async def test_what_was_remembered_first_makes_way_and_what_is_counted_never_does(opened: Opened) -> None:
    state = opened(room=10_000)
    await state.change("n", 60, one_more)
    for number in range(300):
        await state.remember(f"text {number}", "x" * 100, 60)
    there = [number for number in range(300) if await state.recall(f"text {number}")]
    assert there[-1] == 299
    assert 0 not in there
    assert len(there) <= 100 + 64  # a file is swept from time to time
    assert await state.change("n", 60, one_more) == 1


async def test_what_is_remembered_again_takes_the_place_of_what_was(any_state: State) -> None:
    state = any_state
    for text in ("first", "second"):
        await state.remember("a", text, 60)
    assert await state.recall("a") == "second"


async def test_memory_keeps_what_was_recalled_last() -> None:
    state = MemoryState(room=3)
    for name in "abc":
        await state.remember(name, name, 60)
    await state.recall("a")
    await state.remember("d", "d", 60)
    assert [await state.recall(name) for name in "abcd"] == ["a", None, "c", "d"]
    assert state.size == 3


@pytest.mark.parametrize("kind", ["file", "fake redis", "redis"])
def test_processes_lose_no_change_of_each_other(tmp_path: Path, redis: str, kind: str) -> None:
    with (
        real_redis()
        if kind == "redis"
        else nullcontext(redis if kind == "fake redis" else str(tmp_path / "s.db")) as place
    ):
        three_processes_count(place)


def three_processes_count(path: str) -> None:
    name = uuid4().hex
    program = (
        "import anyio, sys\n"
        "from recipelang.hosts.state import state_at\n"
        "async def main():\n"
        "    state = state_at(sys.argv[1])\n"
        "    for _ in range(40): await state.change(sys.argv[2], 60, lambda was: ((was or 0) + 1, None))\n"
        "anyio.run(main)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, path, name]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert anyio.run(state_at(path).change, name, 60, one_more) == 120


async def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and longer than the head of one\n" * 20)
    with pytest.raises(StoreProblem, match="it is no state of recipelang"):
        SqliteState(path)


async def test_nobody_waits_for_all_those_before_where_a_file_is_held_up(tmp_path: Path) -> None:
    state, held_up, over = SqliteState(tmp_path / "state.db", patience=0.01), threading.Event(), threading.Event()

    def hold_up(value: Json) -> tuple[Json, None]:
        held_up.set()
        over.wait(20)
        return value, None

    async with anyio.create_task_group() as group:
        group.start_soon(state.change, "one", 60, hold_up)
        assert await anyio.to_thread.run_sync(held_up.wait, 20)
        try:
            with pytest.raises(StoreProblem, match="the state is locked: another process has been writing"):
                await state.recall("another")
        finally:
            over.set()


async def test_a_redis_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(StoreProblem, match=r"^redis://127.0.0.1:9/0: ") as told:
        await RedisState("redis://:a-secret@127.0.0.1:9/0").recall("a")
    assert "secret" not in str(told.value)


async def test_redis_keeps_nothing_for_longer_than_it_is_to(redis: str) -> None:
    state = RedisState(redis)
    await state.remember("short", "text", 0.001)
    await state.change("count", 0.001, one_more)
    await anyio.sleep(0.01)
    assert (await state.recall("short"), await state.change("count", 60, one_more)) == (None, None)


def test_those_who_open_a_new_file_at_once_all_find_it_theirs(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"{number}.db"
        with ThreadPoolExecutor(8) as pool:
            for state in pool.map(lambda _: SqliteState(path), range(8)):  # noqa: B023 - the pool ends with the round
                state.close()
