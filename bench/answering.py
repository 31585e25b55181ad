"""An endpoint that answers every chat completion alike after a while: `python bench/answering.py PORT DELAY` (seconds).

It is a program of its own, so that its time is not counted as that of whoever asks it. A model whose name begins with
`unsure` answers with log-probabilities that say so.
"""

from __future__ import annotations

import asyncio
import json
import sys

TEXT = "The capital of France is Paris. It has been the seat of government since the tenth century."


def reply(logprob: float) -> bytes:
    tokens = [{"token": "t", "logprob": logprob, "top_logprobs": []}] * 32
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": TEXT},
        "logprobs": {"content": tokens} if logprob else None,
    }
    usage = {"prompt_tokens": 64, "completion_tokens": 32, "total_tokens": 96}
    body = json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


PLAIN, SURE, UNSURE = reply(0.0), reply(-0.05), reply(-1.6)


class Answering(asyncio.Protocol):
    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not end or len(body) < length:
            return
        self._read = body[length:]
        asked = b'"logprobs"' in body
        answer = (UNSURE if b'"unsure' in body else SURE) if asked else PLAIN
        self._loop.call_later(self._delay, self._say, answer)

    def _say(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def main(port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(delay), "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
