"""HTTP/1.1 on asyncio as far as calling a model takes it: no redirects, no proxies, no cookies, nothing packed.

The bytes are read by httptools, in C. A run of one call takes 118 µs of CPU at 100 in flight, where the call alone takes
83 by aiohttp and 583 by httpx2 (`bench/engine.py`), and nothing grows with what is in flight: a free connection is the last
of a list, and nothing looks at the others. Who gives a call up closes its connection, so that the server stops as well.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, NamedTuple, Self, cast
from urllib.parse import quote, urlsplit

import httptools

from recipelang.backends import transport
from recipelang.backends.transport import LARGEST_BODY, Fetched, Response, must_be_plain, within_limit

KEEPALIVE = 30.0
"""Seconds that an idle connection is kept."""
HANDSHAKES = 512
"""Connections to one host that are made at a time: more than a system queues are dropped, and tried again seconds later."""
UNREAD = 256 * 1024
"""Bytes of a stream that wait for their reader before no more are taken from the server."""
LARGEST_HEAD = 64 * 1024
_EYEBALLS = 0.25
"""Seconds after which the next address of a host is tried as well; asyncio's way to do so may leave a socket to the
garbage collector that was given up as it was connected, and so an address of one number alone does without."""


class ClientError(Exception):
    """A call came to nothing; named as other clients name theirs, see `transport`."""


class InvalidURL(ClientError):
    pass


class ConnectError(ClientError):
    pass


class ConnectTimeout(ClientError):
    pass


class ReadTimeout(ClientError):
    pass


class Target(NamedTuple):
    """What an address says: whom to connect to, and what to ask of it."""

    secure: bool
    host: str
    port: int
    authority: str
    path: str


@lru_cache(maxsize=256)
def target_of(url: str) -> Target:
    """Raises `InvalidURL`."""
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host = (parts.hostname or "").encode("ascii" if ":" in (parts.hostname or "") else "idna").decode()
        port = parts.port or (443 if secure else 80)
    except ValueError as error:
        raise InvalidURL(str(error)) from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise InvalidURL("it is no http address of a host, without user and password")
    named = f"[{host}]" if ":" in host else host
    authority = named if parts.port is None else f"{named}:{port}"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (
        f"?{quote(parts.query, safe='/%?:@!$&()*+,;=~-._')}" if parts.query else ""
    )
    return Target(secure, host, port, authority, path)


class Connection(asyncio.Protocol):
    """One connection, and on it one response at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._parser: Any = None  # Any: httptools has no types
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self.most_unread = 0
        self.closed = False
        self._begin()

    def _begin(self) -> None:
        self.status_code = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.size = 0  # of the parts
        self._head_size = 0
        self.has_head = False
        self.complete = False
        self._keeps_alive = False
        self._error: Exception | None = None

    def ask(self, message: bytes, most_unread: int) -> None:
        """Send a request; its response is what comes next, of which so many bytes may wait for their reader."""
        self._begin()
        self.most_unread = most_unread
        self._parser = httptools.HttpResponseParser(self)
        assert self.transport is not None
        self.transport.write(message)

    async def changed(self, patience: float | None) -> None:
        """Wait until there is more of the response; raises what it ended by, and `ReadTimeout` after so many seconds."""
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        if patience is None:
            await self._waiter
        else:
            try:
                async with asyncio.timeout(patience):
                    await self._waiter
            except TimeoutError as error:
                raise ReadTimeout(f"nothing came for {patience:g} s") from error
        if self._error is not None:
            raise self._error

    def taken(self) -> list[bytes]:
        """The parts of the body that have come since the last time."""
        parts, size, self.parts, self.size = self.parts, self.size, [], 0
        if size > self.most_unread and self.transport is not None and not self.closed:
            self.transport.resume_reading()
        return parts

    @property
    def is_reusable(self) -> bool:
        return self.complete and self._keeps_alive and not self.closed

    def close(self) -> None:
        """End it at once, whatever it is about."""
        if self.transport is not None:
            self.transport.abort()

    # ---- of the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self.complete:
            self.close()  # a server that speaks without being asked
            return
        if not self.has_head:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ClientError(f"what came is no HTTP: {error.__context__ or error}"))
        if self._head_size > LARGEST_HEAD and not self.has_head:
            self._fail(ClientError(f"the headers are larger than {LARGEST_HEAD >> 10} KiB"))
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self.has_head and error is None and not self.headers.keys() & {"content-length", "transfer-encoding"}:
            self.complete = True  # such a body goes on to the end of the connection
        if not self.complete:
            broken = ClientError("the server ended the connection before its reply")
            broken.__cause__ = error
            self._fail(broken)
        self._wake()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self.close()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---- of the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        known, told = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        self.headers[known] = f"{self.headers[known]}, {told}" if known in self.headers else told

    def on_headers_complete(self) -> None:
        self.status_code = self._parser.get_status_code()
        self.has_head = self.status_code >= 200  # before it may come "go on"

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)
        self.size += len(part)
        if self.size > self.most_unread and self.transport is not None:
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.has_head:
            self.complete, self._keeps_alive = True, self._parser.should_keep_alive()
        else:
            self.headers = {}


class WireResponse:
    """What is read of a response."""

    def __init__(self, connection: Connection, patience: float | None) -> None:
        self._connection = connection
        self._patience = patience
        self.status_code = connection.status_code
        self.headers: Mapping[str, str] = connection.headers

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """What has come since the last time; what comes with an error is given before it."""
        connection = self._connection
        while not connection.parts:
            if connection.complete:
                raise StopAsyncIteration
            await connection.changed(self._patience)
        parts = connection.taken()
        return parts[0] if len(parts) == 1 else b"".join(parts)


class WireClient:
    """Calls over connections that are kept and used again."""

    def __init__(self, trusted: ssl.SSLContext) -> None:
        self._loop = asyncio.get_running_loop()
        self._trusted = trusted
        self._idle: dict[tuple[bool, str, int], deque[Connection]] = {}
        self._connecting: dict[tuple[bool, str, int], asyncio.Semaphore] = {}
        self._open: set[Connection] = set()

    async def fetch(
        self, url: str, content: bytes, headers: Mapping[str, str], patience: float | None = None
    ) -> Fetched:
        target = target_of(url)
        connection = await self._connection(target)
        try:
            connection.ask(_request("POST", target, headers, content), LARGEST_BODY)
            while not connection.complete:
                within_limit(connection.size)
                await connection.changed(patience)
            within_limit(connection.size)
        except BaseException:
            self._drop(connection)
            raise
        response = Fetched(connection.status_code, connection.headers, b"".join(connection.taken()))
        self._keep(target, connection)
        must_be_plain(response.headers)
        return response

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        content: bytes,
        headers: Mapping[str, str],
        timeout: tuple[float | None, float | None, float | None, float | None],
        follow_redirects: bool,
    ) -> AsyncIterator[Response]:
        target = target_of(url)
        connection = await self._connection(target)
        try:
            connection.ask(_request(method, target, headers, content), UNREAD)
            while not connection.has_head:
                await connection.changed(timeout[1])
            yield WireResponse(connection, timeout[1])
        finally:
            self._keep(target, connection)

    async def close(self) -> None:
        for connection in self._open:
            connection.close()
        await asyncio.sleep(0)  # the loop closes the sockets at its next turn

    async def _connection(self, target: Target) -> Connection:
        """The one that was used last, or a new one; where many are being made, whichever is there first."""
        connection = self._free(target)
        if connection is not None:
            return connection
        async with self._connecting.setdefault(target[:3], asyncio.Semaphore(HANDSHAKES)):
            connection = self._free(target) or await self._connected(target)
        self._open.add(connection)
        return connection

    def _free(self, target: Target) -> Connection | None:
        idle = self._idle.get(target[:3])
        while idle:
            connection = idle.pop()
            if not connection.closed and self._loop.time() - connection.idle_since < KEEPALIVE:
                return connection
            self._drop(connection)
        return None

    async def _connected(self, target: Target) -> Connection:
        options: dict[str, Any] = {}  # Any: of one call of the loop
        if isinstance(self._loop, asyncio.BaseEventLoop) and not _is_number(target.host):
            options["happy_eyeballs_delay"] = _EYEBALLS
        if target.secure:
            options["ssl"] = self._trusted
        try:
            async with asyncio.timeout(transport.CONNECT_TIMEOUT):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._loop), target.host, target.port, **options
                )
        except TimeoutError as error:
            raise ConnectTimeout("no connection in time") from (error if error.errno is not None else None)
        except (OSError, ssl.SSLError) as error:
            raise ConnectError(str(error)) from error
        return connection

    def _keep(self, target: Target, connection: Connection) -> None:
        """Keep a connection that can be used again, and close those that nobody has used for a while."""
        if not connection.is_reusable or connection.size:
            self._drop(connection)
            return
        connection.idle_since = now = self._loop.time()
        idle = self._idle.setdefault(target[:3], deque())
        idle.append(connection)
        while now - idle[0].idle_since > KEEPALIVE:
            self._drop(idle.popleft())

    def _drop(self, connection: Connection) -> None:
        connection.close()
        self._open.discard(connection)


def _is_number(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()


def _request(method: str, target: Target, headers: Mapping[str, str], content: bytes) -> bytes:
    return b"%bcontent-length: %d\r\n\r\n%b" % (_head(method, target, tuple(headers.items())), len(content), content)


@lru_cache(maxsize=256)
def _head(method: str, target: Target, headers: tuple[tuple[str, str], ...]) -> bytes:
    """All lines but one: a backend says the same with each call."""
    told = "".join(f"{name}: {value}\r\n" for name, value in headers)
    if told.count("\n") != len(headers):
        raise ClientError("a header has more than one line")
    return f"{method} {target.path} HTTP/1.1\r\nhost: {target.authority}\r\n{told}".encode("latin-1")
