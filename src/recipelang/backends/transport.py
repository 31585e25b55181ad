"""The HTTP client behind the backends: one POST, its failures named, its body kept to a size."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

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
    """An `httpx2.AsyncClient`, or an `httpx.AsyncClient` of the host's own."""

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


@asynccontextmanager
async def open_client() -> AsyncIterator[HttpClient]:
    """A client that follows no redirects and takes neither proxies nor passwords from the environment."""
    import httpx2  # deferred: start-up cost

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=30.0)
    async with httpx2.AsyncClient(follow_redirects=False, trust_env=False, limits=limits) as client:
        yield client


@asynccontextmanager
async def posted(client: HttpClient, url: str, content: bytes, headers: Mapping[str, str]) -> AsyncIterator[Response]:
    """The response to a POST, its body still to be read; raises `BackendError`. Leaving early closes the connection."""
    try:
        async with client.stream(
            "POST",
            url,
            content=content,
            headers=headers,
            timeout=(CONNECT_TIMEOUT, None, None, None),
            follow_redirects=False,
        ) as response:
            yield response
    except BackendError:
        raise
    except Exception as error:
        raise _named(error) from error


async def body_of(response: Response) -> bytes:
    """The whole body; raises `BackendError` where it is too large."""
    parts = [part async for part in limited(response)]
    return b"".join(parts)


async def limited(response: Response) -> AsyncIterator[bytes]:
    """The body in pieces as they come, up to `LARGEST_BODY`."""
    total = 0
    async for part in response.aiter_bytes():
        total += len(part)
        if total > LARGEST_BODY:
            raise BackendError(FailureKind.GARBAGE, f"the reply is larger than {LARGEST_BODY >> 20} MiB")
        yield part


def _named(error: Exception) -> BackendError | Exception:
    """The failure that an exception of the client's stands for. Both clients name theirs alike; others pass through."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if not names & {"HTTPError", "InvalidURL", "StreamError"}:
        return error
    if "TimeoutException" in names:
        return BackendError(FailureKind.TIMEOUT, f"no connection after {CONNECT_TIMEOUT:g} s", may_pass=True)
    if names & {"UnsupportedProtocol", "InvalidURL"}:
        return BackendError(FailureKind.REQUEST, f"the address can't be used: {error}")
    if "DecodingError" in names:
        return BackendError(FailureKind.GARBAGE, "the reply can't be decompressed")
    if "ConnectError" in names:
        if _is_about_certificates(error):
            return BackendError(FailureKind.REFUSED, f"no secure connection: {_reason(error)}")
        return BackendError(FailureKind.REFUSED, f"can't connect: {_reason(error)}", may_pass=True)
    return BackendError(FailureKind.REFUSED, f"the connection broke: {_reason(error)}", may_pass=True)


def _is_about_certificates(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return "CERTIFICATE" in str(error)


def _reason(error: BaseException) -> str:
    """The words of the operating system where they are underneath: `connection refused` rather than all attempts failed."""
    reason = str(error) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and cause.strerror:
            reason = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return reason[:1].lower() + reason[1:]
