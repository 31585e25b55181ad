"""What is understood of replies that are good, whole or in pieces."""

from __future__ import annotations

from typing import Any

import pytest

from model_calls import deltas_of, outcome_of, whole
from recipelang.backends.clients import open_client
from recipelang.backends.openai import OpenAIBackend
from recipelang.runtime.ports import BackendError, CallPiece, Reply
from recipelang.runtime.values import TokenLogprob, Usage
from upstream import (
    END,
    STALL,
    STREAM_HEAD,
    USAGE_CHUNK,
    Script,
    Upstream,
    answered,
    chunk,
    chunked,
    completion,
    event,
    http,
    streamed,
)

pytestmark = pytest.mark.anyio

TOLD = Usage(11, 3)
CALLS = [
    {"id": "a", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "moon"}'}},
    {"id": "b", "type": "function", "function": {"name": "stop", "arguments": ""}},
]


async def reply_to(answer: Script, *, stream: bool = False) -> Reply:
    with Upstream(answer) as upstream:
        async with open_client(secure=False) as client:
            found = await outcome_of(OpenAIBackend(upstream.url, None, client), stream=stream)
        upstream.wait_until(lambda server: server.open == 0)
    assert isinstance(found, Reply), found
    return found


def token(text: str, logprob: Any, *others: tuple[str, Any], in_bytes: list[int] | None = None) -> dict[str, Any]:
    top = [{"token": text, "logprob": logprob}, *({"token": other, "logprob": its} for other, its in others)]
    return {"token": text, "logprob": logprob, "bytes": in_bytes, "top_logprobs": top}


# -------------------------------------------------------------------- whole


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (answered(completion("Jupiter.")), "Jupiter."),
        (answered(completion("Jupiter."), content_type="text/plain"), "Jupiter."),
        (http(200, b'\xef\xbb\xbf{"choices": [{"message": {"content": "with a mark"}}]}'), "with a mark"),
        (answered(completion("half: \ud83e")), "half: \ufffd"),
        (answered(completion([{"type": "thinking", "thinking": []}, {"type": "text", "text": "So."}])), "So."),  # type: ignore[arg-type]  # as some providers say it
        (answered(completion("Yes.", refusal=None, reasoning_content="hm", audio=None)), "Yes."),
        (answered(completion("Cut", finish="length")), "Cut"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "as a stream"])
async def test_a_whole_completion_is_understood_however_it_was_asked_for(
    answer: Script, text: str, stream: bool
) -> None:
    assert (await reply_to(answer, stream=stream)).text == text


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}, TOLD),
        ({"prompt_tokens": 11, "completion_tokens": 3}, TOLD),
        ({"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 200}, Usage(11, 189)),
        ({"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 2}, TOLD),
        ({"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": "14"}, TOLD),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),
        ({"prompt_tokens": -11, "completion_tokens": 3}, None),
        ({"prompt_tokens": "11", "completion_tokens": 3}, None),
        ({"prompt_tokens": 1.5, "completion_tokens": 3}, None),
        ({"prompt_tokens": True, "completion_tokens": 3}, None),
        ({"prompt_tokens": 10**13, "completion_tokens": 3}, None),
        ({"prompt_tokens": 10**400, "completion_tokens": 3}, None),
        ({"completion_tokens": 3}, None),
        ({}, None),
        ([], None),
        (False, None),
        (None, None),
    ],
)
async def test_usage_is_what_can_be_or_was_not_told(told: object, usage: Usage | None) -> None:
    assert (await reply_to(answered(completion(usage=told)))).usage == usage


@pytest.mark.parametrize(
    ("told", "logprobs"),
    [
        (
            {"content": [token("Jup", -0.1, ("Sat", -2.5), ("Mar", -9.0)), token("iter", 0, ("ter", -3))]},
            (TokenLogprob("Jup", -0.1, -2.5), TokenLogprob("iter", 0.0, -3.0)),
        ),
        ({"content": [token("Yes", -0.5), token("", -0.2, in_bytes=[])]}, (TokenLogprob("Yes", -0.5, None),)),
        ({"content": [{"token": "Yes", "logprob": -0.5}]}, (TokenLogprob("Yes", -0.5, None),)),
        ({"content": [token("Yes", -0.5, ("No", "-1"), ("Nein", 10**400))]}, (TokenLogprob("Yes", -0.5, None),)),
        ({"content": [token("Yes", -0.5), token("!", "-0.5")]}, None),
        ({"content": [token("Yes", 10**400)]}, None),
        ({"content": [token("Yes", True)]}, None),
        ({"content": [{"token": 7, "logprob": -0.5}]}, None),
        ({"content": ["Yes"]}, None),
        ({"content": "Yes"}, None),
        ({"content": []}, None),
        ({"content": None}, None),
        ([], None),
        (None, None),
    ],
)
async def test_logprobs_are_those_of_the_text_or_none_at_all(
    told: object, logprobs: tuple[TokenLogprob, ...] | None
) -> None:
    assert (await reply_to(answered(completion(logprobs=told)))).logprobs == logprobs


async def test_calls_of_tools_are_an_answer_without_a_text() -> None:
    reply = await reply_to(answered(completion(None, finish="tool_calls", tool_calls=CALLS)))
    assert reply == Reply("", "tool_calls", TOLD, None, tuple(CALLS))


async def test_only_the_first_of_several_choices_counts() -> None:
    several = completion("first")
    several["choices"].append(completion("second")["choices"][0])
    assert (await reply_to(answered(several))).text == "first"


# ------------------------------------------------------------------ streams


async def test_a_stream_brings_its_pieces_and_then_the_same_reply_as_a_whole_one() -> None:
    logprobs = [{"content": [token("Jup", -0.1)]}, {"content": [token("iter", -0.2)]}]
    with Upstream(
        streamed(
            chunk("", role="assistant"),
            chunk("Jup", logprobs=logprobs[0]),
            chunk("iter", logprobs=logprobs[1]),
            chunk(finish="stop"),
            USAGE_CHUNK,
        )
    ) as upstream:
        async with open_client(secure=False) as client:
            deltas = await deltas_of(OpenAIBackend(upstream.url, None, client))
    assert [delta.text for delta in deltas] == ["Jup", "iter", ""]
    assert whole(deltas) == Reply(
        "Jupiter", "stop", TOLD, (TokenLogprob("Jup", -0.1, None), TokenLogprob("iter", -0.2, None))
    )


def byte_by_byte(data: bytes) -> Script:
    return [STREAM_HEAD, *(chunked(data[place : place + 1]) for place in range(len(data))), END]


EVENT = '{"choices": [{"delta": {"content": "Größe 🪐"}, "finish_reason": "stop"}]}'.encode()


@pytest.mark.parametrize(
    "answer",
    [
        streamed(EVENT),
        streamed(EVENT, done=False),
        byte_by_byte(b"data: " + EVENT + b"\n\n"),
        byte_by_byte(b"data:" + EVENT + b"\r\n\r\ndata: [DONE]"),
        byte_by_byte(b"data: " + EVENT),
        byte_by_byte(b": a comment\n\nevent: message\nid: 7\nretry: 10\ndata: " + EVENT + b"\ndata: [DONE]\n\ndata: {"),
        streamed({"choices": [], "prompt_filter_results": []}, EVENT, {"usage": None}),
        [STREAM_HEAD.replace(b"text/event-stream", b"Text/Event-Stream; charset=utf-8"), event(EVENT), END],
    ],
    ids=["whole", "no [DONE]", "bytes", "carriage returns", "no end of line", "other fields", "no choices", "capitals"],
)
async def test_a_stream_is_understood_however_it_is_cut_and_ended(answer: Script) -> None:
    reply = await reply_to(answer, stream=True)
    assert (reply.text, reply.finish) == ("Größe 🪐", "stop")


@pytest.mark.parametrize("place", [{"index": 0}, {}], ids=["with an index", "with none"])
async def test_the_pieces_of_a_call_of_a_tool_are_put_together(place: dict[str, int]) -> None:
    first = {**place, "id": "a", "type": "function", "function": {"name": "look_up", "arguments": ""}}
    pieces = [{**place, "function": {"arguments": piece}} for piece in ('{"word"', ': "moon"}')]
    second = {"id": "b", "type": "function", "function": {"name": "stop", "arguments": None}}
    if place:
        second["index"] = 1  # type: ignore[assignment]  # as the protocol has it
    events = [chunk(tool_calls=[piece]) for piece in (first, *pieces, second)]
    reply = await reply_to(streamed(*events, chunk(finish="tool_calls"), USAGE_CHUNK), stream=True)
    assert reply == Reply("", "tool_calls", TOLD, None, tuple(CALLS))


async def test_after_done_nothing_is_waited_for() -> None:
    reply = await reply_to([STREAM_HEAD, event(EVENT), event(b"[DONE]"), STALL], stream=True)
    assert reply.text == "Größe 🪐"


@pytest.mark.parametrize("calls", [7, ["f"], [{"function": "f"}], [{"function": [""]}], [{"function": {"name": 7}}]])
async def test_calls_of_tools_that_are_none_are_a_failure(calls: object) -> None:
    with Upstream(answered(completion(None, finish="tool_calls", tool_calls=calls))) as upstream:
        async with open_client(secure=False) as client:
            found = await outcome_of(OpenAIBackend(upstream.url, None, client), stream=False)
    assert isinstance(found, BackendError)


@pytest.mark.parametrize("calls", [{}, 7, ["f"], [{"function": {"name": 7}}], [{"function": "f"}], [{"function": ""}]])
async def test_streamed_calls_of_tools_that_are_none_are_a_failure_and_no_crash(calls: object) -> None:
    with Upstream(streamed(chunk(tool_calls=calls), chunk(finish="tool_calls"))) as upstream:
        async with open_client(secure=False) as client:
            found = await outcome_of(OpenAIBackend(upstream.url, None, client), stream=True)
    assert isinstance(found, BackendError)


# -------------------------------------------------------- calls, bit by bit


def bit(index: int | None, name: str | None = None, arguments: str | None = None, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    place = {} if index is None else {"index": index}
    return chunk(tool_calls=[{**place, **more, "function": function}])


BITS: list[tuple[list[dict[str, Any]], list[CallPiece]]] = [
    ([bit(0, "look_up", "", id="a"), bit(0, None, '{"of": '), bit(0, None, "1}")], [CallPiece(0, "look_up", '{"of": '), CallPiece(0, None, "1}")]),
    ([bit(0, "look", id="a"), bit(0, "_up"), bit(0, None, "{}")], [CallPiece(0, "look_up", "{}")]),
    ([bit(1, "one", "{}", id="a"), bit(2, "two", "{}", id="b")], [CallPiece(0, "one", "{}"), CallPiece(1, "two", "{}")]),
    ([bit(None, "one", "{", id="a"), bit(None, None, "}"), bit(None, "two", "{}", id="b")], [CallPiece(0, "one", "{"), CallPiece(0, None, "}"), CallPiece(1, "two", "{}")]),
    ([bit(0, "now", id="a"), bit(1, "look_up", "{}", id="b")], [CallPiece(0, "now", ""), CallPiece(1, "look_up", "{}")]),
    ([bit(0, "now", "", id="a")], []),
    ([bit(0, "say", '"\ud83e', id="a"), bit(0, None, '\ude90"')], [CallPiece(0, "say", '"'), CallPiece(0, None, '🪐"')]),
]  # fmt: skip


@pytest.mark.parametrize(("bits", "pieces"), BITS)
async def test_a_call_of_a_tool_is_told_in_pieces_as_soon_as_its_name_is_whole(
    bits: list[dict[str, Any]], pieces: list[CallPiece]
) -> None:
    with Upstream(streamed(*bits, chunk(finish="tool_calls"))) as upstream:
        async with open_client(secure=False) as client:
            deltas = await deltas_of(OpenAIBackend(upstream.url, None, client))
    assert [piece for delta in deltas for piece in delta.calls] == pieces
    reply = whole(deltas)
    for place, call in enumerate(reply.tool_calls):
        told = "".join(piece.arguments for piece in pieces if piece.place == place)
        assert told == call["function"]["arguments"]
