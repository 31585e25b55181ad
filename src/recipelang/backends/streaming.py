"""A reply that comes in pieces: server-sent events, put together to the same reply as a whole one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from recipelang.backends.replies import garbage, parsed, settled, usage_of
from recipelang.runtime.ports import Reply
from recipelang.runtime.values import Json, Usage

_DONE = b"[DONE]"


async def events_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The objects in a stream of events, up to `[DONE]`; raises `BackendError`."""
    async for line in _lines(pieces):
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == _DONE:
            return
        if data:
            yield parsed(data)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines as bytes, so that no character is cut where two pieces meet."""
    kept: list[bytes] = []
    async for piece in pieces:
        first, *more = piece.split(b"\n")
        kept.append(first)
        for line in more:
            yield b"".join(kept)
            kept = [line]
    if any(kept):
        yield b"".join(kept)


@dataclass(slots=True)
class Assembly:
    """The parts of a reply so far."""

    texts: list[str] = field(default_factory=list)
    finish: Json = None
    usage: Usage | None = None
    tokens: list[Json] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add(self, event: Mapping[str, Any]) -> str:
        """Take in an event; gives the text that it brought. Raises `BackendError`."""
        self.usage = usage_of(event.get("usage")) or self.usage
        choices = event.get("choices")
        if not isinstance(choices, list):
            raise garbage("an event has no choices")
        text = ""
        for choice in choices[:1]:
            if not isinstance(choice, dict) or not isinstance(delta := choice.get("delta") or {}, dict):
                raise garbage("an event's choice is no object")
            self.finish = choice.get("finish_reason") or self.finish
            text = delta.get("content") or ""
            if not isinstance(text, str):
                raise garbage("its content is no text")
            self._add_details(choice, delta)
        if text:
            self.texts.append(text)
        return text

    def _add_details(self, choice: Mapping[str, Any], delta: Mapping[str, Any]) -> None:
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
            self.tokens += logprobs["content"]
        for call in delta.get("tool_calls") or ():
            if not isinstance(call, dict) or not isinstance(call.get("index", 0), int):
                raise garbage("its tool calls are no objects")
            _merge(self.calls.setdefault(call.get("index", 0), {}), call)

    def reply(self) -> Reply:
        """The reply, once the stream has ended; raises `BackendError` where it ended before the answer did."""
        if self.finish is None:
            raise garbage("the stream ended before the answer did", may_pass=True)
        calls = tuple(self.calls[index] for index in sorted(self.calls))
        return settled("".join(self.texts), self.finish, self.usage, self.tokens or None, calls)


def _merge(whole: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Add a piece of a tool call: the name comes once, the arguments bit by bit."""
    for name, value in piece.items():
        if name == "index" or value is None:
            continue
        if name == "function" and isinstance(value, dict):
            function = whole.setdefault("function", {"name": "", "arguments": ""})
            for part in ("name", "arguments"):
                function[part] += value.get(part) or ""
        else:
            whole[name] = value
