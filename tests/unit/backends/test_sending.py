"""What goes over the wire for a call, to the letter."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest

from model_calls import CALL, deltas_of, model_call, outcome_of
from recipelang.backends.clients import open_client
from recipelang.backends.openai import OpenAIBackend
from recipelang.ir.plan import Model
from recipelang.runtime.ports import BackendError, Reply
from recipelang.runtime.values import Message
from upstream import Answer, Received, Upstream, answered, completion, refused, replying

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "Which planet is the largest?"}]
PLAIN = {"model": "small-1", "messages": MESSAGES, "max_tokens": 100}
SCHEMA = {"type": "object", "properties": {"score": {"type": "number"}}, "required": ["score"]}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
PARTS = (
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
)


@asynccontextmanager
async def backend_at(upstream: Upstream, key: str | None = None) -> AsyncIterator[OpenAIBackend]:
    async with open_client(secure=False) as client:
        yield OpenAIBackend(upstream.url, key, client)


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({}, PLAIN),
        ({"temperature": 0.0}, {**PLAIN, "temperature": 0.0}),
        ({"temperature": 0.7, "seed": 42}, {**PLAIN, "temperature": 0.7, "seed": 42}),
        ({"logprobs": True}, {**PLAIN, "logprobs": True, "top_logprobs": 2}),
        ({"max_tokens": 7, "sample": 3}, {**PLAIN, "max_tokens": 7}),
        ({"tools": (TOOL,)}, {**PLAIN, "tools": [TOOL]}),
        (
            {"schema": json.dumps(SCHEMA)},
            {
                **PLAIN,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
                },
            },
        ),
        (
            {
                "messages": (
                    Message("system", "Be brief."),
                    Message("user", PARTS, {"name": "ada"}),
                    Message("assistant", None, {"tool_calls": [{"id": "1", "type": "function"}]}),
                    Message("tool", "42 — ∞ \ud83e\ude90", {"tool_call_id": "1"}),
                )
            },
            {
                **PLAIN,
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": list(PARTS), "name": "ada"},
                    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
                    {"role": "tool", "content": "42 — ∞ 🪐", "tool_call_id": "1"},
                ],
            },
        ),
    ],
    ids=["plain", "greedy", "seeded", "logprobs", "brief", "tools", "record", "conversation"],
)
async def test_a_call_is_sent_as_this_json_and_nothing_more(changes: dict[str, Any], sent: dict[str, Any]) -> None:
    with Upstream() as upstream:
        async with backend_at(upstream) as backend:
            await backend.complete(model_call(**changes))
            await deltas_of(backend, model_call(**changes))
    whole, stream = (request.json for request in upstream.requests)
    assert whole == sent
    assert stream == {**sent, "stream": True, "stream_options": {"include_usage": True}}


async def test_without_a_key_none_is_sent() -> None:
    with Upstream() as upstream:
        async with backend_at(upstream) as backend:
            await backend.complete(CALL)
    (request,) = upstream.requests
    assert "authorization" not in request.headers
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"] == "recipelang"


# ----------------------------------------------------- the limit on tokens

OPENAI_REFUSAL = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)


def newer_model(request: Received) -> Answer:
    """OpenAI's newer models."""
    if request.json["model"] == "newer" and "max_tokens" in request.json:
        return refused(400, OPENAI_REFUSAL, "unsupported_parameter")
    return replying()(request)


async def test_a_model_that_wants_max_completion_tokens_is_asked_so_from_then_on() -> None:
    newer = model_call(model=Model("newer", "lab", "newer"))
    with Upstream(newer_model) as upstream:
        async with backend_at(upstream) as backend:
            await backend.complete(newer)
            await deltas_of(backend, newer)
            await backend.complete(CALL)
    limits = [sorted({"max_tokens", "max_completion_tokens"} & request.json.keys()) for request in upstream.requests]
    assert limits == [["max_tokens"], ["max_completion_tokens"], ["max_completion_tokens"], ["max_tokens"]]
    assert [request.json[name] for request, (name,) in zip(upstream.requests, limits, strict=True)] == [100] * 4


async def test_a_model_that_refuses_both_spellings_is_asked_twice_and_no_more() -> None:
    with Upstream(refused(400, OPENAI_REFUSAL)) as upstream:
        async with backend_at(upstream) as backend:
            error = await outcome_of(backend, stream=False)
    assert isinstance(error, BackendError)
    assert error.message == f"HTTP 400: {OPENAI_REFUSAL}"
    assert len(upstream.requests) == 2


# --------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_so_the_key_goes_nowhere_else(status: int) -> None:
    with Upstream() as elsewhere, Upstream(refused(status, "moved", location=elsewhere.url)) as upstream:
        async with backend_at(upstream, "sk-secret") as backend:
            error = await outcome_of(backend, stream=False)
    assert isinstance(error, BackendError)
    assert error.status == status
    assert elsewhere.opened == 0


async def test_the_environment_reroutes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Upstream(refused(500, "a proxy was asked")) as proxy, Upstream() as upstream:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)
        async with backend_at(upstream) as backend:
            reply = await outcome_of(backend, stream=False)
    assert isinstance(reply, Reply)
    assert proxy.opened == 0


async def test_many_calls_at_once_wait_for_no_connection_and_leave_none() -> None:
    everyone = 150

    def together(request: Received) -> Answer:
        upstream_has_all = upstream.opened >= everyone
        return answered(completion("all here" if upstream_has_all else "not yet"))

    with Upstream(together) as upstream:
        async with backend_at(upstream) as backend, anyio.create_task_group() as group:
            for _ in range(everyone):
                group.start_soon(backend.complete, replace(CALL))
        upstream.wait_until(lambda server: server.open == 0)
    assert len(upstream.requests) == everyone
