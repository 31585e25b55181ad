"""The models of this machine for a plan: fetched where they are missing, and served while they are needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import anyio.to_thread

from recipelang.ir.plan import Plan
from recipelang.localmodels.catalogue import LOCAL_MODELS, LocalModel
from recipelang.localmodels.server import LocalModels, local_models
from recipelang.localmodels.store import ModelStore


def local_models_in(plan: Plan, names: Iterable[str]) -> list[LocalModel]:
    """Those of the plan's models with these names that the package index carries."""
    models = [plan.models[name] for name in names]
    ids = [model.id for model in models if plan.backends[model.backend].protocol == "local"]
    return [LOCAL_MODELS[id] for id in dict.fromkeys(ids) if id in LOCAL_MODELS]


@asynccontextmanager
async def opened_models(
    plan: Plan, store: ModelStore | None = None, watcher: Callable[[str], None] = lambda _: None
) -> AsyncIterator[LocalModels]:
    """All local models of a plan: fetched now, started when they are called, stopped in the end."""
    store = store or ModelStore()
    for model in local_models_in(plan, plan.models):
        await anyio.to_thread.run_sync(store.pull, model, abandon_on_cancel=True)
    async with local_models(store, watcher) as models:
        yield models
