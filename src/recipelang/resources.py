"""The files that come with the package, wherever it was installed; knows nothing of what they say.

The grammar and the standard recipes live in folders at the top of the repository, and the wheel carries them inside
the package. `importlib.resources` would find them as well, but to import it costs more than to check a small file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent
SUFFIX = ".recipe"


class StandardRecipe(NamedTuple):
    """A recipe file that anyone can `use`: its name in an import (`std.fusion`), and its text."""

    name: str
    text: str


def grammar_text() -> str:
    """The Lark grammar of the language."""
    return (_folder("grammar") / "recipe.lark").read_text(encoding="utf-8")


def standard_recipe(name: str) -> StandardRecipe | None:
    """The standard recipe of that name, with or without `std.` before it; none where there is no such recipe.

    >>> standard_recipe("no_such_recipe") is None
    True
    """
    bare = name.removeprefix("std.")
    if bare not in standard_recipe_names():  # the listing decides: no name reaches another folder
        return None
    path = _folder("stdlib_recipes") / (bare + SUFFIX)
    return StandardRecipe(f"std.{bare}", path.read_text(encoding="utf-8"))


def standard_tests(name: str) -> StandardRecipe | None:
    """The tests of the standard recipe of that name; none where it has none. They lie apart: who uses it needs none."""
    bare = name.removeprefix("std.")
    path = _folder("stdlib_recipes") / "tests" / (bare + SUFFIX)
    if bare not in standard_recipe_names() or not path.is_file():
        return None
    return StandardRecipe(f"std.tests.{bare}", path.read_text(encoding="utf-8"))


def standard_recipe_names() -> list[str]:
    """The names of the standard recipes without `std.`, in alphabetical order."""
    return sorted(path.stem for path in _folder("stdlib_recipes").glob(f"*{SUFFIX}"))


def runnable_recipe_names() -> list[str]:
    """Those of the standard files that declare the recipe of their name; others declare what recipes use."""
    return [name for name in standard_recipe_names() if name not in ("intents", "local_models", "signals")]


def user_cache() -> Path:
    """The folder for what can be made or fetched again: `$XDG_CACHE_HOME/recipelang`, or below `~/.cache`."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():  # the standard says to ignore others
        return named / "recipelang"
    try:
        return Path.home() / ".cache" / "recipelang"
    except RuntimeError:  # a user without a home, as in some containers
        from tempfile import gettempdir  # deferred: seldom needed

        return Path(gettempdir()) / f"recipelang-{os.getuid()}"


def _folder(name: str) -> Path:
    """The folder of that name: inside an installed package, or else at the top of the checkout."""
    installed = PACKAGE / "_data" / name
    return installed if installed.is_dir() else PACKAGE.parents[1] / name
