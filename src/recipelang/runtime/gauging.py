"""How the host's models do, as expressions see it: each gauge is read once a run, where it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from recipelang.ir.plan import Model
from recipelang.runtime.ports import Backend, Gauge, Watched
from recipelang.runtime.values import Value

UNKNOWN: dict[Gauge, bool | None] = {"healthy": True, "load": None, "kv_cache": None, "latency": None}
"""What a gauge shows where nobody watches."""

GAUGES: dict[str, Gauge] = {gauge: gauge for gauge in UNKNOWN}

Teller = Callable[[Gauge, str, Value], None]
"""What hears of a gauge that was read: its name, that of the model, and the value."""


class Dials:
    """What one run has seen of its models, so that a value stays the same while it goes on."""

    __slots__ = ("_backends", "_seen", "_tell")

    def __init__(self, backends: Mapping[str, Backend], tell: Teller) -> None:
        self._backends = backends
        self._tell = tell
        self._seen: dict[tuple[Gauge, str], Value] = {}

    def read(self, gauge: Gauge, model: Model) -> Value:
        key = (gauge, model.name)
        if key not in self._seen:
            backend: object = self._backends.get(model.backend)
            shown = backend.gauge(gauge, model) if isinstance(backend, Watched) else None
            self._seen[key] = UNKNOWN[gauge] if shown is None else shown
            self._tell(gauge, model.name, self._seen[key])
        return self._seen[key]
