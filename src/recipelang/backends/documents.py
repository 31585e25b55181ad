"""JSON over the wire: by orjson where it is installed, else by the standard library, which has the last word.

A reply with the log-probabilities of its tokens takes `json` as long as the rest of the call: 109 µs, and orjson 28.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from recipelang.runtime.values import Json

if TYPE_CHECKING:
    from types import ModuleType

orjson: ModuleType | None
try:
    import orjson
except ImportError:  # an extra
    orjson = None


def to_bytes(value: Any) -> bytes:
    """A JSON value as it is sent."""
    if orjson is not None:
        try:
            return orjson.dumps(value)  # type: ignore[no-any-return]
        except TypeError:  # what it does not take and `json` does, such as an integer of more than 64 bits
            pass
    return json.dumps(value).encode()


def from_bytes(body: bytes) -> Json:
    """The JSON value in a body; raises `ValueError`, and `RecursionError` where it is nested too deeply."""
    if orjson is not None:
        try:
            return orjson.loads(body)
        except ValueError:  # what it does not take and `json` does, such as `NaN`, or half of a surrogate pair
            pass
    return json.loads(body)
