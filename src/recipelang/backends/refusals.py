"""What an endpoint's refusal means: by its status first, then by the error that its body tells; `docs/providers.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from recipelang.quick import dataclass
from recipelang.runtime.ports import BackendError, FailureKind

LONGEST_MESSAGE = 300
"""Characters of a message for a person."""
LONGEST_EXCERPT = 4 * LONGEST_MESSAGE
"""Characters of a body that are looked at: more than a message shows, so that no key is cut in two before it is struck out."""
LONGEST_WAIT = 3_600.0
"""Seconds that a provider may ask to be left alone; one that asks for more is taken to mean this."""

_TOO_LONG = (
    "context_length_exceeded",
    "exceed_context_size_error",
    "maximum context length",
    "maximum model length",
    "exceeds the available context size",
    "prompt is too long",
)
_FILTERED = ("content_filter", "content_policy", "responsibleaipolicyviolation", "content management policy")
_SPENT = ("insufficient_quota", "billing_hard_limit", "billing_not_active")


@dataclass(frozen=True, slots=True)
class _Told:
    """What the body of a refusal says."""

    message: str
    names: str  # its codes and its message in lower case, to look for known words in


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> BackendError:
    """The failure that a response other than 200 stands for."""
    told = _told(body)
    kind, may_pass = _meaning(status, told.names)
    message = f"HTTP {status}" + (f": {told.message}" if told.message else "")
    if status < 300:
        message = f"HTTP {status}: an answer comes with HTTP 200"
    elif status < 400:
        message = f"HTTP {status}: it redirects elsewhere, and redirects are not followed"
    return BackendError(kind, message, status, _retry_after(headers), may_pass)


def told_instead(error: Any) -> BackendError:  # Any: what the body has under `error`
    """The failure of a response 200 whose body is an error all the same."""
    status = error.get("code") if isinstance(error, dict) else None
    known = status if isinstance(status, int) and 400 <= status < 600 else 500
    found = refusal(known, {}, json.dumps({"error": error}).encode())
    return BackendError(found.kind, f"an error instead of an answer: {found.message}", None, None, found.may_pass)


def excerpt(body: bytes) -> str:
    """The beginning of a body, on one line."""
    return " ".join(body.decode("utf-8", "replace").split())[:LONGEST_EXCERPT]


def _meaning(status: int, names: str) -> tuple[FailureKind, bool]:
    """The kind of failure, and whether the same call may succeed later."""
    if status in (401, 403):
        return FailureKind.AUTH, False
    if status in (429, 529):
        return FailureKind.RATE_LIMIT, not any(word in names for word in _SPENT)
    if status == 413 or (status in (400, 422, 500) and any(word in names for word in _TOO_LONG)):
        return FailureKind.CONTEXT, False
    if status in (400, 422, 500) and any(word in names for word in _FILTERED):
        return FailureKind.FILTERED, False
    if status == 408:
        return FailureKind.TIMEOUT, True
    if status in (409, 425):
        return FailureKind.SERVER, True
    if status >= 500:
        return FailureKind.SERVER, status != 501
    return (FailureKind.REQUEST, False) if status >= 400 else (FailureKind.GARBAGE, False)


def _told(body: bytes) -> _Told:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        text = excerpt(body)
        return _Told("an HTML page" if text.lower().startswith(("<!doctype", "<html")) else text, text.lower())
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, dict):
        message = str(error.get("message") or error.get("detail") or "")
        names = " ".join(str(error.get(name) or "") for name in ("code", "type", "message"))
        return _Told(excerpt(message.encode("utf-8", "replace")), names.lower())
    told = "" if error is None else str(error)
    return _Told(excerpt(told.encode("utf-8", "replace")), told.lower())


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from the header in either of its forms."""
    given = headers.get("retry-after")
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT) if seconds == seconds else None
