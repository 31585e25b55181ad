"""Who may ask: API keys, each with its recipes, its budget, and how much at once and in a minute."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Scope

from recipelang.hosts.purses import MemoryPurses, SqlitePurses
from recipelang.runtime.ledger import NO_LIMITS, Limits
from recipelang.serving.problems import Problem, ProblemKind

MINUTE = 60.0


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
    """What a key is doing. `left`: requests that it may send now; they come back evenly over the minute."""

    left: float
    at: float
    running: int = 0


class Keys:
    """The keys of a server. Their budgets are kept in memory, or in the file `ledger`, which several processes share.

    Requests in a minute and at once are counted by each process for itself.
    """

    def __init__(
        self, keys: Iterable[Key], *, ledger: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._uses: dict[str, _Use] = {}
        self._budgets: dict[str, Limits] = {}
        self._known: Mapping[str, Key] = {}
        self.replace(keys)
        none = NO_LIMITS
        self.purses = MemoryPurses(none, self._budgets) if ledger is None else SqlitePurses(ledger, none, self._budgets)

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

    @contextmanager
    def admitted(self, scope: Scope) -> Iterator[Key]:
        """The key of a request, which counts as one of its own while the block lasts; raises `Problem`."""
        key = self.find(scope)
        use = self._use_of(key)
        if key.at_once is not None and use.running >= key.at_once:
            raise _too_many(f"`{key.name}` has {use.running} requests under way, and may have {key.at_once}", 1.0)
        if key.per_minute is not None:
            if use.left < 1:
                wait = (1 - use.left) * MINUTE / key.per_minute
                raise _too_many(f"`{key.name}` may send {key.per_minute} requests in a minute", wait)
            use.left -= 1
        use.running += 1
        try:
            yield key
        finally:
            use.running -= 1

    def _use_of(self, key: Key) -> _Use:
        now, most = self._clock(), float(key.per_minute or math.inf)
        use = self._uses.setdefault(key.name, _Use(most, now))
        use.left = min(most, use.left + (now - use.at) * (key.per_minute or 0) / MINUTE)
        use.at = now
        return use


def _secret_in(scope: Scope) -> str | None:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    kind, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return secret.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip() or None


def _too_many(why: str, wait: float) -> Problem:
    return Problem(429, ProblemKind.RATE_LIMIT, why, "rate_limit_exceeded", None, wait, may_pass=True)
