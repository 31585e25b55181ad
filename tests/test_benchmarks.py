"""The recipes for the three reference benchmarks: their shapes, their sets, and what a harness that asks them gets."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from commands import Command, command
from recipelang import NotIsolated, RunTests, compile_file
from recipelang.evaluation.datasets import read_items
from recipelang.evaluation.grading import graded_plainly
from recipelang.evaluation.packs import Verdict
from recipelang.hosts.reaching import models_of
from recipelang.localmodels.catalogue import find_model
from recipelang.localmodels.store import ModelStore
from replayed import REPLAY

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "docs" / "examples" / "benchmarks"
SHAPES = ("gpqa", "hle", "livecodebench")
sys.path.insert(0, str(PLACE))

from livecodebench import examples, passes  # noqa: E402 - a module of the examples


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(PLACE)
    return command(capsys, monkeypatch)


@pytest.mark.parametrize("file", sorted(PLACE.rglob("*.recipe")), ids=lambda file: file.stem)
def test_a_recipe_of_the_benchmarks_compiles_without_a_word(file: Path) -> None:
    assert compile_file(str(file)).diagnostics == []


@pytest.mark.parametrize("shape", SHAPES)
def test_the_tests_of_a_shape_pass_and_reach_all_of_it(run: Command, shape: str) -> None:
    done = run("test", f"{shape}.recipe", "--coverage")
    assert done.status == 0, done.out
    assert "coverage: 100%" in done.out


def test_each_set_has_each_benchmark_and_a_hybrid_one_has_open_and_closed_models() -> None:
    plan = compile_file(str(PLACE / "sets.recipe")).library
    assert plan is not None
    assert set(plan.entries) == {f"{kind}/{shape}" for kind in ("single", "closed", "hybrid") for shape in SHAPES}
    for name, entry in plan.entries.items():
        zones = {plan.models[model].zone for model in models_of(plan, entry)}
        assert zones == ({"local", "cloud"} if name.startswith("hybrid") else {"cloud"}), name
        assert entry.certificate is not None
        assert entry.certificate.total.cost is not None


RECORDED = {
    "gpqa": (["--samples", "drawn"], {"single": 32, "closed": 30, "hybrid": 31}),
    "hle": ([], {"single": 56, "closed": 68, "hybrid": 58}),
    "livecodebench": (["--perfect-verifier", "passes"], {"single": 250, "closed": 278, "hybrid": 270}),
}


@pytest.mark.slow
@pytest.mark.skipif(not REPLAY, reason="needs recorded answers: RECIPELANG_REPLAY names their folder")
@pytest.mark.parametrize("shape", SHAPES)
def test_the_sets_bring_on_recorded_answers_what_the_page_says(run: Command, shape: str) -> None:
    options, wanted = RECORDED[shape]
    pack = Path(REPLAY) / "packs" / shape.replace("livecodebench", "lcb")
    done = run("eval", f"recorded/{shape}.recipe", "--pack", pack, "--half", "second", *options, "--format", "json")
    assert done.status == 0, done.err
    found = {one["name"].partition("/")[0]: one["right"] for one in json.loads(done.out)["contestants"]}
    assert found == wanted


@pytest.mark.slow
@pytest.mark.skipif(not REPLAY, reason="needs recorded answers: RECIPELANG_REPLAY names their folder")
@pytest.mark.parametrize(("pack", "best"), [("mmlu_pro", "gpt_4o"), ("conf", "llama_405b")])
def test_one_hybrid_has_the_best_models_accuracy_at_half_its_cost_and_one_beats_it(
    run: Command, pack: str, best: str
) -> None:
    recipe = ROOT / "bench" / f"hybrids_on_{pack}.recipe"
    folder = Path(REPLAY) / "packs" / pack
    done = run("eval", recipe, "--pack", folder, "--single", best, "--half", "second", "--format", "json")
    assert done.status == 0, done.err
    against = {one["name"]: one for one in json.loads(done.out)["compared"]}
    cheap, better = against["at half the cost"], against["better outright"]
    assert cheap["difference"][0] >= 0
    assert cheap["cost_ratio"][2] < 0.5  # the whole of its interval
    assert better["difference"][1] > 0


# ------------------------------------------------------- programs, tried out

SAMPLES = "Add.\n\nInput\n\nTwo.\n\nSample Input 1\n\n1 2\n\nSample Output 1\n\n3\n\nSo.\n\nSample Input 2:\n5 6\n\nSample Output 2:\n11\n"
CALLS = 'Example 1:\n\nInput: text = "ab", times = 2\nOutput: "abab"\n\nExample 2:\n\nInput: text = "", times = 1\nOutput: ""\n'


@pytest.fixture
def isolated() -> None:
    try:
        RunTests()
    except NotIsolated as problem:
        pytest.skip(str(problem))


def test_the_examples_of_a_question_are_found_as_the_benchmark_prints_them() -> None:
    assert [(case.kind, case.given, case.wanted.strip()) for case in examples(SAMPLES)] == [
        ("stdin", "1 2", "3"),
        ("stdin", "5 6", "11"),
    ]
    assert [case.given for case in examples(CALLS)] == ['text = "ab", times = 2', 'text = "", times = 1']
    assert examples("Write a poem.") == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("question", "program", "passed"),
    [
        (SAMPLES, "a, b = map(int, input().split())\nprint(a + b)", True),
        (SAMPLES, "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))\nsys.exit()", True),
        (SAMPLES, "print(3)", False),
        (SAMPLES, "def broken(:", False),
        (CALLS, "def again(text: str, times: int) -> str:\n    return text * times", True),
        (CALLS, "class Solution:\n    def again(self, text: str, times: int):\n        return text * times", True),
        (CALLS, "def again(text, times):\n    return text", False),
    ],
)
async def test_a_program_passes_where_it_does_what_the_examples_show(
    isolated: None, question: str, program: str, passed: bool
) -> None:
    assert await passes(question, "any", f"So:\n```python\n{program}\n```") is passed


@pytest.mark.anyio
async def test_what_shows_no_examples_can_not_be_said_to_pass() -> None:
    with pytest.raises(ValueError, match="no examples"):
        await passes("Write a poem.", "any", "```python\nprint(1)\n```")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_own_questions_can_be_asked_by_our_command_as_well(shape: str) -> None:
    items = read_items(PLACE / "items" / f"{shape}.jsonl")
    assert len(items) >= 3
    for item in items:
        if item.grader != "code":
            assert graded_plainly(item, f"ANSWER: {item.reference}").verdict is Verdict.RIGHT
        else:
            assert examples(item.question)


# ---------------------------------------------------------------- a harness


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with inspect-ai and recipelang; its `bin`."""
    place = tmp_path_factory.mktemp("harness") / "env"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, place], check=True)
    wanted = [f"{ROOT}[serve,local]", "inspect-ai==0.3.285", "openai>=2"]
    done = subprocess.run(
        [*uv, "pip", "install", "--quiet", "--python", place / "bin" / "python", *wanted],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"inspect-ai can't be had: {done.stderr[-300:]}")
    return place / "bin"


@contextmanager
def served(harness: Path, file: str) -> Iterator[str]:
    command: list[str | Path] = [harness / "recipelang", "serve", file, "--functions", "livecodebench", "--port", "0"]
    with subprocess.Popen(command, cwd=PLACE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        ready = next(line for line in server.stderr if line.startswith("ready at"))
        (address,) = re.findall(r"http://\S+", ready)
        try:
            yield address
        finally:
            server.terminate()


@pytest.mark.live
@pytest.mark.slow
def test_inspect_asks_the_shapes_of_the_server_and_gets_an_answer_to_each_question(
    harness: Path, tmp_path: Path
) -> None:
    for name in ("tiny", "strong"):
        model = find_model(name)
        assert model is not None
        if not ModelStore().has(model):
            pytest.skip(f"the model is not here: `recipelang models pull {name}` fetches it")
    with served(harness, "local.recipe") as address:
        environment = {**os.environ, "RECIPELANG_BASE_URL": address, "RECIPELANG_API_KEY": "none"}
        for shape in SHAPES:
            options: list[str | Path] = [
                "--limit",
                "2",
                "--max-retries",
                "0",
                "--log-dir",
                tmp_path,
                "--log-format",
                "json",
            ]
            command: list[str | Path] = [harness / "inspect", "eval", PLACE / f"inspect_tasks.py@{shape}"]
            done = subprocess.run(
                [*command, "--model", f"openai-api/recipelang/local/{shape}", "--display", "plain", *options],
                env=environment, capture_output=True, text=True, check=False, timeout=300,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
    logs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(tmp_path.glob("*.json"))]
    assert len(logs) == 3
    for log in logs:
        assert log["status"] == "success", log
        samples: list[dict[str, Any]] = log["samples"]  # Any: JSON
        assert [sample["output"]["completion"] != "" for sample in samples] == [True, True]
        assert all(sample["scores"]["as_recipelang"]["value"] in ("C", "I") for sample in samples)


@pytest.mark.live
@pytest.mark.slow
def test_a_file_of_livecodebench_is_read_with_its_hidden_cases_and_runs_nothing_that_a_pickle_names(
    harness: Path, tmp_path: Path
) -> None:
    def packed(what: object) -> str:
        return base64.b64encode(zlib.compress(pickle.dumps(what))).decode()

    cases = [{"input": "1 2", "output": "3", "testtype": "stdin"}]
    told = {
        "question_id": "add",
        "question_content": "Add.",
        "starter_code": "",
        "public_test_cases": json.dumps(cases),
        "private_test_cases": packed(json.dumps(cases)),
    }
    good, evil = tmp_path / "good.jsonl", tmp_path / "evil.jsonl"
    good.write_text(json.dumps(told), encoding="utf-8")
    evil.write_text(json.dumps({**told, "private_test_cases": packed(print)}), encoding="utf-8")
    program = "import sys; from inspect_tasks import livecodebench; print(livecodebench(release=sys.argv[1]).dataset[0].metadata)"

    def read(file: Path) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [harness / "python", "-c", program, file]
        return subprocess.run(command, cwd=PLACE, capture_output=True, text=True, check=False)

    assert read(good).stdout.count("('stdin', '1 2', '3')") == 2
    assert "it names builtins.print, and only a text is wanted" in read(evil).stderr
