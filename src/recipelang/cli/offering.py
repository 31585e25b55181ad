"""What a server offers: the plans of the files that it is given, by the names that clients ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from recipelang.cli.compiling import show, summary
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.lending import Function, lacking
from recipelang.cli.naming import LOCAL
from recipelang.cli.progress import say
from recipelang.compilation import compile_file
from recipelang.hosts.binding import ArgumentProblem, find
from recipelang.hosts.exposing import plans_to_serve, with_names
from recipelang.hosts.reaching import part_of
from recipelang.hosts.recipes import together
from recipelang.ir.plan import Plan
from recipelang.localmodels.catalogue import LOCAL_MODELS
from recipelang.localmodels.store import ModelStore
from recipelang.quick import dataclass
from recipelang.resources import runnable_recipe_names, standard_recipe
from recipelang.source import FileLoader, LoadProblem


@dataclass(frozen=True, slots=True)
class Offer:
    """How what is served comes about: with which functions, and with which of this machine's models."""

    functions: Callable[[Plan], Mapping[str, Function]]  # what is lent of those that a plan calls
    store: ModelStore
    console: Console


def offered(files: Sequence[str], uses: Sequence[str], models: str | None, offer: Offer) -> list[Plan]:
    """What is served: each file that exposes names by these; the recipes of all others over the models there are."""
    paths = [_path(file) for file in (files or runnable_recipe_names())]
    found = []
    for plan in plans_to_serve(paths, _compiled, uses):
        is_default = not plan.models and not uses
        whole = _compiled([*(path for path in paths if path.startswith("std.")), LOCAL]) if is_default else plan
        pool = [] if whole.entries else _pool(whole, models, offer.store, is_default)
        named = with_names(whole, pool)
        lent = offer.functions(named)
        entries = [entry for entry in named.entries.values() if not lacking(part_of(named, entry), lent)]
        if not entries:
            raise Stop(Exit.USAGE, f"there is nothing to serve: {_why_not(named, pool)}")
        if is_default and len(pool) < len(whole.models):
            say(offer.console, "`recipelang models pull strong` adds the recipes that take several models", "dim")
        found.append(part_of(named, *entries))
    return found


def _path(file: str) -> str:
    bare = file.removeprefix("std.")
    return f"std.{bare}" if not Path(file).exists() and standard_recipe(bare) is not None else file


def _compiled(paths: Sequence[str]) -> Plan:
    try:
        for path in paths:
            if not path.startswith("std."):
                FileLoader().load(path)  # one that isn't there is no mistake in a recipe
        compilation = compile_file(paths[0]) if len(paths) == 1 else together(list(paths))
    except LoadProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    plan = compilation.library
    show(compilation.diagnostics)
    if plan is None:
        raise Stop(Exit.PROBLEMS, summary(compilation.diagnostics))
    return plan


def _pool(plan: Plan, models: str | None, store: ModelStore, is_default: bool) -> list[str]:
    """The models for recipes that are not exposed with their own; by default the small one of this machine and those that are here."""
    if models is not None:
        try:
            return [find(plan.models, name.strip(), "model").name for name in models.split(",")]
        except ArgumentProblem as problem:
            raise Stop(Exit.USAGE, str(problem)) from problem
    if not is_default:
        return list(plan.models)
    known = {model.name: LOCAL_MODELS[model.id] for model in plan.models.values()}
    return [name for name, model in known.items() if model.weak or store.has(model)]


def _why_not(plan: Plan, pool: Sequence[str]) -> str:
    if plan.entries:
        return "its recipes call functions of the host, which `--functions MODULE` or `--allow` lend"
    if not plan.models:
        return f"there are no models; `--with FILE` adds yours, `--with {LOCAL}` those of this machine"
    return f"no recipe can do with {', '.join(pool) or 'no model'} alone; expose one with its arguments"
