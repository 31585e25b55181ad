"""What a server notes of each request when it has ended: for its metrics, and as one line of JSON in its log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from recipelang.quick import dataclass, field
from recipelang.runtime.ports import Event
from recipelang.runtime.trace import messages_as_json
from recipelang.runtime.values import Json
from recipelang.serving.receipt import Books

if TYPE_CHECKING:
    from recipelang.runtime.values import Request

LOG = logging.getLogger("recipelang.requests")
LEFT = 499
"""The status of a request whose client went away, as nginx has it; nobody is told."""


@dataclass(slots=True)
class Report:
    """A request that has ended. `model`: the exposed name, empty where none was found; `first`: seconds to the first word."""

    number: str
    path: str
    key: str = ""
    model: str = ""
    streamed: bool = False
    status: int = LEFT
    code: str | None = None  # of an error, also of one that ended a stream
    seconds: float = 0.0
    first: float | None = None
    books: Books = field(default_factory=Books)
    events: Sequence[Event] = ()
    request: Request | None = None
    answer: str | None = None
    trace: str | None = None  # the number of the trace that the client has it in


Watcher = Callable[[Report], None]


class RequestLog:
    """A watcher that writes a line of JSON for each request to the logger `recipelang.requests`; `content`: with what was said."""

    def __init__(self, content: bool = False) -> None:
        self._content = content

    def __call__(self, report: Report) -> None:
        LOG.info(json.dumps(self._line(report), ensure_ascii=False, separators=(",", ":")))

    def _line(self, report: Report) -> dict[str, Json]:
        books = report.books
        line: dict[str, Json] = {
            "request_id": report.number,
            "trace_id": report.trace,
            "path": report.path,
            "key": report.key,
            "model": report.model,
            "stream": report.streamed,
            "status": report.status,
            "error": report.code,
            "seconds": round(report.seconds, 6),
            "first_word_seconds": None if report.first is None else round(report.first, 6),
            "calls": books.calls,
            "prompt_tokens": books.prompt_tokens,
            "completion_tokens": books.completion_tokens,
            "cost": books.cost if books.priced else None,
            "wasted_calls": books.wasted_calls,
            "cached_calls": books.cached_calls,
        }
        if self._content:
            messages = [] if report.request is None else messages_as_json(report.request.messages)
            line |= {"messages": messages, "answer": report.answer}
        return line
