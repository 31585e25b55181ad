"""`recipelang run`: the answer alone on stdout, how it came about on stderr, and a clear end for whatever goes wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Command, command
from upstream import Answer, Received, Upstream, answered, completion, http, refused

TOKEN = {"token": "Jupiter", "bytes": [1], "top_logprobs": [{"token": "Mars", "logprob": -5.0}]}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    command_line = command(capsys, monkeypatch)
    return lambda *arguments, stdin=b"": command_line("run", *arguments, stdin=stdin)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def models(upstream: Upstream, tmp_path: Path) -> Path:
    """A file of models, as a user has one."""
    return written(tmp_path / "models.recipe", models_at(upstream.url))


def models_at(url: str, more: str = "") -> str:
    return f"""
backend lab {{ kind = openai, url = "{url}"{more} }}
model small {{ backend = lab, id = "small-1", price = {{ input = $1, output = $2 }} }}
model large {{ backend = lab, id = "large-1", price = {{ input = $1, output = $2 }} }}
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# ------------------------------------------------------------------ an answer


def test_the_answer_alone_is_on_stdout_and_how_it_came_about_on_stderr(run: Command, models: Path) -> None:
    done = run("direct", "--with", models, "Which planet is the largest?")
    assert (done.status, done.out) == (0, "Jupiter.\n")
    assert "✓ reply  small" in done.err
    assert "answered by small · 1 call · 11 tokens in, 3 out · " in done.err
    assert "$0.000017" in done.err


def test_a_cascade_tells_how_sure_each_model_was(run: Command, tmp_path: Path) -> None:
    def by_model(request: Received) -> Answer:
        tokens = [{**TOKEN, "logprob": -0.9 if request.json["model"] == "small-1" else -0.01}]
        return answered(completion("Jupiter.", logprobs={"content": tokens}))

    with Upstream(by_model) as server:
        models = written(tmp_path / "models.recipe", models_at(server.url))
        done = run("confidence", "--with", models, "Which planet?")
    assert (done.status, done.out) == (0, "Jupiter.\n")
    assert "↑ reply[0]  not accepted: 0.40, wanted >= 0.72" in done.err
    assert "= reply[1]  accepted: 0.99, wanted >= 0.72" in done.err
    assert "answered by large · confidence 0.99 · 2 calls" in done.err


def test_a_program_reads_the_answer_as_json(run: Command, models: Path) -> None:
    done = run("direct", "--with", models, "--format", "json", "Which planet?")
    told = json.loads(done.out)
    assert (told["answer"], told["model"], told["spend"]["calls"]) == ("Jupiter.", "models.small", 1)


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_the_question_comes_from_standard_input(
    arguments: list[str], run: Command, models: Path, upstream: Upstream
) -> None:
    assert run("direct", "--with", models, *arguments, stdin="Größe?\n".encode()).status == 0
    assert upstream.requests[0].json["messages"] == [{"role": "user", "content": "Größe?"}]


def test_a_conversation_comes_from_a_file(run: Command, models: Path, upstream: Upstream, tmp_path: Path) -> None:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which planet?"}]
    path = written(tmp_path / "said.json", json.dumps(said))
    assert run("direct", "--with", models, "--messages", path).status == 0
    assert run("direct", "--with", models, "--messages", "-", stdin=path.read_bytes()).status == 0
    assert [request.json["messages"] for request in upstream.requests] == [said, said]


def test_an_argument_is_read_as_its_type_wants_it(run: Command, models: Path, upstream: Upstream) -> None:
    done = run("confidence", "--with", models, "--set", "candidates=large", "--set", "threshold=0%", "Which planet?")
    assert done.status == 0
    assert upstream.requests[0].json["model"] == "large-1"


def test_the_trace_holds_what_was_said_only_on_request(run: Command, models: Path, tmp_path: Path) -> None:
    silent, telling = tmp_path / "silent.json", tmp_path / "telling.json"
    run("direct", "--with", models, "--trace", silent, "Which planet?")
    run("direct", "--with", models, "--trace", telling, "--content", "Which planet?")
    assert "Jupiter" not in silent.read_text(encoding="utf-8")
    events = json.loads(telling.read_text(encoding="utf-8"))["events"]
    assert [event["text"] for event in events if event["kind"] == "call_end"] == ["Jupiter."]


# ------------------------------------------------------------------- no answer


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (http(200, b"<html>hello</html>", type="text/html"), "an HTML page: is the address that of the API?"),
        (refused(401, "no such key"), "HTTP 401: no such key"),
        (answered({"choices": []}), "it has no choices"),
    ],
)
def test_a_backend_that_gives_no_answer_ends_the_run_with_the_reason(
    reply: Answer, words: str, run: Command, tmp_path: Path
) -> None:
    with Upstream(reply) as server:
        models = written(tmp_path / "models.recipe", models_at(server.url))
        done = run("direct", "--with", models, "--trace", tmp_path / "trace.json", "Which planet?")
    assert (done.status, done.out) == (3, "")
    assert "no answer: step `reply`: models.small: " in done.err
    assert words in done.err
    ended = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["events"][-1]
    assert (ended["kind"], ended["status"], ended["failure"]) == ("run_end", "failed", "backend")


def test_a_program_reads_why_there_is_no_answer(run: Command, tmp_path: Path) -> None:
    models = written(tmp_path / "models.recipe", models_at("http://127.0.0.1:9/v1"))
    done = run("direct", "--with", models, "--format", "json", "Which planet?")
    assert done.status == 3
    assert json.loads(done.out)["error"] == {
        "kind": "backend",
        "message": "can't connect: connection refused",
        "step": "reply",
        "model": "models.small",
    }


# ------------------------------------------------------------------- bad input

BAD = {
    "a recipe's name with a slip": (["confidnce", "q"], 2, "did you mean `confidence`?"),
    "a standard recipe's full name with a slip": (["std.fusoin", "q"], 2, "did you mean `fusion`?"),
    "a missing file": (["no/such.recipe", "q"], 4, "no/such.recipe: no such file"),
    "an empty question": (["direct", " "], 2, "the question is empty"),
    "nothing on standard input": (["direct"], 2, "the question is empty"),
    "a parameter with a slip": (["confidence", "--set", "treshold=1", "q"], 2, "did you mean `threshold`?"),
    "a value that is no number": (["confidence", "--set", "threshold=high", "q"], 2, "it takes score"),
    "a value out of bounds": (["confidence", "--set", "threshold=80", "q"], 2, "takes score"),
    "a word that is not among those": (["confidence", "--set", "measure=luck", "q"], 2, "logprob"),
    "a model that is not there": (["direct", "--set", "model_of_choice=huge", "q"], 2, "there is no model `huge`"),
    "a model's name with a slip": (["direct", "--set", "model_of_choice=smal", "q"], 2, "did you mean `small`?"),
    "a setting without a value": (["confidence", "--set", "threshold", "q"], 2, "it takes `name=value`"),
    "a setting given twice": (["confidence", "--set", "threshold=1", "--set", "threshold=1", "q"], 2, "there twice"),
    "a conversation that is not there": (["direct", "--messages", "no.json"], 4, "no.json: no such file"),
    "a question and a conversation": (["direct", "--messages", "no.json", "q"], 2, "either a question or"),
    "a trace that can't be written": (["direct", "--trace", "no/such/folder/t", "q"], 4, "can't be written"),
    "a recipe that calls functions of a host": (["generate_and_test", "q"], 2, "functions of the host, `run_tests`"),
    "an option that there is not": (["direct", "--sett", "a=b", "q"], 2, "usage: recipelang run"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_clear_error_before_anything_is_called(
    case: str, run: Command, models: Path, upstream: Upstream
) -> None:
    arguments, status, words = BAD[case]
    done = run(*arguments, "--with", models)
    assert (done.status, done.out) == (status, "")
    assert words in done.err
    assert "this is our mistake" not in done.err
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ("{}", "is no list of messages"),
        ("[]", "a request has at least one message"),
        ('[{"role": "boss", "content": "q"}]', "messages[0].role is 'boss'"),
        ("[1]", "messages[0] is no object"),
    ],
)
def test_a_conversation_that_is_none_says_where(
    text: str, words: str, run: Command, models: Path, tmp_path: Path
) -> None:
    done = run("direct", "--with", models, "--messages", written(tmp_path / "said.json", text))
    assert (done.status, done.out) == (2, "")
    assert words in done.err


def test_a_file_with_mistakes_is_shown_as_check_shows_it(run: Command, tmp_path: Path) -> None:
    path = written(tmp_path / "bad.recipe", "recipe a(m: model) -> answer {\n  return replay\n}\n")
    done = run(path, "q")
    assert (done.status, done.out) == (1, "")
    assert "return replay" in done.err
    assert "recipelang: 1 error" in done.err


def test_of_several_recipes_one_must_be_named(run: Command, models: Path, tmp_path: Path) -> None:
    text = 'use "./models.recipe"\nrole say() {{ max_tokens = 9 }}\n' + "".join(
        f"recipe {name}(m: model) -> answer {{ budget {{ calls = 1 }} ask r = say(model = m) return r }}\n"
        for name in ("one", "two")
    )
    path = written(tmp_path / "both.recipe", text.replace("{{", "{").replace("}}", "}"))
    done = run(path, "q")
    assert (done.status, done.out) == (2, "")
    assert "several recipes; `--recipe` takes one of one, two" in done.err
    assert run(path, "--recipe", "two", "q").out == "Jupiter.\n"
    assert "did you mean `two`?" in run(path, "--recipe", "tow", "q").err
    exposing = path.read_text("utf-8") + 'expose "a" = one(small)\nexpose "b" = two(small)\n'
    done = run(written(tmp_path / "exposing.recipe", exposing), "q")
    assert done.err.endswith("exposes several names; `--recipe` takes one of a, b\n")


def test_an_exposed_name_has_its_arguments_already(run: Command, models: Path, tmp_path: Path) -> None:
    path = written(
        tmp_path / "team.recipe",
        'use "./models.recipe"\nuse std.direct\nexpose "team/one" = direct(model_of_choice = large)\n',
    )
    assert run(path, "q").out == "Jupiter.\n"
    done = run(path, "--set", "model_of_choice=small", "q")
    assert done.status == 2
    assert "`team/one` is exposed with its arguments" in done.err


def test_a_secret_that_is_not_set_is_named(run: Command, upstream: Upstream, tmp_path: Path) -> None:
    models = written(tmp_path / "models.recipe", models_at(upstream.url, ', key = env("LAB_KEY")'))
    done = run("direct", "--with", models, "q")
    assert (done.status, done.out) == (4, "")
    assert "LAB_KEY" in done.err
    assert upstream.requests == []


def test_models_of_this_machine_without_their_server_name_the_command_to_run(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    done = run("direct", "q")
    assert (done.status, done.out) == (4, "")
    assert done.err == "recipelang: models of this machine take `pip install 'recipelang[local]'`\n"


def test_an_answer_that_no_disk_takes_is_told(run: Command, models: Path) -> None:
    done = run("direct", "--with", models, "--trace", "/dev/full", "q")
    assert (done.status, done.out) == (4, "Jupiter.\n")
    assert "/dev/full can't be written: no space left on device" in done.err
