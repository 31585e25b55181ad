"""One backend that has several addresses, a circuit or a limit of calls at once: which address a call goes to, and whether it goes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from hashlib import blake2b

import anyio

from recipelang.backends.circuits import Circuit, refused
from recipelang.backends.crowding import Crowd
from recipelang.backends.transport import HttpClient
from recipelang.backends.vllm import Metrics
from recipelang.ir.plan import Backend as BackendPlan
from recipelang.ir.plan import Model
from recipelang.runtime.clock import loop_timer
from recipelang.runtime.members import text_of
from recipelang.runtime.ports import Backend, BackendError, Delta, Gauge, ModelCall, Reply

CROWDED = 1.25
"""How much more than its share an address may have in flight before the next one is asked."""
NEWEST = 0.2
"""How much the newest answer counts in the average of latencies."""
AVOIDED = 10.0
"""Seconds for which an address that failed is asked last."""


class Replica:
    """One address, with what is in flight there."""

    def __init__(self, url: str, backend: Backend) -> None:
        self.url = url
        self.backend = backend
        self.in_flight = 0
        self.failed = -math.inf
        self.circuits: dict[str, Circuit] = {}  # by model
        self.metrics: Metrics | None = None

    def calls(self, model: str) -> float:
        """How many calls are there: those of this host, or all of them where the server tells."""
        seen = None if self.metrics is None else self.metrics.of(model)
        return self.in_flight if seen is None else max(seen.calls, self.in_flight)


class Replicas:
    """Sends each call to one of several addresses of the same models.

    A conversation goes where it went before, so that the server finds its prompt in the cache: the addresses are ordered
    by a hash of each with the beginning of the conversation (rendezvous hashing), and the first that is not crowded is
    taken. One that failed in the last seconds comes last; one whose circuit is open is not called.
    """

    def __init__(self, plan: BackendPlan, backends: Sequence[tuple[str, Backend]]) -> None:
        self._plan = plan
        self._replicas = [Replica(url, backend) for url, backend in backends]
        self._timer: Callable[[], float] = loop_timer()
        self._crowd = None if plan.parallel is None else Crowd(plan.parallel, plan.queue, self._timer)
        self._in_flight: Counter[str] = Counter()  # by model
        self._latencies: dict[str, float] = {}

    async def watch(self, client: HttpClient) -> None:
        """Read what the servers tell of themselves, until it is cancelled."""
        async with anyio.create_task_group() as group:
            for replica in self._replicas:
                replica.metrics = Metrics(replica.url, client, self._timer)
                group.start_soon(replica.metrics.watch)

    def gauge(self, gauge: Gauge, model: Model) -> bool | float | None:
        """How a model does, as far as this host has seen it."""
        told = [replica.metrics.of(model.id) for replica in self._replicas if replica.metrics is not None]
        seen = [each for each in told if each is not None]
        match gauge:
            case "healthy":
                now = self._timer()
                return any(self._is_open_to(replica, model, now) for replica in self._replicas)
            case "load":
                return min((each.calls for each in seen), default=float(self._in_flight[model.name]))
            case "kv_cache":
                return min((each.cache for each in seen if each.cache is not None), default=None)
            case "latency":
                return self._latencies.get(model.name)

    async def complete(self, call: ModelCall) -> Reply:
        async with self._taken(call) as backend:
            return await backend.complete(call)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        last: Delta | None = None
        async with self._taken(call) as backend, aclosing(backend.stream(call)) as deltas:
            async for delta in deltas:
                if delta.reply is not None:  # who listens may leave with it: the call was answered all the same
                    last = delta
                    break
                yield delta
        if last is not None:
            yield last

    @asynccontextmanager
    async def _taken(self, call: ModelCall) -> AsyncIterator[Backend]:
        async with AsyncExitStack() as stack:
            if self._crowd is not None:
                await stack.enter_async_context(self._crowd.call(f"{call.model.name}/{call.role}", call.departure))
            replica, model = self._chosen(call), call.model
            if self._plan.circuit:
                stack.enter_context(self._circuit(replica, model).call(self._timer))
            replica.in_flight += 1
            self._in_flight[model.name] += 1
            began = self._timer()
            try:
                yield replica.backend
                self._took(model, self._timer() - began)
            except BackendError as error:
                replica.failed = self._timer() if error.may_pass else replica.failed
                raise
            finally:
                replica.in_flight -= 1
                self._in_flight[model.name] -= 1

    def _took(self, model: Model, seconds: float) -> None:
        before = self._latencies.get(model.name, seconds)
        self._latencies[model.name] = before + (seconds - before) * NEWEST

    def _chosen(self, call: ModelCall) -> Replica:
        now = self._timer()
        there = [each for each in self._replicas if self._is_open_to(each, call.model, now)]
        if not there:
            wait = min(self._circuit(each, call.model).wait(now) for each in self._replicas)
            raise refused(f"`{call.model.name}`", wait)
        if len(there) == 1:
            return there[0]
        key = beginning(call)
        order = sorted(there, key=lambda each: (each.failed > now - AVOIDED, _rank(each.url, key)))
        if call.again:  # the first of them has the call already
            order = [*order[1:], order[0]]
        calls = {each.url: each.calls(call.model.id) for each in there}
        most = math.ceil(CROWDED * (1 + sum(calls.values())) / len(there))
        return next((each for each in order if calls[each.url] < most), order[0])

    def _is_open_to(self, replica: Replica, model: Model, now: float) -> bool:
        return not self._plan.circuit or self._circuit(replica, model).lets_through(now)

    def _circuit(self, replica: Replica, model: Model) -> Circuit:
        name = model.name
        if name not in replica.circuits:
            replica.circuits[name] = Circuit(self._plan.circuit, self._plan.cooldown)
        return replica.circuits[name]


def beginning(call: ModelCall) -> bytes:
    """What stays the same of a conversation while it goes on: its messages up to the first of the user."""
    parts = [call.model.id]
    for message in call.messages:
        parts.append(text_of(message))
        if message.role == "user":
            break
    return "\0".join(parts).encode("utf-8", "surrogatepass")


def _rank(url: str, key: bytes) -> bytes:
    return blake2b(key, digest_size=8, key=url.encode()[:64]).digest()
