"""The values that flow through a run: the request, answers, usage; knows nothing of how they are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from recipelang.ir.plan import Contract, Model, Price
from recipelang.ir.sizing import REQUEST_REPAIRS
from recipelang.quick import field
from recipelang.quick import unguarded as dataclass
from recipelang.runtime.readings import Readings

if TYPE_CHECKING:
    from recipelang.runtime.gauging import Dials

Json = Any  # Any: a JSON value as `json.loads` gives it


class Authored(str):
    """Text that the recipe's author wrote: a constant of the plan, or several joined.

    Only such text enters a prompt unfenced. Every operation on texts gives a plain `str` unless it takes care not to,
    so text whose origin got lost counts as untrusted, never the other way round.
    """

    __slots__ = ()


class Said(str):
    """Text of an answer; a prompt shows at most `limit` bytes of it. Where that gets lost, the text is shown whole."""

    __slots__ = ("limit",)
    limit: int

    @classmethod
    def of(cls, text: str, limit: int) -> Said:
        said = cls(text)
        said.limit = limit
        return said


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation in OpenAI's form. `content` is a text or a list of content parts."""

    role: str
    content: str | Sequence[Mapping[str, Json]] | None
    extra: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))  # name, tool_calls, tool_call_id


NOTHING_MORE: Mapping[str, Json] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a client asks of the calls whose words may be the answer; `docs/server.md` says which those are.

    A role that sets a temperature keeps it; `max_tokens` only lowers what a role allows. `others` are sent as they are, in
    OpenAI's names (`top_p`, `stop`). `strict` says how closely a provider is to follow the form that is asked for.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    logprobs: bool = False
    strict: bool = True
    others: Mapping[str, Json] = field(default_factory=lambda: NOTHING_MORE)

    @property
    def stop(self) -> tuple[str, ...]:
        """The texts at which an answer ends."""
        given = self.others.get("stop", ())
        return (given,) if isinstance(given, str) else tuple(given)


NO_WISHES = Wishes()


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks: a conversation and what it demands of the answer.

    `tool_options` go where the tools go, in OpenAI's names: `tool_choice`, `parallel_tool_calls`.
    """

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Json], ...] = ()
    format: Contract = field(default_factory=lambda: Contract("request.format"))
    max_latency: float | None = None  # seconds
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    wishes: Wishes = field(default_factory=lambda: NO_WISHES)
    tool_options: Mapping[str, Json] = field(default_factory=lambda: NOTHING_MORE)
    max_cost: float | None = None  # dollars
    quality: float | None = None  # from 0, the least that will do, to 1, the best that is to be had
    readings: Readings | None = field(default=None, compare=False, repr=False)  # of the run that it is in
    dials: Dials | None = field(default=None, compare=False, repr=False)  # how the models do, while it runs

    def __post_init__(self) -> None:
        if self.format.repair > REQUEST_REPAIRS:
            raise ValueError(
                f"the form that a request asks for may be repaired {REQUEST_REPAIRS} time, not {self.format.repair}"
            )


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the provider billed them or, where it said nothing, at the upper bound."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reported: bool = True

    @property
    def total(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """Natural log-probability of a token that was chosen, and of the best one that was not (none: not told)."""

    token: str
    logprob: float
    runner_up: float | None = None
    best: tuple[tuple[str, float], ...] = field(
        default=(), compare=False
    )  # the likeliest tokens there, as they were told


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, and what is known about it."""

    text: str
    value: Json  # what its contract extracted; none where it satisfies it not
    valid: bool
    model: Model
    role: str
    usage: Usage
    cost: float | None  # dollars; none: the model has no price
    latency: float  # seconds
    finish: str  # stop, length, tool_calls, content_filter, ...
    logprobs: tuple[TokenLogprob, ...] | None = None
    tool_calls: tuple[Mapping[str, Json], ...] = ()
    max_tokens: int | None = None  # completion tokens it was allowed; none: those of its role


@dataclass(frozen=True, slots=True)
class RecordValue:
    """A value of a record type: a model's (`limit` bytes of it are shown in a prompt at most) or one that a recipe made."""

    fields: Mapping[str, Value]
    limit: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a plan. `results` are the answers to the tasks that it needs, in the order in which it names them."""

    name: str
    instruction: str
    model: Model
    needs: tuple[str, ...] = ()
    results: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """Tasks in an order in which each comes after those that it needs; prompts show at most `limit` bytes of it."""

    tasks: tuple[Task, ...]
    limit: int | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        """The plan as a person would write it down."""
        return "\n".join(
            f"{task.name} ({task.model.name}{', after ' + ', '.join(task.needs) if task.needs else ''}): {task.instruction}"
            for task in self.tasks
        )


@dataclass(frozen=True, slots=True, eq=False)
class Prospect:
    """What an arm of a `choose` is expected to bring and to take: what conditions and `by` call `it`.

    `read` gives `quality`, `cost` (dollars; none: a model has no price) and `time` (seconds) where they are asked for: what an
    arm that does not apply is expected to bring may have no meaning.
    """

    read: Callable[[str], float | None]


Value = (
    bool
    | int
    | float
    | str
    | None
    | Model
    | Contract
    | Request
    | Answer
    | RecordValue
    | Task
    | TaskPlan
    | Prospect
    | Usage
    | Price
    | Mapping[str, str]  # `request.metadata`, which is only read by key
    | tuple["Value", ...]
)


def key_of(value: Value) -> Hashable:
    """What stands for a value where equal ones are sought; answers and requests are equal only to themselves."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Model(name=name) | Contract(name=name):
            return (type(value), name)
        case tuple():
            return tuple(map(key_of, value))
        case RecordValue(fields):
            return frozenset((name, key_of(item)) for name, item in fields.items())
        case _:
            return id(value)


def byte_length(text: str) -> int:
    """Bytes of UTF-8; a surrogate without its other half counts as the mark it is sent as."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def encodable(text: str) -> str:
    """The text with surrogates that stand alone, which JSON lets in and UTF-8 does not, replaced, byte for byte."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _LONE_SURROGATE.sub("\ufffd", text)
    return text


def to_json(value: Value) -> Json:
    """A value as JSON, for traces and prompts; models, contracts and requests by name only."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case tuple():
            return [to_json(item) for item in value]
        case RecordValue(fields) | (Mapping() as fields):
            return {name: to_json(item) for name, item in fields.items()}
        case Answer(text=text) | TaskPlan(text=text) | Task(instruction=text):
            return text
        case Model(name=name) | Contract(name=name):
            return name
        case Request():
            return "request"
        case Usage():
            return {"prompt_tokens": value.prompt_tokens, "completion_tokens": value.completion_tokens}
        case Price(input, output):
            return {"input": input, "output": output}
        case Prospect(read):
            return {name: read(name) for name in ("quality", "cost", "time")}


def from_json(value: Json, limit: int | None = None) -> Value:
    """A JSON value that a model said as a value of the language, of which prompts show at most `limit` bytes each.

    Whole numbers become integers, however they were spelled.
    """
    match value:
        case dict():
            return RecordValue({name: from_json(item, limit) for name, item in value.items()}, limit)
        case list():
            return tuple(from_json(item, limit) for item in value)
        case str() if limit is not None:
            return Said.of(value, limit)
        case float() if value.is_integer() and abs(value) <= _EXACT:
            return int(value)
        case _:
            return cast(Value, value)


_EXACT = 2**53
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
