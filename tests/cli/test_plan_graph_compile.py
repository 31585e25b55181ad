"""`plan`, `graph` and `compile`: what they print, for a person and for a program, and how they say what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from recipelang.cli.main import main
from recipelang.ir.document import load

STYLE = re.compile(r"\x1b\[[0-9;]*m")
TEAM = """\
use std.fusion
use std.confidence
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model small { backend = lab, id = "s", price = { input = $0.05, output = $0.20 }, rating = 1000 }
model big { backend = lab, id = "b", price = { input = $2, output = $12 }, rating = 1300 }
expose "team/fusion" = fusion(panel = [small, big, small], judge_model = big)
recipe both(ms: model[2..3]) -> answer {
  budget { calls = 30 }
  run one = fusion(panel = ms, judge_model = big)
  run two = confidence(candidates = ms)
  return one if one.valid else two
}
"""


@pytest.fixture(autouse=True)
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `team.recipe`, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    Path("team.recipe").write_text(TEAM, encoding="utf-8")
    Path("broken.recipe").write_text("recipe r() -> answer { return nothing }\n", encoding="utf-8")
    Path("bare.recipe").write_text('backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }\n', encoding="utf-8")
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> tuple[str, str]:
    assert main(arguments) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_the_files_own_recipe_is_drawn_and_not_the_first_that_it_uses(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "graph", "team.recipe")[0] == printed(capsys, "graph", "team.recipe", "--recipe", "both")[0]


# -------------------------------------------------------------------- plan


def test_the_plan_is_a_table_with_what_makes_up_its_time_and_its_peak(
    capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    out, _ = printed(capsys, "plan", "team.recipe")
    assert [line.rstrip() for line in out.splitlines()] == snapshot


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_a_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    out, _ = printed(capsys, "plan", "team.recipe")
    lines = [STYLE.sub("", line).rstrip() for line in out.splitlines()]
    assert max(len(line) for line in lines if not line.startswith("critical path")) <= columns
    assert lines == snapshot


def test_the_figures_are_for_a_request_of_the_size_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    none, _ = printed(capsys, "plan", "std.direct", "--request", "0")
    some, _ = printed(capsys, "plan", "std.direct", "--request", "1000")
    assert "for a request of 0 bytes" in none
    assert "│     96 │" in none
    assert "│  1,096 │" in some


def test_the_plan_as_json_has_recipes_and_entries_with_all_that_is_proved(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = printed(capsys, "plan", "team.recipe", "--format", "json")
    proved = json.loads(out)
    entry = proved["entries"]["team/fusion"]
    assert entry["total"]["calls"] == 3 + 1 + 1 + 1
    assert entry["critical_path"] == ["answers", "analysis", "final", "return"]
    assert set(proved["recipes"]["both"]["parallel_steps"]) == {"one", "two"}


HEAD = '{"format": "recipelang.cassette", "version": 1}'


def a_history(*models: str, calls: int = 30) -> str:
    """A cassette with so many calls of each model, of a second or two."""
    told = [HEAD]
    for number, model in enumerate(models * calls, 1):
        reply = {"text": "so it is", "usage": {"prompt": 9, "completion": 20 + number % 7}}
        asked = {"model": model, "id": "x", "role": "r", "messages": [], "parameters": {}}
        told.append(
            json.dumps(
                {"kind": "call", "number": number, "at": 0, "seconds": 1 + number % 9 / 9, **asked, "reply": reply}
            )
        )
    return "\n".join(told) + "\n"


def test_with_a_history_the_plan_shows_what_is_to_be_expected(capsys: pytest.CaptureFixture[str]) -> None:
    Path("run.cassette").write_text(a_history("small", "big"), encoding="utf-8")
    out, _ = printed(capsys, "plan", "team.recipe", "--history", "run.cassette")
    lines = [re.split(r"\s*│\s*", line) for line in out.splitlines()]
    (at,) = (number for number, line in enumerate(lines) if line[1:2] == ["expected"])
    (mean, between, at_most), (worst,) = lines[at : at + 3], [line for line in lines[:at] if line[1:2] == ["in all"]]
    assert [mean[3], worst[3]] == ["5", "6"]  # calls: no repair is made
    low, high = (float(end) for end in between[7].replace("s", "").split("–"))
    assert 1 < low <= float(mean[7].removesuffix("s")) <= high < float(at_most[7].removesuffix("s")) < 8
    assert mean[6].startswith("$0.0")
    assert "expected: 500 runs simulated on one of 4000 bytes, by calls that were seen: small 30, big 30" in out
    assert "expected: nobody knows: it is not exposed, and so nobody knows with which models" in out  # of `both`


def test_the_expected_case_as_json_stands_with_the_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    Path("run.cassette").write_text(a_history("small", "big", calls=3), encoding="utf-8")
    out, _ = printed(capsys, "plan", "team.recipe", "--history", "run.cassette", "--request", "100", "--format", "json")
    entry = json.loads(out)["entries"]["team/fusion"]
    found = entry["expected"]
    assert found["seen"] == {"small": 3, "big": 3}
    for figure in ("calls", "prompt_tokens", "completion_tokens", "cost", "seconds", "parallel"):
        assert found[figure]["low"] <= found[figure]["mean"] <= found[figure]["high"], figure
    assert found["calls"]["p95"] <= entry["total"]["calls"]


def test_a_history_that_tells_too_little_or_is_none_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    Path("run.cassette").write_text(a_history("small"), encoding="utf-8")
    out, _ = printed(capsys, "plan", "team.recipe", "--history", "run.cassette")
    assert "expected: nobody knows: the history has too little: there is no profile of `big`; there are small" in out
    out, _ = printed(capsys, "plan", "team.recipe", "--history", "run.cassette", "--format", "json")
    assert "no profile of `big`" in json.loads(out)["entries"]["team/fusion"]["expected"]["unknown"]
    _, err = printed(capsys, "plan", "team.recipe", "--history", "team.recipe", status=2)
    assert err == "recipelang: team.recipe is neither a trace nor a cassette nor a journal\n"
    _, err = printed(capsys, "plan", "team.recipe", "--history", "nowhere.json", status=4)
    assert err == "recipelang: nowhere.json: no such file or directory\n"
    Path("few.cassette").write_text(a_history("small", "big", calls=2), encoding="utf-8")
    out, _ = printed(capsys, "plan", "team.recipe", "--history", "few.cassette")
    assert "expected: of small, big there are few calls: the interval is likely to be too narrow" in out


@pytest.mark.parametrize("size", ["-1", "many", "1e9", "²", "9" * 30])
def test_a_size_that_is_none_is_a_mistake_in_the_command(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["plan", "team.recipe", "--request", size])
    assert stopped.value.code == 2
    assert "is no number of bytes" in capsys.readouterr().err


# ------------------------------------------------------------------- graph


@pytest.mark.parametrize(
    ("format", "begins"), [("mermaid", "flowchart TD\n"), ("dot", 'digraph "both" {\n'), ("svg", "<svg xmlns=")]
)
def test_a_graph_is_drawn_in_each_format(format: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = printed(capsys, "graph", "team.recipe", "--recipe", "both", "--format", format)
    assert out.startswith(begins)
    assert err == ""


def test_a_graph_goes_into_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = printed(capsys, "graph", "team.recipe", "--format", "svg", "-o", "team.svg")
    assert out == ""
    assert Path("team.svg").read_text(encoding="utf-8").endswith("</svg>\n")


def test_an_unknown_recipe_is_told_with_the_one_that_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = printed(capsys, "graph", "team.recipe", "--recipe", "bothh", status=2)
    assert err == "recipelang: there is no recipe `bothh`; did you mean `both`?\n"


# ----------------------------------------------------------------- compile


def test_what_is_compiled_can_be_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = printed(capsys, "compile", "team.recipe")
    assert "team/fusion" in load(out).entries
    printed(capsys, "compile", "team.recipe", "-o", "team.plan.json")
    assert Path("team.plan.json").read_text(encoding="utf-8") == out


def test_a_step_that_nothing_reads_is_left_out_of_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    text = TEAM.replace("  return one", "  run idle = confidence(candidates = ms)\n  return one")
    Path("idle.recipe").write_text(text, encoding="utf-8")
    out, err = printed(capsys, "compile", "idle.recipe")
    assert "W0702" in err
    assert [step.name for step in load(out).recipes["both"].steps] == ["one", "two", "return"]


def test_the_schema_needs_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = printed(capsys, "compile", "--schema")
    assert json.loads(out)["title"] == "A sealed plan of recipelang"


def test_compiling_nothing_is_a_mistake_in_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = printed(capsys, "compile", status=2)
    assert err == "recipelang: which file?\n"


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize("verb", ["plan", "graph", "compile"])
def test_a_recipe_with_errors_is_shown_and_stops_the_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = printed(capsys, verb, "broken.recipe", status=1)
    assert out == ""
    assert "error[E0201]: unknown name `nothing`" in err


@pytest.mark.parametrize("verb", ["plan", "graph", "compile"])
def test_a_file_that_is_not_there_is_told_by_its_name(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = printed(capsys, verb, "absent.recipe", status=4)
    assert err == "recipelang: absent.recipe: no such file or directory\n"


@pytest.mark.parametrize("verb", ["plan", "graph"])
def test_a_file_without_a_recipe_has_nothing_to_show(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = printed(capsys, verb, "bare.recipe", status=2)
    assert err == "recipelang: bare.recipe declares no recipe\n"


@pytest.mark.parametrize("verb", ["graph", "compile"])
def test_an_output_that_can_not_be_written_is_told_by_its_name(
    verb: str, team: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = printed(capsys, verb, "team.recipe", "-o", str(team), status=4)
    assert err.lower() == f"recipelang: {team}: is a directory\n".lower()
