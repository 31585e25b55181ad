"""An endpoint that answers every chat completion alike: `python bench/answering.py PORT DELAY [CHUNKS [GAP]]` (seconds).

It is a program of its own, so that its time is not counted as that of whoever asks it. DELAY is how long it takes to the
first byte; a stream has CHUNKS pieces of text (16), each GAP after the one before. The name of the model says the rest:
`unsure…` answers with log-probabilities that say so, `fail-500`, `fail-429`, `fail-reset`, `fail-badjson`, `fail-hang` and
`fail-truncsse` fail so, and `every49-fail-500` each 49th time that such a name is called. `GET /stats` tells how many requests came in and how many are open.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from importlib.util import find_spec
from itertools import pairwise

TEXT = "The capital of France is Paris. It has been the seat of government since the tenth century."
USAGE = {"prompt_tokens": 64, "completion_tokens": 32, "total_tokens": 96}
HANG = 3600.0
"""Seconds."""


def http(status: str, body: bytes, *more: str) -> bytes:
    head = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


def reply(logprob: float) -> bytes:
    tokens = [{"token": "t", "logprob": logprob, "top_logprobs": []}] * 32
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": TEXT},
        "logprobs": {"content": tokens} if logprob else None,
    }
    return http(
        "200 OK", json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    )


def chunked(event: bytes) -> bytes:
    data = b"data: %b\n\n" % event
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunk(delta: object, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return chunked(json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}).encode())


def pieces(number: int) -> list[bytes]:
    """A stream in as many parts as it has pieces of text; the first has the head before it, the last the end after it."""
    cuts = [round(place * len(TEXT) / number) for place in range(number + 1)]
    parts = [chunk({"content": TEXT[a:b]}) for a, b in pairwise(cuts)]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    usage = chunked(json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": USAGE}).encode())
    parts[0] = head + chunk({"role": "assistant", "content": ""}) + parts[0]
    parts[-1] += chunk({}, "stop") + usage + chunked(b"[DONE]") + b"0\r\n\r\n"
    return parts


PLAIN, SURE, UNSURE = reply(0.0), reply(-0.05), reply(-1.6)
FAILURES = {
    b"500": http("500 Internal Server Error", b'{"error": {"message": "the model is broken"}}'),
    b"429": http("429 Too Many Requests", b'{"error": {"message": "slow down"}}', "retry-after: 1"),
    b"badjson": http("200 OK", b'{"choices": [{"message": {"content": "The cap'),
    b"reset": b"",
}
_FAULT = re.compile(rb'"model": ?"(?:every(\d+)-)?fail-(\w+)')


class Answering(asyncio.Protocol):
    requests = 0
    faulty = 0  # of these, for models that may fail
    open = 0

    def __init__(self, delay: float, stream: list[bytes], gap: float) -> None:
        self._delay, self._stream, self._gap = delay, stream, gap
        self._read = b""
        self._busy = False
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment] # uvloop's is one in all but its class

    def connection_lost(self, error: Exception | None) -> None:
        self._done()

    def _done(self) -> None:
        if self._busy:
            self._busy = False
            Answering.open -= 1

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not end or len(body) < length:
            return
        self._read = body[length:]
        if head.startswith(b"GET"):
            told = {"requests": Answering.requests, "open": Answering.open}
            self._transport.write(http("200 OK", json.dumps(told).encode()))
            return
        Answering.requests += 1
        Answering.open += 1
        self._busy = True
        fault = _FAULT.search(body)
        if fault is not None and self._is_due(int(fault[1] or 1)):
            self._fail(fault[2])
        elif b'"stream":true' in body or b'"stream": true' in body:
            self._loop.call_later(self._delay, self._next, 0, len(self._stream))
        else:
            answer = PLAIN
            if b'"logprobs"' in body:
                answer = UNSURE if b'"unsure' in body else SURE
            self._loop.call_later(self._delay, self._say, answer)

    def _is_due(self, every: int) -> bool:
        Answering.faulty += 1
        return Answering.faulty % every == 0

    def _fail(self, fault: bytes) -> None:
        if fault == b"hang":
            self._loop.call_later(HANG, self._hang_up)
        elif fault == b"truncsse":
            self._loop.call_later(self._delay, self._next, 0, len(self._stream) // 2)
        else:
            self._loop.call_later(self._delay, self._say, FAILURES[fault])

    def _next(self, place: int, end: int) -> None:
        """The piece in that place, and later the next one; a stream that ends before its own end hangs up."""
        if self._transport.is_closing():
            return
        if place == end:
            self._hang_up()
            return
        self._transport.write(self._stream[place])
        if place + 1 == len(self._stream):
            self._done()
        else:
            self._loop.call_later(self._gap, self._next, place + 1, end)

    def _say(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)
            self._done()
            if not answer:
                self._hang_up()

    def _hang_up(self) -> None:
        self._transport.abort()


async def main(port: int, delay: float, chunks: int = 16, gap: float = 0.0) -> None:
    stream = pieces(chunks)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(delay, stream, gap), "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if find_spec("uvloop"):
        import uvloop

        uvloop.install()
    numbers = sys.argv[1:]
    asyncio.run(main(int(numbers[0]), float(numbers[1]), *map(int, numbers[2:3]), *map(float, numbers[3:4])))
