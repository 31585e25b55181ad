"""The HTTP client that is opened where the host brings none: aiohttp where it is installed and can run, else httpx2."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from recipelang.backends.transport import HttpClient, Response
from recipelang.runtime.clock import runs_on_asyncio

if TYPE_CHECKING:
    import aiohttp

KEPT_OPEN = 64
"""Idle connections that httpx2 keeps: its pool looks at each of them for each request."""
KEEPALIVE = 30.0
"""Seconds that an idle connection is kept."""


@asynccontextmanager
async def open_client(*, secure: bool = True) -> AsyncIterator[HttpClient]:
    """A client that follows no redirects and takes neither proxies nor passwords from the environment.

    Neither limits the connections: how many calls are in flight is the budget's to say, and a call that waited for a
    connection would use up its step's time unseen. One that is not to be `secure` is for addresses without TLS: it
    loads no certificates, which takes longer than all else, and trusts nobody.
    """
    opened = _aiohttp_client if runs_on_asyncio() and find_spec("aiohttp") is not None else _httpx2_client
    async with opened(_trusted() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as client:
        yield client


def _trusted() -> ssl.SSLContext:
    """Whom the system trusts, the same whichever client it is."""
    import httpx2  # deferred: start-up cost

    return httpx2.create_ssl_context(trust_env=False)


@asynccontextmanager
async def _httpx2_client(trusted: ssl.SSLContext) -> AsyncIterator[HttpClient]:
    import httpx2  # deferred: start-up cost

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=KEPT_OPEN, keepalive_expiry=KEEPALIVE)
    async with httpx2.AsyncClient(follow_redirects=False, trust_env=False, limits=limits, verify=trusted) as client:
        yield client


@asynccontextmanager
async def _aiohttp_client(trusted: ssl.SSLContext) -> AsyncIterator[HttpClient]:
    import aiohttp  # deferred: start-up cost, and an extra

    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE, ssl=trusted)
    cookies = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=cookies, auto_decompress=False) as session:
        yield AiohttpClient(session)


class AiohttpClient:
    """A session of aiohttp in the manner of httpx: several times less work for each call, on asyncio only."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def stream(
        self,
        method: str,
        url: str,
        *,
        content: bytes,
        headers: Mapping[str, str],
        timeout: tuple[float | None, float | None, float | None, float | None],
        follow_redirects: bool,
    ) -> AbstractAsyncContextManager[Response]:
        return self._responding(method, url, content, headers, timeout[0], follow_redirects)

    @asynccontextmanager
    async def _responding(
        self,
        method: str,
        url: str,
        content: bytes,
        headers: Mapping[str, str],
        connecting: float | None,
        follow_redirects: bool,
    ) -> AsyncIterator[Response]:
        import aiohttp  # deferred: an extra

        async with self._session.request(
            method,
            url,
            data=content,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connecting),
            allow_redirects=follow_redirects,
        ) as response:
            yield AiohttpResponse(response)


class AiohttpResponse:
    """What is read of a response."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status_code = response.status
        self.headers = response.headers
        self._content = response.content

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        async for part in self._content.iter_any():
            yield part
