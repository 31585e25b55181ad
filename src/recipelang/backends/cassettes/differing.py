"""How a call that was not recorded differs from the nearest that was, for a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher, unified_diff

from recipelang.backends.cassettes.document import Recorded, RecordedCall, key_of
from recipelang.runtime.values import Json

MOST_COMPARED = 50
"""Recordings that are compared in full, of those that look nearest."""
LONGEST_COMPARED = 4_000
"""Characters of a call that are compared to find the nearest one; the difference itself is shown whole."""


def difference(asked: Mapping[str, Json], recorded: Recorded) -> str:
    """Why there is no answer for a call: what it is, and a unified diff from the nearest recording."""
    who = _who(asked)
    same = [call for call in recorded.calls if key_of(call.asked) == key_of(asked)]
    if same:
        times = "once" if len(same) == 1 else f"{len(same)} times"
        lines = ", ".join(str(call.line) for call in same[:5])
        return f"{who} was recorded {times} in {recorded.name} (line {lines}), and was called once more"
    nearest = _nearest(asked, recorded.calls)
    if nearest is None:
        return f"{who} was not recorded: there is no call in {recorded.name}"
    place = f"{recorded.name}:{nearest.line}"
    told = unified_diff(
        list(_lines(nearest.asked)), list(_lines(asked)), f"recorded in {place}", "asked now", lineterm=""
    )
    fields = ", ".join(_differing(nearest.asked, asked))
    return "\n".join([f"{who} was not recorded; the nearest recording differs in {fields}", "", *told])


def _who(asked: Mapping[str, Json]) -> str:
    if "function" in asked:
        return f"this call of the host's function `{asked['function']}`"
    return f"this call of `{asked.get('model')}` as `{asked.get('role')}`"


def _nearest(asked: Mapping[str, Json], calls: Iterable[RecordedCall]) -> RecordedCall | None:
    """Of the same role and model if there is one; among these the one whose text is most alike, the first of equals."""
    wanted = _shortened(asked)

    def alike(call: RecordedCall) -> tuple[int, float]:
        same = sum(asked.get(name) == call.asked.get(name) for name in ("function", "role", "model", "sample"))
        return same, SequenceMatcher(None, wanted, _shortened(call.asked), autojunk=False).real_quick_ratio()

    found = sorted(calls, key=alike, reverse=True)[:MOST_COMPARED]
    most = max((alike(call)[0] for call in found), default=0)
    return max(
        (call for call in found if alike(call)[0] == most),
        key=lambda call: SequenceMatcher(None, wanted, _shortened(call.asked), autojunk=False).ratio(),
        default=None,
    )


def _shortened(asked: Mapping[str, Json]) -> list[str]:
    return "\n".join(_lines(asked))[:LONGEST_COMPARED].split()


def _differing(one: Mapping[str, Json], other: Mapping[str, Json]) -> Iterator[str]:
    """The names of the fields that differ; of the parameters each by its own name."""
    for name in dict.fromkeys([*one, *other]):
        if name in ("parameters", "arguments"):
            yield from _differing(one.get(name, {}), other.get(name, {}))
        elif key_of({name: one.get(name)}) != key_of({name: other.get(name)}):
            yield name


def _lines(asked: Mapping[str, Json]) -> Iterator[str]:
    """A call with a line for each field, and for each line of a message."""
    for name, value in asked.items():
        if name in ("parameters", "arguments"):
            yield from (f"{field}: {_short(its)}" for field, its in value.items())
        elif name != "messages":
            yield f"{name}: {_short(value)}"
    for message in asked.get("messages", ()):
        yield f"[{message.get('role')}]"
        content = message.get("content")
        yield from content.splitlines() if isinstance(content, str) else [_short(content)]
        yield from (f"{name}: {_short(value)}" for name, value in message.items() if name not in ("role", "content"))


def _short(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=dict, ensure_ascii=False, sort_keys=True)
