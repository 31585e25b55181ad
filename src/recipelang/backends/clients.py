"""The HTTP client that is opened where the host brings none: our own on asyncio, and httpx2 elsewhere."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from recipelang.backends.transport import HttpClient
from recipelang.runtime.clock import runs_on_asyncio

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
    async with httpx2.AsyncClient(follow_redirects=False, trust_env=False, limits=limits, verify=trusted) as client:
        yield client


@asynccontextmanager
async def _wire_client(trusted: ssl.SSLContext) -> AsyncIterator[HttpClient]:
    from recipelang.backends.wire import WireClient  # deferred: for asyncio alone

    client = WireClient(trusted)
    try:
        yield client
    finally:
        await client.close()
