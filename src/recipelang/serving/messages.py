"""Anthropic's messages: blocks in, blocks and their events out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from recipelang.ir.plan import Contract
from recipelang.runtime.ports import CallPiece
from recipelang.runtime.values import Json
from recipelang.serving.bodies import BodyLimits, Fields, texts
from recipelang.serving.conversation import Asked, Told, as_json, asked_of, dials_in, form_of, new_id, quoted
from recipelang.serving.problems import Problem, ProblemKind, refused

NEVER = {
    "container": "is not to be had: there are no tools of the server's own",
    "mcp_servers": "is not to be had: there are no tools of the server's own",
    "context_management": "is not to be had: the conversation is used as it comes",
    "compaction": "is not to be had: the conversation is used as it comes",
    "thread": "is not to be had: nothing is stored",
    "diagnostics": "is not to be had: nothing is stored",
    "fallbacks": "is not to be had: a recipe says what stands in for what",
    "inference_geo": "is not to be had: a recipe says where its models are, and a boundary what goes there",
    "speed": "is not to be had: there is one speed",
    "user_profile_id": "is not to be had: `metadata.user_id` says who asks",
    "workspace_id": "is not to be had: there is one",
}


class Messages:
    """`POST /v1/messages`."""

    def read(self, body: dict[str, Any], limits: BodyLimits) -> Asked:
        fields = Fields(body)
        fields.never(NEVER)
        fields.hints("cache_control")
        dials = dials_in(fields)
        name, stream = fields.needed_text("model"), fields.flag("stream")
        max_tokens = fields.whole("max_tokens", 1)
        if max_tokens is None:
            fields.refuse("max_tokens", "is missing")
        messages = fields.listed("messages")
        if not messages:
            fields.refuse("messages", "is missing")
        tools, tool_options = _tools(fields)
        thinking = fields.inner("thinking")
        thinking.only("type", "disabled", why="is not to be had: no model's thoughts are passed on")
        thinking.end()
        fields.only("service_tier", "auto", "standard_only", why="is not to be had: there is one tier")
        user = fields.inner("metadata")
        user_id = user.text("user_id")
        user.end()
        others = {
            "top_p": fields.number("top_p", 0, 1),
            "top_k": fields.whole("top_k", 0),
            "stop": texts(fields, "stop_sequences", 16) or None,
        }
        asked = asked_of(
            name=name,
            messages=[*_system(fields), *_conversation(messages or [])],
            limits=limits,
            dials=dials,
            stream=stream,
            tools=tools,
            tool_options=tool_options,
            format=_format(fields),
            temperature=fields.number("temperature", 0, 1),
            max_tokens=max_tokens,
            others={name: value for name, value in others.items() if value is not None},
            user=user_id,
            include_usage=True,
        )
        fields.end()
        return asked

    def whole(self, asked: Asked, told: Told) -> bytes:
        answer: dict[str, Json] = {
            "id": new_id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": asked.name,
            "content": _blocks(told),
            "stop_reason": _stop_reason(told),
            "stop_sequence": None,
            "usage": _usage(told),
        }
        if told.receipt is not None:
            answer["recipelang"] = told.receipt
        return as_json(answer)

    def speaker(self, asked: Asked, fingerprint: str) -> MessagesSpeaker:
        return MessagesSpeaker(asked)

    def problem(self, problem: Problem, number: str, receipt: Mapping[str, Json] | None) -> bytes:
        return as_json({**_told_problem(problem, receipt), "request_id": number})


class MessagesSpeaker:
    """A stream of named events: a message, in it its blocks, in them their pieces."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._index = -1  # of the block that is open
        self._open = ""  # its type; none: no block is
        self._called = 0  # calls that were begun

    def opening(self) -> bytes:
        message: dict[str, Json] = {
            "id": new_id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": self._asked.name,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},  # told in the end: it is not known before
        }
        return _event("message_start", message=message)

    def piece(self, text: str) -> bytes:
        begun = b"" if self._open == "text" else self._block(type="text", text="")
        return begun + self._delta(b'{"type":"text_delta","text":%b}' % quoted(text))

    def call(self, piece: CallPiece, number: str) -> bytes:
        begun = b""
        if piece.name is not None:
            self._called += 1
            begun = self._block(type="tool_use", id=number, name=piece.name, input={})
        if not piece.arguments:
            return begun
        return begun + self._delta(b'{"type":"input_json_delta","partial_json":%b}' % quoted(piece.arguments))

    def _block(self, **block: Json) -> bytes:
        """The end of the block before, and the beginning of the next one."""
        ended = self._ended()
        self._index += 1
        self._open = block["type"]
        return ended + _event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: bytes) -> bytes:
        kind = b"content_block_delta"
        return b'event: %b\ndata: {"type":"%b","index":%d,"delta":%b}\n\n' % (kind, kind, self._index, delta)

    def _ended(self) -> bytes:
        was_open, self._open = self._open, ""
        return _event("content_block_stop", index=self._index) if was_open else b""

    def ending(self, told: Told) -> bytes:
        parts = [self.call(piece, number) for piece, number in told.untold(self._called)]
        parts.append(self._ended())
        more = {} if told.receipt is None else {"recipelang": told.receipt}
        delta = {"stop_reason": _stop_reason(told), "stop_sequence": None}
        parts.append(_event("message_delta", delta=delta, usage=_usage(told), **more))
        parts.append(_event("message_stop"))
        return b"".join(parts)

    def broken(self, problem: Problem, receipt: Mapping[str, Json] | None) -> bytes:
        told = _told_problem(problem, receipt)
        told.pop("type")
        return _event("error", **told)


def _event(kind: str, **data: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), as_json({"type": kind, **data}))


_TYPES = {
    ProblemKind.REQUEST: "invalid_request_error",
    ProblemKind.KEY: "authentication_error",
    ProblemKind.PERMISSION: "permission_error",
    ProblemKind.NOT_FOUND: "not_found_error",
    ProblemKind.TOO_LARGE: "request_too_large",
    ProblemKind.TIMEOUT: "timeout_error",
    ProblemKind.RATE_LIMIT: "rate_limit_error",
    ProblemKind.OVERLOADED: "overloaded_error",
    ProblemKind.BUDGET: "billing_error",
    ProblemKind.SERVER: "api_error",
}


def _told_problem(problem: Problem, receipt: Mapping[str, Json] | None) -> dict[str, Json]:
    told: dict[str, Json] = {
        "type": "error",
        "error": {"type": _TYPES[problem.kind], "message": problem.message},
    }
    return told if receipt is None else {**told, "recipelang": receipt}


# -------------------------------------------------------------------- fields


def _system(fields: Fields) -> list[dict[str, Json]]:
    given = fields.take("system")
    if given is None:
        return []
    if isinstance(given, str):
        return [{"role": "system", "content": given}]
    parts = [_block(f"system[{place}]", block) for place, block in enumerate(given if isinstance(given, list) else [])]
    if not parts or not all(part.get("type") == "text" for part in parts):
        fields.refuse("system", "is neither a text nor a list of text blocks")
    return [{"role": "system", "content": "\n\n".join(part["text"] for part in parts)}]


def _conversation(given: list[Json]) -> list[dict[str, Json]]:
    messages: list[dict[str, Json]] = []
    for place, turn in enumerate(given):
        at = f"messages[{place}]"
        fields = Fields(turn, f"{at}.")
        role, content = fields.one_of("role", ("user", "assistant", "system")), fields.take("content")
        fields.end()
        if role is None:
            raise refused(f"`{at}.role` is missing", f"{at}.role")
        if isinstance(content, str):
            messages.append({"role": role, "content": content})
        elif isinstance(content, list) and content:
            messages += _assistant(at, content) if role == "assistant" else _user(role, at, content)
        else:
            raise refused(f"`{at}.content` is neither a text nor a list of blocks", f"{at}.content")
    return messages


def _assistant(place: str, blocks: list[Json]) -> list[dict[str, Json]]:
    """One message: what was said, and the tools that were called."""
    parts, calls = [], []
    for number, block in enumerate(blocks):
        at = f"{place}.content[{number}]"
        if isinstance(block, dict) and block.get("type") == "tool_use":
            fields = _fields(at, block)
            called, asked = fields.needed_text("id"), fields.needed_text("name")
            function = {"name": asked, "arguments": json.dumps(fields.take("input") or {}, ensure_ascii=False)}
            calls.append({"id": called, "type": "function", "function": function})
            fields.hints("caller")
            fields.end()
        else:
            parts.append(_block(at, block))
    message: dict[str, Json] = {"role": "assistant", "content": _plain(parts)}
    return [{**message, "tool_calls": calls}] if calls else [message]


def _user(role: str, place: str, blocks: list[Json]) -> list[dict[str, Json]]:
    """What tools gave, each a message of its own, then what the user says."""
    results, parts = [], []
    for number, block in enumerate(blocks):
        at = f"{place}.content[{number}]"
        if isinstance(block, dict) and block.get("type") == "tool_result":
            results.append(_result(at, block))
        else:
            parts.append(_block(at, block))
    return [*results, {"role": role, "content": _plain(parts)}] if parts else results


def _result(place: str, block: Mapping[str, Json]) -> dict[str, Json]:
    fields = _fields(place, block)
    number, content, is_error = fields.take("tool_use_id"), fields.take("content") or "", fields.flag("is_error")
    fields.end()
    if isinstance(content, list):
        content = _plain([_block(f"{place}.content[{number}]", part) for number, part in enumerate(content)])
    elif not isinstance(content, str):
        raise refused(f"`{place}.content` is neither a text nor a list of blocks", f"{place}.content")
    if is_error and isinstance(content, str):
        content = f"Error: {content}"
    return {"role": "tool", "tool_call_id": number, "content": content}


def _plain(parts: list[dict[str, Json]]) -> Json:
    """Texts alone as one text, which every model takes."""
    if not parts:
        return None
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _fields(place: str, block: Mapping[str, Json]) -> Fields:
    """The fields of a block but for its type, and for marks for a cache, which change no answer."""
    fields = Fields(block, f"{place}.")
    fields.hints("type", "cache_control")
    return fields


def _block(place: str, given: Json) -> dict[str, Json]:
    """A block as a content part in OpenAI's form."""
    kind = given.get("type") if isinstance(given, dict) else None
    fields = _fields(place, given) if isinstance(given, dict) else Fields({})
    part: dict[str, Json] | None = None
    if kind == "text":
        part = {"type": "text", "text": fields.needed_text("text")}
        fields.only("citations", [], why="is not to be had: no source is passed on")
    elif kind in ("image", "document"):
        part = (_image if kind == "image" else _document)(fields)
    if part is None:
        known = "text, image (base64 or url), document (base64 or text), tool_use and tool_result"
        raise refused(f"`{place}` is no block that can be passed on; those are {known}", place)
    fields.end()
    return part


def _image(fields: Fields) -> dict[str, Json] | None:
    source = fields.inner("source")
    kind = source.take("type")
    if kind == "base64":
        url = f"data:{source.text('media_type') or 'image/png'};base64,{source.needed_text('data')}"
    elif kind == "url":
        url = source.needed_text("url")
    else:
        return None
    source.end()
    return {"type": "image_url", "image_url": {"url": url}}


def _document(fields: Fields) -> dict[str, Json] | None:
    source, title = fields.inner("source"), fields.text("title")
    fields.only("citations", {"enabled": False}, why="is not to be had: no source is passed on")
    kind = source.take("type")
    form = source.text("media_type")
    if kind == "text":
        text = source.needed_text("data")
        part: dict[str, Json] = {"type": "text", "text": f"{title}\n\n{text}" if title else text}
    elif kind == "base64":
        data = f"data:{form or 'application/pdf'};base64,{source.needed_text('data')}"
        part = {"type": "file", "file": {"file_data": data, "filename": title or "document.pdf"}}
    else:
        return None
    source.end()
    return part


def _tools(fields: Fields) -> tuple[list[Json], dict[str, Json]]:
    """The tools and what is said about their use, in the form of chat completions."""
    tools: list[dict[str, Any]] = []
    for place, tool in enumerate(fields.listed("tools") or []):
        told = Fields(tool, f"tools[{place}].")
        told.only("type", "custom", why="is not to be had: a server that is a model has no tools of its own")
        function: dict[str, Json] = {"name": told.needed_text("name")}
        description, schema = told.text("description"), told.take("input_schema")
        strict = told.said("strict")
        told.take("cache_control")
        told.end()
        if not isinstance(schema, dict):
            raise refused(f"`tools[{place}].input_schema` is missing", f"tools[{place}].input_schema")
        function |= {} if description is None else {"description": description}
        function |= {"parameters": schema} if strict is None else {"parameters": schema, "strict": strict}
        tools.append({"type": "function", "function": function})
    choice = fields.inner("tool_choice")
    kind = choice.one_of("type", ("auto", "any", "none", "tool"))
    name = choice.text("name")
    alone = choice.said("disable_parallel_tool_use")
    choice.end()
    options: dict[str, Json] = {}
    if kind == "tool":
        if name not in [tool["function"]["name"] for tool in tools]:
            fields.refuse("tool_choice", "names none of the `tools`")
        options["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif kind is not None and (tools or kind == "any"):
        options["tool_choice"] = "required" if kind == "any" else kind
    if alone is not None and tools:
        options["parallel_tool_calls"] = not alone
    return tools, options


def _format(fields: Fields) -> tuple[Contract, bool] | None:
    """The form of the answer, by the newer name or the older one."""
    config = fields.inner("output_config")
    form = config.inner("format")
    effort = config.take("effort")
    if effort is not None:
        config.refuse("effort", "is not to be had: no model's thoughts are passed on")
    config.end()
    older = fields.inner("output_format")
    for given, place in ((form, "output_config.format"), (older, "output_format")):
        kind = given.one_of("type", ("json_schema",))
        schema = given.take("schema")
        given.end()
        if kind is not None:
            return form_of(schema, True, f"{place}.schema")
    return None


# -------------------------------------------------------------------- answer


def _blocks(told: Told) -> list[dict[str, Json]]:
    text = told.result.text
    blocks: list[dict[str, Json]] = [{"type": "text", "text": text}] if text else []
    return blocks + [
        {
            "type": "tool_use",
            "id": call["id"],
            "name": call["function"]["name"],
            "input": _input(call["function"]["arguments"]),
        }
        for call in told.tool_calls
    ]


def _input(arguments: str) -> Json:
    """The arguments of a call as an object; a model that wrote no JSON is quoted, so that a client can say so."""
    try:
        found = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"arguments": arguments}


def _stop_reason(told: Told) -> str:
    return {"tool_calls": "tool_use", "length": "max_tokens"}.get(told.finish, "end_turn")


def _usage(told: Told) -> dict[str, Json]:
    prompt, completion = told.usage
    return {"input_tokens": prompt, "output_tokens": completion}
