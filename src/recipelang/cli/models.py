"""`recipelang models`: the models that run on this machine with no key: fetch, list, remove."""

from __future__ import annotations

import argparse
import sys

from recipelang.cli.compiling import add_format, print_json
from recipelang.cli.exits import Exit, Stop
from recipelang.diagnostics.suggesting import nearest
from recipelang.localmodels.catalogue import LOCAL_MODELS, LocalModel, find_model
from recipelang.localmodels.index import PullProblem
from recipelang.localmodels.store import ModelStore


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=("list", "pull", "remove"), help="show all and which are here; fetch some; delete some"
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="tiny, strong, or an id that `list` shows")
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    store = ModelStore()
    if arguments.action == "list":
        return _list(store, arguments.format)
    if not arguments.models:
        raise Stop(Exit.USAGE, "which models? `recipelang models list` shows them")
    models = [_found(wanted) for wanted in arguments.models]
    done = _pull(store, models) if arguments.action == "pull" else _remove(store, models)
    if arguments.format == "json":
        print_json([{"name": m.name, "id": m.id, **told} for m, told in zip(models, done, strict=True)])
    return Exit.FINE


def _pull(store: ModelStore, models: list[LocalModel]) -> list[dict[str, object]]:
    from recipelang.cli.progress import error_console  # deferred: start-up cost
    from recipelang.cli.pulling import pull  # deferred: start-up cost

    done: list[dict[str, object]] = []
    console = error_console()
    for model in models:
        here = store.has(model)
        pull(store, model, console)
        if here:
            console.print(f"{model.id} is here already", soft_wrap=True)
        done.append({"path": str(store.path(model)), "fetched": not here})
    return done


def _remove(store: ModelStore, models: list[LocalModel]) -> list[dict[str, object]]:
    done: list[dict[str, object]] = []
    for model in models:
        try:
            removed = store.remove(model)
        except PullProblem as problem:
            raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
        print(f"{model.id} {'removed' if removed else 'was not here'}", file=sys.stderr)
        done.append({"removed": removed})
    return done


def _found(wanted: str) -> LocalModel:
    model = find_model(wanted)
    if model is None:
        known = ", ".join(f"{model.name} ({model.id})" for model in LOCAL_MODELS.values())
        near = nearest(wanted, [name for m in LOCAL_MODELS.values() for name in (m.name, m.id)])
        hint = f"did you mean `{near}`?" if near else f"there are {known}"
        raise Stop(Exit.USAGE, f"there is no model `{wanted}`; {hint}")
    return model


def _list(store: ModelStore, format: str) -> Exit:
    models = [(model, store.has(model)) for model in LOCAL_MODELS.values()]
    if format == "json":
        print_json(
            [
                {"name": m.name, "id": m.id, "bytes": m.size, "licence": m.licence, "here": here, "note": m.note}
                for m, here in models
            ]
        )
        return Exit.FINE
    for m, here in models:
        size = f"{m.size / 1e6:,.0f} MB"
        print(f"{m.name:<8}{m.id:<22}{size:>9}  {'here' if here else '-':<6}{m.licence:<12}{m.note}")
    return Exit.FINE
