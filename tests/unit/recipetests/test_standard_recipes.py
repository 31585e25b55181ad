"""Every standard recipe carries tests that pass and reach all of it."""

from __future__ import annotations

import pytest

from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import render
from recipelang.recipetests import coverage_of, run_tests
from recipelang.recipetests.reporting import covered, failure
from recipelang.resources import runnable_recipe_names, standard_recipe, standard_tests

RECIPES = runnable_recipe_names()


@pytest.mark.parametrize("name", RECIPES)
def test_the_tests_of_a_standard_recipe_pass_and_reach_all_of_it(name: str) -> None:
    tests = standard_tests(name)
    assert tests is not None
    compilation = compile_text(tests.text, tests.name)
    assert not compilation.diagnostics, render(compilation.diagnostics)
    results = run_tests(compilation)
    assert all(result.passed for result in results), "\n".join(failure(r) for r in results if not r.passed)
    found = coverage_of(compilation, results)
    assert found.percent == 100, covered(found)
    assert {part.span.source.name for part in found.parts} == {f"std.{name}"}


def test_a_recipe_that_is_no_standard_one_has_no_standard_tests() -> None:
    assert standard_tests("std.local_models") is None
    assert standard_tests("../tests/fusion") is None


@pytest.mark.parametrize(
    ("name", "sound", "broken"),
    [
        ("fusion", "quorum = 2, grace = 5s", "quorum = 2"),
        ("confidence", 'it.finish != "length" and ', ""),
        ("ratings", "keep     = it.valid", "keep     = true"),
        ("remom", ">= 0.95", "> 1"),
        ("self_verified", "on_error = skip", "on_error = fail"),
        ("generate_and_test", "when latest.passed => kept(latest)", "when latest.passed and false => kept(latest)"),
    ],
)
def test_a_standard_recipe_that_is_broken_fails_its_tests(name: str, sound: str, broken: str) -> None:
    recipe = standard_recipe_text(name)
    assert sound in recipe
    tests = standard_tests(name)
    assert tests is not None
    files = {f"{name}.recipe": recipe.replace(sound, broken, 1)}
    compilation = compile_text(tests.text.replace(f"use std.{name}", f'use "./{name}.recipe"'), "tests.recipe", files)
    assert not compilation.has_errors, render(compilation.diagnostics)
    assert not all(result.passed for result in run_tests(compilation))


def standard_recipe_text(name: str) -> str:
    found = standard_recipe(name)
    assert found is not None
    return found.text
