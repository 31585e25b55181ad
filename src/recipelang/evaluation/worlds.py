"""Recipes over the models of a pack: what they are called in a recipe, and the recipes that come with this room."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from recipelang.compilation import Compilation
from recipelang.evaluation.items import in_first_half
from recipelang.evaluation.packs import Pack, Verdict
from recipelang.source import FileLoader, Loader, Source

STRATEGIES = Path(__file__).with_name("strategies.recipe")
BACKEND = "recorded"
_FILES = FileLoader()


def recipe_names(models: Sequence[str]) -> dict[str, str]:
    """What each model of a pack is called in a recipe, where names are in snake case.

    >>> recipe_names(["gpt-4o", "GPT 4o", "3-large"])
    {'gpt-4o': 'gpt_4o', 'GPT 4o': 'gpt_4o_2', '3-large': 'm_3_large'}
    """
    found: dict[str, str] = {}
    for model in models:
        bare = re.sub(r"[^a-z0-9]+", "_", model.lower()).strip("_")
        bare = bare if bare[:1].isalpha() else f"m_{bare}"
        name, number = bare, 2
        while name in found.values():
            name, number = f"{bare}_{number}", number + 1
        found[model] = name
    return found


def ratings_of(pack: Pack, first: bool) -> dict[str, int]:
    """Track records of a pack's models on one half of the questions: 1500 for as often right as wrong, 400 more for ten times as
    often, as Elo has it."""
    found = {}
    for model in pack.models:
        verdicts = [
            verdict
            for (question, name, _), verdict in pack.verdicts.items()
            if name == model and in_first_half(question) == first and verdict is not Verdict.UNGRADED
        ]
        right = sum(verdict is Verdict.RIGHT for verdict in verdicts)
        found[model] = round(1500 + 400 * math.log10((right + 0.5) / (len(verdicts) - right + 0.5)))
    return found


def models_text(pack: Pack, ratings: Mapping[str, int] | None = None) -> str:
    """The declarations of a pack's models, as a recipe may use them."""
    lines = [f'backend {BACKEND} {{ kind = openai, url = "http://127.0.0.1:1/v1" }}', ""]
    names = recipe_names(pack.models)
    width = max(map(len, names.values()), default=0)
    for model, name in names.items():
        quoted = model.replace("\\", "\\\\").replace('"', '\\"')
        rated = "" if ratings is None else f", rating = {ratings[model]}"
        lines.append(f'model {name:<{width}} {{ backend = {BACKEND}, id = "{quoted}"{rated} }}')
    return "\n".join(lines) + "\n"


def with_models(pack: Pack, *paths: str, loader: Loader = _FILES) -> Compilation:
    """Recipes together with the models of a pack."""
    uses = [f"use {path}" if path.startswith("std.") else f'use "{PurePath(path).as_posix()}"' for path in paths]
    return Compilation(Source("<recipes>", "\n".join([*uses, models_text(pack)])), loader)
