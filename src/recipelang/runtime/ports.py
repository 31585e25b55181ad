"""What a run needs from outside, as Protocols: models to call, a clock, someone who watches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from recipelang.ir.plan import Model
from recipelang.quick import field
from recipelang.quick import unguarded as dataclass
from recipelang.runtime.values import NOTHING_MORE, Json, Message, TokenLogprob, Usage

_T = TypeVar("_T")


@dataclass(slots=True)
class Departure:
    """Whether a call waits for something before it is sent; a backend that lets calls wait says so, and no other need.

    One that is given up while it waits is no call, and can't be billed."""

    waits: bool = False


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call as it is sent to a backend."""

    model: Model
    role: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None = None
    logprobs: bool = False
    schema: str | None = None  # a JSON Schema that the answer must satisfy, as JSON text
    tools: tuple[Mapping[str, Json], ...] = ()
    seed: int | None = None
    sample: int = 0  # which of several equal calls this is, counted from 0
    strict: bool = True  # whether the schema is to be followed to the letter
    others: Mapping[str, Json] = field(
        default_factory=lambda: NOTHING_MORE
    )  # what the client asks for besides, in OpenAI's names
    again: bool = False  # whether the same call is in flight already, so that another replica should answer it
    headers: Mapping[str, str] = field(
        default_factory=lambda: NOTHING_MORE
    )  # go with it and are no part of it: which trace it belongs to
    departure: Departure = field(default_factory=Departure, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a backend gives back. Usage of none: the provider did not say."""

    text: str
    finish: str = "stop"
    usage: Usage | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    tool_calls: tuple[Mapping[str, Json], ...] = ()
    cost: float | None = None  # dollars, where it is known what was billed; none: tokens times the model's price
    cached: bool = False  # whether it was given before, to an equal call: nothing was sent, and nothing is billed


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of a call of a tool: the first one has the whole name, each a part of the arguments. Calls count from 0."""

    place: int
    name: str | None  # none: it goes on
    arguments: str


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed reply; the last one carries the whole `reply`. `calls` need not be told before that."""

    text: str = ""
    reply: Reply | None = None
    calls: tuple[CallPiece, ...] = ()


class FailureKind(StrEnum):
    """What went wrong with one call."""

    REFUSED = "refused"  # the connection was refused, reset, or its host not found
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"  # 429, 529
    SERVER = "server"  # 5xx
    REQUEST = "request"  # 4xx: sending it again would change nothing
    AUTH = "auth"  # 401, 403, a secret that is not set
    GARBAGE = "garbage"  # an answer that is not what the protocol says
    CONTEXT = "context"  # the prompt is too long for the model
    FILTERED = "filtered"  # a content filter stopped it


@dataclass
class BackendError(Exception):
    """A call that failed. `message` is for a person and never contains a key."""

    kind: FailureKind
    message: str
    status: int | None = None
    retry_after: float | None = None  # seconds, where the provider said so
    may_pass: bool = False  # whether the same call may succeed later
    usage: Usage | None = None  # where it is known to have been billed all the same
    sent: bool = True  # whether anything of the call left: what did not is no call, and can't be billed

    def __str__(self) -> str:
        return self.message


class NotRecorded(Exception):
    """A call for which a recording has no answer. It ends the run: no fallback may stand in for what nobody ever said."""

    def __repr__(self) -> str:
        """The first line, as a trace tells it; the rest is the difference to what was recorded."""
        return str(self).partition("\n")[0]


class StoreProblem(Exception):
    """A store that can't be read or written, or a run that can't be begun or taken up there. It ends the run: what
    is not written down would be paid twice."""


class Backend(Protocol):
    """Reaches models. Cancelling a call closes its connection."""

    async def complete(self, call: ModelCall) -> Reply:
        """The whole reply; raises `BackendError`."""
        ...

    def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        """The reply in pieces as they come; raises `BackendError`."""
        ...


Gauge = Literal["healthy", "load", "kv_cache", "latency"]


@runtime_checkable
class Watched(Protocol):
    """A backend that knows how its models do; a backend need not."""

    def gauge(self, gauge: Gauge, model: Model) -> bool | float | None:
        """What a gauge of a model shows now, at once; none: not known."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model that was started is reached, and the key that its server wants."""

    url: str
    key: str | None = None


class Endpoints(Protocol):
    """Starts models on this machine on demand."""

    async def endpoint(self, model: str) -> Endpoint:
        """Where the model of that id is reached, started where it was not; raises `BackendError`."""
        ...


class HostFunction(Protocol):
    """A function of the host that a recipe calls by name, with plain data: texts, numbers, bools, lists, dicts."""

    async def __call__(self, *_: Any, **arguments: Any) -> Json:  # Any: whatever parameters a host's own function has
        """What the function gives, called by names; whatever it raises is the failure of the step that called it."""
        ...


class Clock(Protocol):
    """Seconds on a clock that only goes forward; the event loop's own by default, so that tests can own it."""

    def now(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a run; the trace is the list of them. See `docs/trace.md` for the kinds."""

    at: float  # seconds since the run began
    kind: str
    step: str  # the path of the step: `final`, `evidence[1].thoughts`
    data: Mapping[str, Json] = field(default_factory=dict)


class Journal(Protocol):
    """Someone who watches a run as it goes: a progress display, a file.

    It is told each event before the run goes on, and so should be quick. One that raises an exception hears no more of
    the run, which goes on; the trace has a `journal_failed` with the reason.
    """

    def record(self, event: Event) -> None: ...


class Tracer(Protocol):
    """Follows a run as a part of a trace that goes beyond it. It must not fail."""

    def record(self, event: Event) -> None:
        """Each event, as a journal hears it."""
        ...

    def headers(self, number: int, call: ModelCall) -> Mapping[str, str]:
        """What goes with the call of that number, which is about to be sent: of what trace it is a part."""
        ...


class Store(Protocol):
    """Keeps what runs have done, so that another process can take them up again; what the lines say is not its affair.

    What a method has written when it returns outlives the process. Whoever has begun a run, or taken it up last, holds it,
    and nobody else can add to it: a process that was thought dead can do no harm. Each method raises `StoreProblem`.
    """

    async def begin(self, run: str, lines: Sequence[str]) -> int:
        """Keep a new run; gives the number that its holder goes by. Refused where a run has that name already."""
        ...

    async def take_up(self, run: str) -> tuple[int, Sequence[str]]:
        """Hold a run from now on; gives the number of the new holder, and all lines."""
        ...

    async def add(self, run: str, holder: int, lines: Sequence[str], *, ended: bool = False) -> None:
        """Write lines, all of them or none; refused where another one holds the run."""
        ...

    async def read(self, run: str) -> Sequence[str]:
        """All lines of a run, in the order in which they were written."""
        ...

    async def unfinished(self) -> Sequence[str]:
        """The runs that have not ended, in the order in which they were begun."""
        ...


class State(Protocol):
    """What the processes of a host share, under names: counts that must be right, and what may be forgotten.

    Each method raises `StoreProblem`.
    """

    async def recall(self, name: str) -> str | None:
        """What was remembered, unless its time is up or it had to make way."""
        ...

    async def remember(self, name: str, value: str, seconds: float) -> None:
        """Keep a text for so long, where there is room."""
        ...

    async def change(self, name: str, seconds: float, change: Callable[[Json], tuple[Json, _T]]) -> _T:
        """Keep for so long what `change` makes of what was there, or of none, with no other change in between.

        Gives what else `change` gives. What it raises is raised, and changes nothing.
        """
        ...
