"""A loop of the client's tools, over several requests: what was asked in each turn, and what was answered in those before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from recipelang.quick import unguarded as dataclass
from recipelang.runtime.ports import Backend, HostFunction, ModelCall
from recipelang.runtime.values import Json, Message, Request


class Loop(Protocol):
    """What a run that goes on with a loop of tools remembers of it, and what it writes down for the next turn.

    A call that it `knows` was made in an earlier turn: the backend that it gives answers as it did then, at once and for
    nothing.
    """

    @property
    def before(self) -> Sequence[Request]:
        """The requests of the earlier turns, the first one first."""
        ...

    def knows(self, call: ModelCall) -> bool: ...

    def knows_function(self, name: str, given: Mapping[str, Json]) -> bool: ...

    def can_go_on(self, calls: Sequence[Mapping[str, Json]]) -> None:
        """Hears of calls of tools after which the model that made them can be asked again."""
        ...

    def keeping(self, backend: Backend) -> Backend: ...

    def keeping_function(self, name: str, function: HostFunction) -> HostFunction: ...


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of a run: one, unless it goes on with a loop of tools. They are counted from 0."""

    requests: tuple[Request, ...]
    loop: Loop | None = None

    @property
    def last(self) -> int:
        return len(self.requests) - 1

    def knows(self, call: ModelCall) -> bool:
        return self.last > 0 and self.loop is not None and self.loop.knows(call)

    def knows_function(self, name: str, given: Mapping[str, Json]) -> bool:
        return self.last > 0 and self.loop is not None and self.loop.knows_function(name, given)

    def can_go_on(self, calls: Sequence[Mapping[str, Json]]) -> None:
        if self.loop is not None:
            self.loop.can_go_on(calls)

    def after(self, turn: int, calls: Sequence[Mapping[str, Json]]) -> int | None:
        """The turn that these calls of tools, made in that one, were carried out for; none where they were not."""
        wanted = called(calls)
        return next(
            (later for later in range(turn + 1, len(self.requests)) if called(self._carried_out(later)) == wanted), None
        )

    def _carried_out(self, turn: int) -> Sequence[Mapping[str, Json]]:
        """The calls whose results a turn brought."""
        calls: Sequence[Mapping[str, Json]] = self.said_since(turn - 1, turn)[0].extra.get("tool_calls", ())
        return calls

    def said_since(self, turn: int, later: int) -> tuple[Message, ...]:
        """What the conversation of a later turn has beyond that of an earlier one."""
        return self.requests[later].messages[len(self.requests[turn].messages) :]


def called(calls: Sequence[Mapping[str, Json]]) -> Json:
    """What calls of the client's tools come to, so that they can be compared: names and arguments, and no numbers."""
    return [[function.get("name"), _arguments(function)] for function in (call.get("function") or {} for call in calls)]


def _arguments(function: Mapping[str, Json]) -> Json:
    told = function.get("arguments")
    try:
        return json.loads(told) if isinstance(told, str) else told
    except (ValueError, RecursionError):  # whatever a model has written down
        return told
