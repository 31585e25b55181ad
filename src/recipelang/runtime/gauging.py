"""How the host's models do and what is left of the run's budget, as expressions see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from recipelang.ir.plan import Model
from recipelang.runtime.ledger import NO_LIMITS, Limits
from recipelang.runtime.ports import Backend, Gauge, Watched
from recipelang.runtime.values import Value

UNKNOWN: dict[Gauge, bool | None] = {"healthy": True, "load": None, "kv_cache": None, "latency": None}
"""What a gauge shows where nobody watches."""

GAUGES: dict[str, Gauge] = {gauge: gauge for gauge in UNKNOWN}

LEFT = ("calls_left", "tokens_left", "cost_left", "time_left")
"""What is left of a run's budget, as functions show it."""

Teller = Callable[[str, str, Value], None]
"""What hears of a gauge that was read: its name, that of the model (none: the run's own), and the value."""


class Dials:
    """What one run has seen of its models, so that a value stays the same while it goes on; what is left of it changes."""

    __slots__ = ("_backends", "_room", "_seconds", "_seen", "_tell")

    def __init__(self, backends: Mapping[str, Backend], tell: Teller) -> None:
        self._backends = backends
        self._tell = tell
        self._seen: dict[tuple[Gauge, str], Value] = {}
        self._room: Callable[[], Limits] = lambda: NO_LIMITS
        self._seconds: Callable[[], float] = lambda: math.inf

    def watch(self, room: Callable[[], Limits], seconds: Callable[[], float]) -> None:
        """Show what is left from here on: what the run may still use, and for how long."""
        self._room, self._seconds = room, seconds

    def left(self, what: str) -> int | float | None:
        """What is left of the run's calls, tokens, dollars or seconds; none where nothing limits them."""
        if what == "time_left":
            seconds = self._seconds()
            left: int | float | None = None if math.isinf(seconds) else max(0.0, seconds)
        else:
            room = self._room()
            left = {"calls_left": room.calls, "tokens_left": room.tokens, "cost_left": room.cost}[what]
        self._tell(what, "", left)
        return left

    def read(self, gauge: Gauge, model: Model) -> Value:
        key = (gauge, model.name)
        if key not in self._seen:
            backend: object = self._backends.get(model.backend)
            shown = backend.gauge(gauge, model) if isinstance(backend, Watched) else None
            self._seen[key] = UNKNOWN[gauge] if shown is None else shown
            self._tell(gauge, model.name, self._seen[key])
        return self._seen[key]
