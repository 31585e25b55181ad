"""Who gives a call up closes its connection at once, with any client, whatever the server is about; nothing leaks."""

from __future__ import annotations

import gc
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import anyio
import anyio.to_thread
import httpx
import httpx2
import pytest
from anyio.abc import SocketAttribute, SocketStream

from model_calls import CALL, outcome_of
from recipelang.backends.clients import open_client
from recipelang.backends.openai import OpenAIBackend
from recipelang.backends.transport import HttpClient
from recipelang.runtime.ports import Reply
from upstream import ENDLESS_HEAD, STALL, STREAM_HEAD, Script, Upstream, chunk, event

pytestmark = pytest.mark.anyio

TRUSTING_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # no time is spent on certificates
STALLS: dict[str, Script] = {
    "before its headers": [STALL],
    "in its headers": [b"HTTP/1.1 200 OK\r\ncontent-", STALL],
    "before its body": [ENDLESS_HEAD, STALL],
    "in its body": [ENDLESS_HEAD, b'{"choices"', STALL],
    "in its stream": [STREAM_HEAD, event(chunk("Jup")), STALL],
    "in an event": [STREAM_HEAD, event(b'{"choices": [{"del')[:-6], STALL],
    "in a refusal": [b"HTTP/1.1 500 Oops\r\ncontent-length: 10\r\n\r\nsor", STALL],
}


@asynccontextmanager
async def httpx2_of_a_host() -> AsyncIterator[HttpClient]:
    async with httpx2.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY) as client:
        yield client


@asynccontextmanager
async def httpx_of_a_host() -> AsyncIterator[HttpClient]:
    async with httpx.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY) as client:
        yield client


@asynccontextmanager
async def our_own() -> AsyncIterator[HttpClient]:
    async with open_client(secure=False) as client:
        yield client


CLIENTS = [our_own, httpx2_of_a_host, httpx_of_a_host]
OpenClient = Callable[[], AbstractAsyncContextManager[HttpClient]]


async def has(upstream: Upstream, condition: Callable[[Upstream], bool]) -> None:
    await anyio.to_thread.run_sync(upstream.wait_until, condition)


@pytest.mark.parametrize("opened", CLIENTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("where", STALLS)
async def test_a_call_that_is_cancelled_closes_its_connection(where: str, stream: bool, opened: OpenClient) -> None:
    with Upstream(STALLS[where]) as upstream:
        async with opened() as client:
            backend = OpenAIBackend(upstream.url, None, client)
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: outcome_of(backend, stream=stream))
                await has(upstream, lambda server: len(server.requests) == 1)
                group.cancel_scope.cancel()
            await has(upstream, lambda server: server.open == 0)  # while the client is still open
    gc.collect()  # a leak would warn, and a warning is an error here


@pytest.mark.parametrize("opened", CLIENTS)
async def test_a_call_that_is_out_of_time_closes_its_connection(opened: OpenClient) -> None:
    with Upstream([STALL]) as upstream:
        async with opened() as client:
            with anyio.move_on_after(0.05) as scope:
                await OpenAIBackend(upstream.url, None, client).complete(CALL)
            await has(upstream, lambda server: server.open == 0)
    assert scope.cancelled_caught


@pytest.mark.parametrize("opened", CLIENTS)
async def test_a_stream_that_its_reader_leaves_closes_its_connection(opened: OpenClient) -> None:
    with Upstream(STALLS["in its stream"]) as upstream:
        async with opened() as client:
            backend = OpenAIBackend(upstream.url, None, client)
            async with aclosing(backend.stream(CALL)) as deltas:
                async for delta in deltas:
                    assert delta.text == "Jup"
                    break
            await has(upstream, lambda server: server.open == 0)
    gc.collect()


@pytest.mark.parametrize("opened", CLIENTS)
async def test_calls_that_are_cancelled_leave_the_others_alone(opened: OpenClient) -> None:
    with Upstream(lambda request: [STALL] if len(upstream.requests) % 2 else ANSWER) as upstream:
        async with opened() as client:
            backend = OpenAIBackend(upstream.url, None, client)
            replies = []
            for _ in range(4):
                with anyio.move_on_after(0.05):
                    await backend.complete(CALL)
                replies.append(await outcome_of(backend, stream=False))
    assert [isinstance(reply, Reply) for reply in replies] == [True] * 4


ANSWER = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 54\r\n\r\n",
    b'{"choices": [{"message": {"content": "Jupiter."}}]}   ',
]


@pytest.mark.parametrize("opened", [httpx2_of_a_host, httpx_of_a_host])
async def test_a_connection_is_used_again(opened: OpenClient) -> None:
    with Upstream() as upstream:
        async with opened() as client, open_client(secure=False) as own:
            for one in (client, own):
                backend = OpenAIBackend(upstream.url, None, one)
                assert [isinstance(await outcome_of(backend, stream=False), Reply) for _ in range(3)] == [True] * 3
    assert upstream.opened == 2


async def test_a_handshake_that_is_given_up_leaves_no_connection() -> None:
    """On trio httpcore alone leaves its socket open until it is collected."""
    left = anyio.Event()

    async def say_nothing(stream: SocketStream) -> None:
        async with stream:
            accepted.set()
            async for _ in stream:
                pass
        left.set()

    accepted, listener = anyio.Event(), await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, say_nothing)
        async with open_client() as client, anyio.create_task_group() as calling:
            calling.start_soon(OpenAIBackend(f"https://127.0.0.1:{port}/v1", None, client).complete, CALL)
            await accepted.wait()
            calling.cancel_scope.cancel()
            gc.disable()  # it would hide that nobody closes it
        try:
            with anyio.fail_after(5):
                await left.wait()
        finally:
            gc.enable()
        group.cancel_scope.cancel()
