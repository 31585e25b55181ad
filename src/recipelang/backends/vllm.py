"""What a server of vLLM says of itself at `/metrics`: the calls that run and wait, and how full its cache of prompts is."""

from __future__ import annotations

import re
from collections.abc import Callable

import anyio

from recipelang.backends.transport import HttpClient, asked, body_of
from recipelang.quick import dataclass
from recipelang.runtime.ports import BackendError

READ_EVERY = 1.0
"""Seconds between two looks at a server."""
STALE = 10.0
"""Seconds after which what was seen says nothing any more."""
PATIENCE = 5.0
"""Seconds that a look may take."""
_LINE = re.compile(
    r'^vllm:(\w+?)(?:\{(?:[^}]*,)?model_name="([^"]*)"[^}]*\}|\{[^}]*\})? ([0-9.eE+-]+)(?: \d+)?\s*$', re.MULTILINE
)
_CALLS = ("num_requests_running", "num_requests_waiting")
_CACHE = ("kv_cache_usage_perc", "gpu_cache_usage_perc")  # the second is what older versions say


@dataclass(frozen=True, slots=True)
class Seen:
    """One model of a server: its calls, and the part of its cache that is full."""

    calls: float
    cache: float | None


def seen_in(text: str) -> dict[str, Seen]:
    """The models by the names that the server gives them; nothing in a text of another kind."""
    calls: dict[str, float] = {}
    cache: dict[str, float] = {}
    for metric, model, number in _LINE.findall(text):
        try:
            value = float(number)
        except ValueError:
            continue
        if metric in _CALLS and 0 <= value < 1e9:
            calls[model] = calls.get(model, 0.0) + value
        elif metric in _CACHE and 0 <= value <= 1:
            cache[model] = max(value, cache.get(model, 0.0))
    return {model: Seen(count, cache.get(model)) for model, count in calls.items()}


class Metrics:
    """What one server said last; `watch` looks again and again, until it is cancelled."""

    def __init__(self, url: str, client: HttpClient, timer: Callable[[], float]) -> None:
        self._url = f"{url.rstrip('/').removesuffix('/v1')}/metrics"
        self._client = client
        self._timer = timer
        self._at = 0.0
        self._seen: dict[str, Seen] = {}

    def of(self, model: str) -> Seen | None:
        """What is known of a model, by its id."""
        return self._seen.get(model) if self._timer() - self._at <= STALE else None

    async def watch(self) -> None:
        while True:
            with anyio.move_on_after(PATIENCE):
                await self.look()
            await anyio.sleep(READ_EVERY)

    async def look(self) -> None:
        """Look once; a server that does not say is one of which nothing is known. No key is sent."""
        headers = {"accept": "text/plain", "accept-encoding": "identity", "user-agent": "recipelang"}
        try:
            async with asked("GET", self._client, self._url, b"", headers) as response:
                if response.status_code == 200:
                    self._seen = seen_in((await body_of(response)).decode("utf-8", "replace"))
                    self._at = self._timer()
        except BackendError:
            return
