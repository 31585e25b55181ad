"""OpenAI's chat completions: each field is honoured or refused by its name, and the chunks are as strict clients want them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from recipelang.runtime.ports import CallPiece
from recipelang.runtime.values import Json
from recipelang.serving.bodies import BodyLimits, Fields, texts
from recipelang.serving.conversation import (
    Asked,
    Told,
    as_json,
    asked_of,
    dials_in,
    new_id,
    quoted,
)
from recipelang.serving.openai_terms import choice_in, form_in, logprobs_of, told_problem, user_in
from recipelang.serving.problems import Problem, refused

PARTS = ("text", "image_url", "input_audio", "file", "video_url", "audio_url", "refusal")
"""The kinds of content parts that models may take; one that a model does not take, its provider refuses."""
_BREAKPOINT = "prompt_cache_breakpoint"  # a hint that changes no answer, and that few providers know
NEVER = {
    "functions": "is not to be had: `tools` took its place",
    "function_call": "is not to be had: `tool_choice` took its place",
    "logit_bias": "is not to be had: the numbers of tokens differ from model to model",
    "audio": "is not to be had: answers are texts",
    "prediction": "is not to be had: no call could use it",
    "web_search_options": "is not to be had: a recipe says what its models may use",
    "moderation": "is not to be had: a recipe says what is looked at",
}


class Chat:
    """`POST /v1/chat/completions`."""

    def read(self, body: dict[str, Any], limits: BodyLimits) -> Asked:
        fields = Fields(body)
        dials = dials_in(fields)
        name, stream = fields.needed_text("model"), fields.flag("stream")
        messages = fields.listed("messages")
        if messages is None:
            fields.refuse("messages", "is missing")
        options = fields.inner("stream_options")
        include_usage = options.flag("include_usage")
        options.only("include_obfuscation", False, why="is not to be had")
        options.end()
        format, _ = form_in(fields.inner("response_format"), inside="json_schema")
        tools, tool_options = _tools(fields)
        logprobs, top = fields.flag("logprobs"), fields.whole("top_logprobs", 0, 20)
        if top is not None and not logprobs:
            fields.refuse("top_logprobs", "makes no sense without `logprobs`")
        _only_one(fields)
        asked = asked_of(
            name=name,
            messages=[_message(place, message) for place, message in enumerate(messages or ())],
            limits=limits,
            dials=dials,
            stream=stream,
            tools=tools,
            tool_options=tool_options,
            format=format,
            temperature=fields.number("temperature", 0, 2),
            max_tokens=_max_tokens(fields),
            logprobs=logprobs,
            others=_others(fields, top),
            metadata=fields.take("metadata"),
            user=user_in(fields),
            seed=fields.whole("seed", -(2**63)),
            include_usage=include_usage,
        )
        fields.never(NEVER)
        fields.end()
        return asked

    def whole(self, asked: Asked, told: Told) -> bytes:
        calls = told.tool_calls
        message: dict[str, Json] = {"role": "assistant", "content": told.result.text or None, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        answer: dict[str, Json] = {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": asked.name,
            "choices": [
                {"index": 0, "message": message, "logprobs": _logprobs(asked, told), "finish_reason": told.finish}
            ],
            "usage": _usage(told),
            "system_fingerprint": told.fingerprint,
        }
        if told.receipt is not None:
            answer["recipelang"] = told.receipt
        return as_json(answer)

    def speaker(self, asked: Asked, fingerprint: str) -> ChatSpeaker:
        return ChatSpeaker(asked, fingerprint)

    def problem(self, problem: Problem, number: str, receipt: Mapping[str, Json] | None) -> bytes:
        return as_json(told_problem(problem, receipt))


class ChatSpeaker:
    """A stream of `chat.completion.chunk`: the role, the words, why they end, what they used, and `[DONE]`."""

    def __init__(self, asked: Asked, fingerprint: str) -> None:
        self._asked = asked
        head = {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": asked.name,
            "system_fingerprint": fingerprint,
        }
        self._head = b"data: " + as_json(head)[:-1]
        usage = b',"usage":null' if asked.include_usage else b""
        self._before = self._head + b',"choices":[{"index":0,"delta":{"content":'
        self._after = b'},"logprobs":null,"finish_reason":null}]' + usage + b"}\n\n"
        self._usage = usage
        self._called = 0  # calls that were begun

    def opening(self) -> bytes:
        delta = b',"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null'
        return self._head + delta + self._after

    def piece(self, text: str) -> bytes:
        return self._before + quoted(text) + self._after

    def call(self, piece: CallPiece, number: str) -> bytes:
        """Its number and its name first, then its arguments."""
        begun = b""
        if piece.name is not None:
            self._called += 1
            function = {"name": piece.name, "arguments": ""}
            call = {"index": piece.place, "id": number, "type": "function", "function": function}
            begun = self._chunk({"tool_calls": [call]})
        if not piece.arguments:
            return begun
        return begun + self._chunk({"tool_calls": [{"index": piece.place, "function": {"arguments": piece.arguments}}]})

    def ending(self, told: Told) -> bytes:
        parts = [self.call(piece, number) for piece, number in told.untold(self._called)]
        receipt = b"" if told.receipt is None else b',"recipelang":' + as_json(told.receipt)
        last = b"" if self._asked.include_usage else receipt
        parts.append(self._chunk({}, told.finish, _logprobs(self._asked, told), last))
        if self._asked.include_usage:
            parts.append(self._head + b',"choices":[],"usage":' + as_json(_usage(told)) + receipt + b"}\n\n")
        parts.append(b"data: [DONE]\n\n")
        return b"".join(parts)

    def _chunk(self, delta: Json, finish: str | None = None, logprobs: Json = None, more: bytes = b"") -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return self._head + b',"choices":[' + as_json(choice) + b"]" + self._usage + more + b"}\n\n"

    def broken(self, problem: Problem, receipt: Mapping[str, Json] | None) -> bytes:
        """An error in place of a chunk, and no `[DONE]`: what came before it is not the whole answer."""
        return b"data: " + as_json(told_problem(problem, receipt)) + b"\n\n"


# -------------------------------------------------------------------- fields


def _message(place: int, given: Json) -> Json:
    """A message as it came, without the fields that say nothing; what stands in it for a recipe to read is looked at."""
    if not isinstance(given, dict):
        return given
    message = {name: value for name, value in given.items() if value is not None}
    parts = message.get("content")
    if isinstance(parts, list):
        for number, part in enumerate(parts):
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str) and kind not in PARTS:
                at = f"messages[{place}].content[{number}].type"
                raise refused(f"`{at}` is `{kind:.40}`; content parts are {', '.join(PARTS)}", at)
            if isinstance(part, dict) and _BREAKPOINT in part:
                parts[number] = {name: value for name, value in part.items() if name != _BREAKPOINT}
    return message


def _tools(fields: Fields) -> tuple[list[Json], dict[str, Json]]:
    """The tools, and what is said about their use."""
    tools = fields.listed("tools") or []
    for place, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if (
            not isinstance(function, dict)
            or not isinstance(function.get("name"), str)
            or tool.get("type") != "function"
        ):
            raise refused(f"`tools[{place}]` is no function with a name", f"tools[{place}]")
    options: dict[str, Json] = {}
    choice = choice_in(fields, [tool["function"]["name"] for tool in tools])
    parallel = fields.said("parallel_tool_calls")
    if choice is not None:
        options["tool_choice"] = choice
    if parallel is not None:
        options["parallel_tool_calls"] = parallel
    if not tools and options in ({"tool_choice": "auto"}, {"tool_choice": "none"}):
        options = {}  # it asks for nothing
    return tools, options


def _max_tokens(fields: Fields) -> int | None:
    """The newer name wins where both are given."""
    older, newer = fields.whole("max_tokens", 1), fields.whole("max_completion_tokens", 1)
    return older if newer is None else newer


def _others(fields: Fields, top: int | None) -> dict[str, Json]:
    """What goes to the models as it is."""
    stop = texts(fields, "stop", 16)
    found = {
        "top_p": fields.number("top_p", 0, 1),
        "presence_penalty": fields.number("presence_penalty", -2, 2),
        "frequency_penalty": fields.number("frequency_penalty", -2, 2),
        "reasoning_effort": fields.text("reasoning_effort"),
        "verbosity": fields.text("verbosity"),
        "top_logprobs": top,
        "stop": stop or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _only_one(fields: Fields) -> None:
    """Fields that have one value here."""
    why = "is not to be had: a certificate is that of one answer; send the request again for another"
    fields.only("n", 1, why=why)
    fields.only("store", False, why="is not to be had: nothing is stored")
    fields.only("modalities", ["text"], why="is not to be had: answers are texts")
    fields.only("service_tier", "auto", "default", why="is not to be had: there is one tier")


# -------------------------------------------------------------------- answer


def _usage(told: Told) -> dict[str, Json]:
    prompt, completion = told.usage
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _logprobs(asked: Asked, told: Told) -> Json:
    found = logprobs_of(asked, told)
    return None if found is None else {"content": found, "refusal": None}
