"""`recipelang run --record` and `--replay`, and `recipelang cassette`: the same answer again, and a test of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from commands import Command, command
from upstream import Answer, Received, Upstream, answered, completion, refused

QUESTION = "Which planet is the largest?"
RECIPE = """
backend lab {{ kind = openai, url = "{url}", key = env("LAB_KEY") }}

model small {{ backend = lab, id = "small-1", price = {{ input = $1, output = $2 }} }}
model large {{ backend = lab, id = "large-1", price = {{ input = $1, output = $2 }} }}
model third {{ backend = lab, id = "third-1", price = {{ input = $1, output = $2 }} }}

role speak() {{}}

record verdict {{ best: int, why: text }}

role judge(answers: answer[]) -> verdict {{
  prompt = "Which of these? {{{{ answers }}}}"
}}

recipe team(panel: model[2..4], boss: model, patience: duration = 30s) -> answer {{
  fanout answers = speak(model = m) for m in panel {{ on_error = skip }}
  ask    verdict = judge(answers, model = boss) {{ when = patience > 1s, optional = true }}
  return first(answers) if verdict == none else answers[verdict.best] or first(answers)
}}
"""


def reply(request: Received) -> Answer:
    asked: Any = request.json
    match asked["model"], "response_format" in asked:
        case "large-1", _:
            return refused(503, "busy")
        case "small-1", True:
            return answered(completion('{"best": 1, "why": "It \\"is\\".\\nReally."}'))
        case "small-1", _:
            return answered(completion("Saturn"))
        case _:
            return answered(completion("Jupiter\nby far"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command(capsys, monkeypatch)


@pytest.fixture
def recorded(run: Command, monkeypatch: pytest.MonkeyPatch) -> str:
    """A cassette of the recipe `team.recipe`, whose endpoint is gone by now, as is the key; gives its answer."""
    monkeypatch.setenv("LAB_KEY", "sk-1234567890")
    with Upstream(reply) as upstream:
        Path("team.recipe").write_text(RECIPE.format(url=upstream.url), encoding="utf-8")
        done = run("run", "team.recipe", *SETTINGS, "--record", "it.cassette", QUESTION)
    assert done.status == 0, done.err
    monkeypatch.delenv("LAB_KEY")
    return done.out


SETTINGS = ("--set", "panel=small,large,third", "--set", "boss=small", "--set", "patience=1.5s")


def test_a_replay_prints_the_same_bytes(run: Command, recorded: str) -> None:
    done = run("run", "team.recipe", *SETTINGS, "--replay", "it.cassette", QUESTION)
    assert (done.status, done.out) == (0, recorded)
    assert recorded == "Jupiter\nby far\n"


def test_no_key_is_in_a_cassette(run: Command, recorded: str) -> None:
    assert "sk-1234567890" not in Path("it.cassette").read_text(encoding="utf-8")


def test_a_call_that_was_not_recorded_ends_the_run_and_shows_the_difference(run: Command, recorded: str) -> None:
    done = run("run", "team.recipe", *SETTINGS, "--replay", "it.cassette", "Which planet is the smallest?")
    assert (done.status, done.out) == (3, "")
    assert "-Which planet is the largest?\n+Which planet is the smallest?\n" in done.err


def test_one_records_or_replays(run: Command) -> None:
    done = run("run", "std.direct", "--record", "a", "--replay", "b", QUESTION)
    assert done.status == 2
    assert "not allowed with" in done.err


@pytest.mark.parametrize(
    "verb", [("run", "std.direct", QUESTION, "--replay"), ("cassette", "show")], ids=["run", "show"]
)
def test_what_is_no_cassette_is_told_so(run: Command, verb: tuple[str, ...]) -> None:
    Path("it.cassette").write_text("Which planet?\n", encoding="utf-8")
    done = run(*verb, "it.cassette")
    assert done.status == 4
    assert "it.cassette:1 is no JSON" in done.err


def test_a_cassette_that_is_not_there_is_told_so(run: Command) -> None:
    done = run("cassette", "show", "it.cassette")
    assert (done.status, done.err) == (4, "recipelang: it.cassette: no such file or directory\n")


def test_a_cassette_can_be_looked_at(run: Command, recorded: str) -> None:
    done = run("cassette", "show", "it.cassette")
    assert done.status == 0
    first, *calls = done.out.splitlines()
    assert first == "team: ok"
    assert sorted(line.split("s  ", 2)[2] for line in calls) == [
        "large as speak: failed: HTTP 503: busy",
        'small as judge: {"best": 1, "why": "It \\"is\\".\\nReally."}',
        "small as speak: Saturn",
        "third as speak: Jupiter by far",
    ]


def test_a_run_becomes_a_test_that_passes(run: Command, recorded: str) -> None:
    written = run("cassette", "to-test", "it.cassette", "team.recipe", "--name", 'the "best" answer')
    assert written.status == 0, written.err
    assert "run     = team(panel = [small, large, third], boss = small, patience = 1.5s)\n" in written.out
    assert "reply speak on large = error(503) after" in written.out
    assert 'expect result.text == "Jupiter\\nby far" and calls == 4' in written.out
    with Path("team.recipe").open("a", encoding="utf-8") as file:
        file.write("\n" + written.out)
    done = run("test", "team.recipe")
    assert (done.status, done.out.splitlines()[1]) == (0, '  ok      the "best" answer')


def test_a_test_of_another_recipe_is_refused(run: Command, recorded: str) -> None:
    changed = Path("team.recipe").read_text(encoding="utf-8").replace("Which of these?", "Which one?")
    Path("team.recipe").write_text(changed, encoding="utf-8")
    done = run("cassette", "to-test", "it.cassette", "team.recipe")
    assert (done.status, done.out) == (1, "")
    assert "+Which one?" in done.err


def test_a_run_that_was_broken_off_is_no_test(run: Command, recorded: str) -> None:
    lines = Path("it.cassette").read_text(encoding="utf-8").splitlines(keepends=True)
    Path("it.cassette").write_text("".join(lines[:-1]), encoding="utf-8")
    done = run("cassette", "to-test", "it.cassette", "team.recipe")
    assert (done.status, done.out) == (1, "")
    assert "was broken off" in done.err


def test_to_make_a_test_takes_a_recipe(run: Command, recorded: str) -> None:
    done = run("cassette", "to-test", "it.cassette")
    assert done.status == 2
    assert "recipelang cassette to-test it.cassette team.recipe" in done.err


def test_of_a_standard_recipe_a_whole_file_of_tests_is_printed(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-1234567890")
    with Upstream(reply) as upstream:
        Path("models.recipe").write_text(RECIPE.format(url=upstream.url), encoding="utf-8")
        done = run("run", "std.direct", "--with", "models.recipe", "--record", "it.cassette", QUESTION)
    assert done.status == 0, done.err
    written = run("cassette", "to-test", "it.cassette", "std.direct", "--with", "models.recipe")
    assert written.status == 0, written.err
    assert "use std.direct\n" in written.out
    assert "model small { price = { input = $1, output = $2 } }\n" in written.out
    Path("direct.recipe").write_text(written.out, encoding="utf-8")
    assert run("test", "direct.recipe").status == 0
