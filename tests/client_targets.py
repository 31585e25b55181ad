"""Servers that clients are tried against: one over a scripted model, one over real models, or the user's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from recipelang.localmodels.server import can_serve
from recipelang.serving import app
from served import running, serving_process
from upstream import Answer, Received, Upstream, answered, chunk, completion, replying, streamed

PARAMETERS: Any = {"type": "object", "properties": {"planet": {"type": "string"}}, "required": ["planet"]}
"""Of the tool that is offered."""
WAIT = 300.0
"""Seconds: a busy machine may take its time, and a server that hangs is not waited for."""
SCRIPTED = """
use std.confidence
use std.direct
use std.fusion

backend lab {{ kind = openai, url = "{url}" }}
model small {{ backend = lab, id = "small-1", context = 32k, price = {{ input = $0.05, output = $0.20 }}, rating = 900 }}
model large {{ backend = lab, id = "large-1", context = 32k, price = {{ input = $2, output = $12 }}, rating = 1400 }}

expose "vllm-sr/auto" = direct(small)
expose "team/panel" = fusion(panel = [small, large], judge_model = large)
expose "team/sure" = confidence(candidates = [small, large])
"""
LOCAL = """
use std.auto

backend here { kind = local }
model tiny   { backend = here, id = "smollm2-135m", context = 4k, price = { input = $0, output = $0 }, rating = 400, zone = local }
model twin   { backend = here, id = "smollm2-135m", context = 4k, price = { input = $0, output = $0 }, rating = 390, zone = local }

role speaker() { max_tokens = 40 }
role writer(said: answer[..2]) {
  tools      = true
  max_tokens = 200
  prompt     = "What two others said of the question above: {{ said }} Now answer it."
}
recipe panel(members: model[2], last: model) -> answer {
  fanout said  = speaker(model = m) for m in members { on_error = skip }
  ask    reply = writer(said, model = last)
  return reply { contract = request.format }
}

expose "vllm-sr/auto" = auto(models = [tiny, twin])
expose "team/panel" = panel(members = [tiny, twin], last = tiny)
"""


@dataclass(frozen=True)
class Target:
    """A server that is tried. `calls_tools`: its models call one when they must."""

    address: str
    models: list[str]
    calls_tools: bool = False
    key: str = "any"


def scripted(request: Received) -> Answer:
    """A model that does as it is told: calls the tool that it must call, keeps to a schema, and else says something."""
    asked = request.json
    schema = asked.get("response_format", {}).get("json_schema", {}).get("schema", {}).get("properties", {})
    if schema:
        least = {"string": '"Jupiter"', "integer": "95", "array": "[]", "boolean": "true"}
        text = ", ".join(f'"{name}": {least[its["type"]]}' for name, its in schema.items())
        return replying(f"{{{text}}}")(request)
    has_result = any(message["role"] == "tool" for message in asked["messages"])
    if asked.get("tool_choice") not in ("required", None) and isinstance(asked["tool_choice"], str):
        return replying()(request)
    if "tools" not in asked or has_result:
        return replying("Jupiter has 95 moons.")(request)
    function = {"name": asked["tools"][0]["function"]["name"], "arguments": '{"planet": "Jupiter"}'}
    call = {"id": "0", "type": "function", "function": function}
    if not asked.get("stream"):
        return answered(completion(None, finish="tool_calls", tool_calls=[call]))
    begun = {"index": 0, **call, "function": {**function, "arguments": '{"planet": '}}
    rest = {"index": 0, "function": {"arguments": '"Jupiter"}'}}
    return streamed(chunk(tool_calls=[begun]), chunk(tool_calls=[rest]), chunk(finish="tool_calls"))


def over_a_script(folder: Path) -> Iterator[Target]:
    with Upstream(scripted) as upstream:
        file = folder / "team.recipe"
        file.write_text(SCRIPTED.format(url=upstream.url), encoding="utf-8")
        with running(app(file)) as address:
            yield Target(address, ["vllm-sr/auto", "team/panel", "team/sure"], calls_tools=True)


def over_local_models(folder: Path) -> Iterator[Target]:
    """`recipelang serve`, as its user starts it."""
    if not can_serve():
        pytest.skip("models of this machine take the extra `local`")
    file = folder / "team.recipe"
    file.write_text(LOCAL, encoding="utf-8")
    with serving_process(file, "--port", 0) as (_, _, address):
        yield Target(address.removesuffix("/v1"), ["vllm-sr/auto", "team/panel"])


def of_the_user(address: str) -> Iterator[Target]:
    key = os.environ.get("RECIPELANG_SERVER_KEY", "any")
    models = [name for name in os.environ.get("RECIPELANG_SERVER_MODELS", "").split(",") if name]
    if not models:
        listed = httpx2.get(f"{address}/v1/models", headers={"authorization": f"Bearer {key}"}).json()
        models = [listed["data"][0]["id"]]
    yield Target(address, models, os.environ.get("RECIPELANG_SERVER_TOOLS") == "1", key)
