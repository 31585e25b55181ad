"""Opens the backends of a plan: its secrets read, one HTTP client for all, everything closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from recipelang.backends.clients import open_client
from recipelang.backends.local import LocalBackend
from recipelang.backends.openai import OpenAIBackend
from recipelang.backends.transport import HttpClient
from recipelang.ir.plan import Backend as BackendPlan
from recipelang.ir.plan import Plan
from recipelang.runtime.ports import Backend, Endpoints


class BackendProblem(Exception):
    """A backend of a plan can't be opened: a secret is not set, or models of this machine are not to be had."""


@asynccontextmanager
async def open_backends(
    plan: Plan,
    environment: Mapping[str, str],
    *,
    endpoints: Endpoints | None = None,
    client: HttpClient | None = None,
) -> AsyncIterator[dict[str, Backend]]:
    """The backends that the plan's models name; a `client` that is handed in stays open. Raises `BackendProblem`."""
    used = {model.backend for model in plan.models.values()}
    declared = [plan.backends[name] for name in sorted(used)]
    keys = {backend.name: key_of(backend, environment) for backend in declared}
    if client is not None:
        yield {backend.name: _opened(backend, keys[backend.name], endpoints, client) for backend in declared}
        return
    addresses = (address for backend in declared for address in (backend.url or "", *backend.replicas))
    secure = any(address.startswith("https:") for address in addresses)
    async with open_client(secure=secure) as own:
        yield {backend.name: _opened(backend, keys[backend.name], endpoints, own) for backend in declared}


def key_of(backend: BackendPlan, environment: Mapping[str, str]) -> str | None:
    """The key of a backend, or none where it has none; raises `BackendProblem` where it is not set."""
    if backend.key is None:
        return None
    variable = backend.key.variable
    value = environment.get(variable, "").strip()
    if not value:
        raise BackendProblem(f"the environment variable {variable}, the key of backend `{backend.name}`, is not set")
    if not value.isascii() or not value.isprintable():
        raise BackendProblem(f"{variable}, the key of backend `{backend.name}`, has characters that no key has")
    return value


def _opened(backend: BackendPlan, key: str | None, endpoints: Endpoints | None, client: HttpClient) -> Backend:
    if backend.protocol == "local":
        if endpoints is None:
            raise BackendProblem(f"backend `{backend.name}` is local, and there is nothing here that starts models")
        return LocalBackend(endpoints, client)
    if backend.url is None:
        raise BackendProblem(f"backend `{backend.name}` has no address")
    if not (backend.replicas or backend.circuit or backend.parallel):
        return OpenAIBackend(backend.url, key, client)
    from recipelang.backends.replicas import Replicas  # deferred: most backends are one address

    urls = (backend.url, *backend.replicas)
    return Replicas(backend, [(url, OpenAIBackend(url, key, client)) for url in urls])
