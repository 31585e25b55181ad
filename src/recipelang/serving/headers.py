"""What is read from the headers of a request, and told in those of an answer; both may be anything that HTTP lets through."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.types import Scope

from recipelang.runtime.ledger import Spend
from recipelang.runtime.values import NOTHING_MORE
from recipelang.serving.conversation import new_id
from recipelang.serving.receipt import Books

Headers = list[tuple[bytes, bytes]]
_GOOD_NUMBER = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_PARENTS = frozenset([b"traceparent", b"tracestate"])
_GOOD_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}.*", re.ASCII)


def request_number(scope: Scope) -> str:
    """What a request is known by: as the client says, or else a number of our own."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GOOD_NUMBER.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return new_id("req_")


def parents_in(scope: Scope) -> Mapping[str, str]:
    """What a request says of the trace that it is a part of; what makes no sense is not handed on."""
    found = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _PARENTS}
    told = {
        name: value for name, value in found.items() if len(value) <= 512 and value.isascii() and value.isprintable()
    }
    return told if _GOOD_PARENT.fullmatch(told.get("traceparent", "")) else NOTHING_MORE


def figures(books: Books, spend: Spend) -> Headers:
    """The sums of a run, as headers."""
    told: list[tuple[bytes, str]] = [
        (b"x-recipelang-calls", str(books.calls)),
        (b"x-recipelang-tokens", str(books.tokens)),
        (b"x-recipelang-seconds", f"{spend.seconds:.3f}"),
    ]
    if books.priced:
        told.append((b"x-recipelang-cost", f"{books.cost:.9f}"))
    if books.cached_calls:
        told.append((b"x-recipelang-cached-calls", str(books.cached_calls)))
    if books.wasted_calls:
        told.append((b"x-recipelang-wasted-calls", str(books.wasted_calls)))
    if books.unknown_calls:
        told.append((b"x-recipelang-unknown-calls", str(books.unknown_calls)))
    return [(name, value.encode()) for name, value in told]
