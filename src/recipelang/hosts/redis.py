"""What any number of machines may share in Redis, or in what speaks its protocol (Valkey): runs that are kept, and the state of a
host. The door of the `redis` package."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import anyio.to_thread

from recipelang.hosts.stores import known, shown, taken_up, unknown
from recipelang.runtime.ports import StoreProblem
from recipelang.runtime.values import Json

PATIENCE = 10.0
"""Seconds that a command may take."""
PREFIX = "{recipelang}:"
"""Of all keys; in braces, so that a cluster has them in one place and a script may change several."""

_BEGIN = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], 1)
for i = 2, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
redis.call('ZADD', KEYS[3], redis.call('INCR', KEYS[4]), ARGV[1])
return 1
"""
_TAKE_UP = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
return {redis.call('INCR', KEYS[1]), redis.call('LRANGE', KEYS[2], 0, -1)}
"""
_ADD = """
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
for i = 4, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
if ARGV[3] == '1' then redis.call('ZREM', KEYS[3], ARGV[1]) end
return 1
"""
_CHANGE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
_READ = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
return redis.call('LRANGE', KEYS[2], 0, -1)
"""

_T = TypeVar("_T")


class _Connections:
    """To one Redis; a command is not sent again where its answer is lost: nobody knows whether it was done."""

    def __init__(self, url: str) -> None:
        try:
            import redis  # deferred: an extra
        except ImportError:
            raise StoreProblem(f"{shown(url)} takes `pip install 'recipelang[redis]'`") from None
        from redis.backoff import NoBackoff  # deferred: an extra
        from redis.retry import Retry  # deferred: an extra

        self._error = redis.RedisError
        self.where = shown(url)
        try:
            self.redis = redis.Redis.from_url(
                url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
            )
            self.redis.connection_pool.make_connection()  # connects to nothing yet, and takes no option that it does not know
        except (ValueError, TypeError):
            raise StoreProblem(
                f"{self.where} is no address of Redis, such as redis://user:password@host:6379/0"
            ) from None

    async def in_a_thread(self, work: Callable[[], _T]) -> _T:
        """The client that blocks: the other one knows only one of our event loops."""
        try:
            return await anyio.to_thread.run_sync(work)
        except self._error as error:
            raise StoreProblem(f"{self.where}: {str(error).rstrip('.') or type(error).__name__}") from error


class RedisStore:
    """Runs in Redis: for each its holder and the list of its lines, and one sorted set of those that have not ended.

    `url` is `redis://user:password@host:6379/0`, `rediss://` with TLS, or `unix://path`. Each change is one script, which Redis
    carries out as a whole. What outlives Redis itself is as its `appendonly` and `appendfsync` say. Raises `StoreProblem`.
    """

    def __init__(self, url: str) -> None:
        self._connections = _Connections(url)
        self.where = self._connections.where
        self._redis = self._connections.redis

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    async def begin(self, run: str, lines: Sequence[str]) -> int:
        if not await self._done(_BEGIN, run, *lines):
            raise known(run, self.where)
        return 1

    async def take_up(self, run: str) -> tuple[int, Sequence[str]]:
        found = await self._done(_TAKE_UP, run)
        if found is None:
            raise unknown(run, self.where)
        return found[0], _texts(found[1])

    async def add(self, run: str, holder: int, lines: Sequence[str], *, ended: bool = False) -> None:
        if not await self._done(_ADD, run, str(holder), "1" if ended else "0", *lines):
            await self.read(run)  # where there is no such run it says so
            raise taken_up(run)

    async def read(self, run: str) -> Sequence[str]:
        found = await self._done(_READ, run)
        if found is None:
            raise unknown(run, self.where)
        return _texts(found)

    async def unfinished(self) -> Sequence[str]:
        return _texts(
            await self._connections.in_a_thread(lambda: cast(list[bytes], self._redis.zrange(_UNFINISHED, 0, -1)))
        )

    async def _done(self, script: str, run: str, *more: str) -> Any:  # Any: whatever the script gives
        keys = f"{PREFIX}holder:{run}", f"{PREFIX}lines:{run}", _UNFINISHED, f"{PREFIX}begun"
        return await self._connections.in_a_thread(lambda: self._redis.eval(script, len(keys), *keys, run, *more))


_UNFINISHED = f"{PREFIX}unfinished"


def _texts(values: Sequence[bytes]) -> list[str]:
    return [value.decode() for value in values]


class RedisState:
    """A `State` in Redis. A Redis that makes room for others by itself (`maxmemory-policy`) forgets what was counted, too."""

    def __init__(self, url: str) -> None:
        self._connections = _Connections(url)
        self._redis = self._connections.redis

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    async def recall(self, name: str) -> str | None:
        found = await self._connections.in_a_thread(
            lambda: cast(bytes | None, self._redis.get(f"{PREFIX}remembered:{name}"))
        )
        return None if found is None else found.decode()

    async def remember(self, name: str, value: str, seconds: float) -> None:
        await self._connections.in_a_thread(
            lambda: self._redis.set(f"{PREFIX}remembered:{name}", value, px=_milliseconds(seconds))
        )

    async def change(self, name: str, seconds: float, change: Callable[[Json], tuple[Json, _T]]) -> _T:
        return await self._connections.in_a_thread(lambda: self._changed(f"{PREFIX}cell:{name}", seconds, change))

    def _changed(self, name: str, seconds: float, change: Callable[[Json], tuple[Json, _T]]) -> _T:
        """Put the new value where the old one is still there; where somebody was quicker, do it again with theirs."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            was = cast(bytes | None, self._redis.get(name)) or b""
            value, told = change(json.loads(was) if was else None)
            if self._redis.eval(_CHANGE, 1, name, was, json.dumps(value), str(_milliseconds(seconds))):
                return told
            time.sleep(random.uniform(0, 0.005))
        raise StoreProblem(f"{self._connections.where}: others change `{name}` all the time")


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
