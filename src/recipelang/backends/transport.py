"""The HTTP client behind the backends: one POST, its failures named, its body kept to a size."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Protocol, cast

import anyio

from recipelang.quick import dataclass
from recipelang.runtime.ports import BackendError, FailureKind

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes of a reply that are read before it is given up."""
CONNECT_TIMEOUT = 10.0
"""Seconds to connect. How long a reply may take is the recipe's to say."""


class Response(Protocol):
    """What is read of a response; those of `httpx2` and of `httpx` are such."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def aiter_bytes(self) -> AsyncIterator[bytes]: ...


class HttpClient(Protocol):
    """An `httpx2.AsyncClient` or an `httpx.AsyncClient` of the host's own, or that of `recipelang.backends.clients`."""

    def stream(
        self,
        method: str,
        url: str,
        *,
        content: bytes,
        headers: Mapping[str, str],
        timeout: tuple[float | None, float | None, float | None, float | None],
        follow_redirects: bool,
    ) -> AbstractAsyncContextManager[Response]: ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole response."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


Fetch = Callable[[str, bytes, Mapping[str, str]], Awaitable[Fetched]]
"""POSTs bytes to an address, with headers, and gives the whole response."""


class DirectClient(HttpClient, Protocol):
    """A client that also gives a whole response at once: those of `recipelang.backends.clients`."""

    async def fetch(self, url: str, content: bytes, headers: Mapping[str, str], patience: float | None) -> Fetched: ...


def fetching(client: HttpClient, patience: float | None = None) -> Fetch:
    """How a client fetches whole responses; what is got so raises `BackendError`, also where nothing comes for so long.

    A client that has no way of its own opens the response as a stream and reads it to the end. That
    is a tower of generators: with aiohttp, four calls at 100 in flight took 960 µs so, and 820 by a `fetch`.
    """
    if hasattr(client, "fetch"):
        return partial(_fetched, cast(DirectClient, client), patience)
    return partial(_read_out, client, patience)


async def _fetched(
    client: DirectClient, patience: float | None, url: str, content: bytes, headers: Mapping[str, str]
) -> Fetched:
    try:
        return await client.fetch(url, content, headers, patience)
    except BackendError:
        raise
    except Exception as error:
        failure = _named(error, patience)
        if failure is None:
            raise
        raise failure from error


async def _read_out(
    client: HttpClient, patience: float | None, url: str, content: bytes, headers: Mapping[str, str]
) -> Fetched:
    async with posted(client, url, content, headers, patience) as response:
        return Fetched(response.status_code, response.headers, await body_of(response))


def posted(
    client: HttpClient, url: str, content: bytes, headers: Mapping[str, str], patience: float | None = None
) -> AbstractAsyncContextManager[Response]:
    """The response to a POST, its body still to be read; raises `BackendError`. Leaving early closes the connection."""
    return asked("POST", client, url, content, headers, patience)


@asynccontextmanager
async def asked(
    method: str,
    client: HttpClient,
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    patience: float | None = None,
) -> AsyncIterator[Response]:
    """The same for any method; `patience` are the seconds for which nothing may come."""
    try:
        async with client.stream(
            method,
            url,
            content=content,
            headers=headers,
            timeout=(CONNECT_TIMEOUT, patience, None, None),
            follow_redirects=False,
        ) as response:
            yield response
    except BackendError:
        raise
    except Exception as error:
        failure = _named(error, patience)
        if failure is None:
            raise
        raise failure from error


async def body_of(response: Response) -> bytes:
    """The whole body; raises `BackendError` where it is too large."""
    async with aclosing(limited(response)) as parts:
        return b"".join([part async for part in parts])


async def limited(response: Response) -> AsyncGenerator[bytes]:
    """The body in pieces as they come, up to `LARGEST_BODY`. A packed one is not opened: it could swell a thousandfold."""
    must_be_plain(response.headers)
    total = 0
    parts = response.aiter_bytes()
    try:
        async for part in parts:
            total = within_limit(total + len(part))
            yield part
    except BaseException:
        await _abandoned(parts)
        raise


def must_be_plain(headers: Mapping[str, str]) -> None:
    """Raise `BackendError` for a reply that is packed."""
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise BackendError(FailureKind.GARBAGE, "the reply is packed, and was to come as it is")


def within_limit(size: int) -> int:
    """The size of what was read so far; raises `BackendError` where that is too much."""
    if size > LARGEST_BODY:
        raise BackendError(FailureKind.GARBAGE, f"the reply is larger than {LARGEST_BODY >> 20} MiB")
    return size


async def _abandoned(parts: AsyncIterator[bytes]) -> None:
    """End a body that is no longer wanted, from the inside out.

    That of our own client has nothing to end. Another client's is a tower of generators. To close the topmost leaves the others to the garbage collector, of
    which trio complains; to cancel the wait for the next piece ends all of them, and closes the connection.
    """
    if not hasattr(parts, "aclose"):
        return
    with anyio.CancelScope() as scope, suppress(Exception):
        scope.cancel()
        async for _ in parts:
            pass


def _named(error: Exception, patience: float | None) -> BackendError | None:
    """The failure that an exception of a client's stands for; none where it is no client's. They name theirs much alike."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if not names & {"HTTPError", "InvalidURL", "StreamError", "ClientError", "PyreqwestError"}:
        return None
    if names & {"UnsupportedProtocol", "InvalidURL", "NonHttpUrlClientError", "BuilderError"}:
        return BackendError(FailureKind.REQUEST, f"the address can't be used: {error}", sent=False)
    if "ReadTimeout" in names and patience is not None:
        return BackendError(FailureKind.TIMEOUT, f"nothing came for {patience:g} s", may_pass=True)
    if names & {"TimeoutException", "TimeoutError", "ConnectTimeout"} and not any(
        _is_told_by_system(cause) for cause in _causes(error)
    ):
        message = f"no connection after {CONNECT_TIMEOUT:g} s"
        return BackendError(FailureKind.TIMEOUT, message, may_pass=True, sent=False)
    is_connected = not names & {"ConnectError", "ConnectTimeout", "ClientConnectorError"}
    if any(_is_about_trust(cause) for cause in _causes(error)):
        return BackendError(FailureKind.REFUSED, f"no secure connection: {_reason(error)}", sent=is_connected)
    if not is_connected:
        return BackendError(FailureKind.REFUSED, f"can't connect: {_reason(error)}", may_pass=True, sent=False)
    return BackendError(FailureKind.REFUSED, f"the connection broke: {_reason(error)}", may_pass=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those underneath it; of several attempts, the first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__


def _is_told_by_system(error: BaseException) -> bool:
    """Whether it is the operating system's, and no mere delay: a client may call a refused connection a timeout."""
    return isinstance(error, OSError) and not isinstance(error, TimeoutError)


def _is_about_trust(error: BaseException) -> bool:
    """Whether the two ends could not agree on a secure connection, which no further attempt changes."""
    return isinstance(error, ssl.SSLError) and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))


def _reason(error: BaseException) -> str:
    """The words of the operating system where they are underneath: `connection refused` rather than all attempts failed."""
    reason = str(error) or type(error).__name__
    for cause in _causes(error):
        if isinstance(cause, OSError):
            reason = _words_of(cause) or reason
    return reason[:1].lower() + reason[1:]


def _words_of(error: OSError) -> str | None:
    """A client's own kinds of these may lack what Python's have."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return getattr(error, "verify_message", None)
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or "").replace("_", " ").lower()
    known = error.errno in errno.errorcode and not isinstance(error, socket.gaierror)
    return os.strerror(error.errno or 0) if known else error.strerror
