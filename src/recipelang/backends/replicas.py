"""One backend that has several addresses, a circuit or a limit of calls at once: which address a call goes to, and whether it goes."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from hashlib import blake2b

from recipelang.backends.circuits import Circuit, refused
from recipelang.backends.crowding import Crowd
from recipelang.ir.plan import Backend as BackendPlan
from recipelang.runtime.clock import loop_timer
from recipelang.runtime.members import text_of
from recipelang.runtime.ports import Backend, BackendError, Delta, ModelCall, Reply

CROWDED = 1.25
"""How much more than its share an address may have in flight before the next one is asked."""
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


class Replicas:
    """Sends each call to one of several addresses of the same models.

    A conversation goes where it went before, so that the server finds its prompt in the cache: the addresses are ordered
    by a hash of each with the beginning of the conversation (rendezvous hashing), and the first that is not crowded is
    taken. One that failed in the last seconds comes last; one whose circuit is open is not called.
    """

    def __init__(self, plan: BackendPlan, backends: Sequence[tuple[str, Backend]]) -> None:
        self._plan = plan
        self._replicas = [Replica(url, backend) for url, backend in backends]
        self._crowd = None if plan.parallel is None else Crowd(plan.parallel, plan.queue)
        self._timer: Callable[[], float] = loop_timer()

    async def complete(self, call: ModelCall) -> Reply:
        async with self._taken(call) as backend:
            return await backend.complete(call)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        async with self._taken(call) as backend, aclosing(backend.stream(call)) as deltas:
            async for delta in deltas:
                yield delta

    @asynccontextmanager
    async def _taken(self, call: ModelCall) -> AsyncIterator[Backend]:
        async with AsyncExitStack() as stack:
            if self._crowd is not None:
                await stack.enter_async_context(self._crowd.call())
            replica = self._chosen(call)
            if self._plan.circuit:
                stack.enter_context(self._circuit(replica, call).call(self._timer))
            replica.in_flight += 1
            try:
                yield replica.backend
            except BackendError as error:
                replica.failed = self._timer() if error.may_pass else replica.failed
                raise
            finally:
                replica.in_flight -= 1

    def _chosen(self, call: ModelCall) -> Replica:
        now = self._timer()
        there = [each for each in self._replicas if self._is_open_to(each, call, now)]
        if not there:
            wait = min(self._circuit(each, call).wait(now) for each in self._replicas)
            raise refused(f"`{call.model.name}`", wait)
        if len(there) == 1:
            return there[0]
        key = beginning(call)
        order = sorted(there, key=lambda each: (each.failed > now - AVOIDED, _rank(each.url, key)))
        if call.again:  # the first of them has the call already
            order = [*order[1:], order[0]]
        most = math.ceil(CROWDED * (1 + sum(each.in_flight for each in there)) / len(there))
        return next((each for each in order if each.in_flight < most), order[0])

    def _is_open_to(self, replica: Replica, call: ModelCall, now: float) -> bool:
        return not self._plan.circuit or self._circuit(replica, call).lets_through(now)

    def _circuit(self, replica: Replica, call: ModelCall) -> Circuit:
        name = call.model.name
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
