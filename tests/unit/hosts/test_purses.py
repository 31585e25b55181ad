"""Budgets of a host for each key and day: refused before anything is sent, never passed, whoever takes at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest

from recipelang import Engine, RunFailure, RunFailureKind
from recipelang.backends.scripted import After, ScriptedBackend
from recipelang.hosts.purses import DAY, MemoryPurses, SqlitePurses, StatePurses
from recipelang.runtime.ledger import Limits
from runs import plan_of

RECIPE = """
recipe main() -> answer {
  fanout xs = speak(model = small) for n in [1, 2, 3] { on_error = skip }
  return first(xs)
}
"""
Opened = Callable[..., StatePurses]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    def made(each: Limits, **options: object) -> StatePurses:
        if request.param == "memory":
            return MemoryPurses(each, **options)  # type: ignore[arg-type]  # those of both
        return SqlitePurses(tmp_path / "purses.db", each, **options)  # type: ignore[arg-type]  # as above

    return made


async def run(purses: StatePurses, backend: ScriptedBackend, key: str = "ann") -> int:
    async with Engine(plan_of(RECIPE), backends={"lab": backend}, ledger=purses) as engine:
        return (await engine.run("main", "Hello?", key=key)).spend.calls


def says_yes() -> ScriptedBackend:
    return ScriptedBackend({"*": "yes"})


@pytest.mark.anyio
async def test_a_key_that_has_used_its_day_is_refused_before_anything_is_sent(opened: Opened) -> None:
    purses, backend = opened(Limits(calls=4)), says_yes()
    assert await run(purses, backend) == 3
    assert await run(purses, backend) == 1  # with what is left, it does what it can
    with pytest.raises(RunFailure, match="not run: no calls are left of the budget of `ann`") as refused:
        await run(purses, backend)
    assert refused.value.kind is RunFailureKind.BUDGET
    assert len(backend.calls) == 4
    assert await run(purses, backend, "bob") == 3


@pytest.mark.anyio
async def test_what_a_run_did_not_use_is_given_back(opened: Opened) -> None:
    purses = opened(Limits(tokens=100_000, cost=1.0))
    await run(purses, says_yes())
    used = await purses.used("ann")
    assert used.calls == 3
    assert 0 < used.tokens < 200
    assert 0 < used.cost < 0.001


@pytest.mark.anyio
async def test_a_new_day_begins_with_a_full_purse(opened: Opened) -> None:
    now = [0.0]
    purses = opened(Limits(calls=3), clock=lambda: now[0])
    assert await run(purses, says_yes()) == 3
    now[0] = DAY - 1
    with pytest.raises(RunFailure):
        await run(purses, says_yes())
    now[0] = DAY
    assert await run(purses, says_yes()) == 3


@pytest.mark.anyio
async def test_a_key_may_have_a_budget_of_its_own(opened: Opened) -> None:
    purses = opened(Limits(calls=100), of={"trial": Limits(calls=1)})
    assert await run(purses, says_yes(), "trial") == 1
    with pytest.raises(RunFailure):
        await run(purses, says_yes(), "trial")


@pytest.mark.anyio
async def test_a_run_that_is_cancelled_is_booked_at_what_it_may_have_used(opened: Opened) -> None:
    purses = opened(Limits(calls=100))
    with anyio.move_on_after(0.05):
        await run(purses, ScriptedBackend({"*": After(60, "late")}))
    assert (await purses.used("ann")).calls == 3
    assert (await purses.used("ann")).tokens > 300


@pytest.mark.anyio
async def test_a_run_that_is_refused_takes_nothing(opened: Opened) -> None:
    purses = opened(Limits(calls=3))
    await run(purses, says_yes())
    before = await purses.used("ann")
    with pytest.raises(RunFailure):
        await run(purses, says_yes())
    assert await purses.used("ann") == before


def test_threads_that_take_at_once_never_get_more_than_there_is(opened: Opened) -> None:
    purses = opened(Limits(calls=50))
    assert sum(taken_by(purses, 20) for _ in range(1)) == 20

    def many(_: int) -> int:
        return taken_by(purses, 10)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(many, range(8))) == 30
    assert anyio.run(purses.used, "ann").calls == 50


def taken_by(purses: StatePurses, times: int) -> int:
    """Calls that were granted, one at a time, and are not settled."""

    async def take() -> int:
        got = 0
        for _ in range(times):
            try:
                got += (await purses.of("ann").take(Limits(calls=1))).most.calls or 0
            except Exception:  # noqa: BLE001 - refused
                break
        return got

    return anyio.run(take)


def test_processes_that_share_a_file_never_get_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "purses.db"
    purses = SqlitePurses(path, Limits(calls=30))
    program = (
        "import anyio, sys\n"
        "from recipelang.hosts.purses import SqlitePurses\n"
        "from recipelang.runtime.ledger import Limits, Refused\n"
        "async def main():\n"
        "    purse, got = SqlitePurses(sys.argv[1], Limits(calls=30)).of('ann'), 0\n"
        "    try:\n"
        "        for _ in range(20): got += (await purse.take(Limits(calls=1))).most.calls\n"
        "    except Refused: pass\n"
        "    print(got)\n"
        "anyio.run(main)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert sum(int(process.communicate()[0]) for process in running) == 30
    assert anyio.run(purses.used, "ann").calls == 30  # what a process took that ended without settling stays taken
