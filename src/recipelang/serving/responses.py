"""OpenAI's responses, without a memory: what went before comes with each request; items in, items and events out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from recipelang.ir.plan import Contract
from recipelang.runtime.values import Json
from recipelang.serving.bodies import BodyLimits, Fields
from recipelang.serving.chat import told_problem
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

NEVER = {
    "previous_response_id": "is not to be had: nothing is stored; send the whole conversation in `input`",
    "conversation": "is not to be had: nothing is stored; send the whole conversation in `input`",
    "prompt": "is not to be had: there are no stored prompts",
    "max_tool_calls": "is not to be had: there are no tools of the server's own",
    "context_management": "is not to be had: the conversation is used as it comes",
    "moderation": "is not to be had",
}
_LOGPROBS = "message.output_text.logprobs"
_THOUGHTS = "reasoning.encrypted_content"
_TEXTS = ("input_text", "output_text", "text", "refusal")


class Responses:
    """`POST /v1/responses`."""

    def read(self, body: dict[str, Any], limits: BodyLimits) -> Asked:
        fields = Fields(body)
        fields.never(NEVER)
        dials = dials_in(fields)
        name, stream = fields.needed_text("model"), fields.flag("stream")
        instructions = fields.text("instructions")
        tools, tool_options, echo = _tools(fields)
        options = fields.inner("stream_options")
        options.only("include_obfuscation", False, why="is not to be had")
        options.end()
        format, verbosity, told_format = _text(fields)
        top = fields.whole("top_logprobs", 0, 20)
        logprobs = _includes_logprobs(fields) or bool(top)
        max_tokens = fields.whole("max_output_tokens", 1)
        temperature, top_p = fields.number("temperature", 0, 2), fields.number("top_p", 0, 1)
        reasoning = fields.inner("reasoning")
        effort = reasoning.text("effort")
        reasoning.only("summary", "auto", why="is not to be had: no model's thoughts are passed on")
        reasoning.end()
        others = {"top_p": top_p, "reasoning_effort": effort, "verbosity": verbosity, "top_logprobs": top or None}
        metadata = fields.take("metadata")
        _only_one(fields)
        asked = asked_of(
            name=name,
            messages=_conversation(fields.take("input"), instructions),
            limits=limits,
            dials=dials,
            stream=stream,
            tools=tools,
            tool_options=tool_options,
            format=format,
            temperature=temperature,
            max_tokens=max_tokens,
            logprobs=logprobs,
            others={name: value for name, value in others.items() if value is not None},
            metadata=metadata,
            user=_user(fields),
            include_usage=True,
            echo={
                **echo,
                "instructions": instructions,
                "max_output_tokens": max_tokens,
                "metadata": metadata or {},
                "reasoning": {"effort": effort, "summary": None},
                "temperature": temperature,
                "text": {"format": told_format},
                "top_p": top_p,
            },
        )
        fields.end()
        return asked

    def whole(self, asked: Asked, told: Told) -> bytes:
        return as_json(_Response(asked).ended(told))

    def speaker(self, asked: Asked, fingerprint: str) -> ResponsesSpeaker:
        return ResponsesSpeaker(asked)

    def problem(self, problem: Problem, number: str, receipt: Mapping[str, Json] | None) -> bytes:
        return as_json(told_problem(problem, receipt))


class _Response:
    """The object that a response is, at each time of its life."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.id = new_id("resp_")
        self.message_id = new_id("msg_")
        self._created = int(time.time())

    def at(self, status: str, **more: Json) -> dict[str, Json]:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": self.asked.name,
            "output": [],
            "previous_response_id": None,
            "store": False,
            "background": False,
            "truncation": "disabled",
            "service_tier": "default",
            "usage": None,
            **self.asked.echo,
            **more,
        }

    def ended(self, told: Told) -> dict[str, Json]:
        cut = told.finish == "length"
        prompt, completion = told.usage
        return self.at(
            "incomplete" if cut else "completed",
            incomplete_details={"reason": "max_output_tokens"} if cut else None,
            output=self.items(told),
            usage={
                "input_tokens": prompt,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": completion,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": prompt + completion,
            },
            **({} if told.receipt is None else {"recipelang": told.receipt}),
        )

    def items(self, told: Told) -> list[dict[str, Json]]:
        text = told.result.text
        items: list[dict[str, Json]] = []
        if text or not told.tool_calls:
            items.append(
                self.message(self.text_part(text, told), "incomplete" if told.finish == "length" else "completed")
            )
        return items + [_function_call(call) for call in told.tool_calls]

    def message(self, part: dict[str, Json] | None, status: str) -> dict[str, Json]:
        content = [] if part is None else [part]
        return {"id": self.message_id, "type": "message", "status": status, "role": "assistant", "content": content}

    def text_part(self, text: str, told: Told | None) -> dict[str, Json]:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": self._logprobs(told)}

    def _logprobs(self, told: Told | None) -> list[dict[str, Json]]:
        wishes = self.asked.request.wishes
        if told is None or told.logprobs is None or not wishes.logprobs:
            return []
        top = wishes.others.get("top_logprobs", 0)
        return [
            {**_odds(token.token, token.logprob), "top_logprobs": [_odds(*other) for other in token.best[:top]]}
            for token in told.logprobs
        ]


class ResponsesSpeaker:
    """A stream of typed events, numbered from 0: the items of the answer as they grow."""

    def __init__(self, asked: Asked) -> None:
        self._response = _Response(asked)
        self._number = 0
        self._texts: list[str] = []
        self._place = b'"item_id":%b,"output_index":0,"content_index":0,' % quoted(self._response.message_id)

    def opening(self) -> bytes:
        begun = self._response.at("in_progress")
        return self._event("response.created", {"response": begun}) + self._event(
            "response.in_progress", {"response": begun}
        )

    def piece(self, text: str) -> bytes:
        begun = b"" if self._texts else self._message_begun()
        self._texts.append(text)
        data = b'%b"delta":%b,"logprobs":[]' % (self._place, quoted(text))
        return begun + self._raw("response.output_text.delta", data)

    def ending(self, told: Told) -> bytes:
        parts = []
        items = self._response.items(told)
        for index, item in enumerate(items):
            parts.append(self._message_ended(item, told) if item["type"] == "message" else self._call(index, item))
        ended = self._response.ended(told)
        parts.append(self._event(f"response.{ended['status']}", {"response": ended}))
        return b"".join(parts)

    def broken(self, problem: Problem, receipt: Mapping[str, Json] | None) -> bytes:
        code = "rate_limit_exceeded" if problem.kind is ProblemKind.RATE_LIMIT else "server_error"
        more = {} if receipt is None else {"recipelang": receipt}
        failed = self._response.at("failed", error={"code": code, "message": problem.message}, **more)
        return self._event("response.failed", {"response": failed})

    def _message_begun(self) -> bytes:
        item = self._event(
            "response.output_item.added", {"output_index": 0, "item": self._response.message(None, "in_progress")}
        )
        part = self._place + b'"part":' + as_json(self._response.text_part("", None))
        return item + self._raw("response.content_part.added", part)

    def _message_ended(self, item: dict[str, Json], told: Told) -> bytes:
        begun = b"" if self._texts else self._message_begun()
        part = item["content"][0]
        done = b'%b"text":%b,"logprobs":%b' % (self._place, quoted(part["text"]), as_json(part["logprobs"]))
        return (
            begun
            + self._raw("response.output_text.done", done)
            + self._raw("response.content_part.done", self._place + b'"part":' + as_json(part))
            + self._event("response.output_item.done", {"output_index": 0, "item": item})
        )

    def _call(self, index: int, item: dict[str, Json]) -> bytes:
        place = {"item_id": item["id"], "output_index": index}
        begun = {**item, "status": "in_progress", "arguments": ""}
        return (
            self._event("response.output_item.added", {"output_index": index, "item": begun})
            + self._event("response.function_call_arguments.delta", {**place, "delta": item["arguments"]})
            + self._event(
                "response.function_call_arguments.done",
                {**place, "name": item["name"], "arguments": item["arguments"]},
            )
            + self._event("response.output_item.done", {"output_index": index, "item": item})
        )

    def _event(self, kind: str, data: dict[str, Json]) -> bytes:
        return self._raw(kind, as_json(data)[1:-1])

    def _raw(self, kind: str, data: bytes) -> bytes:
        name = kind.encode()
        number = self._number
        self._number += 1
        return b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b}\n\n' % (name, name, number, data)


# -------------------------------------------------------------------- fields


def _conversation(given: Json, instructions: str | None) -> list[dict[str, Json]]:
    """The items of `input` as messages; calls that follow each other are those of one message."""
    messages: list[dict[str, Json]] = []
    if instructions is not None:
        messages.append({"role": "system", "content": instructions})
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    if not isinstance(given, list):
        raise refused("`input` is neither a text nor a list of items", "input")
    for place, item in enumerate(given):
        _add(f"input[{place}]", item, messages)
    return messages


def _add(place: str, item: Json, messages: list[dict[str, Json]]) -> None:
    kind = item.get("type", "message") if isinstance(item, dict) else None
    if kind == "message":
        messages.append({"role": item.get("role"), "content": _content(f"{place}.content", item.get("content"))})
    elif kind == "function_call":
        call = {
            "id": item.get("call_id"),
            "type": "function",
            "function": {"name": item.get("name"), "arguments": item.get("arguments")},
        }
        last = messages[-1] if messages else {}
        if last.get("role") != "assistant":
            last = {"role": "assistant", "content": None}
            messages.append(last)
        last["tool_calls"] = [*last.get("tool_calls", ()), call]
    elif kind == "function_call_output":
        output = _content(f"{place}.output", item.get("output"))
        messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": output})
    else:
        raise refused(f"`{place}` is {kind!r:.40}; items are message, function_call and function_call_output", place)


def _content(place: str, given: Json) -> Json:
    if not isinstance(given, list):
        return given
    return [_part(f"{place}[{number}]", part) for number, part in enumerate(given)]


def _part(place: str, given: Json) -> dict[str, Json]:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind in _TEXTS:
        return {"type": "text", "text": given.get("refusal" if kind == "refusal" else "text")}
    if kind == "input_image" and isinstance(given.get("image_url"), str):
        image = {"url": given["image_url"]}
        if given.get("detail") is not None:
            image["detail"] = given["detail"]
        return {"type": "image_url", "image_url": image}
    if kind == "input_file" and isinstance(given.get("file_data"), str):
        file = {name: given[name] for name in ("file_data", "filename") if given.get(name) is not None}
        return {"type": "file", "file": file}
    known = "input_text, output_text, input_image with an `image_url` and input_file with `file_data`"
    raise refused(f"`{place}` is no content part that can be passed on; those are {known}", place)


def _tools(fields: Fields) -> tuple[list[Json], dict[str, Json], dict[str, Json]]:
    """The tools and what is said about their use, in the form of chat completions, and both as they came."""
    given = fields.listed("tools") or []
    tools: list[dict[str, Any]] = []
    for place, tool in enumerate(given):
        told = Fields(tool, f"tools[{place}].")
        if told.take("type") != "function":
            raise refused(f"`tools[{place}]` is no function: a server that is a model has no tools of its own", "tools")
        function: dict[str, Json] = {"name": told.needed_text("name")}
        function |= {
            name: value for name in ("description", "parameters", "strict") if (value := told.take(name)) is not None
        }
        told.end()
        tools.append({"type": "function", "function": function})
    choice, parallel = fields.take("tool_choice"), fields.take("parallel_tool_calls")
    options: dict[str, Json] = {}
    if choice is not None and (tools or choice not in ("auto", "none")):
        options["tool_choice"] = _choice(fields, choice, [tool["function"]["name"] for tool in tools])
    if parallel is not None and tools:
        options["parallel_tool_calls"] = parallel
    echo = {
        "tools": given,
        "tool_choice": "auto" if choice is None else choice,
        "parallel_tool_calls": True if parallel is None else parallel,
    }
    return tools, options, echo


def _choice(fields: Fields, choice: Json, known: list[str]) -> Json:
    if choice in ("none", "auto", "required"):
        return choice
    if isinstance(choice, dict) and choice.get("type") == "function" and choice.get("name") in known:
        return {"type": "function", "function": {"name": choice["name"]}}
    return fields.refuse("tool_choice", "is neither none, auto, required nor one of the `tools`")


def _text(fields: Fields) -> tuple[tuple[Contract, bool] | None, str | None, Json]:
    """The form of the answer, how wordy it is, and the form as it came."""
    text = fields.inner("text")
    verbosity = text.text("verbosity")
    form = text.inner("format")
    kind = form.one_of("type", ("text", "json_object", "json_schema"))
    found = None
    told: dict[str, Json] = {"type": kind or "text"}
    if kind == "json_object":
        found = any_object()
    elif kind == "json_schema":
        name, description = form.text("name"), form.text("description")
        strict, schema = form.flag("strict"), form.take("schema")
        found = form_of(schema, strict, "text.format.schema")
        told |= {"name": name, "description": description, "strict": strict, "schema": schema}
    form.end()
    text.end()
    return found, verbosity, told


def _includes_logprobs(fields: Fields) -> bool:
    """Clients that keep their own conversations ask for encrypted thoughts as a matter of course. There are none."""
    wanted = fields.listed("include") or []
    unknown = [one for one in wanted if one not in (_LOGPROBS, _THOUGHTS)]
    if unknown:
        fields.refuse("include", f"has {unknown[0]!r:.60}; there is `{_LOGPROBS}`")
    return _LOGPROBS in wanted


def _only_one(fields: Fields) -> None:
    fields.only("store", False, why="is not to be had: nothing is stored")
    fields.only("background", False, why="is not to be had: nothing is stored")
    fields.only("truncation", "disabled", why="is not to be had: a conversation that is too long is refused")
    fields.only("service_tier", "auto", "default", why="is not to be had: there is one tier")


def _user(fields: Fields) -> str | None:
    older, newer = fields.text("user"), fields.text("safety_identifier")
    fields.text("prompt_cache_key")  # a hint that changes no answer
    fields.text("prompt_cache_retention")
    return newer or older


def _function_call(call: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "id": new_id("fc_"),
        "type": "function_call",
        "status": "completed",
        "call_id": call["id"],
        "name": call["function"]["name"],
        "arguments": call["function"]["arguments"],
    }


def _odds(token: str, logprob: float) -> dict[str, Json]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}
