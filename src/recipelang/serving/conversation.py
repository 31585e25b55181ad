"""What is asked and what is told, whatever the protocol: the neutral middle that the three APIs are read into."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, Protocol

from recipelang.backends.documents import orjson
from recipelang.hosts.requests import RequestProblem, request_of
from recipelang.ir.plan import Contract
from recipelang.ir.sizing import REQUEST_REPAIRS
from recipelang.quick import dataclass, field
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ledger import NO_LIMITS, Limits
from recipelang.runtime.ports import CallPiece
from recipelang.runtime.values import NOTHING_MORE, Answer, Json, Request, TokenLogprob, Wishes
from recipelang.serving.bodies import BodyLimits, Fields
from recipelang.serving.problems import Problem, refused
from recipelang.serving.receipt import Books

LONGEST_WAIT = 86_400.0
"""Seconds of a `deadline` at most."""


@dataclass(frozen=True, slots=True)
class Dials:
    """The field `recipelang` of a request: what may be asked of a recipe and of no model. Limits only tighten."""

    most: Limits = NO_LIMITS
    time: float | None = None  # seconds
    quality: float | None = None  # from 0 to 1
    receipt: bool = False
    progress: bool = False
    extra: Mapping[str, Json] = field(default_factory=lambda: NOTHING_MORE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read and may be answered. `echo`: fields that the protocol's answer repeats."""

    name: str
    request: Request
    seed: int
    stream: bool
    dials: Dials
    include_usage: bool = False
    is_seeded: bool = True  # whether the client said which seed
    echo: Mapping[str, Json] = field(default_factory=lambda: NOTHING_MORE)


@dataclass(frozen=True, slots=True)
class Told:
    """The answer, and what stands beside it. `receipt`: none where it was not asked for."""

    result: RunResult
    books: Books
    receipt: Mapping[str, Json] | None
    fingerprint: str
    tool_calls: Sequence[Mapping[str, Any]] = ()

    @property
    def finish(self) -> str:
        """Why the answer ended, in OpenAI's words."""
        if self.tool_calls:
            return "tool_calls"
        answer = self.result.answer
        return "length" if isinstance(answer, Answer) and answer.finish == "length" else "stop"

    @property
    def usage(self) -> tuple[int, int]:
        """Prompt and completion tokens of the whole run, as they were billed; a whole reply that came without, at most."""
        return (
            self.books.prompt_tokens + self.books.unsaid_prompt,
            self.books.completion_tokens + self.books.unsaid_completion,
        )

    def untold(self, place: int) -> Iterator[tuple[CallPiece, str]]:
        """The calls of tools from this one on, each as one piece, and their numbers."""
        for later, call in enumerate(self.tool_calls[place:], place):
            yield CallPiece(later, call["function"]["name"], call["function"]["arguments"]), call["id"]

    @property
    def logprobs(self) -> Sequence[TokenLogprob] | None:
        return self.result.answer.logprobs if isinstance(self.result.answer, Answer) else None


class Speaker(Protocol):
    """One answer on its way, as server-sent events of one protocol."""

    def opening(self) -> bytes:
        """What stands before the first piece."""
        ...

    def piece(self, text: str) -> bytes: ...

    def call(self, piece: CallPiece, number: str) -> bytes:
        """A piece of a call of a tool, which the client is to know by that number."""
        ...

    def ending(self, told: Told) -> bytes:
        """All that comes after the last piece, the calls that were not told in pieces among it."""
        ...

    def broken(self, problem: Problem, receipt: Mapping[str, Json] | None) -> bytes:
        """The end of an answer that has begun and does not come to its end."""
        ...


class Api(Protocol):
    """One protocol: how it asks and how it is told."""

    def read(self, body: dict[str, Any], limits: BodyLimits) -> Asked:
        """Raises `Problem`, and `RequestProblem` for messages that are no conversation."""
        ...

    def whole(self, asked: Asked, told: Told) -> bytes: ...

    def speaker(self, asked: Asked, fingerprint: str) -> Speaker: ...

    def problem(self, problem: Problem, number: str, receipt: Mapping[str, Json] | None) -> bytes: ...


def dials_in(fields: Fields) -> Dials:
    """What a request says under `recipelang`."""
    own = fields.inner("recipelang")
    cost = own.number("max_cost", 0)
    extra = own.take("extra") or NOTHING_MORE
    if not isinstance(extra, Mapping):
        own.refuse("extra", "is no object")
    if not all(_NAME.fullmatch(name) for name in extra):
        own.refuse("extra", "has a name of more than letters, digits, `_`, `-` and `.`")
    taken = next((name for name in extra if name in _OURS), None)
    if taken is not None:
        own.refuse("extra", f"has `{taken}`, which has a place of its own")
    dials = Dials(
        NO_LIMITS if cost is None else Limits(cost=cost),
        own.number("deadline", 0.001, LONGEST_WAIT),
        own.number("quality", 0, 1),
        own.flag("receipt"),
        own.flag("progress"),
        extra,
    )
    own.end()
    return dials


_NAME = re.compile(r"[\w.-]{1,100}", re.ASCII)
_OURS = frozenset(
    [
        "messages",
        "model",
        "stream",
        "stream_options",
        "n",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "seed",
        "logprobs",
        "top_logprobs",
        "metadata",
        "user",
        "stop",
        "recipelang",
    ]
)


def asked_of(
    *,
    name: str,
    messages: Sequence[Mapping[str, Any]],
    limits: BodyLimits,
    dials: Dials,
    stream: bool,
    tools: Sequence[Mapping[str, Any]] = (),
    tool_options: Mapping[str, Json] = NOTHING_MORE,
    format: tuple[Contract, bool] | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    logprobs: bool = False,
    others: Mapping[str, Json] = NOTHING_MORE,
    metadata: Json = None,
    user: str | None = None,
    seed: int | None = None,
    include_usage: bool = False,
    echo: Mapping[str, Json] = NOTHING_MORE,
) -> Asked:
    """What was asked, from what a protocol calls it; raises `Problem`."""
    if len(messages) > limits.messages:
        raise refused(f"a request has at most {limits.messages} messages, and this one has {len(messages)}", "messages")
    if not messages:
        raise refused("a request has at least one message", "messages")
    if tool_options and not tools:
        option = next(iter(tool_options))
        raise refused(f"`{option}` makes no sense without `tools`", option)
    known = NOTHING_MORE if metadata is None else metadata
    if not isinstance(known, Mapping):
        raise refused("`metadata` is no object", "metadata")
    if user is not None:
        known = {"user": user, **known}
    contract, strict = format or (None, True)
    try:
        request = request_of(
            messages,
            tools=tools,
            max_latency=dials.time,
            quality=dials.quality,
            metadata=known,
            format=contract,
            wishes=Wishes(temperature, max_tokens, logprobs, strict, {**others, **dials.extra}),
            tool_options=tool_options,
        )
    except RequestProblem as problem:
        raise refused(str(problem), str(problem).partition(" ")[0]) from None
    drawn = random.getrandbits(31) if seed is None else seed
    return Asked(name, request, drawn, stream, dials, include_usage, seed is not None, echo)


def form_of(schema: Json, strict: bool | None, place: str) -> tuple[Contract, bool]:
    """The contract of the JSON that a client wants; raises `Problem` for what is no JSON Schema."""
    from recipelang.ir.schema import schema_validator  # deferred: most requests want no form

    if not isinstance(schema, dict):
        raise refused(f"`{place}` is no JSON Schema", place)
    text = json.dumps(schema, ensure_ascii=False)
    try:
        schema_validator(text)
    except Exception as error:  # noqa: BLE001 - the library's own kinds, all of which say what is wrong with the schema
        raise refused(f"`{place}` is no JSON Schema: {str(error).partition(chr(10))[0]:.200}", place) from None
    return Contract("request.format", schema=text, repair=REQUEST_REPAIRS), bool(strict)


def any_object() -> tuple[Contract, bool]:
    """The contract of JSON in no form of its own."""
    return Contract("request.format", schema='{"type": "object"}', repair=REQUEST_REPAIRS), False


def new_id(prefix: str) -> str:
    """A number that no other is likely to have; it is no secret."""
    return f"{prefix}{random.getrandbits(96):024x}"


def quoted(text: str) -> bytes:
    """A text as JSON, in UTF-8."""
    return encode_basestring(text).encode("utf-8", "replace")


def as_json(value: Json) -> bytes:
    if orjson is not None:
        try:
            return bytes(orjson.dumps(value))
        except TypeError:  # what it does not take and `json` does
            pass
    return _ENCODER.encode(value).encode("utf-8", "replace")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def tool_calls_of(result: RunResult, number: Callable[[int], str]) -> Sequence[Mapping[str, Any]]:
    """The calls of the client's tools in an answer; `number` is what each is to be known by, from 0 on."""
    calls = result.answer.tool_calls if isinstance(result.answer, Answer) else ()
    return [_called(call, number(place)) for place, call in enumerate(calls)]


def _called(call: Mapping[str, Json], number: str) -> dict[str, Json]:
    """A call of a tool in OpenAI's form, whatever a provider left out."""
    function = call.get("function") or {}
    arguments = function.get("arguments")
    return {
        "id": number,
        "type": "function",
        "function": {
            "name": function.get("name") or "",
            "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments or {}),
        },
    }
