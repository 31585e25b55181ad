"""From a role and its arguments to the messages of a call: what was said is fenced off, unnamed and cut to its size."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import cast

from recipelang.ir.plan import Model, Plan, Role
from recipelang.ir.sizing import CALL_TOKENS, MESSAGE_TOKENS, REPAIR_BYTES
from recipelang.ir.template import Section, Slot, Template, Words
from recipelang.quick import dataclass, replace
from recipelang.runtime.members import Members, images_of, shown_bytes, text_of
from recipelang.runtime.operators import is_there
from recipelang.runtime.ports import ModelCall
from recipelang.runtime.values import (
    Answer,
    Authored,
    Json,
    Message,
    RecordValue,
    Request,
    Said,
    TaskPlan,
    Usage,
    Value,
    byte_length,
    encodable,
    to_json,
)

CUT = "\n[cut here: the rest is left out]"
NOTHING = "(none)"
_SYSTEM = ("system", "developer")
_REPAIR = (
    "That answer can't be used: {problem}\n\nGive the whole answer again in the form that is asked for,"
    " without a word about the correction."
)

_PROMPTED = "Answer with JSON alone, without a word before or after it, in the form of this JSON Schema:"


@dataclass(frozen=True, slots=True)
class _Quotation:
    """Text that is not the author's; the fence around it is chosen when all quotations of a call are known."""

    text: str


_Piece = str | _Quotation


class Prompter:
    """Writes the messages of the role calls of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._members = Members(plan)
        self._draw = random.Random(0)  # seeded for each call: to make one anew takes twice as long

    def messages(self, role: Role, arguments: Mapping[str, Value], request: Request, seed: int) -> tuple[Message, ...]:
        """The messages of a call; the same `seed` gives the same fences and the same order of a list of answers."""
        before = request.messages if role.conversation else ()
        if role.system is None and role.prompt is None:
            return before
        page = _Page(self._plan, self._members, self._seeded(seed) if role.shuffle else None)
        system = None if role.system is None else page.pieces(role.system, arguments)
        prompt = None if role.prompt is None else page.pieces(role.prompt, arguments)
        quoted = [piece.text.lower() for piece in (*(system or ()), *(prompt or ())) if isinstance(piece, _Quotation)]
        fence = _fence(quoted, self._seeded(seed)) if quoted else ""
        if system is not None:
            before = _with_system(_joined(system, fence), before)
        if prompt is None:
            return before
        return _with_user(before, _joined(prompt, fence))

    def _seeded(self, seed: int) -> random.Random:
        self._draw.seed(seed)
        return self._draw

    def in_form(self, messages: tuple[Message, ...], schema: str) -> tuple[Message, ...]:
        """The messages of a call whose model is shown the schema of its answer, as it is not held to it."""
        return _with_user(messages, f"{_PROMPTED}\n{schema}")

    def repair(
        self, messages: tuple[Message, ...], said: str, problem: str, hint: str, limit: int
    ) -> tuple[Message, ...]:
        """The conversation so far, the answer (of which `limit` bytes), and what is wrong with it."""
        asked = _REPAIR.format(problem=f"{problem}. {hint}" if hint else problem)
        return (
            *messages,
            Message("assistant", encodable(_cut(said, limit))),
            Message("user", encodable(_cut(asked, REPAIR_BYTES))),
        )


@dataclass(frozen=True, slots=True)
class _Page:
    """Lays out the templates of one call."""

    plan: Plan
    members: Members
    order: random.Random | None

    def pieces(self, template: Template, arguments: Mapping[str, Value]) -> list[_Piece]:
        found: list[_Piece] = []
        for part in template:
            match part:
                case Words(text):
                    found.append(text)
                case Slot(path):
                    found += self._shown(self._at(path, arguments))
                case Section(path, then, otherwise):
                    found += self.pieces(then if _holds(self._at(path, arguments)) else otherwise, arguments)
        return found

    def _at(self, path: tuple[str, ...], arguments: Mapping[str, Value]) -> Value:
        value = arguments[path[0]]
        for name in path[1:]:
            value = self.members.of(value, name)
        return value

    def _shown(self, value: Value) -> list[_Piece]:
        match value:
            case Answer():
                return [_Quotation(_cut(_said(value), shown_bytes(value, self.plan)))]
            case Authored():
                return [str(value)]
            case Said():
                return [_Quotation(_cut(value, value.limit))]
            case str():
                return [_Quotation(value)]
            case tuple():
                return self._listed(value)
            case RecordValue(fields, None):
                return self._fields(fields)
            case RecordValue(limit=limit):
                return [_Quotation(_cut(_compact(to_json(value)), cast(int, limit)))]
            case TaskPlan(text=text, limit=limit):
                return [_Quotation(text if limit is None else _cut(text, limit))]
            case Model(name=name):
                return [name]
            case None:
                return [NOTHING]
            case _:
                return [_compact(to_json(value))]

    def _listed(self, items: tuple[Value, ...]) -> list[_Piece]:
        """A list, each item under its number; answers in an order that says nothing about who gave them."""
        if self.order is not None and any(isinstance(item, Answer) for item in items):
            items = tuple(self.order.sample(items, len(items)))
        pieces: list[_Piece] = []
        for number, item in enumerate(items, 1):
            pieces += ["\n" * (number > 1), f"{number}:\n", *self._shown(item)]
        return pieces or [NOTHING]

    def _fields(self, fields: Mapping[str, Value]) -> list[_Piece]:
        """A record that the recipe made, field by field, so that each part keeps a fence of its own."""
        pieces: list[_Piece] = []
        for name, value in fields.items():
            pieces += ["\n" if pieces else "", f"{name}:\n", *self._shown(value)]
        return pieces or [NOTHING]


def _holds(value: Value) -> bool:
    """Whether a section's `{% if %}` holds: the value is there, and is not false."""
    return value is not False and is_there(value)


def request_bytes(request: Request) -> int:
    """The size of a request as bounds count it: bytes of its texts, tools, form and metadata, and a constant for each message."""
    form = 0 if request.format.schema is None else byte_length(request.format.schema)
    return (
        _size(request.messages) + _json_bytes(request.tools) + form + sum(map(byte_length, request.metadata.values()))
    )


def most_used(call: ModelCall) -> Usage:
    """The most tokens that a call can use, what the model thinks besides included."""
    prompt = prompt_bound(call.messages, call.tools, call.schema, call.model)
    return Usage(prompt, call.max_tokens + call.model.reasoning_tokens, reported=False)


def prompt_bound(
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Json]] = (),
    schema: str | None = None,
    model: Model | None = None,
) -> int:
    """The most prompt tokens that a call can have; see `recipelang.ir.sizing`. By default of a byte-level tokenizer."""
    size = CALL_TOKENS + _size(messages) + _json_bytes(tools) + (0 if schema is None else byte_length(schema))
    if model is None:
        return size
    images = model.image_tokens * sum(map(images_of, messages)) if model.image_tokens else 0
    return math.floor(size * model.tokens_per_byte) + images


def _size(messages: Sequence[Message]) -> int:
    size = MESSAGE_TOKENS * len(messages)
    for message in messages:
        size += byte_length(text_of(message))
        if message.extra:
            size += _json_bytes(message.extra)
    return size


def _json_bytes(value: Json) -> int:
    return byte_length(json.dumps(value, default=dict)) if value else 0


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _said(answer: Answer) -> str:
    """What an answer says; of one that calls the client's tools also what it would call."""
    calls = [call.get("function") or {} for call in answer.tool_calls]
    told = [f"calls {call.get('name')}({call.get('arguments') or ''})" for call in calls]
    return "\n".join([*([answer.text] if answer.text else ()), *told]) if told else answer.text


def _cut(text: str, limit: int) -> str:
    """At most `limit` bytes of a text, and the mark that says so where something is missing."""
    if len(text) <= limit and byte_length(text) <= limit:
        return text
    return text.encode("utf-8", "surrogatepass")[:limit].decode("utf-8", "ignore") + CUT


def _fence(quoted: Sequence[str], draw: random.Random) -> str:
    """A word that no quotation, in small letters, contains, so that none can close its own fence."""
    while True:
        word = f"quoted-{draw.getrandbits(32):08x}"
        if not any(word in text for text in quoted):
            return word


def _joined(pieces: Sequence[_Piece], fence: str) -> str:
    whole = "".join(
        f"<{fence}>\n{piece.text}\n</{fence}>" if isinstance(piece, _Quotation) else piece for piece in pieces
    )
    return encodable(whole.strip("\n"))


def _with_system(text: str, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """One system message, the role's words first, then the client's."""
    theirs = [text_of(message) for message in messages if message.role in _SYSTEM]
    rest = tuple(message for message in messages if message.role not in _SYSTEM)
    return (Message("system", "\n\n".join([text, *theirs])), *rest)


def _with_user(messages: tuple[Message, ...], text: str) -> tuple[Message, ...]:
    """The text as the user's last words: joined to theirs, as chat templates want turns to alternate."""
    if not messages or messages[-1].role != "user":
        return (*messages, Message("user", text))
    *before, last = messages
    if last.content is None or isinstance(last.content, str):
        return (*before, replace(last, content=f"{last.content}\n\n{text}" if last.content else text))
    return (*before, replace(last, content=(*last.content, {"type": "text", "text": text})))
