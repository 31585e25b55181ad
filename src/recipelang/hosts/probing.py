"""Finds out what the models of a plan can do, at the endpoints where they are reached."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from recipelang.backends.clients import open_client
from recipelang.backends.describing import context_of
from recipelang.backends.openai import OpenAIBackend
from recipelang.backends.opening import key_of
from recipelang.backends.probing import Finding, Probe
from recipelang.ir.plan import Backend, Model, Plan
from recipelang.runtime.ports import BackendError, Endpoint, Endpoints

Found = dict[str, Finding] | BackendError
"""What was found of a model, by the names of its attributes; or why it could not be asked."""


async def probed(
    plan: Plan, names: Sequence[str], environment: Mapping[str, str], endpoints: Endpoints
) -> AsyncIterator[tuple[Model, Found]]:
    """Each of the models with what was found, one after the other. Raises `BackendProblem` where a secret is not set."""
    models = [plan.models[name] for name in names]
    keys = {model.backend: key_of(plan.backends[model.backend], environment) for model in models}
    async with open_client() as client:
        for model in models:
            try:
                place = await _place(plan.backends[model.backend], model, keys[model.backend], endpoints)
                context = await context_of(place.url, place.key, client, model.id)
                found = await Probe(model, OpenAIBackend(place.url, place.key, client)).all()
            except BackendError as error:
                yield model, error
            else:
                told = Finding(context, "" if context else "the endpoint does not say")
                yield model, {"context": told, **found}


async def _place(backend: Backend, model: Model, key: str | None, endpoints: Endpoints) -> Endpoint:
    if backend.protocol == "local":
        return await endpoints.endpoint(model.id)
    return Endpoint(backend.url or "", key)
