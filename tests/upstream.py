"""A real HTTP server on loopback that answers as a test says, well or badly, and sees when its clients leave.

An answer is pieces of bytes as they go over the wire, `STALL` (say no more until the client leaves) and `RESET` (break
the connection). `Upstream` takes one answer for all requests, or a function of the request (`in_turn`, `replying`). It runs in threads of its own, so that it serves clients on any event loop, and blocking ones.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from types import TracebackType
from typing import Any, BinaryIO, Self

PATIENCE = 10.0
"""Seconds that a test waits for what must happen at once."""


class Doing(Enum):
    """What a server does besides sending."""

    STALL = "stall"
    RESET = "reset"


STALL, RESET = Doing.STALL, Doing.RESET
Answer = Sequence[bytes | Doing]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:  # Any: whatever the client sent
        return json.loads(self.body)


Script = Answer | Callable[[Received], Answer]


# ------------------------------------------------------------------ answers


def http(status: int, body: bytes, *, type: str = "application/json", **headers: str) -> list[bytes | Doing]:
    """A whole response; `retry_after="3"` is the header `retry-after: 3`."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Odd"
    told = {"content-type": type, "content-length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name.replace('_', '-')}: {value}" for name, value in told.items())]
    return ["\r\n".join([*lines, "", ""]).encode() + body]


def answered(value: object, status: int = 200, **headers: str) -> list[bytes | Doing]:
    """A response with a JSON body."""
    return http(status, json.dumps(value).encode(), **headers)


def refused(status: int, message: str, code: str | int | None = None, **headers: str) -> list[bytes | Doing]:
    """An error in OpenAI's form."""
    return answered({"error": {"message": message, "type": "some_error", "code": code}}, status, **headers)


def completion(text: str | None = "Jupiter.", *, finish: str = "stop", **more: object) -> dict[str, Any]:
    """A chat completion. What goes into its choice: `logprobs`; into its message: the rest; `usage` stands beside them."""
    usage = more.pop("usage", {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14})
    logprobs = more.pop("logprobs", None)
    message = {"role": "assistant", "content": text, **more}
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": logprobs}
    return {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


def chunk(text: str | None = None, *, finish: str | None = None, **more: object) -> dict[str, Any]:
    """A piece of a streamed completion; what is told besides goes into its delta, `logprobs` into its choice."""
    logprobs = more.pop("logprobs", None)
    delta = ({} if text is None else {"content": text}) | more
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}


USAGE_CHUNK = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}}
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ENDLESS_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n"
MEBIBYTE = b"x" * (1 << 20)


def chunked(data: bytes) -> bytes:
    """A piece of a body that comes in pieces."""
    return b"%x\r\n%s\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def event(value: object) -> bytes:
    """A server-sent event, as a piece of a body."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return chunked(b"data: %s\n\n" % data)


def streamed(*values: object, done: bool = True) -> list[bytes | Doing]:
    """A stream of events, each a value as JSON or bytes as they are."""
    return [STREAM_HEAD, *(event(value) for value in values), *([event(b"[DONE]")] if done else []), END]


def replying(text: str = "Jupiter.") -> Callable[[Received], Answer]:
    """Answers well, in the way that each request asks for."""

    def reply(request: Received) -> Answer:
        if not request.json.get("stream"):
            return answered(completion(text))
        words = [chunk(f"{word} " if more else word) for word, more in _words(text)]
        return streamed(chunk("", role="assistant"), *words, chunk(finish="stop"), USAGE_CHUNK)

    return reply


def in_turn(*answers: Answer) -> Callable[[Received], Answer]:
    """One answer after the other; the last one stays."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def _words(text: str) -> Iterator[tuple[str, bool]]:
    words = text.split(" ")
    return ((word, place < len(words)) for place, word in enumerate(words, 1))


# ------------------------------------------------------------------- server


@dataclass
class Upstream:
    """Serves until its `with` block is left. `requests` are those that came in; `open` counts connections."""

    script: Script = field(default_factory=replying)
    tls: ssl.SSLContext | None = None
    requests: list[Received] = field(default_factory=list)
    open: int = 0
    opened: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._port = self._listener.getsockname()[1]
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, name="upstream", daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def origin(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """What stands before `/chat/completions`."""
        return f"{self.origin}/v1"

    def wait_until(self, condition: Callable[[Upstream], bool]) -> None:
        """Block until the server's state is so; fails where that does not come at once."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), PATIENCE):
                raise AssertionError(f"{self.open} connections are open, {len(self.requests)} requests came in")

    # ------------------------------------------------------- its own threads

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self._connections.add(connection)
                self.open += 1
                self.opened += 1
                self._changed.notify_all()
            thread = threading.Thread(target=self._serve, args=(connection,), name="upstream", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            with suppress(OSError):
                if self.tls is not None:
                    connection = self.tls.wrap_socket(plain, server_side=True)
                with connection.makefile("rb") as incoming:
                    while self._answer(connection, incoming):
                        pass
        finally:
            with self._changed:
                self._connections.discard(plain)
                connection.close()
                self.open -= 1
                self._changed.notify_all()

    def _answer(self, connection: socket.socket, incoming: BinaryIO) -> bool:
        """Take in one request and answer it; whether the connection stays open."""
        request = _read(incoming)
        if request is None:
            return False
        with self._changed:
            self.requests.append(request)
            answer = self.script(request) if callable(self.script) else self.script
            self._changed.notify_all()
        for piece in answer:
            if piece is STALL:
                incoming.read(1)
                return False
            if piece is RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            assert isinstance(piece, bytes)
            connection.sendall(piece)
        return not _is_cut_short(answer)


def _is_cut_short(answer: Answer) -> bool:
    """Whether the server hangs up after this answer: it was to be longer."""
    head, _, body = b"".join(piece for piece in answer if isinstance(piece, bytes)).partition(b"\r\n\r\n")
    told = head.lower()
    if b"transfer-encoding: chunked" in told:
        return not body.endswith(END)
    length = next((line.split(b":")[1] for line in told.split(b"\r\n") if line.startswith(b"content-length:")), None)
    return length is None or len(body) < int(length)


def _read(incoming: BinaryIO) -> Received | None:
    line = incoming.readline().decode("latin-1")
    if not line.strip():
        return None
    if line.count(" ") < 2:
        return None
    method, path, _ = line.split(" ", 2)
    headers: dict[str, str] = {}
    while header := incoming.readline().strip().decode("latin-1"):
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Received(method, path, headers, incoming.read(int(headers.get("content-length", 0))))
