"""The files that come with the package are found in a wheel as in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipelang import resources
from recipelang.resources import StandardRecipe, grammar_text, standard_recipe, standard_recipe_names


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture(params=["site-packages/recipelang/_data", "."], ids=["wheel", "checkout"])
def layout(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with its data inside it, or with its data two folders up."""
    inside = request.param != "."
    package = tmp_path / ("site-packages/recipelang" if inside else "src/recipelang")
    package.mkdir(parents=True)
    write(tmp_path / request.param / "grammar/recipe.lark", "start: NAME  // ×\n")
    write(tmp_path / request.param / "stdlib_recipes/fusion.recipe", "recipe fusion() {}\n")
    write(tmp_path / request.param / "stdlib_recipes/direct.recipe", "recipe direct() {}\n")
    write(tmp_path / request.param / "stdlib_recipes/notes.md", "not a recipe\n")
    write(tmp_path / request.param / "secret.recipe", "recipe secret() {}\n")
    monkeypatch.setattr(resources, "PACKAGE", package)


@pytest.mark.usefixtures("layout")
def test_the_grammar_is_read_as_utf_8() -> None:
    assert grammar_text() == "start: NAME  // ×\n"


@pytest.mark.usefixtures("layout")
def test_the_standard_recipes_are_listed_in_order_and_nothing_else_is() -> None:
    assert standard_recipe_names() == ["direct", "fusion"]


@pytest.mark.usefixtures("layout")
@pytest.mark.parametrize("name", ["fusion", "std.fusion"])
def test_a_standard_recipe_goes_by_its_name_in_an_import(name: str) -> None:
    assert standard_recipe(name) == StandardRecipe("std.fusion", "recipe fusion() {}\n")


@pytest.mark.usefixtures("layout")
@pytest.mark.parametrize("name", ["", "notes", "Fusion", "../secret", "fusion.recipe", "std.std.fusion", "fus\0ion"])
def test_a_name_that_is_not_listed_reaches_no_file(name: str) -> None:
    assert standard_recipe(name) is None


def test_a_file_inside_the_package_wins_over_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "src/recipelang/_data/grammar/recipe.lark", "inside")
    write(tmp_path / "grammar/recipe.lark", "outside")
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "src/recipelang")
    assert grammar_text() == "inside"
