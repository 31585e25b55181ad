"""Models that are started on this machine when they are first called; knows nothing of how that is done."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from recipelang.backends.openai import OpenAIBackend
from recipelang.backends.transport import HttpClient
from recipelang.runtime.ports import Delta, Endpoints, ModelCall, Reply


class LocalBackend:
    """Speaks to each model where `endpoints` says that it is."""

    def __init__(self, endpoints: Endpoints, client: HttpClient, patience: float | None = None) -> None:
        self._endpoints = endpoints
        self._client = client
        self._patience = patience

    async def complete(self, call: ModelCall) -> Reply:
        return await (await self._reached(call)).complete(call)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        async with aclosing((await self._reached(call)).stream(call)) as deltas:
            async for delta in deltas:
                yield delta

    async def _reached(self, call: ModelCall) -> OpenAIBackend:
        endpoint = await self._endpoints.endpoint(call.model.id)
        return OpenAIBackend(endpoint.url, endpoint.key, self._client, self._patience)
