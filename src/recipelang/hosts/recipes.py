"""From files, standard recipes or a finished plan to the one plan that an engine runs."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from recipelang.ir.plan import Plan
from recipelang.source.loading import is_sealed_file

if TYPE_CHECKING:
    from recipelang.compilation import Compilation
    from recipelang.diagnostics import Diagnostic


class CompileError(Exception):
    """Recipes with errors; the message shows them as `recipelang check` does."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        from recipelang.diagnostics.rendering import render  # deferred: a sealed plan needs none of it

        super().__init__(render(diagnostics).rstrip())
        self.diagnostics = diagnostics


def recipes_in(*recipes: str | os.PathLike[str] | Plan) -> Plan:
    """The plan of recipes that are used together, or the one that is given, or the one in a sealed file.

    Raises `CompileError`, `LoadProblem` for a file that can't be read, `PlanProblem` for a sealed file that was changed,
    and `UnsoundPlan` for a plan that could not run.
    """
    if len(recipes) == 1 and isinstance(recipes[0], Plan):
        return sound(recipes[0])
    sealed = [recipe for recipe in recipes if not isinstance(recipe, Plan) and is_sealed_file(os.fspath(recipe))]
    if sealed and len(recipes) == 1:
        return opened(Path(sealed[0]).read_bytes())
    if sealed:
        from recipelang.ir.document import PlanProblem  # deferred: start-up cost

        raise PlanProblem(f"{os.fspath(sealed[0])} is sealed: it is used alone")
    from recipelang.compilation import compile_file  # deferred: a sealed plan needs none of it

    paths = [os.fspath(recipe) for recipe in recipes if not isinstance(recipe, Plan)]
    if not paths or len(paths) != len(recipes):
        raise TypeError("an engine takes paths and names of standard recipes, or one plan")
    alone = len(paths) == 1 and not Path(paths[0]).is_dir()
    compilation = compile_file(paths[0]) if alone else together(paths)
    plan = compilation.library
    if plan is None:
        raise CompileError(compilation.diagnostics)
    return plan


def opened(document: bytes) -> Plan:
    """The plan in a sealed document, found sound; raises `PlanProblem` and `UnsoundPlan`."""
    from recipelang.ir.document import load  # deferred: start-up cost

    return sound(load(document))


def sound(plan: Plan) -> Plan:
    """A plan that any tool may have made: looked at before it runs, its bounds and boundaries proved anew, whatever it says."""
    from recipelang.validation.boundaries import must_keep_boundaries  # deferred: start-up cost
    from recipelang.validation.bounds import certified  # deferred: start-up cost
    from recipelang.validation.graph import must_be_valid  # deferred: start-up cost

    must_be_valid(plan)
    must_keep_boundaries(plan)
    return certified(plan)


def together(paths: list[str]) -> Compilation:
    """The compilation of a text that uses all of these files, libraries and standard recipes."""
    from recipelang.compilation import Compilation  # deferred: a sealed plan needs none of it
    from recipelang.source import FileLoader, Source  # deferred: as above

    loader = FileLoader()
    return Compilation(
        Source("<recipes>", "\n".join(_use(path, number) for number, path in enumerate(paths, 1))), loader
    )


def _use(path: str, number: int) -> str:
    """The line that uses a standard recipe, a file, or a library: that under a name, whatever its folder is called."""
    if path.startswith("std."):
        return f"use {path}"
    return f'use "{_quoted(path)}"' + (f" as library_{number}" if Path(path).is_dir() else "")


def _quoted(path: str) -> str:
    """A path as `use` takes it: with slashes, and with nothing in it that would end the text."""
    return PurePath(path).as_posix().replace("\\", "\\\\").replace('"', '\\"')
