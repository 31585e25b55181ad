"""The HTTP client that is opened where the host brings none: our own on asyncio, and httpx2 elsewhere."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from recipelang.backends.transport import HttpClient
from recipelang.runtime.clock import runs_on_asyncio

if TYPE_CHECKING:
    import httpx2

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
    opened = _wire_client if runs_on_asyncio() else _httpx2_client
    async with opened(_trusted(secure)) as client:
        yield client


def _trusted(secure: bool) -> ssl.SSLContext:
    """Whom the system trusts, the same whichever client it is; nobody, where nothing is to be secure."""
    if not secure:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    import httpx2  # deferred: start-up cost

    return httpx2.create_ssl_context(trust_env=False)


@asynccontextmanager
async def _httpx2_client(trusted: ssl.SSLContext) -> AsyncIterator[HttpClient]:
    import httpx2  # deferred: start-up cost

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=KEPT_OPEN, keepalive_expiry=KEEPALIVE)
    transport = httpx2.AsyncHTTPTransport(verify=trusted, trust_env=False, limits=limits)
    if not runs_on_asyncio():
        _close_cancelled_handshakes(transport)
    async with httpx2.AsyncClient(follow_redirects=False, trust_env=False, transport=transport) as client:
        yield client


def _close_cancelled_handshakes(transport: httpx2.AsyncHTTPTransport) -> None:
    """On trio httpcore leaves the socket of a TLS handshake that is cancelled to the garbage collector: close it at once."""
    handle = transport.handle_async_request

    async def handled(request: httpx2.Request) -> httpx2.Response:
        connecting: list[Any] = []  # Any: a stream of httpcore's

        async def trace(event: str, told: Mapping[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                connecting.append(told["return_value"])
            elif event == "connection.start_tls.complete":
                connecting.clear()

        request.extensions = {**request.extensions, "trace": trace}
        try:
            return await handle(request)
        except BaseException:
            with anyio.CancelScope(shield=True):
                for stream in connecting:
                    await stream.aclose()
            raise

    transport.handle_async_request = handled  # type: ignore[method-assign]  # around its own


@asynccontextmanager
async def _wire_client(trusted: ssl.SSLContext) -> AsyncIterator[HttpClient]:
    from recipelang.backends.wire import WireClient  # deferred: for asyncio alone

    client = WireClient(trusted)
    try:
        yield client
    finally:
        await client.close()
