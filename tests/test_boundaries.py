"""Every way for a request to leak that we could think of is refused when it compiles, and what is safe is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from recipe_corpus import CORPUS, compiled, text_of
from recipelang.diagnostics.rendering import render

LEAKS = sorted((CORPUS / "boundaries" / "leaks").glob("*.recipe"))
SAFE = sorted((CORPUS / "boundaries" / "safe").glob("*.recipe"))


def name_of(recipe: Path) -> str:
    return recipe.stem


@pytest.mark.parametrize("recipe", LEAKS, ids=name_of)
def test_a_planted_leak_is_refused_with_the_way_it_would_take(recipe: Path, snapshot: SnapshotAssertion) -> None:
    found = compiled(recipe).diagnostics
    assert [diagnostic.code.id for diagnostic in found] == ["E0901"]
    assert f"{text_of(recipe)}\n{render(found)}" == snapshot


@pytest.mark.parametrize("recipe", SAFE, ids=name_of)
def test_what_keeps_its_promises_compiles_without_a_word(recipe: Path) -> None:
    compilation = compiled(recipe)
    assert render(compilation.diagnostics) == ""
    assert compilation.plan is not None


def test_as_many_ways_are_planted_as_were_thought_of() -> None:
    assert len(LEAKS) >= 35
    assert len(SAFE) >= 20
