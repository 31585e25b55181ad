"""What authors write, and what they are told: every recipe of the corpus, its message under it as a person sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from recipe_corpus import INVALID, VALID, compiled, messages_wanted, text_of
from recipelang.diagnostics.catalogue import all_codes
from recipelang.diagnostics.rendering import apply_fixes, render

MENDED = [
    recipe for recipe in INVALID if any(diagnostic.fix is not None for diagnostic in compiled(recipe).diagnostics)
]
LONGEST_LINE = 150


def name_of(recipe: Path) -> str:
    return recipe.stem


def test_the_corpus_is_large() -> None:
    assert len(INVALID) >= 60
    assert len(VALID) >= 20


@pytest.mark.parametrize("recipe", INVALID, ids=name_of)
def test_the_message_is_as_a_person_should_see_it(recipe: Path, snapshot: SnapshotAssertion) -> None:
    assert text_of(recipe) + "\n" + render(compiled(recipe).diagnostics) == snapshot


@pytest.mark.parametrize("recipe", INVALID, ids=name_of)
def test_one_mistake_is_one_message(recipe: Path) -> None:
    assert len(compiled(recipe).diagnostics) == messages_wanted(recipe)


@pytest.mark.parametrize("recipe", INVALID, ids=name_of)
def test_a_message_is_short_plain_and_has_no_full_stop(recipe: Path) -> None:
    for diagnostic in compiled(recipe).diagnostics:
        for text in (
            diagnostic.message,
            diagnostic.label,
            diagnostic.help,
            *(label.text for label in diagnostic.labels),
        ):
            assert not text.endswith(".") or text.endswith("...")
            assert not text[:1].isupper()
            assert len(text) <= LONGEST_LINE * 2


@pytest.mark.parametrize("recipe", INVALID, ids=name_of)
def test_a_message_says_what_to_do_or_what_is_wanted(recipe: Path) -> None:
    for diagnostic in compiled(recipe).diagnostics:
        assert diagnostic.help or diagnostic.label or diagnostic.message.startswith(("expected", "after 50 mistakes"))


@pytest.mark.parametrize("recipe", MENDED, ids=name_of)
def test_a_fix_removes_its_message_and_brings_no_other(recipe: Path) -> None:
    found = compiled(recipe).diagnostics
    fixed = apply_fixes(text_of(recipe), found, recipe.name)
    left = [diagnostic.code.id for diagnostic in compiled(recipe, fixed).diagnostics]
    assert left == [diagnostic.code.id for diagnostic in found if diagnostic.fix is None]


def test_every_kind_of_mistake_is_in_the_corpus() -> None:
    found = {diagnostic.code.id for recipe in INVALID for diagnostic in compiled(recipe).diagnostics}
    assert set(all_codes()) <= found


@pytest.mark.parametrize("recipe", VALID, ids=name_of)
def test_what_is_right_gives_no_message(recipe: Path) -> None:
    compilation = compiled(recipe)
    assert render(compilation.diagnostics) == ""
    assert compilation.plan is not None
