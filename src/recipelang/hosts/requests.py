"""From what a client sends, in OpenAI's form, to a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recipelang.runtime.values import Message, Request

ROLES = ("system", "developer", "user", "assistant", "tool")


class RequestProblem(ValueError):
    """The messages are not a conversation; the message says which and why."""


def request_of(
    messages: str | Sequence[Mapping[str, Any]],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    max_latency: float | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request; a text is a conversation of one message. `max_latency` is in seconds. Raises `RequestProblem`."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    read = tuple(_message(place, message) for place, message in enumerate(messages))
    if not read:
        raise RequestProblem("a request has at least one message")
    return Request(read, tuple(tools), max_latency=max_latency, metadata=dict(metadata or {}))


def _message(place: int, given: Mapping[str, Any]) -> Message:
    if not isinstance(given, Mapping):
        raise RequestProblem(f"messages[{place}] is no object")
    role, content = given.get("role"), given.get("content")
    if role not in ROLES:
        raise RequestProblem(f"messages[{place}].role is {role!r:.40}; roles are {', '.join(ROLES)}")
    parts = isinstance(content, (list, tuple)) and all(isinstance(part, Mapping) and "type" in part for part in content)
    if not parts and not isinstance(content, str) and not (content is None and given.get("tool_calls")):
        raise RequestProblem(f"messages[{place}].content is neither a text nor a list of content parts")
    extra = {name: value for name, value in given.items() if name not in ("role", "content")}
    return Message(role, tuple(content) if isinstance(content, (list, tuple)) else content, extra)
