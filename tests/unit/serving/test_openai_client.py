"""The official `openai` package against the running server: what it takes for strict, a recipe keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import openai
import pytest

from served import serving
from upstream import (
    STALL,
    STREAM_HEAD,
    USAGE_CHUNK,
    Answer,
    Received,
    Upstream,
    answered,
    chunk,
    completion,
    event,
    refused,
    replying,
    streamed,
)

ASKED: list[Any] = [{"role": "user", "content": "Which planet is the largest?"}]
TOOL: Any = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"what": "moons"}'}}
SCHEMA = {"type": "object", "properties": {"planet": {"type": "string"}}, "required": ["planet"]}


class Scene:
    """A client, and the script of its upstream, which a test may change."""

    def __init__(self, address: str, upstream: Upstream) -> None:
        self.address = address
        self.upstream = upstream
        self.client = openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)

    def script(self, script: Answer | Callable[[Received], Answer]) -> None:
        self.upstream.script = script

    def ask(self, **fields: Any) -> Any:
        given = {"model": "vllm-sr/auto", "messages": ASKED, **fields}
        return self.client.chat.completions.create(**given)

    def sent(self) -> Any:
        return self.upstream.requests[-1].json


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Upstream]]:
    with serving(tmp_path_factory.mktemp("served"), keep_alive=0.05) as it:
        yield it


@pytest.fixture
def scene(served: tuple[str, Upstream]) -> Iterator[Scene]:
    found = Scene(*served)
    found.script(replying())
    with found.client:
        yield found


def text_of(chunks: list[Any]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_a_name_with_a_slash_is_a_model(scene: Scene) -> None:
    answer = scene.ask()
    assert answer.choices[0].message.content == "Jupiter."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "vllm-sr/auto"
    assert answer.usage.total_tokens == 14


def test_a_stream_begins_with_the_role_and_ends_with_why_and_what_it_used(scene: Scene) -> None:
    chunks = list(scene.ask(model="team/panel", stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices] == [None] * (len(chunks) - 2) + ["stop"]
    assert text_of(chunks) == "Jupiter."
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == 14 * 4
    assert len({c.id for c in chunks}) == 1


def test_each_piece_goes_on_when_it_comes(scene: Scene) -> None:
    scene.script([STREAM_HEAD, event(chunk("Jup")), event(chunk("iter")), STALL])
    with scene.ask(stream=True) as stream:
        seen = [next(stream) for _ in range(3)]
    assert text_of(seen) == "Jupiter"


def test_a_client_that_goes_away_closes_the_call_upstream(scene: Scene) -> None:
    scene.script([STREAM_HEAD, event(chunk("Jup")), STALL])
    before = scene.upstream.open
    with scene.ask(stream=True) as stream:
        next(stream)
        scene.upstream.wait_until(lambda its: its.open > 0)
    scene.upstream.wait_until(lambda its: its.open <= before)


def test_characters_are_never_cut(scene: Scene) -> None:
    said = "Jüpiter ♃ 🪐 木星"
    data = json.dumps(chunk(said), ensure_ascii=False).encode()
    whole = b"data: %s\n\n" % data
    pieces = [b"%x\r\n%s\r\n" % (1, whole[i : i + 1]) for i in range(len(whole))]
    scene.script([STREAM_HEAD, *pieces, event(chunk(finish="stop")), event(b"[DONE]"), b"0\r\n\r\n"])
    assert text_of(list(scene.ask(stream=True))) == said


def test_half_a_character_waits_for_the_other_half(scene: Scene) -> None:
    first, second = b'{"choices":[{"delta":{"content":"\\ud83e"}}]}', b'{"choices":[{"delta":{"content":"\\ude90"}}]}'
    scene.script(
        [STREAM_HEAD, event(first), event(second), event(chunk(finish="stop")), event(b"[DONE]"), b"0\r\n\r\n"]
    )
    assert text_of(list(scene.ask(stream=True))) == "🪐"


def test_a_failure_before_the_first_word_has_a_status(scene: Scene) -> None:
    scene.script(refused(429, "slow down", retry_after="7"))
    with pytest.raises(openai.RateLimitError) as caught:
        scene.ask(stream=True)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.code == "rate_limit_exceeded"


def test_a_failure_after_the_first_word_ends_the_stream_with_an_error(scene: Scene) -> None:
    scene.script(streamed(chunk("Jup"), done=False))
    seen = []
    with pytest.raises(openai.APIError, match="ended before the answer did"):
        seen.extend(scene.ask(stream=True))
    raw = scene.client.chat.completions.with_raw_response.create(model="vllm-sr/auto", messages=ASKED, stream=True)
    told = raw.http_response.read().decode()
    assert "[DONE]" not in told
    assert '"finish_reason":"stop"' not in told


def test_before_the_first_word_a_fallback_is_free(scene: Scene) -> None:
    scene.script(lambda r: refused(500, "down") if r.json["model"] == "small-1" else replying("Saturn.")(r))
    assert text_of(list(scene.ask(model="fallen", stream=True))) == "Saturn."


@pytest.mark.parametrize(
    ("answer", "error", "status"),
    [
        (refused(500, "broken"), openai.InternalServerError, 502),
        (refused(503, "busy"), openai.InternalServerError, 503),
        (refused(401, "bad key"), openai.InternalServerError, 502),
        (refused(400, "too long", "context_length_exceeded"), openai.BadRequestError, 400),
        (refused(408, "too slow"), openai.InternalServerError, 504),
        (answered(completion(finish="content_filter")), openai.BadRequestError, 400),
    ],
)
def test_each_failure_has_its_status(
    scene: Scene, answer: Answer, error: type[openai.APIStatusError], status: int
) -> None:
    scene.script(answer)
    with pytest.raises(error) as caught:
        scene.ask()
    assert caught.value.status_code == status
    assert "Traceback" not in caught.value.response.text
    assert caught.value.response.headers["x-request-id"] == caught.value.request_id


def test_a_name_that_is_not_there_gets_a_suggestion(scene: Scene) -> None:
    with pytest.raises(openai.NotFoundError, match="did you mean `vllm-sr/auto`") as caught:
        scene.ask(model="vllm-sr/aut")
    assert caught.value.code == "model_not_found"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"n": 2}, "n"),
    ({"store": True}, "store"),
    ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"modalities": ["audio"]}, "modalities"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"temperature": 3}, "temperature"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"extra_body": {"frobnicate": 1}}, "frobnicate"),
    ({"extra_body": {"recipelang": {"max_costs": 1}}}, "recipelang.max_costs"),
    ({"extra_body": {"recipelang": {"extra": {"model": "x"}}}}, "recipelang.extra"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "messages[0].content[0].type"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": 5}}}}, "response_format.json_schema.schema"),
    ({"model": "summed", "tools": [TOOL]}, "tools"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "param"), REFUSED, ids=[param for _, param in REFUSED])
def test_what_is_not_to_be_had_is_refused_by_its_name(scene: Scene, fields: dict[str, Any], param: str) -> None:
    before = len(scene.upstream.requests)
    with pytest.raises(openai.BadRequestError) as caught:
        scene.ask(**fields)
    assert caught.value.param == param
    assert len(scene.upstream.requests) == before


def test_what_is_asked_of_an_answer_reaches_the_call_that_gives_it(scene: Scene) -> None:
    scene.ask(temperature=0.3, top_p=0.5, stop=["\n"], max_completion_tokens=20, presence_penalty=0.1, seed=7)
    sent = scene.sent()
    assert {name: sent[name] for name in ("temperature", "top_p", "stop", "max_tokens", "presence_penalty")} == {
        "temperature": 0.3, "top_p": 0.5, "stop": ["\n"], "max_tokens": 20, "presence_penalty": 0.1
    }  # fmt: skip


def test_it_reaches_no_panelist_and_no_judge(scene: Scene) -> None:
    scene.upstream.requests.clear()
    scene.ask(model="team/panel", max_tokens=20, stop=["END"])
    *others, last = [request.json for request in scene.upstream.requests]
    assert last["max_tokens"] == 20
    assert last["stop"] == ["END"]
    assert all("stop" not in sent and sent["max_tokens"] > 20 for sent in others)


def test_a_role_keeps_its_temperature_and_the_answer_says_so(scene: Scene) -> None:
    raw = scene.client.chat.completions.with_raw_response.create(model="fixed", messages=ASKED, temperature=0.1)
    assert scene.sent()["temperature"] == 0.9
    assert raw.headers["x-recipelang-not-applied"] == "temperature"


def test_max_tokens_never_loosens_what_a_role_allows(scene: Scene) -> None:
    scene.ask(model="fixed", max_tokens=5_000)
    assert scene.sent()["max_tokens"] == 100


def test_the_same_seed_asks_the_same(scene: Scene) -> None:
    seeds = []
    for _ in range(2):
        scene.ask(seed=11)
        seeds.append(scene.sent()["seed"])
    scene.ask()
    assert seeds[0] == seeds[1] != scene.sent()["seed"]


def test_images_go_to_roles_that_pass_the_conversation_on(scene: Scene) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    scene.ask(messages=[{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}])
    assert scene.sent()["messages"][-1]["content"][1] == picture


def test_images_go_to_panelists_judges_and_finalizers_alike(scene: Scene) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    asked = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}]
    scene.upstream.requests.clear()
    scene.ask(model="team/panel", messages=asked)
    shown = [request.json["messages"][-1]["content"] for request in scene.upstream.requests]
    assert len(shown) == 4
    assert all(picture in content for content in shown)


def test_tools_go_through_and_their_calls_come_back(scene: Scene) -> None:
    scene.script(answered(completion(None, finish="tool_calls", tool_calls=[CALL])))
    choice = scene.ask(tools=[TOOL], tool_choice="required", parallel_tool_calls=False).choices[0]
    assert scene.sent()["tools"] == [TOOL]
    assert (scene.sent()["tool_choice"], scene.sent()["parallel_tool_calls"]) == ("required", False)
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls[0].function.arguments == '{"what": "moons"}'


def test_the_calls_of_tools_come_back_in_a_stream(scene: Scene) -> None:
    scene.script(streamed(chunk(tool_calls=[{"index": 0, **CALL}]), chunk(finish="tool_calls"), USAGE_CHUNK))
    with scene.client.chat.completions.stream(model="vllm-sr/auto", messages=ASKED, tools=[TOOL]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion().choices[0]
    assert final.finish_reason == "tool_calls"
    assert final.message.tool_calls is not None
    assert final.message.tool_calls[0].function.arguments == '{"what": "moons"}'


def test_what_a_tool_gave_goes_through(scene: Scene) -> None:
    turns = [*ASKED, {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None}]
    scene.ask(messages=[*turns, {"role": "tool", "tool_call_id": "call_1", "content": "95"}], tools=[TOOL])
    assert [message["role"] for message in scene.sent()["messages"]] == ["user", "assistant", "tool"]
    assert "refusal" not in scene.sent()["messages"][1]


def form(strict: bool = True) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "planet", "strict": strict, "schema": SCHEMA}}


@pytest.mark.parametrize("model", ["vllm-sr/auto", "team/panel", "team/sure"])
def test_a_schema_is_asked_for_and_kept(scene: Scene, model: str) -> None:
    scene.script(replying('{"planet": "Jupiter"}'))
    answer = scene.ask(model=model, response_format=form())
    assert json.loads(answer.choices[0].message.content) == {"planet": "Jupiter"}
    assert scene.sent()["response_format"]["json_schema"]["schema"] == SCHEMA
    assert scene.sent()["response_format"]["json_schema"]["strict"] is True


def test_json_comes_bare_whatever_was_put_around_it(scene: Scene) -> None:
    scene.script(replying('Here it is:\n```json\n{"planet": "Jupiter"}\n```'))
    assert json.loads(scene.ask(response_format=form()).choices[0].message.content) == {"planet": "Jupiter"}


def test_an_answer_in_another_form_is_a_failure_and_no_answer(scene: Scene) -> None:
    scene.script(replying('{"star": "Sun"}'))
    with pytest.raises(openai.InternalServerError) as caught:
        scene.ask(response_format=form())
    assert caught.value.status_code == 502
    with pytest.raises(openai.InternalServerError):
        list(scene.ask(response_format=form(), stream=True))


def test_any_json_object_may_be_asked_for(scene: Scene) -> None:
    scene.script(replying('{"a": 1}'))
    assert scene.ask(response_format={"type": "json_object"}).choices[0].message.content == '{"a": 1}'
    assert scene.sent()["response_format"] == {"type": "json_object"}


def test_log_probabilities_come_back(scene: Scene) -> None:
    told = {
        "token": "Jupiter",
        "logprob": -0.1,
        "bytes": None,
        "top_logprobs": [{"token": "Jupiter", "logprob": -0.1}, {"token": "Saturn", "logprob": -2.5}],
    }
    scene.script(answered(completion("Jupiter", logprobs={"content": [told]})))
    found = scene.ask(logprobs=True, top_logprobs=2).choices[0].logprobs.content[0]
    assert (found.token, found.logprob, len(found.top_logprobs)) == ("Jupiter", -0.1, 2)
    assert bytes(found.bytes) == b"Jupiter"


def test_metadata_and_the_user_are_for_the_recipe_alone(scene: Scene) -> None:
    scene.ask(metadata={"team": "a"}, user="somebody")
    assert not {"metadata", "user"} & scene.sent().keys()


def test_a_budget_only_tightens(scene: Scene) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        scene.ask(extra_body={"recipelang": {"max_cost": 0.0000001}})
    assert caught.value.status_code == 402
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert scene.ask(extra_body={"recipelang": {"max_cost": 1000}}).choices[0].message.content == "Jupiter."


@pytest.mark.parametrize("model", ["vllm-sr/auto", "team/sure", "team/panel"])
def test_a_deadline_ends_a_run_and_is_told_whatever_it_broke(scene: Scene, model: str) -> None:
    scene.script([STALL, STALL])
    with pytest.raises(openai.InternalServerError) as caught:
        scene.ask(model=model, extra_body={"recipelang": {"deadline": 0.05}})
    assert caught.value.status_code == 504


def test_until_the_first_word_comments_keep_a_stream_alive(scene: Scene) -> None:
    scene.script(lambda r: [STREAM_HEAD, STALL])
    raw = scene.client.chat.completions.with_streaming_response.create(
        model="vllm-sr/auto", messages=ASKED, stream=True
    )
    with raw as response:
        lines = response.iter_lines()
        assert next(lines) == ": keep-alive"


def test_progress_is_told_on_request_as_comments(scene: Scene) -> None:
    raw = scene.client.chat.completions.with_raw_response.create(
        model="team/panel", messages=ASKED, stream=True, extra_body={"recipelang": {"progress": True}}
    )
    lines = raw.http_response.read().decode().splitlines()
    kinds = [json.loads(line.removeprefix(": recipelang "))["kind"] for line in lines if line.startswith(": recip")]
    assert kinds[0] == "run_start"
    assert "committed" in kinds


def test_the_models_are_told_with_their_certificates(scene: Scene) -> None:
    cards = {model.id: model.model_extra["recipelang"] for model in scene.client.models.list()}  # type: ignore[index]
    assert list(cards)[:2] == ["vllm-sr/auto", "team/panel"]
    assert cards["team/panel"]["certificate"]["calls"] == 5
    assert cards["team/panel"]["streams"]["from"] == "final"
    assert cards["team/sure"]["streams"]["from"] is None
    assert scene.client.models.retrieve("vllm-sr/auto").id == "vllm-sr/auto"


def test_a_response_is_an_answer(scene: Scene) -> None:
    answer = scene.client.responses.create(model="team/panel", input="Which planet?", instructions="Be brief.")
    assert answer.output_text == "Jupiter."
    assert answer.status == "completed"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 56


def test_a_response_streams(scene: Scene) -> None:
    with scene.client.responses.stream(model="vllm-sr/auto", input="Which planet?") as stream:
        events = list(stream)
        assert stream.get_final_response().output_text == "Jupiter."
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert events[0].type == "response.created"


def test_a_response_calls_tools_and_goes_on(scene: Scene) -> None:
    tool: Any = {
        "type": "function",
        "name": "look_up",
        "parameters": {"type": "object", "properties": {}},
        "strict": None,
    }
    scene.script(answered(completion(None, finish="tool_calls", tool_calls=[CALL])))
    call: Any = scene.client.responses.create(model="vllm-sr/auto", input="Moons?", tools=[tool]).output[0]
    assert (call.type, call.name, call.arguments) == ("function_call", "look_up", '{"what": "moons"}')
    scene.script(replying())
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "95"}
    turns: Any = [{"role": "user", "content": "Moons?"}, call.model_dump(exclude_none=True), output]
    assert scene.client.responses.create(model="vllm-sr/auto", input=turns, tools=[tool]).output_text == "Jupiter."
    assert [message["role"] for message in scene.sent()["messages"]] == ["user", "assistant", "tool"]


def test_a_response_has_no_memory(scene: Scene) -> None:
    with pytest.raises(openai.BadRequestError, match="nothing is stored"):
        scene.client.responses.create(model="vllm-sr/auto", input="And?", previous_response_id="resp_1")


def test_thoughts_that_a_response_does_not_have_may_be_asked_for_as_clients_do(scene: Scene) -> None:
    asked: Any = {"include": ["reasoning.encrypted_content"], "store": False, "reasoning": {"summary": "auto"}}
    answer = scene.client.responses.create(model="vllm-sr/auto", input="Which planet?", **asked)
    assert [item.type for item in answer.output] == ["message"]
    assert "logprobs" not in scene.sent()


def test_a_response_that_breaks_says_that_it_failed(scene: Scene) -> None:
    scene.script(streamed(chunk("Jup"), done=False))
    kinds = [e.type for e in scene.client.responses.create(model="vllm-sr/auto", input="Which?", stream=True)]
    assert kinds[-1] == "response.failed"


def test_a_response_keeps_a_schema(scene: Scene) -> None:
    scene.script(replying('{"planet": "Jupiter"}'))
    text: Any = {"format": {"type": "json_schema", "name": "planet", "schema": SCHEMA}}
    assert (
        scene.client.responses.create(model="vllm-sr/auto", input="Which?", text=text).output_text
        == '{"planet": "Jupiter"}'
    )


def test_the_async_client_is_served_alike(scene: Scene) -> None:
    async def ask() -> str:
        async with openai.AsyncOpenAI(base_url=f"{scene.address}/v1", api_key="any") as client:
            stream = await client.chat.completions.create(model="team/panel", messages=ASKED, stream=True)
            return text_of([piece async for piece in stream])

    assert anyio.run(ask) == "Jupiter."


def test_a_hundred_streams_at_once_of_which_half_are_given_up_leave_nothing_behind(scene: Scene) -> None:
    def script(request: Received) -> Answer:
        leaves = request.json["messages"][-1]["content"] == "stall"
        return [STREAM_HEAD, event(chunk("Jup")), STALL] if leaves else replying()(request)

    scene.script(script)

    async def one(client: openai.AsyncOpenAI, place: int, found: list[str]) -> None:
        messages: Any = [{"role": "user", "content": "stall" if place % 2 else "go"}]
        stream = await client.chat.completions.create(model="vllm-sr/auto", messages=messages, stream=True)
        async with stream:
            async for piece in stream:
                text = piece.choices[0].delta.content if piece.choices else None
                if text and place % 2:
                    return
                found.append(text or "")

    async def all_of_them() -> list[str]:
        found: list[str] = []
        client = openai.AsyncOpenAI(base_url=f"{scene.address}/v1", api_key="any")
        async with client, anyio.create_task_group() as group:
            for place in range(100):
                group.start_soon(one, client, place, found)
        return found

    scene.upstream.requests.clear()
    assert anyio.run(all_of_them).count("Jupiter.") == 50
    stalled = sum(request.json["messages"][-1]["content"] == "stall" for request in scene.upstream.requests)
    assert stalled == 50
    scene.upstream.wait_until(lambda its: its.open <= 64)  # those that are kept for the next calls
