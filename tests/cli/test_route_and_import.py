"""`recipelang route` and `recipelang import`: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Command, command

POLICY = """
use std.direct
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model small { backend = lab, id = "a", price = { input = $1, output = $1 } }
signal brief: bool = keywords(["briefly"])
recipe policy(m: model) -> answer {
  choose reply {
    when not brief and request.turns < 2 => fail("say it briefly")
    otherwise                            => direct(m)
  }
  return reply
}
expose "policy" = policy(small)
"""
PROFILE = """
providers: {models: [{name: small, backend_refs: [{endpoint: "s:80"}]}]}
routing:
  signals: {keywords: [{name: deep, keywords: [think]}], kb: [{name: gone}]}
  decisions: [{name: think, rules: {conditions: [{type: keyword, name: deep}]}, modelRefs: [{model: small}]}]
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return command(capsys, monkeypatch)


def test_route_says_which_arm_is_taken_and_why(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "policy.recipe"
    file.write_text(POLICY, encoding="utf-8")
    done = run("route", file, "Say it briefly.")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "signals",
        '  brief  true    "briefly"',
        "reply, in policy",
        '   1 -      fail("say it briefly")',
        "            not brief and (request.turns < 2): does not hold",
        "              brief is true",
        "              request.turns < 2 is true: request.turns is 1",
        "   2 taken  direct(model_of_choice = small)",
        "            otherwise",
    ]


def test_route_tells_programs_the_same(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "policy.recipe"
    file.write_text(POLICY, encoding="utf-8")
    told = json.loads(run("route", file, "What is it?", "--format", "json").out)
    assert told["signals"] == [{"name": "brief", "value": False, "words": [], "reads": []}]
    assert [arm["taken"] for arm in told["choices"][0]["arms"]] == [True, False]


def test_import_writes_recipes_that_check_and_says_what_is_lost(run: Command, tmp_path: Path) -> None:
    profile, recipe, report = tmp_path / "config.yaml", tmp_path / "team.recipe", tmp_path / "report.json"
    profile.write_text(PROFILE, encoding="utf-8")
    done = run("import", "vllm-sr", profile, "-o", recipe, "--report", report)
    assert done.status == 0
    assert "routing.signals.kb: signals of this kind are not known here" in done.err
    assert [each["place"] for each in json.loads(report.read_text(encoding="utf-8"))["lost"]] == ["routing.signals.kb"]
    assert run("check", recipe).status == 0
    assert run("fmt", "--check", recipe).status == 0


def test_import_refuses_what_is_no_profile(run: Command, tmp_path: Path) -> None:
    other = tmp_path / "config.yaml"
    other.write_text("model_list: []\n", encoding="utf-8")
    assert run("import", "vllm-sr", other).status == 2
    other.write_text("a: [", encoding="utf-8")
    assert run("import", "vllm-sr", other).status == 2
    assert run("import", "vllm-sr", tmp_path / "none.yaml").status == 4
