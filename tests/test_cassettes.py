"""The standard patterns on recorded answers of real models: replayed with no network, they give the same bytes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands import Command, command
from recipelang import compile_file

FOLDER = Path(__file__).parent / "cassettes"
RECIPES = FOLDER / "patterns.recipe"
CASSETTES = sorted(FOLDER.glob("*.cassette"))
CLOCKS = ("at", "latency", "seconds")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command(capsys, monkeypatch)


def line(cassette: Path, kind: str) -> dict[str, Any]:  # Any: a line of a cassette is JSON
    lines = [json.loads(text) for text in cassette.read_text(encoding="utf-8").splitlines()]
    return next(line for line in lines if line.get("kind") == kind)


def replayed(run: Command, cassette: Path) -> tuple[str, list[dict[str, Any]]]:
    """What a replay prints, and all that happened but for what is read from clocks."""
    recorded = line(cassette, "run")
    Path("messages.json").write_text(json.dumps(recorded["request"]["messages"]), encoding="utf-8")
    metadata = [f"--metadata={name}={value}" for name, value in recorded["request"].get("metadata", {}).items()]
    place = ("run", RECIPES, "--recipe", recorded["exposed"], "--messages", "messages.json", *metadata)
    done = run(*place, "--replay", cassette, "--trace", "trace.json", "--content")
    assert done.status == 0, done.err
    events = json.loads(Path("trace.json").read_text(encoding="utf-8"))["events"]
    return done.out, [{name: value for name, value in event.items() if name not in CLOCKS} for event in events]


def test_each_pattern_has_a_cassette() -> None:
    plan = compile_file(str(RECIPES)).plan
    assert plan is not None
    assert {line(cassette, "run")["exposed"] for cassette in CASSETTES} == set(plan.entries)


@pytest.mark.parametrize("cassette", CASSETTES, ids=lambda cassette: cassette.stem)
def test_a_recorded_run_gives_the_same_bytes_again(run: Command, cassette: Path) -> None:
    ended = line(cassette, "end")
    out, events = replayed(run, cassette)
    assert out == ended["text"] + "\n"
    figures = ("calls", "prompt_tokens", "completion_tokens", "wasted_calls")
    assert [events[-1][figure] for figure in figures] == [ended["spend"][figure] for figure in figures]


@pytest.mark.parametrize("cassette", CASSETTES, ids=lambda cassette: cassette.stem)
def test_replayed_twice_the_same_happens_in_the_same_order(run: Command, cassette: Path) -> None:
    assert replayed(run, cassette) == replayed(run, cassette)
