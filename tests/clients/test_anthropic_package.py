"""The official `anthropic` package against a server: messages whole and streaming, tools, errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import anyio
import pytest

from client_targets import PARAMETERS, WAIT, Target

ASKED: Any = [{"role": "user", "content": "Which planet is the largest? Answer in one short sentence."}]
TOOLS: Any = [{"name": "count_moons", "description": "How many moons a planet has.", "input_schema": PARAMETERS}]


@pytest.fixture
def client(target: Target) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=target.address, api_key=target.key, max_retries=0, timeout=WAIT) as client:
        yield client


def test_a_message_is_whole(target: Target, client: anthropic.Anthropic) -> None:
    for model in target.models:
        message = client.messages.create(model=model, messages=ASKED, system="Be brief.", max_tokens=40)
        assert message.stop_reason in ("end_turn", "max_tokens")
        assert message.usage.output_tokens > 0
        assert any(block.type == "text" and block.text for block in message.content)


def test_a_message_streams(target: Target, client: anthropic.Anthropic) -> None:
    for model in target.models:
        with client.messages.stream(model=model, messages=ASKED, max_tokens=40) as stream:
            kinds = [event.type for event in stream]
            message = stream.get_final_message()
        assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
        assert kinds.count("content_block_start") == kinds.count("content_block_stop") == len(message.content)
        assert message.stop_reason


def test_the_async_client_is_served_alike(target: Target) -> None:
    async def ask() -> str:
        address = target.address
        async with (
            anthropic.AsyncAnthropic(base_url=address, api_key=target.key, max_retries=0, timeout=WAIT) as client,
            client.messages.stream(model=target.models[0], messages=ASKED, max_tokens=40) as stream,
        ):
            return "".join([text async for text in stream.text_stream])

    assert anyio.run(ask)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_loop_of_tools_comes_to_its_end(target: Target, client: anthropic.Anthropic, stream: bool) -> None:
    turns: list[Any] = [{"role": "user", "content": "How many moons has Jupiter? Call the tool."}]
    for turn in range(3):
        choice: Any = {"type": "any" if turn == 0 and target.calls_tools else "auto"}
        fields: Any = {"messages": turns, "tools": TOOLS, "tool_choice": choice, "max_tokens": 60}
        message = said(client, stream, model=target.models[0], **fields)
        turns.append(
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]}
        )
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            break
        assert message.stop_reason == "tool_use"
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "95"} for call in calls]
        turns.append({"role": "user", "content": results})
    assert not target.calls_tools or len(turns) > 2


def said(client: anthropic.Anthropic, stream: bool, **fields: Any) -> Any:
    if not stream:
        return client.messages.create(**fields)
    with client.messages.stream(**fields) as pieces:
        for _ in pieces:
            pass
        return pieces.get_final_message()


def test_errors_are_those_of_the_package(target: Target, client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="there/is-no-such-model", messages=ASKED, max_tokens=40)
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=target.models[0], messages=ASKED, max_tokens=0)
