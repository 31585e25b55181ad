"""Who may ask: API keys, each with its recipes, its budget, and how much at once and in a minute."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

import anyio
from starlette.types import Scope

from recipelang.hosts.purses import StatePurses
from recipelang.hosts.state import MemoryState
from recipelang.quick import dataclass
from recipelang.runtime.ledger import NO_LIMITS, Limits
from recipelang.runtime.ports import State, StoreProblem
from recipelang.runtime.values import Json
from recipelang.serving.problems import Problem, ProblemKind

MINUTE = 60.0
LEASE = 30.0
"""Seconds for which what a process says that it has under way is believed."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `recipes`: the exposed names that it may ask, or none for all; `budget`: for each day, in UTC.

    `digest` is the SHA-256 of the key in hexadecimal: the key itself is kept nowhere.
    """

    name: str
    digest: str
    recipes: frozenset[str] | None = None
    budget: Limits = NO_LIMITS
    per_minute: int | None = None
    at_once: int | None = None

    @staticmethod
    def of(name: str, secret: str, **more: object) -> Key:
        """A key by its own words.

        >>> Key.of("ann", "secret-1").digest[:12]
        'f7e7c36e458e'
        """
        return Key(name, digest_of_key(secret), **more)  # type: ignore[arg-type] # the fields above


def digest_of_key(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(slots=True)
class _Use:
    """What a key is doing. `left`: requests that it may send now; they come back evenly over the minute. `running`: by
    process, how many are under way, and until when that is believed of it."""

    left: float
    at: float
    running: dict[str, tuple[int, float]]

    def as_json(self) -> Json:
        return [self.left, self.at, {who: list(known) for who, known in self.running.items()}]

    @staticmethod
    def of(key: Key, stored: Json, now: float) -> _Use:
        """As it was, brought up to now; processes that have said nothing for long are gone."""
        most = float(key.per_minute or 0)
        left, at, running = stored or (most, now, {})
        left = min(most, left + max(0.0, now - at) * most / MINUTE)
        there = {who: (many, until) for who, (many, until) in running.items() if until > now}
        return _Use(left, now, there)


class Keys:
    """The keys of a server. What they use is kept in memory, or in a `state` that several processes share.

    While processes share it, `lease` must go on in the background: it tells the others that this one lives.
    """

    def __init__(
        self, keys: Iterable[Key], *, state: State | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._state = MemoryState(clock=clock) if state is None else state
        self._process = secrets.token_hex(8)
        self._under_way = defaultdict[str, set[object]](set)  # by the key's name, the requests that were admitted here
        self._budgets: dict[str, Limits] = {}
        self._known: Mapping[str, Key] = {}
        self.replace(keys)
        self.is_shared = state is not None
        self.purses = StatePurses(self._state, NO_LIMITS, self._budgets, clock=clock)

    def replace(self, keys: Iterable[Key]) -> None:
        """From now on these; what each has used stays booked under its name."""
        self._known = {key.digest: key for key in keys}
        self._budgets.clear()
        self._budgets.update({key.name: key.budget for key in self._known.values()})

    def find(self, scope: Scope) -> Key:
        """The key that a request came with; raises `Problem`."""
        secret = _secret_in(scope)
        if secret is None:
            raise Problem(401, ProblemKind.KEY, "a key is needed: `authorization: Bearer …` or `x-api-key`", "no_key")
        found = self._known.get(digest_of_key(secret))
        if found is None:
            raise Problem(401, ProblemKind.KEY, "there is no such key", "invalid_api_key")
        return found

    @asynccontextmanager
    async def admitted(self, key: Key) -> AsyncGenerator[None]:
        """While the block lasts a request counts as one of its key's; raises `Problem` where that has enough, and `StoreProblem`."""
        if key.per_minute is None and key.at_once is None:
            yield
            return
        request, under_way = object(), self._under_way[key.name]
        try:
            await self._tell(key, request)
        except BaseException:
            under_way.discard(request)
            raise
        try:
            yield
        finally:
            under_way.discard(request)
            if key.at_once is not None:
                with anyio.CancelScope(shield=True):
                    await self._tell_again(key)

    async def lease(self) -> None:
        """Say from time to time that this process lives, until it is cancelled."""
        while True:
            await anyio.sleep(LEASE / 3)
            for key in [key for key in self._known.values() if key.at_once is not None and self._under_way[key.name]]:
                await self._tell_again(key)

    async def _tell_again(self, key: Key) -> None:
        with suppress(StoreProblem):  # the next one makes up for it; where there is none, the others stop believing it
            await self._tell(key)

    async def _tell(self, key: Key, request: object | None = None) -> None:
        """Write down how many requests this process has under way, this one among them where there is room for it: always
        as they are counted here, so that what was lost on the way to the state does not stay wrong.
        """
        under_way = self._under_way[key.name]

        def changed(stored: Json) -> tuple[Json, None]:
            under_way.discard(request)  # a state may ask again, where another process was quicker
            now = self._clock()
            use = _Use.of(key, stored, now)
            use.running[self._process] = len(under_way), now + LEASE
            if request is not None:
                _must_have_room(key, use)
                under_way.add(request)
                use.running[self._process] = len(under_way), now + LEASE
            return use.as_json(), None

        await self._state.change(f"requests:{key.name}", max(LEASE, 2 * MINUTE), changed)


def _must_have_room(key: Key, use: _Use) -> None:
    running = sum(many for many, _ in use.running.values())
    if key.at_once is not None and running >= key.at_once:
        raise _too_many(f"`{key.name}` has {running} requests under way, and may have {key.at_once}", 1.0)
    if key.per_minute is not None:
        if use.left < 1:
            wait = (1 - use.left) * MINUTE / key.per_minute
            raise _too_many(f"`{key.name}` may send {key.per_minute} requests in a minute", wait)
        use.left -= 1


def _secret_in(scope: Scope) -> str | None:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    kind, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return secret.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip() or None


def _too_many(why: str, wait: float) -> Problem:
    return Problem(429, ProblemKind.RATE_LIMIT, why, "rate_limit_exceeded", None, wait, may_pass=True)
