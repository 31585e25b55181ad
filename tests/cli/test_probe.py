"""`recipelang probe` asks endpoints what their models can do, over a real connection, and writes it into the recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from commands import Command, command
from recipelang.compilation import compile_file
from upstream import Answer, Received, Upstream, answered, completion, refused

run = pytest.fixture(command)
RECIPE = """\
# what we have
backend lab { kind = openai, url = "URL" }

model small {  # the small one
  backend  = lab
  id       = "qwen3-8b"
  price    = { input = $0.05, output = $0.20 }  # as of today
  logprobs = false  # nobody looked
  # and nothing else
}
model other { backend = lab, id = "nobody-serves-it", price = { input = $1, output = $1 } }
"""
TOKENS = {"content": [{"token": "yes", "logprob": -0.1, "bytes": [121], "top_logprobs": []}]}
SAID = count()
CALL = {"id": "1", "type": "function", "function": {"name": "get_time", "arguments": '{"city": "Paris"}'}}


def able(request: Received) -> Answer:
    """A server of a model that can do everything."""
    if request.method == "GET":
        listed = {"data": [{"id": "other"}, {"id": "qwen3-8b", "max_model_len": 32_768}]}
        return answered(listed) if request.path == "/v1/models" else refused(404, "no such page")
    asked = request.json
    if asked["model"] != "qwen3-8b":
        return refused(404, f"the model {asked['model']} does not exist")
    if asked.get("logprobs"):
        return answered(completion("yes", logprobs=TOKENS))
    if "response_format" in asked:
        return answered(completion('{"colour": "blue", "sure": true}'))
    if "tools" in asked:
        return answered(completion(None, finish="tool_calls", tool_calls=[CALL]))
    if isinstance(asked["messages"][0]["content"], list):
        return answered(completion("Red."))
    return answered(completion(f"A sentence of seed {asked.get('seed')}."))


def plain(request: Received) -> Answer:
    """A server that knows none of it: it refuses what it does not understand, or passes over it."""
    if request.method == "GET":
        return refused(404, "no such page")
    asked = request.json
    if asked.get("logprobs"):
        return refused(400, "logprobs is not supported")
    if "tools" in asked:
        return refused(422, "extra fields not permitted: tools")
    if isinstance(asked["messages"][0]["content"], list):
        return refused(400, "content must be a string")
    return answered(completion(f"Sentence {next(SAID)}."))


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[Upstream], Path]:
    def written(server: Upstream) -> Path:
        path = tmp_path / "team.recipe"
        path.write_text(RECIPE.replace("URL", server.url), encoding="utf-8")
        return path

    return written


def test_what_a_model_can_do_is_printed_as_attributes(run: Command, recipe: Callable[[Upstream], Path]) -> None:
    with Upstream(able) as server:
        done = run("probe", recipe(server), "small")
    assert done.status == 0
    assert done.out.splitlines() == [
        "# small, qwen3-8b",
        "context     = 32768",
        "logprobs    = true",
        "json_schema = true",
        "tools       = true",
        "vision      = true",
        "seed        = true",
        "",
    ]


def test_what_is_refused_or_passed_over_is_not_there(run: Command, recipe: Callable[[Upstream], Path]) -> None:
    with Upstream(plain) as server:
        done = run("probe", recipe(server), "small", "--format", "json")
    found = json.loads(done.out)["small"]
    assert {name: each["value"] for name, each in found.items()} == {
        "context": None, "logprobs": False, "json_schema": False, "tools": False, "vision": False, "seed": False,
    }  # fmt: skip
    assert "logprobs is not supported" in found["logprobs"]["why"]
    assert found["json_schema"]["why"] == "it answers in another form"


def test_each_question_is_asked_once_and_cheaply(run: Command, recipe: Callable[[Upstream], Path]) -> None:
    with Upstream(able) as server:
        run("probe", recipe(server), "small")
        asked = [request.json for request in server.requests if request.method == "POST"]
    assert len(asked) == 8  # a plain one, four abilities, and three for the seed
    assert all(each["max_tokens"] <= 400 for each in asked)


def test_it_is_written_into_the_file_with_every_comment_kept(run: Command, recipe: Callable[[Upstream], Path]) -> None:
    with Upstream(able) as server:
        path = recipe(server)
        done = run("probe", path, "small", "--write")
        address = server.url
    assert done.status == 0
    text = path.read_text(encoding="utf-8")
    for comment in ("# what we have", "# the small one", "# as of today", "# nobody looked", "# and nothing else"):
        assert comment in text
    plan = compile_file(str(path)).plan
    assert plan is not None
    small, other = plan.models["small"], plan.models["other"]
    assert (small.context, small.logprobs, small.json_schema, small.tools) == (32_768, True, True, True)
    assert (small.vision, small.seed) == (True, True)
    assert (other.context, other.logprobs) == (None, None)
    assert plan.backends["lab"].url == address
    assert run("fmt", "--check", path).status == 0


def test_writing_twice_changes_nothing_more(run: Command, recipe: Callable[[Upstream], Path]) -> None:
    with Upstream(able) as server:
        path = recipe(server)
        run("probe", path, "small", "--write")
        once = path.read_text(encoding="utf-8")
        run("probe", path, "small", "--write")
    assert path.read_text(encoding="utf-8") == once


def test_a_model_that_can_not_be_asked_is_told_and_the_others_are_asked(
    run: Command, recipe: Callable[[Upstream], Path]
) -> None:
    with Upstream(able) as server:
        path = recipe(server)
        done = run("probe", path, "--write")
    assert done.status == 4
    assert "# other, nobody-serves-it" in done.out
    assert "# it could not be asked: " in done.out
    assert "the model nobody-serves-it does not exist" in done.out
    assert "context = 32768" in " ".join(path.read_text(encoding="utf-8").split())


def test_a_recipe_that_asks_for_too_much_can_be_probed_all_the_same(
    run: Command, recipe: Callable[[Upstream], Path]
) -> None:
    """It is when a capability is declared wrongly that one wants to know."""
    with Upstream(able) as server:
        path = recipe(server)
        text = path.read_text(encoding="utf-8")
        path.write_text(text + 'use std.confidence\nexpose "team" = confidence([small])\n', encoding="utf-8")
        assert run("check", path).status == 1
        assert run("probe", path, "small", "--write").status == 0
        assert run("check", path).status == 0


def test_an_unknown_model_and_a_file_without_any_are_told(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "empty.recipe"
    path.write_text("role solver() { max_tokens = 100 }\n", encoding="utf-8")
    assert (run("probe", path).status, run("probe", path, "smal").status) == (2, 2)
    assert run("probe", "std.local_models", "tiny", "--write").status == 2
