"""So many callers of a server at once, each with one request after the other: run by `bench/server.py` and `bench/crowd.py`.

`python bench/callers.py URL CALLERS SECONDS BODIES [RATE [RAMP]]` prints a line of JSON. BODIES is a file: on its first line the text that
is the right answer, on each other a body; they are sent in turn. With a RATE, requests are begun at that pace by whichever caller is free, and what they wait for one
counts. Callers come one after the other during the first RAMP seconds. An answer is complete, an honest error, or wrong: what a client would have taken for an answer and is none.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any  # Any: JSON
from urllib.parse import urlsplit

LONGEST = 60.0
"""Seconds after which an answer that has not come is lost."""


class Caller(asyncio.Protocol):
    """One connection, and on it one request at a time; a head, and a body of a length or in chunks."""

    def __init__(self, right: str) -> None:
        self.transport: asyncio.Transport | None = None
        self._right = right
        self._answered: asyncio.Future[str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # uvloop's is one in all but its class

    def ask(self, request: bytes) -> asyncio.Future[str]:
        """How it ended."""
        assert self.transport is not None
        self.sent = time.perf_counter()
        self.first = 0.0
        self._got = bytearray()
        self._length = -1
        self._is_chunked = False
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        got = self._got
        got += data
        if self._length < 0:
            end = got.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(got[:end]).lower()
            self._is_chunked = b"transfer-encoding: chunked" in head
            told = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._length = end + 4 + int(told or 0)
        if not self.first and (b'"content":"' in data or b'"content": "' in data) and self._right[:2].encode() in got:
            self.first = time.perf_counter()
        if got.endswith(b"0\r\n\r\n") if self._is_chunked else len(got) >= self._length:
            self._end(judged(bytes(got), self._right))

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self._end("broken")

    def _end(self, how: str) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(how)


def judged(response: bytes, right: str) -> str:
    """`complete`, `error STATUS`, `error after words`, or `wrong`."""
    head, _, body = response.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1].decode()
    if b"text/event-stream" not in head.lower():
        told = json.loads(body)
        if status != "200":
            return f"error {status}" if told["error"]["message"] else "wrong"
        return "complete" if told["choices"][0]["message"]["content"] == right else "wrong"
    events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    if events and b'"error"' in events[-1]:
        return "error after words"
    if not events or events[-1].strip() != b"[DONE]":
        return "wrong"
    choices = [choice for event in events[:-1] for choice in json.loads(event)["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return "complete" if text == right and choices[-1]["finish_reason"] == "stop" else "wrong"


async def called(
    url: str, callers: int, seconds: float, right: str, bodies: Sequence[bytes], rate: float, ramp: float
) -> dict[str, Any]:
    where = urlsplit(url)
    host, port = where.hostname or "", where.port or 80
    head = f"POST {where.path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-type: application/json\r\n"
    requests = [head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body for body in bodies]
    ended: Counter[str] = Counter()
    latencies: list[float] = []
    firsts: list[float] = []
    numbers = count()
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def call(place: int) -> None:
        caller = Caller(right)
        await asyncio.sleep(ramp * place / callers)
        while True:
            number = next(numbers)
            due = began + number / rate if rate else loop.time()
            if due > began + seconds or loop.time() > began + seconds:
                break
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            late = loop.time() - due
            if caller.transport is None:
                _, caller = await loop.create_connection(lambda: Caller(right), host, port)
            try:
                async with asyncio.timeout(LONGEST):
                    how = await caller.ask(requests[number % len(requests)])
            except TimeoutError:
                how = "lost"
            ended[how] += 1
            if how == "complete":
                latencies.append(late + time.perf_counter() - caller.sent)
                firsts.append(late + caller.first - caller.sent)
        if caller.transport is not None:
            caller.transport.close()

    wall = time.perf_counter()
    await asyncio.gather(*(call(place) for place in range(callers)))
    wall = time.perf_counter() - wall
    total = sum(ended.values())
    return {"requests": total, "per_second": total / wall, "ended": ended, **at("ms", latencies), **at("first", firsts)}


def at(name: str, seconds: list[float]) -> dict[str, float]:
    seconds.sort()
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        f"{name}_{p}": 1e3 * seconds[min(len(seconds) - 1, int(len(seconds) * s))] if seconds else 0.0
        for p, s in shares.items()
    }


if __name__ == "__main__":
    if find_spec("uvloop"):
        import uvloop

        uvloop.install()
    url, many, how_long, file = sys.argv[1:5]
    right, *lines = Path(file).read_bytes().splitlines()
    pace, ramp = [*map(float, sys.argv[5:7]), 0.0, 0.0][:2]
    print(json.dumps(asyncio.run(called(url, int(many), float(how_long), right.decode(), lines, pace, ramp))))
