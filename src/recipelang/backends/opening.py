"""Opens the backends of a plan: its secrets read, one HTTP client for all, everything closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio

from recipelang.backends.clients import open_client
from recipelang.backends.local import LocalBackend
from recipelang.backends.openai import OpenAIBackend
from recipelang.backends.transport import HttpClient
from recipelang.ir.expressions import ApplyExpression
from recipelang.ir.plan import Backend as BackendPlan
from recipelang.ir.plan import Plan
from recipelang.ir.reading import nodes_in
from recipelang.runtime.gauging import GAUGES
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
    watched = _reads_gauges(plan)
    if client is not None:
        async with _watching(plan, client, _all_opened(declared, keys, endpoints, client, watched)) as backends:
            yield backends
        return
    addresses = (address for backend in declared for address in (backend.url or "", *backend.replicas))
    secure = any(address.startswith("https:") for address in addresses)
    async with (
        open_client(secure=secure) as own,
        _watching(plan, own, _all_opened(declared, keys, endpoints, own, watched)) as backends,
    ):
        yield backends


def _all_opened(
    declared: Sequence[BackendPlan],
    keys: Mapping[str, str | None],
    endpoints: Endpoints | None,
    client: HttpClient,
    watched: bool,
) -> dict[str, Backend]:
    return {each.name: _opened(each, keys[each.name], endpoints, client, watched) for each in declared}


def _reads_gauges(plan: Plan) -> bool:
    """Whether an expression asks how a model does, so that somebody has to look."""
    parts = (tuple(plan.recipes.values()), tuple(plan.entries.values()), tuple(plan.signals.values()))
    return any(isinstance(node, ApplyExpression) and node.function in GAUGES for node in nodes_in(parts))


@asynccontextmanager
async def _watching(plan: Plan, client: HttpClient, backends: dict[str, Backend]) -> AsyncIterator[dict[str, Backend]]:
    """While it is open, what the servers tell of themselves is read in the background, where a backend says so."""
    watched = [name for name in backends if plan.backends[name].load is not None]
    if not watched:
        yield backends
        return
    from recipelang.backends.replicas import Replicas  # deferred: most backends are one address

    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        for name in watched:
            backend = backends[name]
            if isinstance(backend, Replicas):
                group.start_soon(backend.watch, client)
        try:
            yield backends
        except Exception as error:  # noqa: BLE001 - raised below: the group would wrap what is not its own
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


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


def _opened(
    backend: BackendPlan, key: str | None, endpoints: Endpoints | None, client: HttpClient, watched: bool
) -> Backend:
    if backend.protocol == "local":
        if endpoints is None:
            raise BackendProblem(f"backend `{backend.name}` is local, and there is nothing here that starts models")
        return LocalBackend(endpoints, client, backend.patience)
    if backend.url is None:
        raise BackendProblem(f"backend `{backend.name}` has no address")
    if not (watched or backend.replicas or backend.circuit or backend.parallel or backend.load):
        return OpenAIBackend(backend.url, key, client, backend.patience)
    from recipelang.backends.replicas import Replicas  # deferred: most backends are one address

    urls = (backend.url, *backend.replicas)
    return Replicas(backend, [(url, OpenAIBackend(url, key, client, backend.patience)) for url in urls])
