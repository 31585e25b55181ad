"""`recipelang run --journal`, `recipelang resume` and `recipelang simulate`, as a person uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands import Command, command
from upstream import STALL, Answer, Received, Upstream, answered, completion

__all__ = ["command"]

PROFILES = """
[models.small]
latency = 1
tokens = 20
correct = 0.5
[models.large]
latency = { median = 2, p95 = 4 }
tokens = 30
correct = 0.9
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return command(capsys, monkeypatch)


def recipe_in(folder: Path, url: str = "http://127.0.0.1:9/v1") -> Path:
    path = folder / "team.recipe"
    path.write_text(f"""
backend lab {{ kind = openai, url = "{url}" }}
model small {{ backend = lab, id = "small" }}
model large {{ backend = lab, id = "large" }}
role speak() {{ max_tokens = 100 }}
role mend(said: answer) {{ max_tokens = 100, prompt = "{{{{ said }}}}" }}
recipe team(second: model, limit: int(1..200) = 100) -> answer {{
  ask first = speak(model = small, max_tokens = limit)
  ask last  = mend(first, model = second)
  return last
}}
expose "team" = team(second = large)
""")
    return path


def test_a_run_that_was_killed_is_resumed_by_the_command(tmp_path: Path, run: Command) -> None:
    stalls = True

    def script(request: Received) -> Answer:
        if request.json["model"] == "large" and stalls:
            return [STALL]
        return answered(completion(f"said by {request.json['model']}"))

    with Upstream(script) as upstream:
        recipe, journal = recipe_in(tmp_path, upstream.url), tmp_path / "runs.db"
        arguments: list[str | Path] = [
            sys.executable,
            "-m",
            "recipelang.cli.main",
            "run",
            recipe,
            "--journal",
            journal,
            "Why?",
        ]
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            upstream.wait_until(lambda upstream: len(upstream.requests) == 2)
            os.kill(child.pid, signal.SIGKILL)
        stalls = False
        done = run("resume", journal, "--format", "json")
        assert done.status == 0, done.err
        assert json.loads(done.out)["answer"] == "said by large"
        assert json.loads(done.out)["spend"]["wasted_calls"] == 1
        assert [request.json["model"] for request in upstream.requests] == ["small", "large", "large"]
        again = run("resume", journal)
        assert (again.status, "all runs in" in again.err) == (2, True)


def test_what_can_not_be_resumed_is_said_with_the_reason(tmp_path: Path, run: Command) -> None:
    with Upstream() as upstream:
        recipe, journal = recipe_in(tmp_path, upstream.url), tmp_path / "runs.db"
        assert run("run", recipe, "--journal", journal, "--run-id", "a", "Why?").status == 0
        assert "there is a run `a`" in run("run", recipe, "--journal", journal, "--run-id", "a", "Why?").err
        missing = run("resume", journal, "b")
        assert (missing.status, "there is no run `b`" in missing.err) == (4, True)
        recipe.write_text(recipe.read_text().replace("max_tokens = 100", "max_tokens = 90"))
        changed = run("resume", journal, "a")
        assert (changed.status, "its recipes have changed" in changed.err) == (4, True)
    assert run("resume", tmp_path / "none.db").status == 4
    assert run("resume", recipe, "a").status == 4
    assert run("run", recipe, "--run-id", "a", "Why?").status == 2


def test_a_recipe_is_simulated_and_swept(tmp_path: Path, run: Command) -> None:
    recipe, profiles, plot = recipe_in(tmp_path), tmp_path / "p.toml", tmp_path / "p.svg"
    profiles.write_text(PROFILES)
    told = run("simulate", recipe, "--profiles", profiles, "--runs", "50", "--format", "json")
    assert told.status == 0, told.err
    ((setting),) = json.loads(told.out)["settings"]
    assert (setting["setting"], setting["runs"], setting["calls"]["most"]) == ("team", 50, 2)
    swept = run(
        "simulate", recipe, "--profiles", profiles, "--runs", "20", "--sweep", "limit=10..50:20", "--plot", plot
    )
    assert swept.status == 0, swept.err
    assert [line.split()[0] for line in swept.out.splitlines()[:4]] == ["limit", "10", "30", "50"]
    assert plot.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "there is no profile of"),
        (("--sweep", "colour=1"), "it takes NAME=VALUES, with a name of second, limit"),
        (("--sweep", "limit=9..1:1"), "0 settings"),
        (("--sweep", "limit=1..x"), "it takes A..B:STEP"),
        (("--sweep", "limit=500"), "`limit` of `team` takes int"),
        (("--runs", "0"), "`--runs` is at least 1"),
    ],
)
def test_what_can_not_be_simulated_is_said(tmp_path: Path, run: Command, arguments: tuple[str, ...], why: str) -> None:
    profiles = tmp_path / "p.toml"
    profiles.write_text(PROFILES)
    known = ("--profiles", profiles) if arguments else ()
    done = run("simulate", recipe_in(tmp_path), *known, *arguments)
    assert (done.status, why in done.err) == (2, True), done.err


def test_profiles_are_taken_from_a_recorded_run_and_written_down(tmp_path: Path, run: Command) -> None:
    with Upstream() as upstream:
        recipe, cassette = recipe_in(tmp_path, upstream.url), tmp_path / "run.cassette"
        assert run("run", recipe, "--record", cassette, "Why?").status == 0
    done = run("simulate", recipe, "--fit", cassette, "--write-profiles", tmp_path / "p.toml", "--runs", "10")
    assert done.status == 0, done.err
    again = run("simulate", recipe, "--profiles", tmp_path / "p.toml", "--runs", "10")
    assert again.out.splitlines()[:-1] == done.out.splitlines()[:-1]
