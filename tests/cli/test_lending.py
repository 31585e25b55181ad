"""`recipelang run --functions`, `--allow` and `--metadata`: what a recipe is lent from the shell."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Command, command
from recipelang.hostfunctions.rooms import NotIsolated
from recipelang.hostfunctions.testing import RunTests
from upstream import Upstream, answered, completion, in_turn

INFORMED = """
backend lab {{ kind = openai, url = "{url}" }}
model small {{ backend = lab, id = "small-1", price = {{ input = $1, output = $2 }} }}
extern look_up(word: text) -> text {{ timeout = 5s }}
role explainer(found: text) {{ max_tokens = 10, prompt = "It is {{{{ found }}}}" }}
recipe informed(m: model) -> answer {{
  call found = look_up(request.metadata["word"] or request.text)
  ask  reply = explainer(found, model = m)
  return reply
}}
"""
FUNCTIONS = """
async def look_up(word: str) -> str:
    return f"{word}, a planet"

async def another(word: str) -> str:
    return "something else"

def at_once(word: str) -> str:
    return "at once"

registry = {"look_up": another}
wrong = {"look_up": at_once}
number = 3
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Command]:
    """The command in a folder with a recipe and some modules, whose imports are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    command_line = command(capsys, monkeypatch)
    yield lambda *arguments, stdin=b"": command_line("run", *arguments, stdin=stdin)
    for name in set(sys.modules) - before:
        if name.startswith("lent_"):
            del sys.modules[name]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def informed(upstream: Upstream, tmp_path: Path) -> Path:
    (tmp_path / "lent_functions.py").write_text(FUNCTIONS, encoding="utf-8")
    (tmp_path / "lent_broken.py").write_text("1 / 0", encoding="utf-8")
    (tmp_path / "lent_needy.py").write_text("import lent_nowhere", encoding="utf-8")
    (tmp_path / "lent_misspelt.py").write_text("def f(:", encoding="utf-8")
    file = tmp_path / "informed.recipe"
    file.write_text(INFORMED.format(url=upstream.url), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        (["lent_functions"], "Jupiter, a planet"),
        (["lent_functions:registry"], "something else"),
        (["lent_functions:registry", "lent_functions"], "Jupiter, a planet"),
    ],
    ids=["of a module", "of a mapping", "the later of two"],
)
def test_functions_of_a_module_are_called(
    functions: list[str], said: str, run: Command, informed: Path, upstream: Upstream
) -> None:
    done = run(informed, "Jupiter", *(word for place in functions for word in ("--functions", place)))
    assert (done.status, done.out) == (0, "Jupiter.\n")
    assert "✓ found  look_up  " in done.err
    assert said in str(upstream.requests[0].json["messages"])


def test_what_only_another_recipe_of_the_file_calls_need_not_be_lent(
    run: Command,
    informed: Path,
    upstream: Upstream,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = "role speak() { max_tokens = 10 }\nrecipe plain(m: model) -> answer { ask reply = speak(model = m) return reply }"
    informed.write_text(f"{informed.read_text(encoding='utf-8')}\n{plain}\n", encoding="utf-8")
    refused = run(informed, "q", "--recipe", "informed")
    assert (refused.status, "it calls functions of the host, `look_up`" in refused.err) == (2, True)
    done = run(
        informed, "q", "--recipe", "plain", "--journal", "runs.db", "--run-id", "one", "--record", "one.cassette"
    )
    assert (done.status, done.out) == (0, "Jupiter.\n")
    assert run(informed, "q", "--recipe", "plain", "--replay", "one.cassette").out == "Jupiter.\n"
    assert command(capsys, monkeypatch)("resume", "runs.db", "one").out == "Jupiter.\n"
    assert len(upstream.requests) == 1


def test_what_goes_with_the_request_is_read_by_the_recipe(
    run: Command, informed: Path, upstream: Upstream, tmp_path: Path
) -> None:
    (tmp_path / "word.txt").write_text("Säturn", encoding="utf-8")
    for given in ("word=Säturn", "word=@word.txt"):
        assert run(informed, "q", "--functions", "lent_functions", "--metadata", given).status == 0
    assert all("Säturn, a planet" in str(request.json["messages"]) for request in upstream.requests)


BAD = {
    "none": ([], 2, "it calls functions of the host, `look_up`: `--functions MODULE` gives those of a Python module"),
    "a module that is not there": (["lent_nothing"], 2, "there is no Python module `lent_nothing` here"),
    "a folder that is not there": (["lent_nothing.more"], 2, "there is no Python module `lent_nothing` here"),
    "a module that imports what is not there": (["lent_needy"], 2, "it imports `lent_nowhere`, which is not there"),
    "a module that fails": (["lent_broken"], 2, "`--functions lent_broken`: ZeroDivisionError when it is imported"),
    "a module that is no Python": (["lent_misspelt"], 2, "SyntaxError when it is imported"),
    "a name that is not there": (["lent_functions:more"], 2, "the module `lent_functions` has no `more`"),
    "a name that is no mapping": (["lent_functions:number"], 2, "`number` is no mapping of names to functions"),
    "a module without the function": (["json"], 2, "it calls functions of the host, `look_up`"),
    "a function that is not async": (["lent_functions:wrong"], 2, "it is no coroutine function; write it with `async"),
}


@pytest.mark.parametrize("case", BAD)
def test_functions_that_are_not_to_be_had_end_in_one_clear_error(
    case: str, run: Command, informed: Path, upstream: Upstream
) -> None:
    functions, status, words = BAD[case]
    done = run(informed, "q", *(word for place in functions for word in ("--functions", place)))
    assert (done.status, done.out) == (status, "")
    assert words in done.err
    assert "Traceback" not in done.err
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (["word"], 2, "it takes `name=value`, or `name=@file`"),
        (["=x"], 2, "it takes `name=value`"),
        (["a=1", "a=2"], 2, "`--metadata a` is there twice"),
        (["a=@no.txt"], 4, "no.txt: no such file"),
        (["a=@binary"], 4, "binary is no text in UTF-8"),
    ],
)
def test_metadata_that_can_not_be_read_is_told(
    given: list[str], status: int, words: str, run: Command, informed: Path, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    metadata = (word for one in given for word in ("--metadata", one))
    done = run(informed, "q", "--functions", "lent_functions", *metadata)
    assert (done.status, done.out) == (status, "")
    assert words in done.err


def test_a_program_is_run_against_tests_and_mended_with_what_they_said(run: Command, tmp_path: Path) -> None:
    try:
        RunTests()
    except NotIsolated as problem:
        pytest.skip(str(problem))
    (tmp_path / "cases.py").write_text("assert double(4) == 8\n", encoding="utf-8")
    wrong, right = (f"```python\ndef double(n):\n    return {value}\n```" for value in ("n + 2", "2 * n"))
    with Upstream(in_turn(answered(completion(wrong)), answered(completion(right)))) as server:
        models = tmp_path / "models.recipe"
        models.write_text(INFORMED.format(url=server.url).partition("extern")[0], encoding="utf-8")
        arguments = ["--with", models, "--allow", "run_tests", "--metadata", "tests=@cases.py", "--trace", "t.json"]
        done = run("generate_and_test", "Write double(n).", *arguments)
    assert (done.status, done.out) == (0, f"{right}\n")
    assert "✓ first_try.verdict  run_tests  " in done.err
    mending = server.requests[1].json["messages"][-1]["content"]
    assert "AssertionError: assert 6 == 8" in mending
    assert "return n + 2" in mending
    trace = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    assert sum(event["kind"] == "host_call_end" for event in trace["events"]) == 2


def test_a_program_is_run_only_where_a_person_allows_it(run: Command, informed: Path) -> None:
    done = run("generate_and_test", "--with", informed, "Write double(n).")
    assert done.status == 2
    assert "`--allow run_tests` the one that comes with this command" in done.err
    assert run("generate_and_test", "--allow", "rm", "q").status == 2
