"""The functions that the command lends to a recipe: those of a module that a person names, and those that they allow."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recipelang.cli.exits import Exit, Stop
from recipelang.hosts.reaching import part_of
from recipelang.ir.plan import Entry, Plan

Function = Callable[..., Any]  # Any: whatever a person's module has; the engine looks at it


def lent(
    plan: Plan, places: Sequence[str], allowed: Sequence[str], own: Mapping[str, Function] | None = None
) -> dict[str, Function]:
    """The functions by name, with those of the verb's own; stops with a message where one is missing."""
    found = {**(own or {}), **given(plan, places, allowed)}
    if missing := lacking(plan, found):
        raise Stop(Exit.USAGE, _how_to_lend(missing))
    return found


def lent_to(plan: Plan, entry: Entry, places: Sequence[str], allowed: Sequence[str]) -> dict[str, Function]:
    """The functions for runs of one entry: what only others of the plan call need not be there."""
    found = lent(part_of(plan, entry), places, allowed)
    return {**dict.fromkeys(lacking(plan, found), _out_of_reach), **found}


async def _out_of_reach(**_: Any) -> Any:  # Any: a function of the host may take and give anything
    raise AssertionError("the entry that is run does not call this function")


def given(plan: Plan, places: Sequence[str], allowed: Sequence[str]) -> dict[str, Function]:
    """What there is of the functions that a plan calls; stops where a module does not give what it was named for."""
    names = [*plan.externs, *(name.rpartition(".")[2] for name in plan.externs)]
    found: dict[str, Function] = {}
    for place in places:
        found |= _named(place, names)
    for name in allowed:
        found[name] = READY_MADE[name]()
    return found


def lacking(plan: Plan, found: Mapping[str, Function]) -> list[str]:
    """The functions that a plan calls and that are not there, without their modules."""
    bare = [name.rpartition(".")[2] for name in plan.externs]
    return [name for name in bare if name not in found and not any(key.endswith(f".{name}") for key in found)]


def _run_tests() -> Function:
    from recipelang.hostfunctions.rooms import NotIsolated  # deferred: few runs need it
    from recipelang.hostfunctions.testing import RunTests  # deferred: as above

    try:
        return RunTests()
    except NotIsolated as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


READY_MADE: Mapping[str, Callable[[], Function]] = {"run_tests": _run_tests}


def _how_to_lend(missing: Sequence[str]) -> str:
    named = ", ".join(f"`{name}`" for name in missing)
    ways = ["`--functions MODULE` gives those of a Python module"]
    ways += [f"`--allow {name}` the one that comes with this command" for name in missing if name in READY_MADE]
    return f"it calls functions of the host, {named}: {', '.join(ways)}"


def _named(place: str, wanted: Sequence[str]) -> dict[str, Function]:
    """The functions at `module` or `module:attribute`, which is a mapping of them."""
    name, _, attribute = place.partition(":")
    module = _imported(name)
    if not attribute:
        return {function: getattr(module, function) for function in wanted if hasattr(module, function)}
    if not hasattr(module, attribute):
        raise Stop(Exit.USAGE, f"`--functions {place}`: the module `{name}` has no `{attribute}`")
    found = getattr(module, attribute)
    if not isinstance(found, Mapping):
        raise Stop(
            Exit.USAGE, f"`--functions {place}`: `{attribute}` is no mapping of names to functions; leave it out?"
        )
    return dict(found)


def _imported(name: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` has it
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is not None and (name == missing.name or name.startswith(f"{missing.name}.")):
            raise Stop(
                Exit.USAGE, f"`--functions {name}`: there is no Python module `{missing.name}` here"
            ) from missing
        raise Stop(Exit.USAGE, f"`--functions {name}`: it imports `{missing.name}`, which is not there") from missing
    except (Exception, SystemExit) as error:  # whatever a person's module does when it is imported
        raise Stop(Exit.USAGE, f"`--functions {name}`: {type(error).__name__} when it is imported: {error}") from error
