"""What endpoints answer when they fail, as bytes on the wire: the rows of the tables of `docs/providers.md` by name."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

from upstream import (
    END,
    ENDLESS_HEAD,
    MEBIBYTE,
    RESET,
    STREAM_HEAD,
    Script,
    answered,
    chunk,
    chunked,
    completion,
    event,
    http,
    refused,
    streamed,
)

HTML = b"<!DOCTYPE html><html><title>502 Bad Gateway</title></html>"

REPLIES: Mapping[str, Script] = {
    "refuses the key": refused(401, "no such key"),
    "forbids the model": refused(403, "not for you"),
    "does not know the model": refused(404, "no such model", "model_not_found"),
    "refuses what was sent": refused(400, "bad temperature"),
    "wants to be paid": refused(402, "out of credit"),
    "gave up waiting": refused(408, "too slow"),
    "is in conflict": refused(409, "try again"),
    "limits the rate": refused(429, "slow down", "rate_limit_exceeded"),
    "limits the rate and shows where to pay": refused(429, "slow down, or add a payment method under account/billing"),
    "has a quota that is spent": refused(429, "quota exceeded", "insufficient_quota"),
    "is overloaded": refused(529, "overloaded"),
    "has an error of its own": answered({"detail": "oops"}, 500),
    "can't do that": answered({"error": "not here"}, 501),
    "is down behind its gateway": http(502, HTML, type="text/html"),
    "is loading its model": refused(503, "loading model", 503),
    "finds the prompt too long, as OpenAI says it": refused(
        400, "This model's maximum context length is 8192 tokens", "context_length_exceeded"
    ),
    "finds the prompt too long, as vLLM says it": answered(
        {
            "object": "error",
            "message": "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length"
            " is 4096 tokens",
            "type": "BadRequestError",
            "code": 400,
        },
        400,
    ),
    "finds the prompt too long, as llama.cpp says it": answered(
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9000,
                "n_ctx": 4096,
            }
        },
        400,
    ),
    "finds the body too large": http(413, b"too large", type="text/plain"),
    "filters the prompt": refused(400, "flagged", "content_filter"),
    "filters the answer": answered(completion("Here is", finish="content_filter")),
    "has a model that refuses": answered(completion(None, refusal="I can't help with that.")),
    "redirects to another host": http(307, b"", location="http://127.0.0.1:9/v1/chat/completions"),
    "answers with another success": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "answers with a page": http(200, HTML, type="text/html"),
    "sends broken JSON": http(200, b'{"choices": [{"message"'),
    "sends invalid UTF-8": http(200, b'{"choices": "\xff\xfe\xfa"}'),
    "sends nothing": http(200, b""),
    "sends a list": answered([]),
    "sends JSON nested without end": http(200, b"[" * 200_000),
    "sends an object of another kind": answered({"output": "Jupiter."}),
    "sends no message": answered({"choices": [{"text": "Jupiter."}]}),
    "sends a number for the text": answered(completion(7)),  # type: ignore[arg-type]  # as bad as it looks
    "sends tool calls that are none": answered(completion(None, tool_calls=["f"])),
    "sends an empty answer": answered(completion("")),
    "sends null": answered(completion(None)),
    "thinks until the limit": answered(completion(None, finish="length")),
    "reports an error with status 200": answered({"error": {"code": 429, "message": "slow down"}}),
    "reports an odd error with status 200": answered({"error": "oops"}),
    "sends 100 MB": [ENDLESS_HEAD, *[MEBIBYTE] * 100],
    "packs the reply": http(200, gzip.compress(bytes(50_000_000), 1), content_encoding="gzip"),
}

STREAMS: Mapping[str, Script] = {
    "ends the stream before the answer": streamed(chunk("Jup"), done=False),
    "breaks off an event": streamed(chunk("Jup"), b'{"choices": [{"del', done=False),
    "reports an error in the stream": streamed(chunk("Jup"), {"error": {"code": 500, "message": "out of memory"}}),
    "filters in the middle": streamed(chunk("Jup"), chunk(finish="content_filter")),
    "has a model that refuses in pieces": streamed(chunk(refusal="I "), chunk(refusal="can't."), chunk(finish="stop")),
    "streams events of another kind": streamed({"type": "message_start"}),
    "streams numbers for text": streamed(chunk(7)),  # type: ignore[arg-type]  # as bad as it looks
    "streams tool calls out of order": streamed(chunk(tool_calls=[{"index": "first"}])),
    "streams one endless line": [STREAM_HEAD, chunked(b"data: "), *[chunked(MEBIBYTE)] * 100, END],
    "streams without end": [STREAM_HEAD, *[event(chunk("word " * 10_000)) * 20] * 100, END],
}

BROKEN: Mapping[str, Script] = {
    "is reset": [RESET],
    "ends in the headers": [b"HTTP/1.1 200 OK\r\ncontent-"],
    "ends in the body": [ENDLESS_HEAD, b'{"choices": [{"mess'],
    "ends in the stream": [STREAM_HEAD, event(chunk("Jup"))],
    "sends headers without end": [b"HTTP/1.1 200 OK\r\nx-more: ", *[MEBIBYTE] * 20],
    "speaks no HTTP": [b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"],
}
