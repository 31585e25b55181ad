"""What a `test` block means: a run of a recipe with models of its own, whose replies are written down. No part of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from recipelang.ir import plan as ir
from recipelang.ir.expressions import Expression
from recipelang.ir.types import Type
from recipelang.quick import dataclass
from recipelang.source import Span
from recipelang.syntax import nodes

Json = Any  # Any: a JSON value as `json.loads` gives it

RUN_FAILURES = (
    "backend", "timeout", "deadline", "budget", "contract", "quorum", "not_accepted", "no_arm", "plan", "host",
    "boundary", "failed", "request_too_large", "request_unbounded",
)  # fmt: skip
"""The kinds of a run's failure, which the interpreter has as `RunFailureKind`."""
CALL_FAILURES = (
    "refused", "timeout", "rate_limit", "server", "request", "auth", "garbage", "context", "filtered",
)  # fmt: skip
"""The kinds of a call's failure, which backends have as `FailureKind`."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What a model says. `confidence` is told in log-probabilities, where the call asks for them."""

    text: str
    confidence: float | None = None
    finish: str = "stop"
    tokens: int | None = None  # of the completion; none: about what the text takes


@dataclass(frozen=True, slots=True)
class Failing:
    """How a call fails: with a status of HTTP, or in another way; a function of the host, for the reason it gives."""

    status: int | None = None
    kind: str | None = None
    message: str = ""
    retry_after: float | None = None  # seconds


@dataclass(frozen=True, slots=True)
class Giving:
    """What a function of the host gives."""

    value: Json


Outcome = Saying | Failing | Giving


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """One `reply` line. `times`: for so many calls; none: for one, or for all that follow where it is the last."""

    callee: str  # the role, or the function of the host, as the plan names it
    model: str | None  # none: whichever model plays the role
    outcome: Outcome
    delay: float  # seconds
    times: int | None
    span: Span


@dataclass(frozen=True, slots=True)
class Observation:
    """A question about a run, such as `ran(judge)`, which is a name that expectations read."""

    kind: Literal["ran", "skipped", "fell_back", "failed", "asked", "prompt"]
    step: tuple[str, str] | None = None  # the recipe, and the step in it
    role: str | None = None  # or a function of the host
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A part of an expectation whose value tells why it does not hold."""

    span: Span
    expression: Expression
    type: Type


@dataclass(frozen=True, slots=True)
class Expectation:
    """One condition; the parts that `and` joins are conditions of their own. `equal`: whether `seen` are to be equal."""

    span: Span
    condition: Expression
    seen: tuple[Seen, ...]
    equal: bool = False


@dataclass(frozen=True, slots=True)
class TestRequest:
    """What is asked; the format is a contract's name in the plan."""

    messages: tuple[tuple[str, str], ...]
    tools: tuple[Json, ...] = ()
    format: str | None = None
    max_latency: float | None = None
    max_cost: float | None = None  # dollars, which the run is held to
    quality: float | None = None
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RecipeTest:
    """One `test` block that has no mistakes. `models` are its own, and stand before the file's of these names."""

    name: str
    span: Span
    node: nodes.Test
    entry: ir.Entry
    request: TestRequest
    seed: int
    models: Mapping[str, ir.Model]
    replies: tuple[ScriptedReply, ...]
    expectations: tuple[Expectation, ...]
    observations: Mapping[str, Observation]  # by the names that the expectations read
