"""The language-neutral cases beside this file, on this interpreter; `README.md` says how they are written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from runs import plan_of
from scripted_cases import Run, must_come_out_as_it_says


def cases() -> Iterator[Any]:  # Any: a parameter of pytest
    for file in sorted(Path(__file__).parent.glob("*.toml")):
        for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]:
            name, recipe = case.pop("name"), case.pop("recipe")
            yield pytest.param(recipe, cast(Run, case), id=f"{file.stem}: {name}")


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize(("recipe", "run"), list(cases()))
async def test_the_case_comes_out_as_it_says(recipe: str, run: Run) -> None:
    await must_come_out_as_it_says(plan_of(recipe), run)
