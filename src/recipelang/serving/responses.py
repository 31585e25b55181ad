"""OpenAI's responses, without a memory: what went before comes with each request; items in, items and events out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from recipelang.ir.plan import Contract
from recipelang.runtime.ports import CallPiece
from recipelang.runtime.values import Json
from recipelang.serving.bodies import BodyLimits, Fields
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
from recipelang.serving.problems import Problem, ProblemKind, refused

NEVER = {
    "previous_response_id": "is not to be had: nothing is stored; send the whole conversation in `input`",
    "conversation": "is not to be had: nothing is stored; send the whole conversation in `input`",
    "prompt": "is not to be had: there are no stored prompts",
    "max_tool_calls": "is not to be had: there are no tools of the server's own",
    "context_management": "is not to be had: the conversation is used as it comes",
    "moderation": "is not to be had: a recipe says what is looked at",
    "image": "is not to be had: answers are texts",
    "access_programs": "is not to be had: there are none",
    "background_options": "is not to be had: nothing is stored",
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
            user=user_in(fields),
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

    def ended(self, told: Told, items: list[dict[str, Json]] | None = None) -> dict[str, Json]:
        """The whole response; `items`: where they were told before."""
        cut = told.finish == "length"
        prompt, completion = told.usage
        return self.at(
            "incomplete" if cut else "completed",
            incomplete_details={"reason": "max_output_tokens"} if cut else None,
            output=self.items(told) if items is None else items,
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
        calls = [
            _function_call(call["id"], call["function"]["name"], call["function"]["arguments"], "completed")
            for call in told.tool_calls
        ]
        return calls if calls and not text else [_message(self.text_part(text, told), _status(told)), *calls]

    def text_part(self, text: str, told: Told | None) -> dict[str, Json]:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs_of(self.asked, told) or []}


class ResponsesSpeaker:
    """A stream of typed events, numbered from 0: the items of the answer as they grow, one after the other."""

    def __init__(self, asked: Asked) -> None:
        self._response = _Response(asked)
        self._number = 0
        self._items: list[dict[str, Json]] = []  # those that have ended, as they are told in the end
        self._grown: list[str] = []  # the pieces of the item that grows
        self._item: dict[str, Json] | None = None  # it, as it began
        self._place = b""  # what its events say of where they belong
        self._called = 0  # calls that were begun

    def opening(self) -> bytes:
        begun = self._response.at("in_progress")
        return self._event("response.created", {"response": begun}) + self._event(
            "response.in_progress", {"response": begun}
        )

    def piece(self, text: str) -> bytes:
        begun = b"" if self._item is not None and self._item["type"] == "message" else self._message_begun()
        self._grown.append(text)
        data = b'%b"delta":%b,"logprobs":[]' % (self._place, quoted(text))
        return begun + self._raw("response.output_text.delta", data)

    def call(self, piece: CallPiece, number: str) -> bytes:
        begun = b""
        if piece.name is not None:
            self._called += 1
            begun = self._begun(_function_call(number, piece.name, "", "in_progress"))
        if not piece.arguments:
            return begun
        self._grown.append(piece.arguments)
        data = b'%b"delta":%b' % (self._place, quoted(piece.arguments))
        return begun + self._raw("response.function_call_arguments.delta", data)

    def ending(self, told: Told) -> bytes:
        parts = []
        if not told.tool_calls and self._item is None and not self._items:  # an answer that says nothing is one, too
            parts.append(self._message_begun())
        parts += [self.call(piece, number) for piece, number in told.untold(self._called)]
        parts.append(self._ended(told))
        response = self._response.ended(told, self._items)
        parts.append(self._event(f"response.{response['status']}", {"response": response}))
        return b"".join(parts)

    def broken(self, problem: Problem, receipt: Mapping[str, Json] | None) -> bytes:
        code = "rate_limit_exceeded" if problem.kind is ProblemKind.RATE_LIMIT else "server_error"
        more = {} if receipt is None else {"recipelang": receipt}
        failed = self._response.at("failed", error={"code": code, "message": problem.message}, **more)
        return self._event("response.failed", {"response": failed})

    def _begun(self, item: dict[str, Json]) -> bytes:
        """The end of the item before, and the beginning of the next one."""
        ended = self._ended(None)
        self._item, self._grown = item, []
        index = len(self._items)
        content = b'"content_index":0,' if item["type"] == "message" else b""
        self._place = b'"item_id":%b,"output_index":%d,%b' % (quoted(item["id"]), index, content)
        return ended + self._event("response.output_item.added", {"output_index": index, "item": item})

    def _message_begun(self) -> bytes:
        item = self._begun(_message(None, "in_progress"))
        part = self._place + b'"part":' + as_json(self._response.text_part("", None))
        return item + self._raw("response.content_part.added", part)

    def _ended(self, told: Told | None) -> bytes:
        """The end of the item that grows; `told`: where it is the last one."""
        item, self._item = self._item, None
        if item is None:
            return b""
        grown = "".join(self._grown)
        if item["type"] == "message":
            part = self._response.text_part(grown, told)
            item |= {"content": [part], "status": _status(told)}
            done = self._place + b'"text":%b,"logprobs":%b' % (quoted(grown), as_json(part["logprobs"]))
            ended = self._raw("response.output_text.done", done)
            ended += self._raw("response.content_part.done", self._place + b'"part":' + as_json(part))
        else:
            item |= {"arguments": grown, "status": "completed"}
            done = b'%b"name":%b,"arguments":%b' % (self._place, quoted(item["name"]), quoted(grown))
            ended = self._raw("response.function_call_arguments.done", done)
        self._items.append(item)
        return ended + self._event("response.output_item.done", {"output_index": len(self._items) - 1, "item": item})

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
    fields = Fields(item, f"{place}.")
    kind = fields.take("type") or "message"
    fields.hints("id", "status", "phase")
    if kind == "message":
        messages.append({"role": fields.take("role"), "content": _content(f"{place}.content", fields.take("content"))})
    elif kind == "function_call":
        function = {"name": fields.take("name"), "arguments": fields.take("arguments")}
        last = messages[-1] if messages else {}
        if last.get("role") != "assistant":
            last = {"role": "assistant", "content": None}
            messages.append(last)
        call = {"id": fields.take("call_id"), "type": "function", "function": function}
        last["tool_calls"] = [*last.get("tool_calls", ()), call]
    elif kind == "function_call_output":
        output = _content(f"{place}.output", fields.take("output"))
        messages.append({"role": "tool", "tool_call_id": fields.take("call_id"), "content": output})
    else:
        raise refused(f"`{place}` is {kind!r:.40}; items are message, function_call and function_call_output", place)
    fields.end()


def _content(place: str, given: Json) -> Json:
    if not isinstance(given, list):
        return given
    return [_part(f"{place}[{number}]", part) for number, part in enumerate(given)]


def _part(place: str, given: Json) -> dict[str, Json]:
    """A content part in the form of chat completions; what the parts of our own answers say besides ends here."""
    fields = Fields(given, f"{place}.")
    kind = fields.take("type")
    fields.hints("annotations", "logprobs", "prompt_cache_breakpoint")
    if kind in _TEXTS:
        name = "refusal" if kind == "refusal" else "text"
        said = fields.text(name)
        part: dict[str, Json] = {"type": "text", "text": fields.refuse(name, "is missing") if said is None else said}
    elif kind == "input_image" and (url := fields.text("image_url")) is not None:
        detail = fields.text("detail")
        part = {"type": "image_url", "image_url": {"url": url, **({} if detail is None else {"detail": detail})}}
    elif kind == "input_file" and (data := fields.text("file_data")) is not None:
        named = fields.text("filename")
        part = {"type": "file", "file": {"file_data": data, **({} if named is None else {"filename": named})}}
    else:
        known = "input_text, output_text, input_image with an `image_url` and input_file with `file_data`"
        raise refused(f"`{place}` is no content part that can be passed on; those are {known}", place)
    fields.end()
    return part


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
    choice = choice_in(fields, [tool["function"]["name"] for tool in tools])
    parallel = fields.said("parallel_tool_calls")
    options: dict[str, Json] = {}
    if choice is not None and (tools or choice == "required"):
        options["tool_choice"] = choice
    if parallel is not None and tools:
        options["parallel_tool_calls"] = parallel
    named = {"type": "function", **choice["function"]} if isinstance(choice, dict) else choice
    echo = {
        "tools": given,
        "tool_choice": named or "auto",
        "parallel_tool_calls": True if parallel is None else parallel,
    }
    return tools, options, echo


def _text(fields: Fields) -> tuple[tuple[Contract, bool] | None, str | None, Json]:
    """The form of the answer, how wordy it is, and the form as it came."""
    text = fields.inner("text")
    verbosity = text.text("verbosity")
    found, told = form_in(text.inner("format"))
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


def _message(part: dict[str, Json] | None, status: str) -> dict[str, Json]:
    content = [] if part is None else [part]
    return {"id": new_id("msg_"), "type": "message", "status": status, "role": "assistant", "content": content}


def _status(told: Told | None) -> str:
    """How a message ended; with what follows on it, it is complete."""
    return "incomplete" if told is not None and told.finish == "length" else "completed"


def _function_call(number: str, name: str, arguments: str, status: str) -> dict[str, Json]:
    return {
        "id": new_id("fc_"),
        "type": "function_call",
        "status": status,
        "call_id": number,
        "name": name,
        "arguments": arguments,
    }
