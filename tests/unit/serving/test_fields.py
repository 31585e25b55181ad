"""Every field that a client of the three protocols may send, as the vendors' own packages name them: honoured or refused, never passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

import httpx2
import pytest
from anthropic.types import message_create_params
from anthropic.types.beta import message_create_params as beta_message_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params

from recipelang.serving import Report, app
from served import running, team_file
from upstream import PATIENCE, Upstream, answered, completion, replying

SCHEMA = {"type": "object", "properties": {"planet": {"type": "string"}}, "required": ["planet"]}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
FLAT = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
BLOCK = {"name": "look_up", "input_schema": {"type": "object"}}
NAMED = {"type": "function", "function": {"name": "look_up"}}
DIALLED = """
use std.auto
backend lab {{ kind = openai, url = "{url}" }}
model small {{ backend = lab, id = "small-1", price = {{ input = $0.05, output = $0.20 }}, rating = 900 }}
model large {{ backend = lab, id = "large-1", price = {{ input = $2, output = $12 }}, rating = 1400 }}
expose "dialled" = auto(models = [small, large])
"""
ODDS = {"token": "Jupiter", "logprob": -0.1, "top_logprobs": [{"token": "Jupiter", "logprob": -0.1}]}


@dataclass(frozen=True)
class Field:
    """A value of a field, and what comes of it: what goes to the model (`sent`), what the recipe can read (`read`), what the
    client is told (`told`, by a path). With none of these it is a hint, which changes nothing; `refused`: it is not to be had."""

    value: Any
    sent: Mapping[str, Any] = field(default_factory=dict)
    read: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)
    refused: bool = False
    model: str = "vllm-sr/auto"


def never(value: Any, **beside: Any) -> Field:
    return Field(value, refused=True, beside=beside)


FORM = {"type": "json_schema", "json_schema": {"name": "planet", "schema": SCHEMA}}
FILLED: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "answer", "strict": False, "schema": SCHEMA}}
SAID = [{"role": "user", "content": "Why?"}]

CHAT: dict[str, list[Field]] = {
    "model": [Field("vllm-sr/auto", told={"model": "vllm-sr/auto"}), never("nobody")],
    "messages": [
        Field(SAID, sent={"messages": SAID}),
        Field([{"role": "developer", "content": "Be brief."}, *SAID], sent={"messages": [{"role": "developer", "content": "Be brief."}, *SAID]}),
        Field([{"role": "user", "name": "ann", "content": "Why?"}], sent={"messages": [{"role": "user", "name": "ann", "content": "Why?"}]}),
        never([]),
        never([{"role": "user", "content": [{"type": "hologram"}]}]),
        never([{"role": "function", "name": "f", "content": "1"}]),
    ],
    "audio": [never({"voice": "alloy", "format": "wav"})],
    "frequency_penalty": [Field(0.5, sent={"frequency_penalty": 0.5}), never(3)],
    "function_call": [never("auto")],
    "functions": [never([{"name": "f"}])],
    "logit_bias": [never({"5": 1})],
    "logprobs": [Field(True, sent={"logprobs": True}, told={"choices.0.logprobs.content.0.token": "Jupiter"}), never("yes")],
    "max_completion_tokens": [Field(7, sent={"max_tokens": 7}), never(0)],
    "max_tokens": [Field(7, sent={"max_tokens": 7}), never("many")],
    "metadata": [Field({"team": "red"}, read={"team": "red"}), never({"team": 1})],
    "modalities": [Field(["text"]), never(["text", "audio"])],
    "moderation": [never({"model": "omni"})],
    "n": [Field(1), never(2), never(0)],
    "parallel_tool_calls": [Field(False, sent={"parallel_tool_calls": False}, beside={"tools": [TOOL]}), never("no", tools=[TOOL]), never(False)],
    "prediction": [never({"type": "content", "content": "x"})],
    "presence_penalty": [Field(0.5, sent={"presence_penalty": 0.5}), never(-3)],
    "prompt_cache_key": [Field("k")],
    "prompt_cache_options": [Field({"mode": "implicit"})],
    "prompt_cache_retention": [Field("24h")],
    "reasoning_effort": [Field("low", sent={"reasoning_effort": "low"}), never(3)],
    "response_format": [
        Field({"type": "text"}),
        Field(FORM, sent={"response_format": FILLED}, told={"choices.0.message.content": '{"planet": "Jupiter"}'}),
        Field({"type": "json_object"}, sent={"response_format": {"type": "json_object"}}),
        never({"type": "grammar"}),
        never({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": 5}}}),
        never({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "more": 1}}),
    ],
    "safety_identifier": [Field("ann", read={"user": "ann"})],
    "seed": [Field(7, sent={"seed": "any"}), never("seven")],
    "service_tier": [Field("auto"), never("flex")],
    "stop": [Field("END", sent={"stop": ["END"]}), Field(["A", "B"], sent={"stop": ["A", "B"]}), never(5)],
    "store": [Field(False), never(True)],
    "stream": [Field(False), never("yes")],
    "stream_options": [Field({"include_usage": True}, beside={"stream": True}), never({"include_obfuscation": True}, stream=True)],
    "temperature": [Field(0.3, sent={"temperature": 0.3}), never(3)],
    "tool_choice": [
        Field("required", sent={"tool_choice": "required"}, beside={"tools": [TOOL]}),
        Field(NAMED, sent={"tool_choice": NAMED}, beside={"tools": [TOOL]}),
        Field("none"),
        never("required"),
        never({"type": "function", "function": {"name": "other"}}, tools=[TOOL]),
        never({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}, tools=[TOOL]),
        never({"type": "custom", "custom": {"name": "look_up"}}, tools=[TOOL]),
    ],
    "tools": [Field([TOOL], sent={"tools": [TOOL]}), never([{"type": "custom", "custom": {"name": "x"}}]), never("look_up")],
    "top_logprobs": [Field(2, sent={"top_logprobs": "any"}, beside={"logprobs": True}), never(2)],
    "top_p": [Field(0.5, sent={"top_p": 0.5}), never(2)],
    "user": [Field("ann", read={"user": "ann"}), never(5)],
    "verbosity": [Field("low", sent={"verbosity": "low"})],
    "web_search_options": [never({})],
}  # fmt: skip

RESPONSES: dict[str, list[Field]] = {
    "access_programs": [never(["x"])],
    "background": [Field(False), never(True)],
    "background_options": [never({"x": 1})],
    "context_management": [never([{"type": "compaction"}])],
    "conversation": [never("conv_1")],
    "image": [never({"x": 1})],
    "include": [Field(["reasoning.encrypted_content"]), Field(["message.output_text.logprobs"], sent={"logprobs": True}), never(["file_search_call.results"])],
    "input": [
        Field("Why?", sent={"messages": SAID}),
        Field([{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"}]}],
              sent={"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}}]}]}),
        never([{"type": "item_reference", "id": "msg_1"}]),
        never([{"role": "user", "content": "Why?", "frobnicate": 1}]),
        never([{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]),
        never([{"role": "user", "content": [{"type": "input_text", "text": "Why?", "frobnicate": 1}]}]),
        never(5),
    ],
    "instructions": [Field("Be brief.", sent={"messages": [{"role": "system", "content": "Be brief."}, *SAID]}, told={"instructions": "Be brief."}), never(5)],
    "max_output_tokens": [Field(7, sent={"max_tokens": 7}, told={"max_output_tokens": 7}), never(0)],
    "max_tool_calls": [never(3)],
    "metadata": [Field({"team": "red"}, read={"team": "red"}, told={"metadata.team": "red"}), never({"team": 1})],
    "model": [Field("vllm-sr/auto", told={"model": "vllm-sr/auto"}), never("nobody")],
    "moderation": [never({"model": "omni"})],
    "parallel_tool_calls": [Field(False, sent={"parallel_tool_calls": False}, beside={"tools": [FLAT]}), never("no", tools=[FLAT])],
    "previous_response_id": [never("resp_1")],
    "prompt": [never({"id": "pmpt_1"})],
    "prompt_cache_key": [Field("k")],
    "prompt_cache_options": [Field({"mode": "implicit"})],
    "prompt_cache_retention": [Field("24h")],
    "reasoning": [Field({"effort": "low"}, sent={"reasoning_effort": "low"}), Field({"summary": "auto"}), never({"summary": "detailed"})],
    "safety_identifier": [Field("ann", read={"user": "ann"})],
    "service_tier": [Field("default"), never("priority")],
    "store": [Field(False), never(True)],
    "stream": [Field(False), never("yes")],
    "stream_options": [Field({"include_obfuscation": False}, beside={"stream": True}), never({"include_obfuscation": True}, stream=True)],
    "temperature": [Field(0.3, sent={"temperature": 0.3}, told={"temperature": 0.3}), never(3)],
    "text": [
        Field({"verbosity": "low"}, sent={"verbosity": "low"}),
        Field({"format": {"type": "json_schema", "name": "planet", "schema": SCHEMA}}, sent={"response_format": FILLED}, told={"output.0.content.0.text": '{"planet": "Jupiter"}'}),
        never({"format": {"type": "grammar"}}),
    ],
    "tool_choice": [
        Field("required", sent={"tool_choice": "required"}, told={"tool_choice": "required"}, beside={"tools": [FLAT]}),
        Field({"type": "function", "name": "look_up"}, sent={"tool_choice": NAMED}, told={"tool_choice.name": "look_up"}, beside={"tools": [FLAT]}),
        never({"type": "file_search"}, tools=[FLAT]),
        never({"type": "allowed_tools", "mode": "auto", "tools": []}, tools=[FLAT]),
    ],
    "tools": [Field([FLAT], sent={"tools": [TOOL]}), never([{"type": "web_search"}]), never([{**FLAT, "defer_loading": True}])],
    "top_logprobs": [Field(2, sent={"logprobs": True}), never(50)],
    "top_p": [Field(0.5, sent={"top_p": 0.5}), never(2)],
    "truncation": [Field("disabled"), never("auto")],
    "user": [Field("ann", read={"user": "ann"})],
}  # fmt: skip

PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}
PAPER = {
    "type": "document",
    "title": "a.pdf",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"},
}


def asked(*blocks: Any, role: str = "user") -> list[Any]:
    return [{"role": role, "content": list(blocks)}]


MESSAGES: dict[str, list[Field]] = {
    "cache_control": [Field({"type": "ephemeral"})],
    "container": [never("c_1")],
    "diagnostics": [never({"x": 1})],
    "inference_geo": [never("us")],
    "max_tokens": [Field(7, sent={"max_tokens": 7}), never(0)],
    "messages": [
        Field(SAID, sent={"messages": SAID}),
        Field(asked({"type": "text", "text": "Why?", "cache_control": {"type": "ephemeral"}}), sent={"messages": SAID}),
        Field(asked(PICTURE), sent={"messages": asked({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}})}),
        Field(asked(PAPER), sent={"messages": asked({"type": "file", "file": {"file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"}})}),
        never(asked({"type": "text", "text": "Why?", "frobnicate": 1})),
        never(asked({**PAPER, "citations": {"enabled": True}})),
        never(asked({"type": "thinking", "thinking": "Hm", "signature": "x"}, role="assistant")),
        never([{"role": "user", "content": "Why?", "frobnicate": 1}]),
        never([]),
    ],
    "metadata": [Field({"user_id": "ann"}, read={"user": "ann"}), never({"team": "red"})],
    "model": [Field("vllm-sr/auto", told={"model": "vllm-sr/auto"}), never("nobody")],
    "output_config": [
        Field({"format": {"type": "json_schema", "schema": SCHEMA}}, sent={"response_format": {**FILLED, "json_schema": {**FILLED["json_schema"], "strict": True}}}, told={"content.0.text": '{"planet": "Jupiter"}'}),
        never({"effort": "low"}),
    ],
    "service_tier": [Field("auto"), never("batch")],
    "speed": [never("fast")],
    "stop_sequences": [Field(["END"], sent={"stop": ["END"]}), never([5])],
    "stream": [Field(False), never("yes")],
    "system": [
        Field("Be brief.", sent={"messages": [{"role": "system", "content": "Be brief."}, *SAID]}),
        Field([{"type": "text", "text": "Be brief."}], sent={"messages": [{"role": "system", "content": "Be brief."}, *SAID]}),
        never([PICTURE]),
    ],
    "thinking": [Field({"type": "disabled"}), never({"type": "enabled", "budget_tokens": 1024})],
    "tool_choice": [
        Field({"type": "any"}, sent={"tool_choice": "required"}, beside={"tools": [BLOCK]}),
        Field({"type": "tool", "name": "look_up"}, sent={"tool_choice": NAMED}, beside={"tools": [BLOCK]}),
        Field({"type": "auto", "disable_parallel_tool_use": True}, sent={"parallel_tool_calls": False}, beside={"tools": [BLOCK]}),
        never({"type": "tool", "name": "other"}, tools=[BLOCK]),
    ],
    "tools": [Field([BLOCK], sent={"tools": [TOOL]}), never([{"type": "bash_20250124", "name": "bash"}]), never([{"name": "look_up"}])],
    "user_profile_id": [never("u")],
    "workspace_id": [never("w")],
    "temperature": [Field(0.3, sent={"temperature": 0.3}), never(2)],
    "top_k": [Field(5, sent={"top_k": 5})],
    "top_p": [Field(0.5, sent={"top_p": 0.5})],
    "compaction": [never({"type": "auto"})],
    "context_management": [never({"edits": []})],
    "fallbacks": [never(["x"])],
    "mcp_servers": [never([])],
    "thread": [never("t")],
}  # fmt: skip

OWN: dict[str, list[Field]] = {
    "max_cost": [Field(1.5), never(-1), never("much")],
    "deadline": [Field(30), never(0), never("soon")],
    "quality": [Field(0.4, model="dialled"), never(1.5), never("good"), Field(0.4, model="team/panel", refused=True)],
    "receipt": [Field(True, told={"recipelang.model": "vllm-sr/auto"}), never("yes")],
    "progress": [Field(True), never("yes")],
    "extra": [Field({"guided_regex": "J.*"}, sent={"guided_regex": "J.*"}), never({"model": "other"}), never("x")],
    "max_costs": [never(1)],
}
PATHS: dict[str, tuple[dict[str, list[Field]], dict[str, Any], set[str]]] = {
    "/v1/chat/completions": (CHAT, {"messages": SAID}, {*completion_create_params.CompletionCreateParamsBase.__annotations__, "stream"}),
    "/v1/responses": (RESPONSES, {"input": "Why?"}, {*response_create_params.ResponseCreateParamsBase.__annotations__, "stream"}),
    "/v1/messages": (
        MESSAGES,
        {"messages": SAID, "max_tokens": 100},
        {*message_create_params.MessageCreateParamsBase.__annotations__, *beta_message_create_params.MessageCreateParamsBase.__annotations__, "stream"},
    ),
}  # fmt: skip


def cases() -> Iterator[Any]:
    for path, (table, _, _) in PATHS.items():
        for name, fields in table.items():
            for number, one in enumerate(fields):
                yield pytest.param(path, name, one, id=f"{path[4:]}-{name}-{number}")


@dataclass
class World:
    client: httpx2.Client
    upstream: Upstream
    reports: Queue[Report]
    report: Report = field(init=False)  # of the last request

    def post(self, path: str, body: Mapping[str, Any]) -> httpx2.Response:
        self.upstream.requests.clear()
        answer = self.client.post(path, json=body)
        self.report = self.reports.get(timeout=PATIENCE)
        return answer

    def held_to(self, path: str, name: str, one: Field, body: Mapping[str, Any]) -> None:
        """Whether what came of a request is what its field demands."""
        answer = self.post(path, body)
        if one.refused:
            assert (answer.status_code, len(self.upstream.requests)) == (404 if name == "model" else 400, 0)
            assert name in answer.text
            return
        assert answer.status_code == 200, answer.text
        sent = self.upstream.requests[-1].json
        for key, value in one.sent.items():
            assert key in sent
            assert value == "any" or sent[key] == value
        request = self.report.request
        assert request is not None
        assert one.read.items() <= request.metadata.items()
        for where, value in one.told.items():
            assert at(answer.json(), where) == value
        if not one.sent and name not in ("messages", "model", "stream", "stream_options"):
            assert name not in sent


def at(told: Any, where: str) -> Any:
    for step in where.split("."):
        told = told[int(step)] if step.isdigit() else told[step]
    return told


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    reports = Queue[Report]()

    def script(request: Any) -> Any:
        if request.json.get("stream"):
            return replying()(request)
        if "response_format" in request.json:
            return answered(completion('{"planet": "Jupiter"}'))
        return answered(completion("Jupiter", logprobs={"content": [ODDS]} if request.json.get("logprobs") else None))

    folder = tmp_path_factory.mktemp("fields")
    with Upstream(script) as upstream:
        (folder / "dialled.recipe").write_text(DIALLED.format(url=upstream.url), encoding="utf-8")
        application = app(team_file(folder, upstream), folder / "dialled.recipe", watchers=[reports.put])
        with running(application) as address, httpx2.Client(base_url=address) as client:
            yield World(client, upstream, reports)


@pytest.mark.parametrize(("path", "name", "one"), list(cases()))
def test_each_field_is_honoured_or_refused(world: World, path: str, name: str, one: Field) -> None:
    _, least, _ = PATHS[path]
    world.held_to(path, name, one, {"model": one.model, **least, **one.beside, name: one.value})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("name", "one"), [(name, one) for name, fields in OWN.items() for one in fields])
def test_each_of_our_own_fields_is_too(world: World, path: str, name: str, one: Field) -> None:
    _, least, _ = PATHS[path]
    world.held_to(path, name, one, {"model": one.model, **least, "recipelang": {name: one.value}})


@pytest.mark.parametrize("path", PATHS)
def test_what_the_vendors_add_later_is_refused_by_its_name(world: World, path: str) -> None:
    table, least, vendors = PATHS[path]
    for name in [*sorted(vendors - table.keys()), "frobnicate"]:
        answer = world.post(path, {"model": "vllm-sr/auto", **least, name: {"x": 1}})
        assert (answer.status_code, len(world.upstream.requests)) == (400, 0)
        assert f"`{name}`" in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_a_field_of_null_is_one_that_was_not_given(world: World, path: str) -> None:
    table, least, _ = PATHS[path]
    nothing = {name: None for name in table if name not in (*least, "model")}
    assert world.post(path, {"model": "vllm-sr/auto", **nothing, **least}).status_code == 200


def test_a_quality_below_three_tenths_is_one_cheap_call(world: World) -> None:
    asked = {"model": "dialled", "messages": [{"role": "user", "content": "Prove step by step that it is a race."}]}
    counts = []
    for quality in (0.1, 0.95):
        world.post("/v1/chat/completions", {**asked, "recipelang": {"quality": quality}})
        counts.append(sum(event.kind == "call_start" for event in world.report.events))
    assert counts[0] == 1 < counts[1]
