"""Whatever the text: the checker tells what is wrong and never raises, and a plan comes out the same every time."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_corpus import CORPUS, INVALID, VALID, compiled, text_of
from recipe_mutations import mutations
from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import apply_fixes, render, to_json
from recipelang.ir.document import dump

PARTS = {f"parts/{part.name}": text_of(part) for part in CORPUS.glob("*/parts/*") if part.is_file()}
MUTATIONS = 1_500
SEEDS = 3

DUMPED = """
import sys
from recipe_corpus import VALID, compiled
from recipelang.ir.document import dump
for recipe in VALID:
    sys.stdout.write(dump(compiled(recipe).plan))
"""


def check_and_tell(text: str) -> None:
    """All that `check` does with a text."""
    found = compile_text(text, "any.recipe", PARTS).diagnostics
    assert render(found) or not found
    for diagnostic in found:
        to_json(diagnostic)
    apply_fixes(text, found, "any.recipe")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_recipes_with_slips_in_them_are_told_so_and_nothing_breaks(seed: int) -> None:
    for text in mutations([text_of(recipe) for recipe in VALID + INVALID], seed, MUTATIONS // SEEDS):
        check_and_tell(text)


@given(st.text(max_size=300))
def test_any_text_is_checked(text: str) -> None:
    check_and_tell(text)


@given(st.lists(st.sampled_from('{}()[]",=:.?->"" \n#r0a_$%'), max_size=120).map("".join))
def test_any_signs_are_checked(text: str) -> None:
    check_and_tell(text)


@given(st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_noise_is_checked(text: str) -> None:
    check_and_tell(text)


def dumped(hash_seed: str) -> bytes:
    """The plans of the valid corpus, as a process with this hash seed writes them."""
    environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(CORPUS.parent)}
    return subprocess.run((sys.executable, "-c", DUMPED), env=environment, capture_output=True, check=True).stdout


def test_a_plan_is_the_same_in_another_process_whatever_its_hash_seed() -> None:
    here = "".join(dump(plan) for plan in (compiled(recipe).plan for recipe in VALID) if plan)
    first, second = dumped("0"), dumped("4242")
    assert first == second == here.encode()
    assert len(first) > 10_000
