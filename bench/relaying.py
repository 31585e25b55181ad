"""The server that one would write by hand: aiohttp on both sides, one call handed on. `python bench/relaying.py PORT UPSTREAM`."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import Any  # Any: JSON

import aiohttp
from aiohttp import web


async def text_of(client: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> str:
    async with client.post(url, json=body) as response:
        return str((await response.json())["choices"][0]["message"]["content"])


def answer(model: str, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": int(time.time()), "model": model}
    return {**head, "choices": choices, "usage": usage}


def application(upstream: str) -> web.Application:
    url = f"{upstream}/v1/chat/completions"

    async def opened(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            app["client"] = client
            yield

    async def chat(request: web.Request) -> web.StreamResponse:
        client, body = request.app["client"], await request.json()
        if not body.get("stream"):
            return web.json_response(answer(body["model"], await text_of(client, url, body)))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        async with client.post(url, json=body) as relayed:
            async for part in relayed.content.iter_any():
                await response.write(part)
        return response

    app = web.Application()
    app.cleanup_ctx.append(opened)
    app.router.add_post("/v1/chat/completions", chat)
    return app


if __name__ == "__main__":
    if find_spec("uvloop"):
        import uvloop

        uvloop.install()
    web.run_app(application(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
