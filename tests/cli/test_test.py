"""`recipelang test`: what it runs, what it says, how it ends; and that it runs again when a file changes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from syrupy.assertion import SnapshotAssertion

from commands import Command, command
from tested_recipes import GOOD_GRADE, TEAM, block_of

SAID = 'reply solver = "Because."'
GOOD = block_of(SAID, GOOD_GRADE, "expect calls == 2", name="it answers in two calls")
BAD = block_of(SAID, GOOD_GRADE, "expect calls == 1", name="it answers in one call")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command(capsys, monkeypatch)


def team(*blocks: str) -> str:
    Path("team.recipe").write_text("\n".join([TEAM, *blocks]), encoding="utf-8")
    return "team.recipe"


def test_tests_that_pass_are_listed(run: Command) -> None:
    done = run("test", team(GOOD))
    assert done.__class__(0, "team.recipe\n  ok      it answers in two calls\n\n1 test: it passed\n", "") == done


def test_a_failure_is_told_in_full(run: Command, snapshot: SnapshotAssertion) -> None:
    done = run("test", team(GOOD, BAD))
    assert (done.status, done.err) == (1, "")
    assert done.out == snapshot


def test_one_can_ask_for_tests_by_their_names(run: Command) -> None:
    done = run("test", team(GOOD, BAD), "-k", "TWO calls")
    assert done.status == 0
    assert "one call" not in done.out


def test_a_name_that_no_test_has_is_a_mistake(run: Command) -> None:
    done = run("test", team(GOOD), "-k", "nothing of the kind")
    assert (done.status, done.out) == (2, "")
    assert 'no test in team.recipe has "nothing of the kind" in its name' in done.err


def test_a_file_without_tests_is_told_how_to_have_some(run: Command) -> None:
    done = run("test", team())
    assert done.status == 2
    assert "there are no tests in team.recipe" in done.err
    assert "docs/testing.md" in done.err


def test_a_file_that_is_not_there_is_told_so(run: Command) -> None:
    done = run("test", "nowhere.recipe")
    assert done.status == 4
    assert "nowhere.recipe" in done.err


def test_a_file_with_errors_is_shown_them_and_the_others_are_run(run: Command) -> None:
    Path("broken.recipe").write_text('test "x" {}\n', encoding="utf-8")
    done = run("test", "broken.recipe", team(GOOD))
    assert done.status == 1
    assert "error[E0801]" in done.err
    assert "ok      it answers in two calls" in done.out


def test_a_folder_is_searched_for_tests(run: Command) -> None:
    Path("inside/.hidden").mkdir(parents=True)
    Path("inside/one.recipe").write_text("\n".join([TEAM, GOOD]), encoding="utf-8")
    Path("inside/without.recipe").write_text(TEAM, encoding="utf-8")
    Path("inside/.hidden/two.recipe").write_text("\n".join([TEAM, BAD]), encoding="utf-8")
    done = run("test")
    assert done.status == 0
    assert done.out.splitlines()[0] == str(Path("inside/one.recipe"))
    assert run("test", "inside").status == 0


def test_standard_input_is_a_file(run: Command) -> None:
    done = run("test", "-", stdin="\n".join([TEAM, GOOD]).encode())
    assert (done.status, done.out.splitlines()[0]) == (0, "<stdin>")


def test_a_standard_recipe_has_tests(run: Command) -> None:
    done = run("test", "std.direct", "--coverage")
    assert done.status == 0
    assert "coverage: 100% of the steps, arms and fallbacks (2 of 2)" in done.out


def test_coverage_names_what_was_not_reached(run: Command) -> None:
    done = run("test", team(GOOD), "--coverage")
    assert done.status == 0
    assert "not reached: the fallback of team.reply, team.recipe:21" in done.out


@pytest.mark.parametrize(("least", "status"), [("40", 0), ("40%", 0), ("41", 1), ("100", 1)])
def test_too_little_coverage_is_a_failure(least: str, status: int, run: Command) -> None:
    done = run("test", team(GOOD), "--min-coverage", least)
    assert done.status == status
    assert ("coverage is below" in done.err) == bool(status)


@pytest.mark.parametrize("least", ["many", "-1", "101"])
def test_a_coverage_that_can_not_be_is_a_mistake(least: str, run: Command) -> None:
    assert run("test", team(GOOD), f"--min-coverage={least}").status == 2


def test_json_is_the_whole_output(run: Command) -> None:
    done = run("test", team(GOOD, BAD), "--format", "json")
    document = json.loads(done.out)
    assert done.status == 1
    assert [test["passed"] for test in document["tests"]] == [True, False]
    assert document["tests"][1]["unmet"][0]["values"] == {"calls": "2"}


def test_json_has_the_errors_of_a_file_as_well(run: Command) -> None:
    Path("broken.recipe").write_text('test "x" {}\n', encoding="utf-8")
    done = run("test", "broken.recipe", "--format", "json")
    assert (done.status, done.err) == (1, "")
    assert {each["code"] for each in json.loads(done.out)["diagnostics"]} == {"E0801"}


def test_junit_is_written_to_its_file(run: Command) -> None:
    done = run("test", team(GOOD, BAD), "--junit", "report.xml")
    assert done.status == 1
    root = ET.parse("report.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")


def test_a_report_that_can_not_be_written_is_told_so(run: Command) -> None:
    done = run("test", team(GOOD), "--junit", "no/such/folder/report.xml")
    assert done.status == 4
    assert "report.xml" in done.err


def test_standard_input_can_not_be_watched(run: Command) -> None:
    assert run("test", "-", "--watch").status == 2


def test_a_change_of_a_file_that_is_used_runs_the_tests_again_and_ctrl_c_ends_it(run: Command) -> None:
    team()
    tests = Path("tests.recipe")
    tests.write_text(f'use "./team.recipe"\n{GOOD}', encoding="utf-8")
    program = [sys.executable, "-m", "recipelang.cli.main", "test", "tests.recipe", "--watch"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watching:
        try:
            assert "1 test: it passed" in told(watching)
            Path("team.recipe").write_text(TEAM.replace("role solver() {", "role solver( {"), encoding="utf-8")
            assert "error[" in told(watching)
            Path("team.recipe").write_text(TEAM, encoding="utf-8")
            assert "1 test: it passed" in told(watching)
            tests.write_text(f'use "./team.recipe"\n{BAD}', encoding="utf-8")
            assert "1 failed" in told(watching)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(timeout=30) == 1
        finally:
            watching.kill()


def told(watching: subprocess.Popen[str]) -> str:
    """What it says until it waits for a change."""
    assert watching.stdout is not None
    lines: list[str] = []
    for line in watching.stdout:
        lines.append(line)
        if "waiting for a change" in line:
            break
    return "".join(lines)
