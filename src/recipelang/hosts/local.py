"""The models of this machine for a plan: fetched where they are missing, and served while they are needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import anyio.to_thread

from recipelang.ir.plan import Entry, Plan
from recipelang.ir.reading import names_in
from recipelang.localmodels.catalogue import LOCAL_MODELS, LocalModel
from recipelang.localmodels.server import LocalModels, local_models
from recipelang.localmodels.store import ModelStore


def local_models_in(plan: Plan, names: Iterable[str]) -> list[LocalModel]:
    """Those of the plan's models with these names that the package index carries."""
    models = [plan.models[name] for name in names]
    ids = [model.id for model in models if plan.backends[model.backend].protocol == "local"]
    return [LOCAL_MODELS[id] for id in dict.fromkeys(ids) if id in LOCAL_MODELS]


def models_of(plan: Plan, entry: Entry) -> list[str]:
    """The names of the models that an entry may call."""
    found = _named(plan, entry)
    return [name for name in plan.models if name in found]


def recipes_of(plan: Plan, entry: Entry) -> list[str]:
    """The names of the recipes that an entry may run."""
    found = _named(plan, entry)
    return [name for name in plan.recipes if name in found]


def _named(plan: Plan, entry: Entry) -> set[str]:
    """All names in an entry, and in the recipes and the roles that these are."""
    found, waiting = set[str](), [entry.recipe, *names_in(entry)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            for declared in (plan.recipes, plan.roles):
                if name in declared:
                    waiting += names_in(declared[name])
    return found


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
