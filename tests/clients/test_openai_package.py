"""The official `openai` package against a server: sync and async, whole and streaming, tools, JSON Schema, errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import openai
import pydantic
import pytest

from client_targets import PARAMETERS, WAIT, Target

ASKED: Any = [{"role": "user", "content": "Which planet is the largest? Answer in one short sentence."}]
FUNCTION: Any = {"name": "count_moons", "description": "How many moons a planet has.", "parameters": PARAMETERS}
TOOLS: Any = [{"type": "function", "function": FUNCTION}]
FLAT: Any = [{"type": "function", **FUNCTION, "strict": None}]


class Planet(pydantic.BaseModel):
    name: str
    moons: int


@pytest.fixture
def client(target: Target) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{target.address}/v1", api_key=target.key, max_retries=0, timeout=WAIT) as client:
        yield client


def test_the_models_are_listed_and_found(target: Target, client: openai.OpenAI) -> None:
    listed = [model.id for model in client.models.list()]
    assert set(target.models) <= set(listed)
    assert client.models.retrieve(target.models[0]).id == target.models[0]


def test_an_answer_is_whole(target: Target, client: openai.OpenAI) -> None:
    for model in target.models:
        answer = client.chat.completions.create(model=model, messages=ASKED, max_tokens=40)
        choice = answer.choices[0]
        assert choice.message.content
        assert (choice.message.role, choice.index, answer.object) == ("assistant", 0, "chat.completion")
        assert choice.finish_reason in ("stop", "length")
        assert answer.usage is not None
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def held_to_the_form(chunks: list[Any]) -> str:
    """The text of a stream, whose chunks are as strict clients take them for granted."""
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    *told, last = chunks
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens > 0
    assert all(chunk.usage is None for chunk in told)
    assert told[0].choices[0].delta.role == "assistant"
    reasons = [chunk.choices[0].finish_reason for chunk in told]
    assert reasons[-1] in ("stop", "length", "tool_calls")
    assert set(reasons[:-1]) <= {None}
    return "".join(chunk.choices[0].delta.content or "" for chunk in told)


def test_a_stream_has_the_same_form_in_each_chunk(target: Target, client: openai.OpenAI) -> None:
    for model in target.models:
        stream = client.chat.completions.create(
            model=model, messages=ASKED, max_tokens=40, stream=True, stream_options={"include_usage": True}
        )
        assert held_to_the_form(list(stream))


def test_the_async_client_is_served_alike(target: Target) -> None:
    async def ask() -> tuple[Any, list[Any]]:
        address = f"{target.address}/v1"
        async with openai.AsyncOpenAI(base_url=address, api_key=target.key, max_retries=0, timeout=WAIT) as client:
            fields: Any = {"model": target.models[0], "messages": ASKED, "max_tokens": 40}
            whole = await client.chat.completions.create(**fields)
            stream = await client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **fields)
            return whole, [chunk async for chunk in as_it_comes(stream)]

    whole, chunks = anyio.run(ask)
    assert whole.choices[0].message.content
    assert held_to_the_form(chunks)


async def as_it_comes(stream: Any) -> AsyncIterator[Any]:
    async with stream:
        async for chunk in stream:
            yield chunk


def test_characters_are_never_cut(target: Target, client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "Say these words and nothing else: Jüpiter ♃ 🪐 木星"}]
    stream = client.chat.completions.create(
        model=target.models[0], messages=asked, max_tokens=40, stream=True, stream_options={"include_usage": True}
    )
    assert "\ufffd" not in held_to_the_form(list(stream))


def test_a_form_that_is_asked_for_is_kept(target: Target, client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "Tell me of Jupiter, which has 95 moons, as JSON."}]
    for model in target.models:
        answer = client.chat.completions.parse(model=model, messages=asked, response_format=Planet, temperature=0)
        assert isinstance(answer.choices[0].message.parsed, Planet)


def test_a_streamed_form_is_kept_too(target: Target, client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "Tell me of Jupiter, which has 95 moons, as JSON."}]
    with client.chat.completions.stream(
        model=target.models[0], messages=asked, response_format=Planet, temperature=0
    ) as stream:
        for _ in stream:
            pass
        parsed = stream.get_final_completion().choices[0].message.parsed
    assert isinstance(parsed, Planet)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_loop_of_tools_comes_to_its_end(target: Target, client: openai.OpenAI, stream: bool) -> None:
    """Whether the model calls the tool or says something instead: what comes can be carried out and handed back."""
    for model in target.models:
        turns: list[Any] = [{"role": "user", "content": "How many moons has Jupiter? Call the tool."}]
        for turn in range(3):
            choice = "required" if turn == 0 and target.calls_tools else "auto"
            message = said(client, stream, model=model, messages=turns, tools=TOOLS, tool_choice=choice, max_tokens=60)
            turns.append(message)
            calls = message.get("tool_calls", [])
            if not calls:
                break
            for call in calls:
                assert call["function"]["name"] == "count_moons"
                json.loads(call["function"]["arguments"])
                turns.append({"role": "tool", "tool_call_id": call["id"], "content": "95"})
        assert turns[-1]["role"] == "tool" or turns[-1]["content"]
        assert not target.calls_tools or len(turns) > 2


def said(client: openai.OpenAI, stream: bool, **fields: Any) -> dict[str, Any]:
    """What came, as it is handed back; a stream is put together by hand, as clients do that trust what comes."""
    if not stream:
        return dict(client.chat.completions.create(**fields).choices[0].message.model_dump(exclude_none=True))
    content, calls = "", dict[int, Any]()
    for chunk in client.chat.completions.create(stream=True, **fields):
        delta = chunk.choices[0].delta
        content += delta.content or ""
        for piece in delta.tool_calls or []:
            if piece.id:
                assert piece.index == len(calls)
                calls[piece.index] = {
                    "id": piece.id,
                    "type": "function",
                    "function": {"name": piece.function.name, "arguments": ""},
                }
            calls[piece.index]["function"]["arguments"] += piece.function.arguments or ""
    told = {"role": "assistant", "content": content}
    return {**told, "tool_calls": list(calls.values())} if calls else told


def test_no_tool_is_called_where_none_may_be(target: Target, client: openai.OpenAI) -> None:
    message = said(
        client, False, model=target.models[0], messages=ASKED, tools=TOOLS, tool_choice="none", max_tokens=40
    )
    assert message["content"]
    assert "tool_calls" not in message


def test_a_response_is_whole_and_streams(target: Target, client: openai.OpenAI) -> None:
    asked: Any = {"model": target.models[0], "input": "Which planet is the largest?", "max_output_tokens": 40}
    assert client.responses.create(**asked).output_text
    kinds, text = [], ""
    for event in client.responses.create(stream=True, **asked):
        kinds.append(event.type)
        text += event.delta if event.type == "response.output_text.delta" else ""
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in ("response.completed", "response.incomplete")
    assert text


def test_a_response_keeps_a_form(target: Target, client: openai.OpenAI) -> None:
    response = client.responses.parse(
        model=target.models[0],
        input="Tell me of Jupiter, which has 95 moons, as JSON.",
        text_format=Planet,
        temperature=0,
    )
    assert isinstance(response.output_parsed, Planet)


def test_a_response_takes_back_its_own_items(target: Target, client: openai.OpenAI) -> None:
    turns: list[Any] = [{"role": "user", "content": "How many moons has Jupiter? Call the tool."}]
    choice: Any = "required" if target.calls_tools else "auto"
    first = client.responses.create(
        model=target.models[0], input=turns, tools=FLAT, tool_choice=choice, max_output_tokens=60
    )
    for item in first.output:
        turns.append(item.model_dump(exclude_none=True))
        if item.type == "function_call":
            turns.append({"type": "function_call_output", "call_id": item.call_id, "output": "95"})
    turns.append({"role": "user", "content": "Thank you. And Saturn?"})
    assert client.responses.create(
        model=target.models[0], input=turns, tools=FLAT, tool_choice="none", max_output_tokens=40
    ).output


def test_errors_are_those_of_the_package(target: Target, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="there/is-no-such-model", messages=ASKED)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=target.models[0], messages=ASKED, temperature=99)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=target.models[0], messages=[])


def test_a_client_may_leave_in_the_middle(target: Target, client: openai.OpenAI) -> None:
    with client.chat.completions.create(model=target.models[0], messages=ASKED, stream=True) as stream:
        next(stream)
    assert client.chat.completions.create(model=target.models[0], messages=ASKED, max_tokens=10).choices
