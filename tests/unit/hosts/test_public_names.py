"""What a host imports from `recipelang`: each name is there, documented, and typed for a checker of the host's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import recipelang

PROGRAM = """
import httpx2

from recipelang import BackendError, BlockingEngine, Delta, Engine, Event, FailureKind, ModelCall, Reply, RunFailure, load


class Mine:
    async def complete(self, call: ModelCall) -> Reply:
        raise BackendError(FailureKind.SERVER, call.model.id)

    async def stream(self, call: ModelCall):  # type: ignore[no-untyped-def]
        yield Delta(reply=await self.complete(call))


class Journal:
    def record(self, event: Event) -> None:
        print(event.kind)


async def look_up(word: str) -> dict[str, str]:
    return {"word": word}


async def main(client: httpx2.AsyncClient) -> str | None:
    async with Engine(load("{}"), client=client, backends={"lab": Mine()}, functions={"look_up": look_up}) as engine:
        try:
            result = await engine.run("fusion", "Hello?", arguments={"panel": ["small"]}, journal=Journal())
        except RunFailure as failure:
            return failure.model
    return result.text


def blocking() -> int:
    with BlockingEngine("team.recipe", environment={"KEY": "k"}) as engine:
        return engine.run("fusion", [{"role": "user", "content": "Hello?"}], seed=7).spend.tokens
"""
MISTAKES = {
    'BlockingEngine("team.recipe", environment=': 'BlockingEngine("team.recipe", environ=',
    "seed=7)": 'seed="seven")',
    "spend.tokens": "spend.money",
    "load(": "lode(",
    'backends={"lab": Mine()}': 'backends={"lab": Journal()}',
    "client=client": "client=7",
}


def complaints_about(program: str, folder: Path) -> str:
    """What a host's mypy says, in a folder of its own and with nothing of this checkout's settings."""
    file = folder / "program.py"
    file.write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), file.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_types_of_a_hosts_program_are_checked(tmp_path: Path) -> None:
    assert complaints_about(PROGRAM, tmp_path).startswith("Success")
    wrong = PROGRAM
    for right, mistake in MISTAKES.items():
        assert right in wrong
        wrong = wrong.replace(right, mistake)
    assert f"Found {len(MISTAKES) + 1} errors" in complaints_about(wrong, tmp_path)  # one name that is not there: twice


@pytest.mark.parametrize("name", recipelang.__all__)
def test_a_public_name_is_there_and_says_what_it_is_for(name: str) -> None:
    assert name in dir(recipelang)
    assert getattr(recipelang, name).__doc__


def test_a_name_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="module `recipelang` has no attribute `engine_of_state`"):
        _ = recipelang.engine_of_state
