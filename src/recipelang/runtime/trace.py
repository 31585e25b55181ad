"""The trace: what happened in a run, in order, as events that are also told live; `docs/trace.md` lists their kinds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from recipelang.quick import unguarded as dataclass
from recipelang.runtime.ports import Clock, Event, Journal, Tracer
from recipelang.runtime.values import Json, Message, encodable

TRACE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that happened in one run of `entry`."""

    entry: str
    seed: int
    events: tuple[Event, ...]

    def of(self, kind: str, step: str | None = None) -> tuple[Event, ...]:
        """The events of one kind, of one step where it is named."""
        return tuple(event for event in self.events if event.kind == kind and step in (None, event.step))

    def as_json(self) -> dict[str, Json]:
        """The document that `--trace` writes; see `docs/trace.md`."""
        return {
            "format": "recipelang.trace",
            "version": TRACE_VERSION,
            "entry": self.entry,
            "seed": self.seed,
            "events": [event_as_json(event) for event in self.events],
        }


def event_as_json(event: Event) -> dict[str, Json]:
    """One event, flat: `at`, `kind`, `step`, then what its kind adds."""
    return {"at": round(event.at, 6), "kind": event.kind, "step": event.step, **_plain(event.data)}


_CONTENT = frozenset(["messages", "text", "arguments"])
"""The fields of events that say what was said, and are there only where that is wanted; and `value` of a host's function."""


def without_content(event: Event) -> Event:
    """The event as it is where nothing of what was said is wanted."""
    hidden = _CONTENT | {"value"} if event.kind == "host_call_end" else _CONTENT
    return Event(event.at, event.kind, event.step, {n: told for n, told in event.data.items() if n not in hidden})


class Recorder:
    """Writes the events of one run and tells each to the journal and the tracer. `content`: whether texts are written too."""

    __slots__ = ("_journal", "_now", "_start", "content", "events", "tracer")

    def __init__(
        self, clock: Clock, journal: Journal | None = None, content: bool = False, tracer: Tracer | None = None
    ) -> None:
        self._now = clock.now
        self._start = clock.now()
        self._journal = journal
        self.content = content
        self.tracer = tracer
        self.events: list[Event] = []

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._now() - self._start

    def trace(self, entry: str, seed: int) -> Trace:
        return Trace(entry, seed, tuple(self.events))

    def record(self, kind: str, step: str, /, **data: Json) -> None:
        event = Event(self._now() - self._start, kind, step, data)
        self.events.append(event)
        if self.tracer is not None:
            self.tracer.record(event)
        if self._journal is not None:
            self._tell(self._journal, event)

    def _tell(self, journal: Journal, event: Event) -> None:
        """A journal that fails must not cost the run its answer: it hears no more, and the trace says why."""
        try:
            journal.record(event)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a watcher is not the run's
            self._journal = None
            self.record("journal_failed", "", why=f"{type(error).__name__}: {error}")


def _plain(value: Json) -> Json:
    """The value as JSON that any reader takes: what providers and clients say may have more in it than JSON has."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return encodable(value)
        case Mapping():
            return {encodable(str(name)): _plain(item) for name, item in value.items()}
        case Sequence():
            return [_plain(item) for item in value]
        case _:
            return encodable(str(value))


def messages_as_json(messages: tuple[Message, ...]) -> list[Mapping[str, Json]]:
    """A conversation in OpenAI's form."""
    return [{"role": message.role, "content": message.content, **message.extra} for message in messages]
