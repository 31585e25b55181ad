"""A reply that comes in pieces: server-sent events, put together to the same reply as a whole one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recipelang.backends.replies import Parts, calls_in, garbage, parsed, settled, text_in, usage_of
from recipelang.quick import dataclass, field
from recipelang.runtime.ports import CallPiece, Reply
from recipelang.runtime.values import Json, Usage, encodable

_DONE = b"[DONE]"
_NOTHING_YET = {"name": "", "arguments": ""}  # of a call


@dataclass(slots=True)
class Events:
    """Takes in a stream's bytes and gives the objects of its events; what is not `data` is passed over."""

    done: bool = False  # whether `[DONE]` has come
    _line: list[bytes] = field(default_factory=list)  # what there is of the line that has not ended

    def within(self, piece: bytes) -> Iterator[dict[str, Any]]:
        """The events that end with this piece; raises `BackendError`. No character is cut where two pieces meet."""
        first, *more = piece.split(b"\n")
        self._line.append(first)
        for line in more:
            whole = self._line[0] if len(self._line) == 1 else b"".join(self._line)
            self._line = [line]
            data = self._data(whole)
            if data:
                yield parsed(data)

    def rest(self) -> Iterator[dict[str, Any]]:
        """The event that the stream ended in, where its line was not ended; raises `BackendError`."""
        data = self._data(b"".join(self._line))
        if data:
            yield parsed(data)

    def _data(self, line: bytes) -> bytes:
        """What a line brings, if anything."""
        if self.done or not line.startswith(b"data:"):
            return b""
        data = line[5:].strip()
        if data == _DONE:
            self.done = True
            return b""
        return data


@dataclass(slots=True)
class Assembly:
    """The parts of a reply so far."""

    texts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    finish: Json = None
    usage: Usage | None = None
    tokens: list[Json] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    half: str = ""  # of a character that JSON escapes in two, where an event ended between them
    told: list[int] = field(default_factory=list)  # of each call that `new_calls` has told, how much of its arguments

    def add(self, event: Mapping[str, Any]) -> str:
        """Take in an event; gives the text that it brought. Raises `BackendError`."""
        if event.get("usage"):
            self.usage = usage_of(event["usage"]) or self.usage
        choices = event.get("choices", [] if "usage" in event else None)
        if not isinstance(choices, list):
            raise garbage("an event has no choices")
        text = ""
        for choice in choices[:1]:
            if not isinstance(choice, dict) or not isinstance(delta := choice.get("delta") or {}, dict):
                raise garbage("an event's choice is no object")
            self.finish = choice.get("finish_reason") or self.finish
            text = self._whole_characters(text_in(delta.get("content")))
            if delta.get("refusal"):
                self.refusals.append(text_in(delta["refusal"]))
            if choice.get("logprobs") or delta.get("tool_calls"):
                self._add_details(choice, delta)
        if text:
            self.texts.append(text)
        return text

    def _whole_characters(self, text: str) -> str:
        """The text, with the half of a character that waited for it, and without one that its end has to wait for."""
        if self.half and text:
            text, self.half = _joined(self.half + text), ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self.half = text[:-1], text[-1]
        return encodable(text)

    def _add_details(self, choice: Mapping[str, Any], delta: Mapping[str, Any]) -> None:
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
            self.tokens += logprobs["content"]
        for call in calls_in(delta.get("tool_calls")):
            _merge(self.calls.setdefault(self._place(call), {}), call)

    def _place(self, call: Mapping[str, Any]) -> int:
        """Which call a piece belongs to; where it has no index, an `id` begins the next one."""
        last = max(self.calls, default=-1)
        index = call.get("index", last + 1 if call.get("id") or last < 0 else last)
        if not isinstance(index, int):
            raise garbage("its tool calls have no order")
        return index

    def new_calls(self) -> tuple[CallPiece, ...]:
        """What is new of the calls of tools, one call after the other. Raises `BackendError` where they are mixed up.

        A call is told as soon as its arguments begin, since its name is there as a whole then, or when the next one is.
        """
        if not self.calls:
            return ()
        pieces = []
        known = [self.calls[index].get("function", _NOTHING_YET) for index in sorted(self.calls)]
        for place, function in enumerate(known):
            name, arguments = None, function["arguments"]
            if "\ud800" <= arguments[-1:] <= "\udbff":  # the other half of the character is still to come
                arguments = arguments[:-1]
            if place == len(self.told):
                if not arguments and place == len(known) - 1:
                    break
                name = function["name"]
                self.told.append(0)
            new = arguments[self.told[place] :]
            if new and place < len(self.told) - 1:
                raise garbage("its tool calls are mixed up")
            if new or name is not None:
                pieces.append(CallPiece(place, name, encodable(_joined(new))))
            self.told[place] = len(arguments)
        return tuple(pieces)

    def reply(self) -> Reply:
        """The reply, once the stream has ended; raises `BackendError` where it ended before the answer did."""
        if self.finish is None:
            raise garbage("the stream ended before the answer did", may_pass=True)
        calls = tuple(self.calls[index] for index in sorted(self.calls))
        for function in (call["function"] for call in calls if "function" in call):
            function["arguments"] = encodable(_joined(function["arguments"]))
        parts = Parts("".join(self.texts), "".join(self.refusals), self.finish, self.usage, self.tokens or None)
        return settled(parts, calls)


def _joined(text: str) -> str:
    """The text with the halves of characters that stand beside each other as one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _merge(whole: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Add a piece of a tool call: the name comes once, the arguments bit by bit."""
    for name, value in piece.items():
        if name == "index" or value is None:
            continue
        if name == "function":
            function = whole.setdefault("function", {"name": "", "arguments": ""})
            for part in ("name", "arguments"):
                function[part] += text_in(value.get(part))
        else:
            whole[name] = value
