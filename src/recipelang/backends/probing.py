"""Finds out what a model can do by asking it: one cheap call for each ability; knows nothing of how it is reached."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Awaitable, Callable

from recipelang.ir.plan import Model
from recipelang.quick import dataclass, field, replace
from recipelang.runtime.ports import Backend, BackendError, FailureKind, ModelCall, Reply
from recipelang.runtime.values import Json, Message

ANSWER_TOKENS = 400
"""Completion tokens of one call: enough for a model that thinks before it speaks, and little money."""
_SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["blue", "green"]}, "sure": {"type": "boolean"}},
    "required": ["colour", "sure"],
    "additionalProperties": False,
}
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "The time of day in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: whether the model can, its context, or none where that did not show; `why` is for a person."""

    value: bool | int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks one model; raises `BackendError` where it can't be reached, or does not answer even a plain question."""

    model: Model
    backend: Backend
    findings: dict[str, Finding] = field(default_factory=dict)

    async def all(self) -> dict[str, Finding]:
        """Every ability by the name of its attribute."""
        await self.backend.complete(self._call("Say yes."))
        questions: dict[str, Callable[[], Awaitable[Finding]]] = {
            "logprobs": self._logprobs, "json_schema": self._json_schema, "tools": self._tools,
            "vision": self._vision, "seed": self._seed,
        }  # fmt: skip
        for name, asked in questions.items():
            try:
                self.findings[name] = await asked()
            except BackendError as error:
                self.findings[name] = _refused(error)
        return self.findings

    def _call(self, text: str | tuple[Json, ...]) -> ModelCall:
        return ModelCall(self.model, "probe", (Message("user", text),), ANSWER_TOKENS)

    async def _logprobs(self) -> Finding:
        reply = await self.backend.complete(replace(self._call("Say yes."), logprobs=True, max_tokens=16))
        return Finding(True) if reply.logprobs else Finding(False, "it answers without them")

    async def _json_schema(self) -> Finding:
        """A question that nobody would answer in JSON, so that only who is held to a schema does."""
        asked = self._call("Tell me in a sentence what colour the sky is.")
        reply = await self.backend.complete(replace(asked, schema=json.dumps(_SCHEMA)))
        return Finding(True) if _has_form(reply.text) else Finding(False, "it answers in another form")

    async def _tools(self) -> Finding:
        asked = self._call("What time is it in Paris right now? Call the tool get_time to find out.")
        reply = await self.backend.complete(replace(asked, tools=(_TOOL,)))
        return Finding(True) if reply.tool_calls else Finding(False, "it was told to call one, and did not")

    async def _vision(self) -> Finding:
        picture = {"type": "image_url", "image_url": {"url": _red_square()}}
        question = {"type": "text", "text": "Which colour is this picture? Answer with one word."}
        reply = await self.backend.complete(self._call((question, picture)))
        return (
            Finding(True)
            if "red" in reply.text.lower()
            else Finding(False, "it does not see what colour a picture has")
        )

    async def _seed(self) -> Finding:
        """Twice the same at a temperature at which two answers are seldom alike."""
        asked = self._call("Write one sentence about anything you like.")
        asked = replace(asked, temperature=1.0, seed=20_241, max_tokens=40)
        first, second = await self._said(asked), await self._said(asked)
        if first != second:
            return Finding(False, "the same seed gave two answers")
        other = await self._said(replace(asked, seed=7))
        return Finding(True) if other != first else Finding(None, "it gives the same answer whatever the seed is")

    async def _said(self, call: ModelCall) -> str:
        reply: Reply = await self.backend.complete(call)
        return reply.text


def _has_form(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.keys() == {"colour", "sure"} and value["colour"] in ("blue", "green")


def _refused(error: BackendError) -> Finding:
    """A call that was not understood says that the model can't; any other failure says nothing."""
    can_not = error.kind is FailureKind.REQUEST or error.status in (400, 404, 415, 422, 500, 501)
    return Finding(False if can_not else None, error.message)


def _red_square(side: int = 64) -> str:
    """A red picture as an address that holds it."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff\0\0" * side) * side)
    png = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
