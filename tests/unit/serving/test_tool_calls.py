"""Calls of tools as they go over the wire: in pieces as they come, in the three protocols, as strict clients want them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from served import serving
from upstream import STALL, STREAM_HEAD, USAGE_CHUNK, Upstream, answered, chunk, completion, event, streamed

ASKED: Any = [{"role": "user", "content": "How many moons have Jupiter and Saturn?"}]
FUNCTION = {"name": "look_up", "parameters": {"type": "object", "properties": {"of": {"type": "string"}}}}
TOOL: Any = {"type": "function", "function": FUNCTION}
FLAT: Any = {"type": "function", **FUNCTION, "strict": None}
BLOCK: Any = {"name": "look_up", "input_schema": FUNCTION["parameters"]}


def call_piece(index: int, *, name: str | None = None, arguments: str = "") -> dict[str, Any]:
    begun = {} if name is None else {"id": "0", "type": "function"}
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return chunk(tool_calls=[{"index": index, **begun, "function": function}])


TWO_CALLS = [
    chunk("Let me "),
    chunk("see."),
    call_piece(0, name="look_up"),
    call_piece(0, arguments='{"of": "Ju'),
    call_piece(0, arguments='piter ♃"}'),
    call_piece(1, name="look_up", arguments='{"of": '),
    call_piece(1, arguments='"Saturn"}'),
]
ENDED = [chunk(finish="tool_calls"), USAGE_CHUNK]
ARGUMENTS = ['{"of": "Jupiter ♃"}', '{"of": "Saturn"}']


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Upstream]]:
    with serving(tmp_path_factory.mktemp("served")) as it:
        yield it


@pytest.fixture
def address(served: tuple[str, Upstream]) -> str:
    served[1].script = streamed(*TWO_CALLS, *ENDED)
    return served[0]


def events_of(address: str, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    told = httpx2.post(f"{address}{path}", json={"model": "vllm-sr/auto", "stream": True, **body}).text
    lines = [line[6:] for line in told.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_a_chunk_begins_a_call_and_others_bring_its_arguments(address: str) -> None:
    chunks = events_of(address, "/v1/chat/completions", {"messages": ASKED, "tools": [TOOL]})
    pieces = [call for c in chunks for call in c["choices"][0]["delta"].get("tool_calls", ())]
    numbers = [piece["id"] for piece in pieces if "id" in piece]
    assert len(set(numbers)) == 2
    assert pieces == [
        {"index": 0, "id": numbers[0], "type": "function", "function": {"name": "look_up", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"of": "Ju'}},
        {"index": 0, "function": {"arguments": 'piter ♃"}'}},
        {"index": 1, "id": numbers[1], "type": "function", "function": {"name": "look_up", "arguments": ""}},
        {"index": 1, "function": {"arguments": '{"of": '}},
        {"index": 1, "function": {"arguments": '"Saturn"}'}},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_piece_of_a_call_goes_on_when_it_comes(served: tuple[str, Upstream]) -> None:
    address, upstream = served
    upstream.script = [STREAM_HEAD, *(event(piece) for piece in TWO_CALLS[2:4]), STALL]
    with openai.OpenAI(base_url=f"{address}/v1", api_key="any") as client:
        asked: Any = {"model": "vllm-sr/auto", "messages": ASKED, "tools": [TOOL]}
        with client.chat.completions.create(stream=True, **asked) as stream:
            seen = [next(stream).choices[0].delta for _ in range(3)]
    assert seen[2].tool_calls is not None
    assert seen[2].tool_calls[0].function is not None
    assert seen[2].tool_calls[0].function.arguments == '{"of": "Ju'


def test_a_call_that_breaks_off_ends_the_stream_with_an_error(served: tuple[str, Upstream]) -> None:
    address, upstream = served
    upstream.script = streamed(*TWO_CALLS[2:4], done=False)
    *_, last = events_of(address, "/v1/chat/completions", {"messages": ASKED, "tools": [TOOL]})
    assert "ended before the answer did" in last["error"]["message"]


def test_the_openai_package_puts_the_calls_together(address: str) -> None:
    with (
        openai.OpenAI(base_url=f"{address}/v1", api_key="any") as client,
        client.chat.completions.stream(model="vllm-sr/auto", messages=ASKED, tools=[TOOL]) as stream,
    ):
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Let me see."
    assert [call.function.arguments for call in message.tool_calls or ()] == ARGUMENTS


def test_items_of_a_response_follow_each_other(address: str) -> None:
    events = events_of(address, "/v1/responses", {"input": "Moons?", "tools": [FLAT]})
    assert [e["sequence_number"] for e in events] == list(range(len(events)))
    told = [(e["type"].removeprefix("response."), e.get("output_index")) for e in events[2:-1]]
    assert told == [
        ("output_item.added", 0),
        ("content_part.added", 0),
        ("output_text.delta", 0),
        ("output_text.delta", 0),
        ("output_text.done", 0),
        ("content_part.done", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
        ("function_call_arguments.delta", 1),
        ("function_call_arguments.delta", 1),
        ("function_call_arguments.done", 1),
        ("output_item.done", 1),
        ("output_item.added", 2),
        ("function_call_arguments.delta", 2),
        ("function_call_arguments.delta", 2),
        ("function_call_arguments.done", 2),
        ("output_item.done", 2),
    ]
    ended = events[-1]["response"]["output"]
    assert [e["item"] for e in events if e["type"] == "response.output_item.done"] == ended
    assert [item["arguments"] for item in ended[1:]] == ARGUMENTS


def test_the_openai_package_puts_a_response_together(address: str) -> None:
    with (
        openai.OpenAI(base_url=f"{address}/v1", api_key="any") as client,
        client.responses.stream(model="vllm-sr/auto", input="Moons?", tools=[FLAT]) as stream,
    ):
        for _ in stream:
            pass
        output: Any = stream.get_final_response().output
    assert output[0].content[0].text == "Let me see."
    assert [item.arguments for item in output[1:]] == ARGUMENTS


def test_blocks_of_a_message_follow_each_other(address: str) -> None:
    events = events_of(address, "/v1/messages", {"messages": ASKED, "tools": [BLOCK], "max_tokens": 100})
    told = [(e["type"].removeprefix("content_block_"), e["index"]) for e in events if "index" in e]
    assert told == [
        *[("start", 0), ("delta", 0), ("delta", 0), ("stop", 0)],
        *[("start", 1), ("delta", 1), ("delta", 1), ("stop", 1)],
        *[("start", 2), ("delta", 2), ("delta", 2), ("stop", 2)],
    ]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_the_anthropic_package_puts_the_blocks_together(address: str) -> None:
    with (
        anthropic.Anthropic(base_url=address, api_key="any") as client,
        client.messages.stream(model="vllm-sr/auto", messages=ASKED, tools=[BLOCK], max_tokens=100) as stream,
    ):
        for _ in stream:
            pass
        content: Any = stream.get_final_message().content
    assert content[0].text == "Let me see."
    assert [block.input for block in content[1:]] == [json.loads(arguments) for arguments in ARGUMENTS]


@pytest.mark.parametrize("model", ["vllm-sr/auto", "team/sure"])
def test_calls_that_come_as_a_whole_are_told_in_the_same_way(served: tuple[str, Upstream], model: str) -> None:
    address, upstream = served
    calls = [{"id": "0", "type": "function", "function": {"name": "look_up", "arguments": its}} for its in ARGUMENTS]
    upstream.script = answered(completion(None, finish="tool_calls", tool_calls=calls))
    chunks = events_of(address, "/v1/chat/completions", {"model": model, "messages": ASKED, "tools": [TOOL]})
    pieces = [call for c in chunks for call in c["choices"][0]["delta"].get("tool_calls", ())]
    assert [piece.get("index") for piece in pieces] == [0, 0, 1, 1]
    assert [piece["function"]["arguments"] for piece in pieces] == ["", ARGUMENTS[0], "", ARGUMENTS[1]]


def test_a_call_without_arguments_is_one_too(served: tuple[str, Upstream]) -> None:
    address, upstream = served
    upstream.script = streamed(call_piece(0, name="now"), *ENDED)
    chunks = events_of(address, "/v1/chat/completions", {"messages": ASKED, "tools": [TOOL]})
    pieces = [call for c in chunks for call in c["choices"][0]["delta"].get("tool_calls", ())]
    assert [piece["function"] for piece in pieces] == [{"name": "now", "arguments": ""}]


def test_calls_that_are_mixed_up_are_no_answer(served: tuple[str, Upstream]) -> None:
    address, upstream = served
    mixed = [
        call_piece(0, name="a", arguments="{"),
        call_piece(1, name="b", arguments="{"),
        call_piece(0, arguments="}"),
    ]
    upstream.script = streamed(*mixed, *ENDED)
    *_, last = events_of(address, "/v1/chat/completions", {"messages": ASKED, "tools": [TOOL]})
    assert "mixed up" in last["error"]["message"]
