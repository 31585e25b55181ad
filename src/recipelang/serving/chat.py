"""OpenAI's chat completions: each field is honoured or refused by its name, and the chunks are as strict clients want them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from recipelang.ir.plan import Contract
from recipelang.runtime.values import Json, TokenLogprob
from recipelang.serving.bodies import BodyLimits, Fields, texts
from recipelang.serving.conversation import (
    Asked,
    Told,
    any_object,
    as_json,
    asked_of,
    dials_in,
    form_of,
    new_id,
    quoted,
)
from recipelang.serving.problems import Problem, ProblemKind, refused

PARTS = ("text", "image_url", "input_audio", "file", "video_url", "audio_url", "refusal")
"""The kinds of content parts that models may take; one that a model does not take, its provider refuses."""
NEVER = {
    "functions": "is not to be had: `tools` took its place",
    "function_call": "is not to be had: `tool_choice` took its place",
    "logit_bias": "is not to be had: the numbers of tokens differ from model to model",
    "audio": "is not to be had: answers are texts",
    "prediction": "is not to be had: no call could use it",
    "web_search_options": "is not to be had: a recipe says what its models may use",
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
        format = _format(fields)
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
            user=_user(fields),
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

    def opening(self) -> bytes:
        delta = b',"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null'
        return self._head + delta + self._after

    def piece(self, text: str) -> bytes:
        return self._before + quoted(text) + self._after

    def ending(self, told: Told) -> bytes:
        parts = []
        for index, call in enumerate(told.tool_calls):
            parts.append(self._chunk({"tool_calls": [{"index": index, **call}]}))
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


_TYPES = {
    ProblemKind.REQUEST: "invalid_request_error",
    ProblemKind.KEY: "authentication_error",
    ProblemKind.PERMISSION: "permission_error",
    ProblemKind.NOT_FOUND: "invalid_request_error",
    ProblemKind.TOO_LARGE: "invalid_request_error",
    ProblemKind.TIMEOUT: "timeout_error",
    ProblemKind.RATE_LIMIT: "rate_limit_error",
    ProblemKind.OVERLOADED: "server_error",
    ProblemKind.BUDGET: "insufficient_quota",
    ProblemKind.SERVER: "server_error",
}


def told_problem(problem: Problem, receipt: Mapping[str, Json] | None) -> dict[str, Json]:
    """An error in OpenAI's form."""
    error: dict[str, Json] = {
        "message": problem.message,
        "type": _TYPES[problem.kind],
        "param": problem.param,
        "code": problem.code,
    }
    return {"error": error} if receipt is None else {"error": error, "recipelang": receipt}


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
    return message


def _format(fields: Fields) -> tuple[Contract, bool] | None:
    form = fields.inner("response_format")
    kind = form.one_of("type", ("text", "json_object", "json_schema"))
    found = None
    if kind == "json_object":
        found = any_object()
    elif kind == "json_schema":
        told = form.inner("json_schema")
        told.text("name")
        told.text("description")
        strict = told.flag("strict")
        found = form_of(told.take("schema"), strict, "response_format.json_schema.schema")
        told.end()
    form.end()
    return found


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
    choice = fields.take("tool_choice")
    if choice is not None:
        named = choice["function"].get("name") if _names_function(choice) else None
        known = [tool["function"]["name"] for tool in tools]
        if choice not in ("none", "auto", "required") and named not in known:
            fields.refuse("tool_choice", "is neither none, auto, required nor one of the `tools`")
        options["tool_choice"] = choice
    parallel = fields.take("parallel_tool_calls")
    if parallel is not None:
        if not isinstance(parallel, bool):
            fields.refuse("parallel_tool_calls", "is neither true nor false")
        options["parallel_tool_calls"] = parallel
    if not tools and options in ({"tool_choice": "none"}, {"tool_choice": "auto"}):
        options = {}
    return tools, options


def _names_function(choice: Json) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("function"), dict)


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


def _user(fields: Fields) -> str | None:
    """Who asks, by the newer name or the older one: recipes read it, and nobody else is told."""
    older, newer = fields.text("user"), fields.text("safety_identifier")
    fields.text("prompt_cache_key")  # a hint that changes no answer
    fields.text("prompt_cache_retention")
    return newer or older


# -------------------------------------------------------------------- answer


def _usage(told: Told) -> dict[str, Json]:
    prompt, completion = told.usage
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _logprobs(asked: Asked, told: Told) -> Json:
    if not asked.request.wishes.logprobs or told.logprobs is None:
        return None
    top = asked.request.wishes.others.get("top_logprobs", 0)
    return {"content": [_token(token, top) for token in told.logprobs], "refusal": None}


def _token(token: TokenLogprob, top: int) -> dict[str, Json]:
    best: Sequence[tuple[str, float]] = token.best[:top]
    return {**_odds(token.token, token.logprob), "top_logprobs": [_odds(*other) for other in best]}


def _odds(token: str, logprob: float) -> dict[str, Json]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}
