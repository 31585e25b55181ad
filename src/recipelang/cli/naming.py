"""The plan, the recipe and the arguments that a command line names, for the verbs that run one or look how it would run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recipelang.cli.compiling import plan_in, show, summary
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.values import assigned
from recipelang.compilation import Compilation, compile_file
from recipelang.diagnostics.suggesting import nearest
from recipelang.hosts.binding import ArgumentProblem, find
from recipelang.hosts.recipes import together
from recipelang.ir.plan import Plan
from recipelang.resources import runnable_recipe_names, standard_recipe
from recipelang.source import FileLoader, LoadProblem
from recipelang.source.loading import is_sealed_file

LOCAL = "std.local_models"


def given_to(plan: Plan, name: str, settings: Sequence[str]) -> dict[str, Any]:
    """The arguments that were set; an exposed name has its own."""
    if name not in plan.entries:
        return assigned(settings, find(plan.recipes, name, "recipe"))
    if settings:
        raise ArgumentProblem(f"`{name}` is exposed with its arguments; `--recipe` names a recipe to set them")
    return {}


def plan_and_default(recipe: str, uses: Sequence[str], untold: Sequence[str] = ()) -> tuple[Plan, bool]:
    """The plan of a recipe and what it is used with, and whether its models are the default ones.

    `untold`: codes of warnings that make no difference to the verb.
    """
    path = path_of(recipe)
    if is_sealed_file(path):
        if uses:
            raise Stop(Exit.USAGE, f"{path} is sealed: it is used without `--with`")
        return plan_in(Path(path).read_bytes(), path), False
    try:
        for file in (path, *uses):
            if not file.startswith("std."):
                _ = Path(file).is_dir() or FileLoader().load(file)  # one that isn't there is no mistake in a recipe
        compilation = together([path, *uses]) if uses else compile_file(path)
        plan = _library(compilation, untold)
        if plan.models or uses:
            return plan, False
        return _library(together([path, LOCAL]), untold), True
    except LoadProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


def path_of(recipe: str) -> str:
    """A file's path as it is, or `std.name` for a standard recipe."""
    if Path(recipe).is_file():
        return recipe
    bare = recipe.removeprefix("std.")
    if standard_recipe(bare) is not None:
        return f"std.{bare}"
    if not bare.isidentifier():
        return recipe
    near = nearest(bare, runnable_recipe_names())
    hint = f"did you mean `{near}`?" if near else f"there are {', '.join(runnable_recipe_names())}"
    raise Stop(Exit.USAGE, f"`{recipe}` is neither a file nor a standard recipe; {hint}")


def _library(compilation: Compilation, untold: Sequence[str]) -> Plan:
    plan = compilation.library
    show([diagnostic for diagnostic in compilation.diagnostics if diagnostic.code.id not in untold])
    if plan is None:
        raise Stop(Exit.PROBLEMS, summary(compilation.diagnostics))
    return plan


def name_to_run(plan: Plan, path: str, wanted: str | None) -> str:
    """The exposed name or the recipe to run: what was asked for, or else the only one there is."""
    if wanted is not None:
        return wanted
    if len(plan.entries) == 1:
        return next(iter(plan.entries))
    bare = path.removeprefix("std.")
    if not plan.entries and bare in plan.recipes:
        return bare
    if not plan.entries and len(plan.recipes) == 1:
        return next(iter(plan.recipes))
    names = plan.entries or plan.recipes
    if not names:
        raise Stop(Exit.USAGE, f"{path} has no recipe to run")
    has = "exposes several names" if plan.entries else "has several recipes"
    raise Stop(Exit.USAGE, f"{path} {has}; `--recipe` takes one of {', '.join(names)}")
