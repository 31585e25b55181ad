"""From what a client sends, in OpenAI's form, to a request; what is not a conversation is refused, and the place named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from recipelang.ir.plan import Contract
from recipelang.ir.sizing import GREATEST_INTEGER
from recipelang.runtime.values import NO_WISHES, NOTHING_MORE, Message, Request, Wishes, encodable

ANY_FORM = Contract("request.format")
ROLES = ("system", "developer", "user", "assistant", "tool")


class RequestProblem(ValueError):
    """The messages are not a conversation; the message says which and why."""


def request_of(
    messages: str | Sequence[Mapping[str, Any]],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    max_latency: float | None = None,
    quality: float | None = None,
    metadata: Mapping[str, str] | None = None,
    format: Contract | None = None,
    wishes: Wishes = NO_WISHES,
    tool_options: Mapping[str, Any] = NOTHING_MORE,
) -> Request:
    """A request; a text is a conversation of one message. `max_latency` is in seconds, `quality` from 0 to 1. Raises `RequestProblem`."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    read = tuple(_message(f"messages[{place}]", message) for place, message in enumerate(_listed("messages", messages)))
    if not read:
        raise RequestProblem("a request has at least one message")
    offered = tuple(_tool(f"tools[{place}]", tool) for place, tool in enumerate(_listed("tools", tools)))
    return Request(
        read,
        offered,
        ANY_FORM if format is None else format,
        _seconds(max_latency),
        _texts(metadata),
        wishes,
        tool_options,
        quality=_score(quality),
    )


def _listed(what: str, given: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(given, (list, tuple)):
        raise RequestProblem(f"{what} is no list")
    return given


def _message(place: str, given: Any) -> Message:
    known = _plain(given) or _object(place, given)
    role, content = known.pop("role", None), known.pop("content", None)
    if role not in ROLES:
        raise RequestProblem(f"{place}.role is {role!r:.40}; roles are {', '.join(ROLES)}")
    calls = known.get("tool_calls")
    if calls is not None:
        _calls(f"{place}.tool_calls", calls)
    if role == "tool" and not isinstance(known.get("tool_call_id"), str):
        raise RequestProblem(f"{place}.tool_call_id is missing: it says which call this answers")
    if isinstance(content, str) or (content is None and calls):
        return Message(role, content, known)
    return Message(role, _parts(f"{place}.content", content), known)


def _parts(place: str, given: Any) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(given, list) or not given:
        raise RequestProblem(f"{place} is neither a text nor a list of content parts")
    for number, part in enumerate(given):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise RequestProblem(f"{place}[{number}] is no content part: it has no type")
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            raise RequestProblem(f"{place}[{number}].text is no text")
    return tuple(given)


def _calls(place: str, given: Any) -> None:
    if not isinstance(given, list) or not all(isinstance(call, dict) for call in given):
        raise RequestProblem(f"{place} is no list of calls")
    for number, call in enumerate(given):
        if not isinstance(call.get("function") or {}, dict):
            raise RequestProblem(f"{place}[{number}].function is no object")


def _tool(place: str, given: Any) -> Mapping[str, Any]:
    known = _object(place, given)
    if not isinstance(known.get("type"), str):
        raise RequestProblem(f"{place}.type is missing: a function is of type `function`")
    return known


def _plain(given: Any) -> dict[str, Any] | None:
    """A message that is a role and a text, as nearly all are: there is nothing in it that could change. 1 µs, not 8."""
    if type(given) is not dict or given.keys() != {"role", "content"}:
        return None
    role, content = given["role"], given["content"]
    return {"role": role, "content": encodable(content)} if type(role) is str and type(content) is str else None


def _object(place: str, given: Any) -> dict[str, Any]:
    """A JSON object as it is sent: a copy, so that who changes theirs later changes nothing under way."""
    if not isinstance(given, Mapping):
        raise RequestProblem(f"{place} is no object")
    try:
        copy = json.loads(encodable(json.dumps(dict(given), allow_nan=False, ensure_ascii=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestProblem(f"{place} can't be told in JSON: {error}") from error
    return dict(copy)


def _seconds(given: Any) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given <= GREATEST_INTEGER:
        raise RequestProblem(f"max_latency is {given!r:.40}, and is a number of seconds above 0")
    return float(given)


def _score(given: Any) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= 1:
        raise RequestProblem(f"quality is {given!r:.40}, and is a number from 0 to 1")
    return float(given)


def _texts(given: Any) -> Mapping[str, str]:
    known = {} if given is None else given
    if not isinstance(known, Mapping):
        raise RequestProblem("metadata is no mapping of names to texts")
    for name, value in known.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise RequestProblem(f"metadata[{name!r:.40}] is no text under a name")
    return dict(known)
