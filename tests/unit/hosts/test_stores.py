"""Every store keeps runs alike, wherever it keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from pathlib import Path

import anyio
import pytest

from killed_runs import broken_promises, killed, slowly, undisturbed
from recipelang import Engine, MemoryStore, RedisStore, ScriptedBackend, SqliteStore, Store, StoreProblem
from recipelang.hosts.stores import shown
from redis_servers import fake_redis, real_redis
from runs import every_backend, plan_of
from upstream import Upstream

pytestmark = pytest.mark.anyio
Opened = Callable[[], Store]
"""Opens the same store again, as another process would."""
LINES = ["{}\n", '{"text": "ünd €, \\u0000 \\ud83e\\udd9c"}\n', "half a line"]


@pytest.fixture(scope="module", params=["memory", "sqlite", "fake redis", "redis"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    match request.param:
        case "memory":
            yield ""
        case "sqlite":
            yield str(tmp_path_factory.mktemp("stores") / "runs.db")
        case "fake redis":
            with fake_redis() as url:
                yield url
        case _:
            with real_redis() as url:
                yield url


@pytest.fixture
def opened(place: str) -> Iterator[Opened]:
    memory = MemoryStore()
    with ExitStack() as stack:

        def open_() -> Store:
            if not place:
                return memory
            kind = RedisStore if place.startswith("redis:") else SqliteStore
            return stack.enter_context(closing(kind(place)))

        yield open_


@pytest.fixture
def run(request: pytest.FixtureRequest) -> str:
    """A name that no other test has."""
    return f"{request.node.name} ü"


async def test_lines_come_back_as_they_were_written_in_another_process(opened: Opened, run: str) -> None:
    store = opened()
    holder = await store.begin(run, LINES)
    await store.add(run, holder, ["b\n", "c\n"])
    await store.add(run, holder, [])
    assert await opened().read(run) == [*LINES, "b\n", "c\n"]


async def test_who_takes_a_run_up_holds_it_and_nobody_else_can_add_to_it(opened: Opened, run: str) -> None:
    first, second = opened(), opened()
    holder = await first.begin(run, ["a\n"])
    new, lines = await second.take_up(run)
    assert list(lines) == ["a\n"]
    with pytest.raises(StoreProblem, match="taken up by another process"):
        await first.add(run, holder, ["lost\n"], ended=True)
    await second.add(run, new, ["b\n"])
    assert await first.read(run) == ["a\n", "b\n"]
    assert run in await first.unfinished()
    newest, _ = await first.take_up(run)
    assert len({holder, new, newest}) == 3
    with pytest.raises(StoreProblem, match="taken up by another process"):
        await second.add(run, new, [])


async def test_a_run_is_unfinished_until_it_has_ended(opened: Opened, run: str) -> None:
    store = opened()
    names = [f"{run} {place}" for place in "cab"]
    holders = [await store.begin(name, ["a\n"]) for name in names]
    assert [name for name in await store.unfinished() if name in names] == names
    await store.add(names[1], holders[1], ["end\n"], ended=True)
    assert [name for name in await opened().unfinished() if name in names] == [names[0], names[2]]
    holder, _ = await store.take_up(names[1])
    await store.add(names[1], holder, ["and after\n"])
    assert names[1] not in await store.unfinished()


async def test_a_name_is_used_once_and_one_that_is_not_there_is_said_so(opened: Opened, run: str) -> None:
    store = opened()
    await store.begin(run, ["a\n"])
    with pytest.raises(StoreProblem, match="already: resume it"):
        await store.begin(run, ["b\n"])
    assert await store.read(run) == ["a\n"]
    for asked in (store.read, store.take_up):
        with pytest.raises(StoreProblem, match="there is no run `nobody`"):
            await asked("nobody")
    with pytest.raises(StoreProblem):
        await store.add("nobody", 1, ["x\n"])
    with pytest.raises(StoreProblem):
        await store.read("nobody")


async def test_of_many_that_add_at_once_none_loses_a_line(opened: Opened, run: str) -> None:
    stores = [opened() for _ in range(3)]
    holder = await stores[0].begin(run, [])
    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(stores[number % 3].add, run, holder, [f"{number} one\n", f"{number} two\n"])
    lines = list(await stores[0].read(run))
    assert sorted(lines) == sorted(f"{number} {which}\n" for number in range(30) for which in ("one", "two"))
    assert all(lines[at].split()[0] == lines[at + 1].split()[0] for at in range(0, 60, 2))  # each add as a whole


async def test_of_many_that_begin_or_take_up_at_once_one_holds_the_run(opened: Opened, run: str) -> None:
    stores = [opened() for _ in range(3)]
    begun, taken = [], []

    async def begin(store: Store) -> None:
        with suppress(StoreProblem):
            begun.append(await store.begin(run, ["a\n"]))

    async def take_up(store: Store) -> None:
        taken.append((await store.take_up(run))[0])

    for attempt, told in ((begin, begun), (take_up, taken)):
        async with anyio.create_task_group() as group:
            for number in range(9):
                group.start_soon(attempt, stores[number % 3])
        assert len(set(told)) == len(told)
    assert len(begun) == 1
    held = []
    for holder in taken:
        with suppress(StoreProblem):
            await stores[0].add(run, holder, [])
            held.append(holder)
    assert held == [max(taken)]


# ------------------------------------------------------------------- sqlite


async def test_a_disk_that_is_full_is_said_so_and_costs_no_later_line(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with closing(SqliteStore(path)) as store:
        holder = await store.begin("r", ["a\n"])
        store._connection.execute("PRAGMA max_page_count = 20")  # noqa: SLF001 - a disk that is nearly full
        with pytest.raises(StoreProblem, match="is full"):
            await store.add("r", holder, [f"{'x' * 10_000}\n"] * 40)
        await store.add("r", holder, ["b\n"])
        assert await store.read("r") == ["a\n", "b\n"]


def test_a_file_without_a_name_is_none() -> None:
    with pytest.raises(StoreProblem, match="its path is empty"):
        SqliteStore("")


# -------------------------------------------------------------------- redis


async def test_a_redis_that_is_not_there_is_a_problem_that_names_it_and_no_password() -> None:
    with fake_redis() as url:
        pass
    with closing(RedisStore(url.replace("//", "//me:a-secret@"))) as store, pytest.raises(StoreProblem) as raised:
        await store.begin("r", [])
    assert "redis://127.0.0.1" in str(raised.value)
    assert "secret" not in f"{raised.value!r}{store.where}"


@pytest.mark.parametrize(
    "url",
    [
        "redis://:a-secret@localhost/0?socket_timeout=soon",
        "redis://:a-secret@localhost:port/0",
        "redis://:a-secret@localhost/0?nothing=known",
    ],
)
async def test_an_address_that_can_not_be_is_said_so(url: str) -> None:
    with pytest.raises(StoreProblem) as raised:
        RedisStore(url)
    assert "a-secret" not in str(raised.value)


def test_an_address_is_shown_without_what_is_secret() -> None:
    assert shown("rediss://me:a-secret@host:1/0?password=other") == "rediss://host:1/0"
    assert shown("unix://me@/run/redis.sock?password=other") == "unix:///run/redis.sock"
    assert shown("redis://") == "redis://"
    assert shown("a:b@c.db") == "a:b@c.db"


async def test_an_engine_opens_a_journal_in_redis_by_its_address() -> None:
    plan = plan_of('recipe main() -> answer { ask reply = speak(model = small) return reply } expose "main" = main()')
    backend = ScriptedBackend({"*": "Jupiter"})
    with fake_redis() as url:
        async with Engine(plan, backends=every_backend(plan, backend), store=url) as engine:
            await engine.run("main", "Which planet?", run_id="r")
        async with Engine(plan, backends=every_backend(plan, backend), store=url) as engine:
            assert (await engine.resume("r")).text == "Jupiter"
    assert len(backend.calls) == 1


@pytest.mark.parametrize("servers", [fake_redis, real_redis])
def test_a_run_in_redis_whose_process_is_killed_is_resumed_and_nothing_is_paid_twice(
    servers: Callable[[], AbstractContextManager[str]], tmp_path: Path
) -> None:
    with servers() as url, Upstream(slowly) as upstream:
        whole = undisturbed(tmp_path, upstream)
        for part in (0.3, 0.8):
            run = killed(tmp_path, upstream, part * whole.spend.seconds, url)
            assert broken_promises(run, whole.text) == []
