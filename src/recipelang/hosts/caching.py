"""Replies that serve again: a call that equals one that was answered is answered by the same reply, and costs nothing.

Calls are equal where all that is sent is equal, the seed among it, for the same key of the host. Of equal calls in one run
the first has the first reply, the second the second: n samples of one prompt stay n samples.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from contextvars import ContextVar

from recipelang.backends.cassettes.document import asked_of, key_of, reply_as_json, reply_of_json
from recipelang.hosts.state import MemoryState
from recipelang.ir.plan import Model, Plan
from recipelang.quick import dataclass, field, replace
from recipelang.runtime.ports import Backend, Delta, Gauge, ModelCall, Reply, State, StoreProblem, Watched
from recipelang.runtime.trace import messages_as_json
from recipelang.runtime.values import Json, Request

_RUN: ContextVar[_Samples | None] = ContextVar("recipelang.samples", default=None)  # each run has its own


@dataclass(frozen=True, slots=True)
class Cache:
    """How long replies serve again, for whom, and where they are kept.

    Keys of a host see no replies of each other, unless `across_keys`. What can't be recalled is asked again.

    >>> Cache(seconds=600).across_keys
    False
    """

    seconds: float = 3600.0
    across_keys: bool = False
    state: State = field(default_factory=MemoryState)

    @contextmanager
    def running(self, key: str) -> Iterator[None]:
        """The calls that are made inside are of one run, for that key."""
        token = _RUN.set(_Samples("" if self.across_keys else key))
        try:
            yield
        finally:
            _RUN.reset(token)

    def before(self, backends: Mapping[str, Backend], plan: Plan) -> dict[str, Backend]:
        """The same backends, asked only for what is not known."""
        return {name: _CachedBackend(backend, self, _address(plan, name)) for name, backend in backends.items()}

    async def found(self, name: str) -> Reply | None:
        with suppress(StoreProblem, LookupError, TypeError, ValueError):  # one that is lost or damaged is asked again
            told = await self.state.recall(name)
            return None if told is None else replace(reply_of_json(json.loads(told)), cached=True)
        return None

    async def keep(self, name: str, reply: Reply) -> None:
        with suppress(StoreProblem):
            await self.state.remember(name, json.dumps(reply_as_json(reply), default=dict), self.seconds)


def seed_of(request: Request) -> int:
    """The seed of a request for which none was said: with it, the same request is run in the same way, and finds its replies."""
    wishes = request.wishes
    asked: Sequence[Json] = [
        messages_as_json(request.messages),
        list(request.tools),
        dict(request.tool_options),
        request.format.schema,
        [wishes.temperature, wishes.max_tokens, wishes.logprobs, wishes.strict, dict(wishes.others)],
    ]
    return int.from_bytes(hashlib.sha256(key_of({"asked": asked}).encode()).digest()[:4]) >> 1


class _Samples:
    """What one run has asked: of each call, which samples are taken."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._taken: dict[str, set[int]] = {}

    @contextmanager
    def sample(self, asked: str) -> Iterator[str]:
        """The name of the next sample of a call; of one that comes to nothing, the next equal call may have it."""
        taken = self._taken.setdefault(asked, set())
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        taken.add(number)
        try:
            whole = "\0".join([self.key, str(number), asked])
            yield f"reply:{hashlib.sha256(whole.encode()).hexdigest()}"
        except BaseException:
            taken.discard(number)
            raise


@dataclass(frozen=True, slots=True)
class _CachedBackend:
    backend: Backend
    cache: Cache
    address: str

    async def complete(self, call: ModelCall) -> Reply:
        run = _RUN.get()
        if run is None:
            return await self.backend.complete(call)
        with run.sample(self._asked(call)) as name:
            known = await self.cache.found(name)
            if known is not None:
                return known
            reply = await self.backend.complete(call)
            await self.cache.keep(name, reply)
            return reply

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        run = _RUN.get()
        if run is None:
            async with aclosing(self.backend.stream(call)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        with run.sample(self._asked(call)) as name:
            known = await self.cache.found(name)
            if known is not None:
                yield Delta(known.text, known)
                return
            async with aclosing(self.backend.stream(call)) as deltas:
                async for delta in deltas:
                    if delta.reply is not None:
                        await self.cache.keep(name, delta.reply)
                    yield delta

    def gauge(self, gauge: Gauge, model: Model) -> bool | float | None:
        return self.backend.gauge(gauge, model) if isinstance(self.backend, Watched) else None

    def _asked(self, call: ModelCall) -> str:
        """All that is sent, and where to; neither the name that the plan has for the model nor the role are."""
        asked = {name: told for name, told in asked_of(call).items() if name not in ("model", "role", "sample")}
        return key_of({"to": self.address, **asked})


def _address(plan: Plan, name: str) -> str:
    """What tells a backend from others, by whatever name a plan knows it."""
    backend = plan.backends[name]
    return " ".join([backend.protocol, backend.url or "", *backend.replicas])
