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
  signals: {keywords: [{name: deep, keywords: [think]}], safety: [{name: gone}]}
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
    assert told["signals"] == [{"name": "brief", "value": False, "words": [], "reads": [], "by": []}]
    assert [arm["taken"] for arm in told["choices"][0]["arms"]] == [True, False]


def test_import_writes_recipes_that_check_and_says_what_is_lost(run: Command, tmp_path: Path) -> None:
    profile, recipe, report = tmp_path / "config.yaml", tmp_path / "team.recipe", tmp_path / "report.json"
    profile.write_text(PROFILE, encoding="utf-8")
    done = run("import", "vllm-sr", profile, "-o", recipe, "--report", report)
    assert done.status == 0
    assert "routing.signals.safety: no classifier of unsafe content is here" in done.err
    lost = json.loads(report.read_text(encoding="utf-8"))["lost"]
    assert [(each["place"], each["line"]) for each in lost] == [("routing.signals.safety", 4)]
    assert run("check", recipe).status == 0
    assert run("fmt", "--check", recipe).status == 0


def test_import_reads_settings_of_litellm_from_standard_input(run: Command) -> None:
    settings = (
        b"model_list: [{model_name: gpt, litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY, rpm: 9}}]"
    )
    done = run("import", "litellm", "-", stdin=settings)
    assert done.status == 0
    assert 'expose "gpt" = gpt()' in done.out
    assert "model_list[gpt].litellm_params.rpm" not in done.err  # alike places stand together
    assert "model_list[…].litellm_params.rpm: no rate is kept" in done.err


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("vllm-sr", "model_list: []\n", "config.yaml: this is no profile of vLLM Semantic Router"),
        ("litellm", "routing: {}\n", "config.yaml: these are no settings of LiteLLM: they have no `model_list`"),
        ("vllm-sr", "a: [", "config.yaml: line 1, column 5: it is no YAML"),
        ("litellm", "", "config.yaml: the file is empty"),
    ],
)
def test_import_refuses_what_is_none_of_its_settings(
    run: Command, tmp_path: Path, kind: str, text: str, says: str
) -> None:
    other = tmp_path / "config.yaml"
    other.write_text(text, encoding="utf-8")
    done = run("import", kind, other)
    assert (done.status, done.out) == (2, "")
    assert says in done.err
    assert run("import", kind, tmp_path / "none.yaml").status == 4
