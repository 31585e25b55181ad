"""The values that flow through a run: the request, answers, usage; knows nothing of how they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from recipelang.ir.plan import Contract, Model

Json = Any  # Any: a JSON value as `json.loads` gives it


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation in OpenAI's form. `content` is a text or a list of content parts."""

    role: str
    content: str | Sequence[Mapping[str, Json]] | None
    extra: Mapping[str, Json] = field(
        default_factory=lambda: MappingProxyType({})
    )  # name, tool_calls, tool_call_id


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks: a conversation and what it demands of the answer."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Json], ...] = ()
    format: Contract = field(default_factory=lambda: Contract("request.format"))
    max_latency: float | None = None  # seconds
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


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


@dataclass(frozen=True, slots=True)
class RecordValue:
    """A value of a record type."""

    fields: Mapping[str, Value]


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
    | tuple["Value", ...]
)
