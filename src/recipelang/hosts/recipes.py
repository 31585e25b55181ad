"""From files, standard recipes or a finished plan to the one plan that an engine runs."""

from __future__ import annotations

import os
from pathlib import PurePath

from recipelang.compilation import Compilation, compile_file
from recipelang.diagnostics import Diagnostic
from recipelang.diagnostics.rendering import render
from recipelang.ir.plan import Plan
from recipelang.source import FileLoader, Source


class CompileError(Exception):
    """Recipes with errors; the message shows them as `recipelang check` does."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__(render(diagnostics).rstrip())
        self.diagnostics = diagnostics


def recipes_in(*recipes: str | os.PathLike[str] | Plan) -> Plan:
    """The plan of recipes that are used together; raises `CompileError`, and `LoadProblem` for a file that can't be read."""
    if len(recipes) == 1 and isinstance(recipes[0], Plan):
        return recipes[0]
    paths = [os.fspath(recipe) for recipe in recipes if not isinstance(recipe, Plan)]
    if not paths or len(paths) != len(recipes):
        raise TypeError("an engine takes paths and names of standard recipes, or one plan")
    compilation = compile_file(paths[0]) if len(paths) == 1 else together(paths)
    plan = compilation.library
    if plan is None:
        raise CompileError(compilation.diagnostics)
    return plan


def together(paths: list[str]) -> Compilation:
    """The compilation of a text that uses all of these files and standard recipes."""
    loader = FileLoader()
    lines = [f"use {path}" if path.startswith("std.") else f'use "{_quoted(path)}"' for path in paths]
    return Compilation(Source("<recipes>", "\n".join(lines)), loader)


def _quoted(path: str) -> str:
    """A path as `use` takes it: with slashes, and with nothing in it that would end the text."""
    return PurePath(path).as_posix().replace("\\", "\\\\").replace('"', '\\"')
