"""Any endpoint that speaks OpenAI's chat completions: vLLM, llama.cpp, SGLang, Ollama and most providers."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from recipelang.backends.documents import to_bytes
from recipelang.backends.refusals import LONGEST_MESSAGE, refusal
from recipelang.backends.replies import parsed, reply_of
from recipelang.backends.streaming import Assembly, Events
from recipelang.backends.transport import HttpClient, Response, body_of, fetching, limited, posted
from recipelang.runtime.ports import BackendError, Delta, ModelCall, Reply
from recipelang.runtime.trace import messages_as_json

TOP_LOGPROBS = 2
"""Alternatives asked for at each token: the chosen one and its runner-up."""


class OpenAIBackend:
    """One endpoint; `url` is what stands before `/chat/completions`. The client stays the caller's to close.

    `patience`: the seconds for which nothing may come of a reply before the call has failed; none: any time.
    """

    def __init__(self, url: str, key: str | None, client: HttpClient, patience: float | None = None) -> None:
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._client = client
        self._patience = patience
        self._fetch = fetching(client, patience)
        self._headers = _HEADERS if key is None else {**_HEADERS, "authorization": f"Bearer {key}"}
        self._kept = KeyKept(key)
        self._limited_by: dict[str, str] = {}  # by model: how it wants the limit on completion tokens spelled

    async def complete(self, call: ModelCall) -> Reply:
        with self._kept:
            while True:
                spelling = self._spelling(call)
                content = to_bytes(_payload(call, False, spelling))
                response = await self._fetch(self._url, content, self._with(call.headers))
                if response.status_code == 200:
                    return reply_of(parsed(response.body))
                self._spell_anew(call, spelling, refusal(response.status_code, response.headers, response.body))

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        with self._kept:
            async with self._answered(call) as response:
                if "text/event-stream" not in response.headers.get("content-type", "").lower():
                    reply = reply_of(parsed(await body_of(response)))  # a server that does not stream answers whole
                    yield Delta(reply.text)
                    yield Delta(reply=reply)
                    return
                assembly = Assembly()
                async with aclosing(_events_of(response)) as events:
                    async for event in events:
                        text, calls = assembly.add(event), assembly.new_calls()
                        if text or calls:
                            yield Delta(text, calls=calls)
                yield Delta(reply=assembly.reply())

    @asynccontextmanager
    async def _answered(self, call: ModelCall) -> AsyncGenerator[Response]:
        """The response to a call that is to stream, once it is 200; raises `BackendError`."""
        while True:
            spelling = self._spelling(call)
            content = to_bytes(_payload(call, True, spelling))
            async with posted(self._client, self._url, content, self._with(call.headers), self._patience) as response:
                if response.status_code == 200:
                    yield response
                    return
                error = refusal(response.status_code, response.headers, await body_of(response))
            self._spell_anew(call, spelling, error)

    def _with(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        return {**headers, **self._headers} if headers else self._headers

    def _spelling(self, call: ModelCall) -> str:
        return self._limited_by.get(call.model.id, _FIRST)

    def _spell_anew(self, call: ModelCall, spelling: str, error: BackendError) -> None:
        """Remember that a model wants the other spelling, where that is what it says; else raise what it says."""
        if spelling == _LATER or not _wants_later_spelling(error):
            raise error
        self._limited_by[call.model.id] = _LATER


class KeyKept:
    """Whatever fails inside, its message has no key in it and is no longer than a person reads."""

    __slots__ = ("_key",)

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, BackendError):
            told = error.message.replace(self._key, "***") if self._key else error.message
            error.message = told if len(told) <= LONGEST_MESSAGE else f"{told[:LONGEST_MESSAGE]}…"
            error.args = (error.message,)


_FIRST, _LATER = "max_tokens", "max_completion_tokens"
_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "accept-encoding": "identity",  # a reply is small, and one that is packed can be made to swell: `body_of`
    "user-agent": "recipelang",
}


def _wants_later_spelling(error: BackendError) -> bool:
    """OpenAI's newer models refuse `max_tokens` and name what they want instead; every other server takes it."""
    return error.status == 400 and _LATER in error.message and "instead" in error.message


async def _events_of(response: Response) -> AsyncGenerator[dict[str, Any]]:
    """The events of a stream, up to `[DONE]`; raises `BackendError`."""
    events = Events()
    async with aclosing(limited(response)) as pieces:
        async for piece in pieces:
            for event in events.within(piece):
                yield event
            if events.done:
                return
    for event in events.rest():
        yield event


def _payload(call: ModelCall, stream: bool, spelling: str) -> Mapping[str, Any]:
    """The body of the request; what the call leaves open is left to the server."""
    payload: dict[str, Any] = {
        **call.others,
        "model": call.model.id,
        "messages": messages_as_json(call.messages),
        spelling: call.max_tokens,
    }
    if call.temperature is not None:
        payload["temperature"] = call.temperature
    if call.seed is not None:
        payload["seed"] = call.seed
    if call.logprobs:
        payload |= {"logprobs": True, "top_logprobs": max(TOP_LOGPROBS, call.others.get("top_logprobs", 0))}
    if call.schema is not None:
        payload["response_format"] = _form(json.loads(call.schema), call.strict)
    if call.tools:
        payload["tools"] = list(call.tools)
    if stream:
        payload |= {"stream": True, "stream_options": {"include_usage": True}}
    return payload


def _form(schema: Any, strict: bool) -> dict[str, Any]:
    """A schema as it is asked for; that of any object goes by a name that more servers know."""
    if schema == {"type": "object"}:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": strict, "schema": schema}}
