"""The laws of the parser: it never raises, whatever the text, and its work grows in proportion to the text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipe_texts import recipe_texts, spoilt_texts, word_soups
from recipelang.diagnostics import Diagnostic
from recipelang.diagnostics.rendering import render
from recipelang.source import Source
from recipelang.syntax import nodes
from recipelang.syntax.parser import parse

EXAMPLES = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def parsed(text: str) -> tuple[nodes.File, list[Diagnostic]]:
    """The tree, and what was reported, which can be shown."""
    found: list[Diagnostic] = []
    file = parse(Source("any.recipe", text), found.append)
    assert not found or render(found)
    for diagnostic in found:
        assert diagnostic.span is None or 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
    return file, found


@EXAMPLES
@given(recipe_texts)
def test_what_the_grammar_allows_is_read_without_a_message(text: str) -> None:
    assert parsed(text)[1] == []


@EXAMPLES
@given(spoilt_texts())
def test_a_spoilt_recipe_is_read_as_far_as_it_can_be(text: str) -> None:
    parsed(text)


@EXAMPLES
@given(word_soups())
def test_words_in_any_order_are_read_or_reported(text: str) -> None:
    parsed(text)


@EXAMPLES
@given(st.text(max_size=200))
def test_any_text_is_read_or_reported(text: str) -> None:
    parsed(text)


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called, a measure of work that no busy machine changes."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize(
    "unit",
    [
        '## Doc.\nrole {n}(x: text?) -> answer[] {{ max_tokens = 1k, prompt = """\n  a\n  b\n""" }}\n\n',
        "recipe {n}(m: model) -> answer {{\n  ask a = f(model = m) {{ timeout = 3s }} # why\n  return a\n}}\n",
        "role {n}() {{ max_tokens : 1k }}\n",
        "# a comment\n",
        "}}\n",
        "recipe\n",
    ],
    ids=["roles", "recipes", "mistakes", "comments", "brackets", "words"],
)
def test_twice_the_text_is_no_more_than_about_twice_the_work(unit: str) -> None:
    parsed("role warm_up() {}")
    small, large = ("".join(unit.format(n=f"r{n}") for n in range(count)) for count in (200, 400))
    assert calls_of(lambda: parsed(large)) < 2.5 * calls_of(lambda: parsed(small)) + 5_000


@pytest.mark.parametrize(
    "deep",
    [
        "[" * 1_000,
        "not " * 2_000,
        "-" * 2_000,
        "a" + ".b" * 2_000 + " + ",
        "a" + "[0]" * 2_000 + " + ",
        "x if y else " * 2_000,
        "f(" * 1_000,
    ],
    ids=["brackets", "not", "minus", "members", "items", "conditions", "calls"],
)
def test_what_is_nested_too_deeply_is_one_message(deep: str) -> None:
    _, found = parsed(
        "recipe r() -> answer {\n  let x = " + deep + "a\n  return x\n}\n\nrole s() { max_tokens = 1k }\n"
    )
    assert [diagnostic.code.id for diagnostic in found] == ["E0111"]


def test_a_type_nested_too_deeply_is_one_message() -> None:
    _, found = parsed("record r { a: text" + "?" * 2_000 + " }\n")
    assert [diagnostic.code.id for diagnostic in found] == ["E0111"]
