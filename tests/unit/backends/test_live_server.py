"""The real thing: llama.cpp with a small model on this machine, called through our backend and by the openai package."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import openai
import pytest
from anyio.from_thread import start_blocking_portal

from model_calls import deltas_of, model_call, outcome_of, whole
from recipelang.backends.clients import open_client
from recipelang.backends.openai import OpenAIBackend
from recipelang.ir.plan import Model
from recipelang.localmodels.catalogue import LOCAL_MODELS
from recipelang.localmodels.server import can_serve, local_models
from recipelang.localmodels.store import ModelStore
from recipelang.runtime.confidence import confidence
from recipelang.runtime.ports import BackendError, Endpoint, FailureKind
from recipelang.runtime.values import Message

pytestmark = [
    pytest.mark.live,
    pytest.mark.anyio,
    pytest.mark.skipif(not can_serve(), reason="there is no llama.cpp for this machine"),
]

TINY = LOCAL_MODELS["smollm2-135m"]
QUESTION = (Message("user", "What is the capital of France? Answer in one short sentence."),)
CALL = model_call(model=Model("tiny", "here", TINY.id), messages=QUESTION, max_tokens=16, temperature=0.0)
GRADE = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["score"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def served() -> Iterator[Endpoint]:
    """The server that `recipelang run` starts, for all tests of this file."""
    store = ModelStore()
    store.pull(TINY)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(local_models(store)) as models:
        yield portal.call(models.endpoint, TINY.id)


@asynccontextmanager
async def backend_at(served: Endpoint, key: str | None = None) -> AsyncIterator[OpenAIBackend]:
    async with open_client(secure=False) as client:
        yield OpenAIBackend(served.url, key or served.key, client)


async def test_a_model_answers_whole_and_in_pieces_alike(served: Endpoint) -> None:
    async with backend_at(served) as backend:
        reply = await backend.complete(CALL)
        deltas = await deltas_of(backend, CALL)
    assert "Paris" in reply.text
    assert reply.usage is not None
    assert 0 < reply.usage.completion_tokens <= 16
    assert len(deltas) > 3
    assert whole(deltas).text == reply.text
    assert whole(deltas).usage == reply.usage


def test_a_server_whose_run_dies_while_it_begins_ends_too(served: Endpoint) -> None:
    settings = {"path": str(ModelStore().path(TINY)), "id": TINY.id, "key": "k", "system": None}
    command = [sys.executable, "-m", "recipelang.localmodels.serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(f"{json.dumps(settings)}\n".encode())
        server.stdin.close()
        server.stdout.close()
        assert server.wait(60) == 0  # and takes no leave of what it holds, in which it may hang


async def test_it_says_how_sure_it_is_of_the_tokens_of_its_answer_alone(served: Endpoint) -> None:
    call = model_call(**{**_fields(CALL), "logprobs": True})
    async with backend_at(served) as backend:
        reply = await backend.complete(call)
        streamed = whole(await deltas_of(backend, call))
    for found in (reply, streamed):
        assert found.logprobs is not None
        assert "".join(token.token for token in found.logprobs) == found.text  # without the token that ends it
        assert all(token.runner_up is not None for token in found.logprobs)
        sure = confidence(found.logprobs)
        assert sure is not None
        assert 0 < sure < 1


async def test_it_keeps_to_a_schema(served: Endpoint) -> None:
    async with backend_at(served) as backend:
        reply = await backend.complete(model_call(**{**_fields(CALL), "schema": json.dumps(GRADE)}))
    assert json.loads(reply.text)["score"] in range(10)


async def test_the_same_seed_gives_the_same_text_and_another_one_another(served: Endpoint) -> None:
    async def said(seed: int) -> str:
        return (await backend.complete(model_call(**{**_fields(CALL), "temperature": 1.5, "seed": seed}))).text

    async with backend_at(served) as backend:
        assert await said(1) == await said(1) != await said(2)


async def test_a_wrong_key_is_refused_and_not_shown(served: Endpoint) -> None:
    async with backend_at(served, "sk-wrong") as backend:
        error = await outcome_of(backend, stream=False, call=CALL)
    assert isinstance(error, BackendError)
    assert (error.kind, error.status, error.may_pass) == (FailureKind.AUTH, 401, False)
    assert "sk-wrong" not in error.message


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_prompt_that_is_too_long_is_told_as_such(served: Endpoint, stream: bool) -> None:
    call = model_call(**{**_fields(CALL), "messages": (Message("user", "moon " * 6000),)})
    async with backend_at(served) as backend:
        error = await outcome_of(backend, stream=stream, call=call)
    assert isinstance(error, BackendError)
    assert (error.kind, error.status, error.may_pass) == (FailureKind.CONTEXT, 400, False)


def test_the_openai_package_finds_our_server_in_order(served: Endpoint) -> None:
    with openai.OpenAI(base_url=served.url, api_key=served.key, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == [TINY.id]
        told = client.chat.completions.create(
            model=TINY.id,
            messages=[{"role": "user", "content": str(QUESTION[0].content)}],
            max_tokens=16,
            temperature=0,
        )
    assert "Paris" in (told.choices[0].message.content or "")
    with (
        openai.OpenAI(base_url=served.url, api_key="sk-wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.chat.completions.create(model=TINY.id, messages=[{"role": "user", "content": "Hello?"}])


def _fields(call: object) -> dict[str, object]:
    return {name: getattr(call, name) for name in ("model", "messages", "max_tokens", "temperature")}
