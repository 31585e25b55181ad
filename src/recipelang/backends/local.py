"""Models that are started on this machine when they are first called; knows nothing of how that is done."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from recipelang.backends.openai import OpenAIBackend
from recipelang.backends.transport import HttpClient
from recipelang.quick import replace
from recipelang.runtime.ports import Delta, Endpoints, ModelCall, Reply


class LocalBackend:
    """Speaks to each model where `endpoints` says that it is.

    Models as small as these write a call of a tool down in place of making it: then it is made for them.
    """

    def __init__(self, endpoints: Endpoints, client: HttpClient, patience: float | None = None) -> None:
        self._endpoints = endpoints
        self._client = client
        self._patience = patience

    async def complete(self, call: ModelCall) -> Reply:
        return called_in_words(call, await (await self._reached(call)).complete(call))

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        """As it comes; what may become a call of a tool is held back until it is clear."""
        held = ""
        async with aclosing((await self._reached(call)).stream(call)) as deltas:
            async for delta in deltas:
                held += delta.text
                if delta.reply is not None:
                    reply = called_in_words(call, delta.reply)
                    yield Delta(held if reply is delta.reply else "", reply, delta.calls)
                elif call.tools and held.lstrip()[:1] in ("", "{", "`"):
                    if delta.calls:
                        yield Delta(calls=delta.calls)
                else:
                    yield replace(delta, text=held)
                    held = ""

    async def _reached(self, call: ModelCall) -> OpenAIBackend:
        endpoint = await self._endpoints.endpoint(call.model.id)
        return OpenAIBackend(endpoint.url, endpoint.key, self._client, self._patience)


def called_in_words(call: ModelCall, reply: Reply) -> Reply:
    """The reply, as a call of a tool where all that it says is the name of one that is offered, and its arguments."""
    offered = [tool.get("function", {}).get("name") for tool in call.tools]
    if not offered or reply.tool_calls:
        return reply
    text = reply.text.strip()
    if text.startswith("```"):
        text = text.removeprefix("```").removeprefix("json").removesuffix("```").strip()
    if text.startswith("{{") and text.endswith("}}"):  # as the template of one of them shows it
        text = text[1:-1]
    try:
        told = json.loads(text)
    except ValueError:
        return reply
    if not isinstance(told, dict) or told.keys() != {"name", "arguments"} or told["name"] not in offered:
        return reply
    function = {"name": told["name"], "arguments": json.dumps(told["arguments"], ensure_ascii=False)}
    made = {"id": "call_0", "type": "function", "function": function}
    return replace(reply, text="", finish="tool_calls", tool_calls=(made,))
