"""`recipelang eval`: from questions, or a small pack of recorded answers, to a report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commands import Command, command
from recorded_answers import write_pack
from upstream import STALL, Upstream, answered, completion, in_turn, replying

MODELS = ("good", "fair", "poor")
TEAM = """
use "./models.recipe"

role respond() { max_tokens = 100 }

recipe vote(panel: model[1..4]) -> answer {
  fanout votes = respond(model = m) for m in panel
  return majority(votes, key = it.text or none)
}

expose "team/vote" = vote([good, fair, poor])
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command(capsys, monkeypatch)


def answers(good: str = "AAAAAAAB", fair: str = "AAAABBBA", poor: str = "ABBBABBA") -> list[dict[str, Any]]:
    """What three models said to eight questions, all of which `A` answers; the best one costs the most."""
    costs = {"good": 0.04, "fair": 0.01, "poor": 0.005}
    return [
        {"q": f"q{place}", "m": model, "s": 0, "a": said, "ok": int(said == "A"), "usd": costs[model], "lat": 500 * k}
        for k, (model, line) in enumerate(zip(MODELS, (good, fair, poor), strict=True), 1)
        for place, said in enumerate(line)
    ]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    questions = [
        {
            "q": f"q{place}",
            "kind": "mcq",
            "gold": "A",
            "prompt": f"Question {place}?",
            "half": "first" if place < 4 else "last",
        }
        for place in range(8)
    ]
    write_pack(folder, answers(), questions)
    meta = {"pack": "tiny", "models": {model: {"samples": 1} for model in MODELS}}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return folder


@pytest.fixture
def team(run: Command, pack: Path, tmp_path: Path) -> Path:
    (tmp_path / "models.recipe").write_text(run("eval", "models", "--pack", pack).out, encoding="utf-8")
    file = tmp_path / "team.recipe"
    file.write_text(TEAM, encoding="utf-8")
    return file


def told(done: Any) -> Any:  # Any: JSON
    assert done.status == 0, done.err
    return json.loads(done.out)


def test_a_vote_is_compared_with_its_members_on_recorded_answers(run: Command, pack: Path, team: Path) -> None:
    report = told(run("eval", team, "--pack", pack, "--single", "all", "--slice", "half", "--format", "json"))
    found = {one["name"]: one for one in report["contestants"]}
    assert {name: one["right"] for name, one in found.items()} == {
        "team/vote": 6,
        "single good": 7,
        "single fair": 5,
        "single poor": 3,
    }
    assert found["team/vote"]["cost"][0] == pytest.approx(0.055)
    assert found["team/vote"]["latency"]["p50"] == pytest.approx(1.5)  # the slowest of the three
    assert found["single good"]["latency"]["p50"] == pytest.approx(0.5)
    assert report["oracle"] == {"n": 8, "right": 8, "cost": pytest.approx((0.005 * 3 + 0.01 * 3 + 0.04 * 2) / 8)}
    [vote] = [one for one in report["compared"] if one["name"] == "team/vote"]
    assert (vote["baseline"], vote["only_it"], vote["only_baseline"]) == ("single good", 1, 2)
    assert vote["cost_ratio"][0] == pytest.approx(0.055 / 0.04)
    assert {value: [one["graded"] for one in many] for value, many in report["slices"].items()} == {
        "first": [4] * 4,
        "last": [4] * 4,
    }


def test_a_report_is_written_as_markdown_json_and_a_page_that_needs_nothing_else(
    run: Command, pack: Path, team: Path, tmp_path: Path
) -> None:
    done = run(
        "eval", team, "--pack", pack, "--single", "all", "--report", "r.md", "--report", "r.json", "--report", "r.html"
    )
    assert (done.status, done.err) == (0, "")  # nor that models have no price: what they cost was recorded
    assert "75.0 %" in done.out
    assert "| team/vote | 75.0 % |" in (tmp_path / "r.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["frontier"] == [
        "single poor",
        "single fair",
        "single good",
    ]
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert 'name="viewport"' in page
    assert "http" not in page
    assert "src=" not in page


def test_a_later_evaluation_goes_on_where_the_first_one_ended(
    run: Command, pack: Path, team: Path, tmp_path: Path
) -> None:
    first = told(run("eval", team, "--pack", pack, "--results", "runs.jsonl", "--format", "json"))
    file = tmp_path / "runs.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 8
    file.write_text("\n".join(lines[:5]) + "\n" + lines[5][:40], encoding="utf-8")  # as if it had been killed
    done = run("eval", team, "--pack", pack, "--results", "runs.jsonl", "--format", "json")
    assert "5 of 8 runs are already in runs.jsonl: the same command goes on" in done.err
    assert told(done) == first
    assert len(file.read_text(encoding="utf-8").splitlines()) == 8  # what was cut off is gone
    assert "already" not in run("eval", team, "--pack", pack, "--results", "runs.jsonl", "--seed", 1).err


def test_questions_that_a_model_has_no_graded_answer_to_are_left_out_and_told(
    run: Command, pack: Path, team: Path
) -> None:
    rows = answers()
    rows[0]["ok"] = None
    write_pack(pack, rows[:-1], [{"q": f"q{place}", "kind": "mcq", "gold": "A"} for place in range(8)])
    meta = {"pack": "tiny", "models": {model: {"samples": 1} for model in MODELS}}
    (pack / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    report = told(run("eval", team, "--pack", pack, "--format", "json"))
    assert report["contestants"][0]["graded"] == 6
    assert report["notes"][0].startswith("2 questions are left out")


def test_an_answer_that_was_not_recorded_ends_the_evaluation(
    run: Command, pack: Path, tmp_path: Path, team: Path
) -> None:
    file = tmp_path / "twice.recipe"
    file.write_text(TEAM.replace("for m in panel", "for m in panel { samples = 4 }"), encoding="utf-8")
    done = run("eval", file, "--pack", pack)
    assert (done.status, "has no answer of `good` to" in done.err) == (3, True)


def test_one_model_several_times_at_equal_cost_is_told_where_it_can_be(run: Command, pack: Path, team: Path) -> None:
    report = told(run("eval", team, "--pack", pack, "--equal-cost", "fair", "--format", "json"))
    assert [one["name"] for one in report["contestants"]] == ["team/vote", "single fair"]
    assert "fair 6 times, at equal cost, can't be told" in report["notes"][0]


def test_a_limit_draws_its_questions_by_the_seed(run: Command, pack: Path, team: Path) -> None:
    def drawn(seed: int) -> list[str]:
        file = Path(f"runs{seed}.jsonl")
        told(run("eval", team, "--pack", pack, "--limit", 3, "--seed", seed, "--results", file, "--format", "json"))
        return sorted(json.loads(line)["item"] for line in file.read_text(encoding="utf-8").splitlines())

    assert len({tuple(drawn(seed)) for seed in range(4)}) > 1


def test_a_panels_members_share_what_it_brings(run: Command, pack: Path) -> None:
    found = told(run("eval", "panel", "--pack", pack, "--models", "poor,good,fair", "--format", "json"))
    assert found["accuracy"][0] == 0.75
    assert [member["name"] for member in found["members"]] == ["good", "fair", "poor"]
    assert sum(member["shapley"] for member in found["members"]) == pytest.approx(0.75)
    adds = {member["name"]: member["vote_adds"][0] for member in found["members"]}
    assert adds["poor"] == pytest.approx(
        0.125
    )  # without it, ties go by who was better on the other half of the questions
    assert found["rivals"][0]["what"] == "the best on the other half alone"


def test_a_pack_is_held_to_a_baseline(run: Command, pack: Path, tmp_path: Path) -> None:
    def score(correct: int, cost: float) -> dict[str, Any]:
        return {"public": {"n": 8, "correct": correct, "cost": cost}}

    baseline = {
        "pack": "tiny",
        "models": list(MODELS),
        "core_questions": {"public": 8},
        "single": {"good": score(7, 0.04), "fair": score(5, 0.01)},
        "rank_by_public_acc": list(MODELS),
        "vote_topk": {"3": {"models": list(MODELS), **score(6, 0.055)}},
        "oracle": score(8, None),  # type: ignore[arg-type]  # what an oracle costs is not told
        "frontier_agree_cascade": [{"name": "agree(fair,poor)->good", "score": score(6, 0.035)}],
    }
    file = tmp_path / "baseline.json"
    file.write_text(json.dumps(baseline), encoding="utf-8")
    done = run("eval", "--pack", pack, "--check", file)
    assert (done.status, done.out.splitlines()[-1]) == (
        0,
        "tiny: 6 of 6 baselines reproduced, to the integer and to nine decimals",
    )
    baseline["core_questions"]["held"] = 7  # type: ignore[index]
    file.write_text(json.dumps(baseline), encoding="utf-8")
    assert "✗ questions: 8, not 7" in run("eval", "--pack", pack, "--check", file, "--split", "held").out
    baseline["single"]["good"] = score(7, 0.040000001)  # type: ignore[index]
    file.write_text(json.dumps(baseline), encoding="utf-8")
    done = run("eval", "--pack", pack, "--check", file)
    assert done.status == 1
    assert done.out.startswith("✗ single(good): ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["team.recipe"], "`--data FILE` has questions, `--pack DIR` recorded answers"),
        (["--pack", "pack"], "Name recipes, or `--single` models"),
        (["team.recipe", "--pack", "pack", "--report", "r.pdf"], "it ends with .md, .json, .html"),
        (["team.recipe", "--pack", "pack", "--budget", "much"], "it takes an amount of dollars"),
        (["panel", "--pack", "pack", "--models", "good,other"], "the pack has no model `other`"),
        (
            ["team.recipe", "--pack", "pack", "--set", "panel=good"],
            "no recipe that is measured takes that; they take nothing",
        ),
        (["team.recipe", "--recipe", "vote", "--pack", "pack", "--set", "panl=good"], "is `panel` meant?"),
        (["panel"], "`--pack DIR` has recorded ones, `--results FILE` those of earlier evaluations"),
        (["team.recipe", "--pack", "pack", "--concurrency", "0"], "'0' is no number from 1 on"),
        (["team.recipe", "--pack", "pack", "--limit", "-3"], "'-3' is no number from 1 on"),
        (["team.recipe", "--pack", "pack", "--slice", "hlaf"], "no question has that field; there is kind, half"),
        (["team.recipe", "--pack", "pack", "--baseline", "me"], "nobody is called so; there are team/vote"),
        (["team.recipe", "--pack", "pack", "--equal-cost", "me"], "there is no model `me`"),
        (["--check", "x.json"], "`--pack DIR` says where the recorded answers are"),
    ],
)
def test_what_makes_no_sense_is_said(run: Command, team: Path, arguments: list[str], message: str) -> None:
    done = run("eval", *arguments)
    assert (done.status, message in done.err) == (2, True), done.err


LIVE = """
backend lab {{ kind = openai, url = "{url}", key = env("LAB_KEY") }}
model small {{ backend = lab, id = "small", price = {{ input = $1, output = $1 }} }}
role respond() {{ max_tokens = 100 }}
recipe once(m: model) -> answer {{
  ask reply = respond(model = m)
  return reply
}}
expose "team/once" = once(small)
"""
ASKED = [
    {"prompt": "Which is the largest planet?", "grader": "exact", "reference": "Jupiter", "kind": "planet"},
    {"prompt": "Which is the smallest?", "grader": "choice", "reference": "A", "kind": "planet"},
]


def test_a_live_evaluation_is_recorded_in_one_cassette_and_replayed_to_the_same_report(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-of-the-lab")
    Path("data.jsonl").write_text("\n".join(map(json.dumps, ASKED)), encoding="utf-8")
    asked = ("eval", "live.recipe", "--data", "data.jsonl", "--single", "small", "--budget", "1", "--format", "json")
    with Upstream(replying("Jupiter.")) as upstream:
        Path("live.recipe").write_text(LIVE.format(url=upstream.url), encoding="utf-8")
        first = told(run(*asked, "--record", "runs.cassette"))
    assert [one["right"] for one in first["contestants"]] == [1, 1]
    assert first["spent"] > 0
    assert "sk-of-the-lab" not in Path("runs.cassette").read_text(encoding="utf-8")
    again = told(run(*asked, "--replay", "runs.cassette"))
    assert [(one["name"], one["right"], one["cost"]) for one in again["contestants"]] == [
        (one["name"], one["right"], one["cost"]) for one in first["contestants"]
    ]


def test_a_single_model_may_say_as_much_as_any_role_of_what_it_is_compared_with(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-of-the-lab")
    Path("data.jsonl").write_text(json.dumps(ASKED[0]), encoding="utf-8")
    with Upstream(replying("Jupiter.")) as upstream:
        Path("live.recipe").write_text(LIVE.format(url=upstream.url).replace("100 }", "7k }"), encoding="utf-8")
        told(run("eval", "live.recipe", "--data", "data.jsonl", "--single", "small", "--format", "json"))
        assert [request.json["max_tokens"] for request in upstream.requests] == [7000, 7000]


def test_a_budget_that_one_run_could_pass_lets_nothing_be_asked(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-of-the-lab")
    Path("data.jsonl").write_text(json.dumps(ASKED[0]), encoding="utf-8")
    with Upstream(replying("Jupiter.")) as upstream:
        Path("live.recipe").write_text(LIVE.format(url=upstream.url), encoding="utf-8")
        done = run("eval", "live.recipe", "--data", "data.jsonl", "--budget", "$0.00001")
        assert upstream.requests == []
    assert done.status == 3
    assert "stopped: a run of `team/once` may cost $" in done.err


MENDING = """
use "./models.recipe"

contract letter { extract = r"ANSWER: ([C-Z])", repair = 1 }

role respond() { max_tokens = 100 }

role writer(others: answer[]) {
  max_tokens = 100
  prompt     = "Others said {{ others }}"
}

recipe mended(m: model) -> answer {
  ask reply = respond(model = m, contract = letter)
  return reply
}

recipe settled(one: model, other: model, writer_model: model) -> answer {
  fanout looks = respond(model = m) for m in [one, other]
  ask    final = writer(looks, model = writer_model) {
    when     = agreement(looks, key = it.text) < 1
    fallback = first(looks)
  }
  return final or first(looks)
}

expose "team/mended"  = mended(good)
expose "team/settled" = settled(good, fair, good)
"""


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("team/mended", "`respond` asks `good` to mend an answer"),
        ("team/settled", "`writer` is shown more than the question, and what `good` would write then was not recorded"),
    ],
)
def test_what_a_model_would_say_to_anything_but_the_question_was_not_recorded(
    run: Command, pack: Path, team: Path, recipe: str, message: str
) -> None:
    team.write_text(MENDING, encoding="utf-8")
    done = run("eval", team, "--recipe", recipe, "--pack", pack)
    assert (done.status, message in done.err) == (3, True), done.err


def test_questions_on_which_a_recipe_goes_beyond_what_was_recorded_can_be_left_out_for_all(
    run: Command, pack: Path, team: Path
) -> None:
    team.write_text(MENDING, encoding="utf-8")
    asked = ("eval", team, "--recipe", "team/settled", "--pack", pack, "--single", "good", "--where-recorded")
    report = told(run(*asked, "--format", "json"))
    assert {one["name"]: (one["right"], one["graded"]) for one in report["contestants"]} == {
        "team/settled": (4, 4),  # the two agree on four questions
        "single good": (4, 4),
    }
    assert "4 questions are left out: there a recipe asks for what was not recorded" in report["notes"][0]
    nothing = run("eval", team, "--recipe", "team/mended", "--pack", pack, "--where-recorded")
    assert (nothing.status, "on each of the questions a recipe asks for" in nothing.err) == (3, True)


VERIFIED = """
use "./models.recipe"

extern passes(question: text, by: text, said: text) -> bool

role respond() { max_tokens = 100 }

recipe chain(one: model, other: model) -> answer {
  ask  first  = respond(model = one)
  call passed = passes(request.text, first.model.id, first.text)
  ask  second = respond(model = other) { when = not passed }
  return second or first
}

expose "team/chain" = chain(poor, good)
"""


def test_a_perfect_verifier_is_lent_where_it_is_asked_for_and_told_in_the_report(
    run: Command, pack: Path, team: Path
) -> None:
    team.write_text(VERIFIED, encoding="utf-8")
    report = told(run("eval", team, "--pack", pack, "--perfect-verifier", "passes", "--format", "json"))
    [chain] = report["contestants"]
    assert (chain["right"], chain["calls"]) == (8, 1 + 5 / 8)
    assert report["notes"] == ["`passes` was a perfect verifier: what recipes that call it bring is an upper bound."]
    refused = run("eval", team, "--pack", pack)
    assert (refused.status, "it calls functions of the host, `passes`" in refused.err) == (2, True)
    Path("data.jsonl").write_text(json.dumps(ASKED[0]), encoding="utf-8")
    refused = run("eval", team, "--data", "data.jsonl", "--perfect-verifier", "passes")
    assert (refused.status, "`--perfect-verifier` goes with `--pack`" in refused.err) == (2, True)


def test_a_budget_holds_for_recorded_costs_and_for_all_that_is_gone_on_with(
    run: Command, pack: Path, team: Path
) -> None:
    asked = ("eval", team, "--pack", pack, "--results", "runs.jsonl", "--concurrency", 1, "--format", "json")

    def spent(budget: str) -> tuple[int, int]:
        done = run(*asked, "--budget", budget)
        paid = [json.loads(line)["cost"] for line in Path("runs.jsonl").read_text(encoding="utf-8").splitlines()]
        assert sum(paid) <= float(budget)
        return done.status, len(paid)

    assert spent("0.2") == (3, 2)  # a vote costs 0.055, and may cost three times the dearest call: 0.12
    assert spent("0.2") == (3, 2)  # the same command does not spend as much again
    assert spent("0.3") == (3, 4)
    assert spent("1") == (0, 8)


def test_a_pack_without_costs_takes_no_budget_and_says_so(run: Command, pack: Path, team: Path) -> None:
    rows = [json.dumps({**row, "usd": None}) for row in answers()]
    (pack / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    done = run("eval", team, "--pack", pack, "--budget", "5")
    told = " ".join(done.err.split())
    assert (done.status, "the pack has calls of its models on `q0` with no cost (`usd`)" in told) == (3, True), told
    assert run("eval", team, "--pack", pack, "--report", "r.svg").status == 0
    assert "no run that was graded cost anything</text></svg>" in Path("r.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(("text", "said"), [("{nope", "is no JSON"), ("[1]", "is no baseline")])
def test_a_baseline_that_is_none_is_told_so(run: Command, pack: Path, text: str, said: str) -> None:
    Path("baseline.json").write_text(text, encoding="utf-8")
    done = run("eval", "check", "--pack", pack, "--check", "baseline.json")
    assert (done.status, said in done.err) == (4, True)


def test_a_panel_is_told_from_the_results_of_evaluations(run: Command, pack: Path, team: Path) -> None:
    told(run("eval", team, "--pack", pack, "--single", "all", "--results", "runs.jsonl", "--format", "json"))
    by_results = told(run("eval", "panel", "--results", "runs.jsonl", "--format", "json"))
    by_pack = told(run("eval", "panel", "--pack", pack, "--models", "all", "--format", "json"))
    assert [member["shapley"] for member in by_results["members"]] == [
        member["shapley"] for member in by_pack["members"]
    ]
    told(run("eval", "--single", "all", "--pack", pack, "--results", "runs.jsonl", "--seed", 1, "--format", "json"))
    again = told(run("eval", "panel", "--results", "runs.jsonl", "--format", "json"))
    assert again == by_results  # what was recorded once is one attempt, whatever the seed
    some = told(run("eval", "panel", "--results", "runs.jsonl", "--models", "good, team/vote", "--format", "json"))
    assert [member["name"] for member in some["members"]] == ["single good", "team/vote"]
    wrong = run("eval", "panel", "--results", "runs.jsonl", "--models", "goood")
    assert (wrong.status, "the file has no model `goood`; did you mean `good`?" in wrong.err) == (2, True)


def test_where_a_report_can_not_be_written_nothing_is_asked(run: Command, pack: Path, team: Path) -> None:
    done = run("eval", team, "--pack", pack, "--results", "runs.jsonl", "--report", "nowhere/r.html")
    assert (done.status, "there is no folder nowhere" in done.err) == (4, True)
    assert not Path("runs.jsonl").exists()


def test_a_file_that_holds_no_results_is_left_as_it_is(run: Command, pack: Path, team: Path) -> None:
    file = Path("data.jsonl")
    file.write_text(json.dumps(ASKED[0]) + "\n", encoding="utf-8")
    done = run("eval", team, "--pack", pack, "--results", file)
    assert (done.status, "data.jsonl, line 1: it is no result of an evaluation" in done.err) == (4, True)
    assert file.read_text(encoding="utf-8") == json.dumps(ASKED[0]) + "\n"
    assert run("eval", "panel", "--results", file).status == 4
    file.write_text(json.dumps(ASKED[0]), encoding="utf-8")  # no line of it is whole
    assert run("eval", team, "--pack", pack, "--results", file).status == 4
    assert file.read_text(encoding="utf-8") == json.dumps(ASKED[0])


def test_an_evaluation_that_is_interrupted_says_what_is_kept_and_goes_on_there(tmp_path: Path) -> None:
    """By the signal that Ctrl-C sends, in the middle of its runs."""
    results = tmp_path / "runs.jsonl"
    lines = [json.dumps({**ASKED[0], "id": number}) for number in range(4)]
    (tmp_path / "data.jsonl").write_text("\n".join(lines), encoding="utf-8")
    good = answered(completion("Jupiter."))
    command = [sys.executable, "-m", "recipelang.cli.main", "eval", "live.recipe", "--data", "data.jsonl"]
    asked = [*command, "--results", "runs.jsonl", "--concurrency", "1", "--format", "json"]
    environment = {**os.environ, "LAB_KEY": "sk-of-the-lab"}
    with Upstream(in_turn(good, good, [STALL], good)) as upstream:
        (tmp_path / "live.recipe").write_text(LIVE.format(url=upstream.url), encoding="utf-8")
        with subprocess.Popen(asked, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as running:
            upstream.wait_until(lambda it: len(it.requests) == 3)
            running.send_signal(signal.SIGINT)
            assert running.stderr is not None
            assert "2 of 4 runs are kept in runs.jsonl" in running.stderr.read()
        assert len(results.read_text(encoding="utf-8").splitlines()) == 2
        done = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert len(upstream.requests) == 5
    assert "2 of 4 runs are already in runs.jsonl" in done.stderr
    assert json.loads(done.stdout)["contestants"][0]["right"] == 4


def test_a_call_that_was_given_up_costs_what_it_was_recorded_to_cost(run: Command, pack: Path, team: Path) -> None:
    hurried = TEAM.replace("for m in panel", "for m in panel { quorum = 2 }").replace("model[1..4]", "model[2..4]")
    team.write_text(hurried, encoding="utf-8")  # `poor`, the slowest, is cancelled
    [vote] = told(run("eval", team, "--pack", pack, "--format", "json"))["contestants"]
    assert vote["latency"]["p50"] == pytest.approx(1.0)
    assert vote["cost"][0] == pytest.approx(0.055)
