"""The client for asyncio: which connections it uses again, and what it makes of odd replies."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest

from model_calls import CALL, outcome_of
from recipelang.backends.openai import OpenAIBackend
from recipelang.backends.transport import Fetched
from recipelang.backends.wire import ClientError, InvalidURL, WireClient, target_of
from recipelang.runtime.ports import Reply
from upstream import STALL, Upstream, answered, completion, http

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client() -> AsyncIterator[WireClient]:
    opened = WireClient(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    yield opened
    await opened.close()


async def fetched(client: WireClient, upstream: Upstream, **headers: str) -> Fetched:
    return await client.fetch(f"{upstream.url}/chat/completions", b"{}", headers)


async def test_a_connection_is_used_again_unless_the_server_ends_it(client: WireClient) -> None:
    with Upstream(answered({})) as upstream:
        for _ in range(3):
            await fetched(client, upstream)
        assert upstream.opened == 1
    with Upstream(answered({}, connection="close")) as upstream:
        for _ in range(3):
            await fetched(client, upstream)
        assert upstream.opened == 3


async def test_what_comes_before_the_reply_is_passed_over(client: WireClient) -> None:
    with Upstream([b"HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n", *http(200, b"{}")]) as upstream:
        response = await fetched(client, upstream)
    assert (response.status_code, response.body) == (200, b"{}")
    assert "link" not in response.headers


async def test_a_body_may_come_in_chunks_or_go_on_to_the_end_of_the_connection(client: WireClient) -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{} \r\n1\r\n \r\n0\r\n\r\n"
    with Upstream([chunked]) as upstream:
        assert (await fetched(client, upstream)).body == b"{}  "
    with Upstream([b"HTTP/1.1 200 OK\r\n\r\n{}"]) as upstream:
        assert (await fetched(client, upstream)).body == b"{}"


async def test_what_is_no_http_is_a_failure(client: WireClient) -> None:
    with Upstream([b"+OK ready\r\n\r\n", STALL]) as upstream, pytest.raises(ClientError, match="no HTTP"):
        await fetched(client, upstream)


async def test_headers_without_end_are_given_up(client: WireClient) -> None:
    with (
        Upstream([b"HTTP/1.1 200 OK\r\na: ", b"b" * 100_000, STALL]) as upstream,
        pytest.raises(ClientError, match="larger than 64 KiB"),
    ):
        await fetched(client, upstream)


async def test_no_header_can_bring_another(client: WireClient) -> None:
    with Upstream() as upstream, pytest.raises(ClientError, match="more than one line"):
        await fetched(client, upstream, a="b\r\nc: d")
    assert not upstream.requests


async def test_a_stream_that_is_read_to_its_end_leaves_its_connection_to_the_next(client: WireClient) -> None:
    with Upstream(answered(completion())) as upstream:
        backend = OpenAIBackend(upstream.url, None, client)
        for _ in range(3):
            assert isinstance(await outcome_of(backend, stream=True), Reply)
            assert (await backend.complete(CALL)).text == "Jupiter."
        assert upstream.opened == 1


@pytest.mark.parametrize("url", ["ftp://a/b", "http://", "http://a:x/", "http://me:word@a/", "a.example/v1"])
def test_an_address_that_can_not_be_called_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        target_of(url)


def test_an_address_says_whom_to_ask_for_what() -> None:
    assert target_of("https://a.example/v1/x y?q=1") == (True, "a.example", 443, "a.example", "/v1/x%20y?q=1")
    assert target_of("http://[::1]:8000/v1") == (False, "::1", 8000, "[::1]:8000", "/v1")
