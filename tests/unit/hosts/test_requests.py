"""What a client sends is a conversation, or a problem that names the place."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import pytest

from recipelang.hosts.requests import RequestProblem, request_of
from recipelang.runtime.values import Message

CALL = {"id": "a", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
TOOL = {"type": "function", "function": {"name": "look_up"}}


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def test_a_text_is_a_message_of_the_user() -> None:
    request = request_of("Why is the sky blue?")
    assert request.messages == (Message("user", "Why is the sky blue?", {}),)
    assert (request.tools, request.max_latency, request.metadata) == ((), None, {})


def test_a_conversation_is_kept_as_it_is() -> None:
    conversation = [
        {"role": "developer", "content": "Be brief."},
        user([{"type": "text", "text": "What is this?"}, IMAGE], name="ada"),
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "a moon", "tool_call_id": "a"},
        {"role": "assistant", "content": ""},
    ]
    request = request_of(conversation, tools=[TOOL], max_latency=3, metadata={"team": "red"})
    told = [{"role": m.role, "content": m.content, **m.extra} for m in request.messages]
    assert told == [{**message, "content": _frozen(message["content"])} for message in conversation]
    assert (request.tools, request.max_latency, request.metadata) == ((TOOL,), 3.0, {"team": "red"})


def _frozen(content: Any) -> Any:
    return tuple(content) if isinstance(content, list) else content


def test_who_changes_a_message_later_changes_no_request() -> None:
    part = {"type": "text", "text": "before"}
    request = request_of([MappingProxyType(user([part]))])
    part["text"] = "after"
    assert request.messages[0].content == ({"type": "text", "text": "before"},)


def test_what_no_encoding_can_hold_is_replaced() -> None:
    assert request_of("half: \ud83e").messages[0].content == "half: \ufffd"


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "a request has at least one message"),
        (None, "messages is no list"),
        (7, "messages is no list"),
        (user("hello"), "messages is no list"),
        (b"hello", "messages is no list"),
        (["hello"], "messages[0] is no object"),
        ([user("a"), None], "messages[1] is no object"),
        ([{}], "messages[0].role is None; roles are system, developer, user, assistant, tool"),
        ([{"role": "model", "content": "a"}], "messages[0].role is 'model'; roles are"),
        ([{"role": ["user"], "content": "a"}], "messages[0].role is ['user']; roles are"),
        ([{"role": "x" * 1000}], "messages[0].role is '" + "x" * 39 + "; roles are"),
        ([{"role": "user"}], "messages[0].content is neither a text nor a list of content parts"),
        ([user(None)], "messages[0].content is neither"),
        ([user(7)], "messages[0].content is neither"),
        ([user([])], "messages[0].content is neither"),
        ([user({"type": "text"})], "messages[0].content is neither"),
        ([user(["hello"])], "messages[0].content[0] is no content part: it has no type"),
        ([user([IMAGE, {}])], "messages[0].content[1] is no content part: it has no type"),
        ([user([IMAGE, {"type": 7}])], "messages[0].content[1] is no content part: it has no type"),
        ([user([{"type": "text"}])], "messages[0].content[0].text is no text"),
        ([user([{"type": "text", "text": 7}])], "messages[0].content[0].text is no text"),
        ([{"role": "assistant", "content": None, "tool_calls": []}], "messages[0].content is neither"),
        ([{"role": "assistant", "content": None, "tool_calls": CALL}], "messages[0].tool_calls is no list of calls"),
        ([{"role": "assistant", "content": "a", "tool_calls": ["f"]}], "messages[0].tool_calls is no list of calls"),
        (
            [{"role": "assistant", "content": "a", "tool_calls": [CALL, {"function": "f"}]}],
            "messages[0].tool_calls[1].function is no object",
        ),
        ([{"role": "tool", "content": "a"}], "messages[0].tool_call_id is missing"),
        ([user("a", when=math)], "messages[0] can't be told in JSON: Object of type module"),
        ([user("a", share=math.nan)], "messages[0] can't be told in JSON"),
        ([user(b"a")], "messages[0] can't be told in JSON"),
    ],
)
def test_what_is_no_conversation_is_a_problem_that_names_the_place(messages: Any, problem: str) -> None:
    with pytest.raises(RequestProblem) as caught:
        request_of(messages)
    assert str(caught.value).startswith(problem)


def test_messages_nested_without_end_are_a_problem() -> None:
    content: list[Any] = []
    for _ in range(100_000):
        content = [content]
    with pytest.raises(RequestProblem, match=r"messages\[0\] can't be told in JSON"):
        request_of([user(content)])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tools": TOOL}, "tools is no list"),
        ({"tools": ["look_up"]}, "tools[0] is no object"),
        ({"tools": [TOOL, {"name": "look_up"}]}, "tools[1].type is missing"),
        ({"max_latency": 0}, "max_latency is 0, and is a number of seconds above 0"),
        ({"max_latency": -1.5}, "max_latency is -1.5"),
        ({"max_latency": math.nan}, "max_latency is nan"),
        ({"max_latency": math.inf}, "max_latency is inf"),
        ({"max_latency": 10**400}, "max_latency is 1000"),
        ({"max_latency": "3s"}, "max_latency is '3s'"),
        ({"max_latency": True}, "max_latency is True"),
        ({"metadata": ["red"]}, "metadata is no mapping of names to texts"),
        ({"metadata": {"team": 7}}, "metadata['team'] is no text under a name"),
        ({"metadata": {7: "red"}}, "metadata[7] is no text under a name"),
    ],
)
def test_what_goes_with_a_conversation_is_looked_at_as_well(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(RequestProblem) as caught:
        request_of("hello", **given)
    assert str(caught.value).startswith(problem)
