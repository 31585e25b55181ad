"""From bytes to the object that a client sent: within limits, strictly JSON, and nothing in it passed over."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from starlette.types import Receive, Scope

from recipelang.diagnostics.suggesting import nearest
from recipelang.quick import dataclass
from recipelang.runtime.values import Json, encodable
from recipelang.serving.problems import Problem, ProblemKind, refused


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The most that a request may have; what has more is refused."""

    size: int = 16 * 1024 * 1024  # bytes
    messages: int = 2_000
    depth: int = 64  # of lists and objects


class ClientLeft(Exception):
    """The client went away before it had sent its request."""


async def body_of(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body of a request; raises `Problem` where it is too large."""
    told = dict(scope["headers"]).get(b"content-length", b"0")
    size, came = int(told) if told.isdigit() else 0, 0
    parts: list[bytes] = []
    while max(size, came) <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        parts.append(message.get("body", b""))
        came += len(parts[-1])
        if not message.get("more_body", False) and came <= most:
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise Problem(413, ProblemKind.TOO_LARGE, f"the request is larger than {most} bytes", "request_too_large")


def object_in(body: bytes, depth: int) -> dict[str, Any]:
    """The JSON object in a body; raises `Problem`."""
    try:
        value = _DECODER.decode(body.decode())
        if b"\\u" in body:  # half a character, which JSON lets in, can't be sent on
            value = json.loads(encodable(json.dumps(value, ensure_ascii=False)))
    except RecursionError:
        raise refused(f"the request nests deeper than {depth} levels") from None
    except ValueError as error:
        raise refused(f"the request is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise refused("the request is no JSON object")
    _must_be_shallow(value, depth)
    return value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits:.40} is larger than the largest number")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)
_LONGEST_NAME = 100
"""Characters of a field's name that an error repeats."""


def _must_be_shallow(value: Json, depth: int) -> None:
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise refused(f"the request nests deeper than {depth} levels")


class Fields:
    """The fields of an object, each taken once; what is left in the end is refused. `place` stands before their names."""

    def __init__(self, given: Json, place: str = "") -> None:
        if not isinstance(given, Mapping):
            raise refused(f"{place.rstrip('.')} is no object", place.rstrip("."))
        self._left = {name: value for name, value in given.items() if value is not None}  # null: not given
        self._place = place
        self._known: list[str] = []

    def take(self, name: str) -> Json:
        """What is there, as it is; none where it is not."""
        self._known.append(name)
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        value = self.take(name)
        return value if value is None or isinstance(value, str) else self.refuse(name, "is no text")

    def needed_text(self, name: str) -> str:
        value = self.text(name)
        return value or self.refuse(name, "is missing")

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.said(name)
        return default if value is None else value

    def said(self, name: str) -> bool | None:
        """True or false; none where neither is said."""
        value = self.take(name)
        return value if value is None or isinstance(value, bool) else self.refuse(name, "is neither true nor false")

    def number(self, name: str, low: float, high: float = math.inf) -> float | None:
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self.refuse(name, f"is no number {_between(low, high)}")
        return float(value)

    def whole(self, name: str, low: int, high: int = 2**63 - 1) -> int | None:
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(name, f"is no whole number {_between(low, high)}")
        return int(value)

    def listed(self, name: str) -> list[Any] | None:
        value = self.take(name)
        return value if value is None or isinstance(value, list) else self.refuse(name, "is no list")

    def one_of(self, name: str, allowed: Collection[str]) -> str | None:
        value = self.take(name)
        if value is not None and not (isinstance(value, str) and value in allowed):
            self.refuse(name, f"is {value!r:.40}; it may be {' or '.join(allowed)}")
        return None if value is None else str(value)

    def inner(self, name: str) -> Fields:
        """The fields of an object inside, empty where it is not there."""
        value = self.take(name)
        return Fields({} if value is None else value, f"{self._place}{name}.")

    def place_of(self, name: str) -> str:
        """A field with what stands before its name."""
        return f"{self._place}{name}"

    def only(self, name: str, *allowed: Json, why: str) -> None:
        """A field that has only these values here; any other is refused, and told why."""
        value = self.take(name)
        if value is not None and not any(value == one and type(value) is type(one) for one in allowed):
            self.refuse(name, why)

    def hints(self, *names: str) -> None:
        """Fields that change no answer: they are known, and end here."""
        for name in names:
            self.take(name)

    def never(self, why: Mapping[str, str]) -> None:
        """Fields that are known and not to be had."""
        for name, reason in why.items():
            if self.take(name) is not None:
                self.refuse(name, reason)

    def end(self) -> None:
        """Nothing may be left."""
        for name in self._left:
            near = nearest(name, self._known)
            hint = f"; did you mean `{near}`?" if near else ""
            self.refuse(name, f"is not known here, and nothing is passed over in silence{hint}")

    def refuse(self, name: str, why: str) -> Any:  # Any: it never returns, and stands where a value of any type would
        place = f"{self.place_of(name):.{_LONGEST_NAME}}"
        raise refused(f"`{place}` {why}", place)


def _between(low: float, high: float) -> str:
    return f"from {low:g} to {high:g}" if high < 2**62 else f"of {low:g} or more"


def texts(fields: Fields, name: str, most: int) -> list[str]:
    """A text or a list of texts."""
    value = fields.take(name)
    found = [value] if isinstance(value, str) else value or []
    if not isinstance(found, Sequence) or not all(isinstance(one, str) and one for one in found) or len(found) > most:
        fields.refuse(name, f"is neither a text nor a list of up to {most} texts")
    return list(found)
