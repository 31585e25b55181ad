"""The laws of the formatter: it changes nothing but the layout, and what it wrote it leaves alone."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings

from recipe_texts import recipe_texts
from recipelang.diagnostics import Diagnostic
from recipelang.formatting.layout import laid_out
from recipelang.source import Source
from recipelang.syntax.parser import Reading, read

EXAMPLES = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def reading(text: str) -> Reading | None:
    found: list[Diagnostic] = []
    return read(Source("grown.recipe", text), found.append)


@EXAMPLES
@given(recipe_texts)
def test_formatting_changes_neither_what_a_text_says_nor_its_comments(text: str) -> None:
    before = reading(text)
    assume(before is not None)
    assert before is not None
    after = reading(laid_out(before.written))
    assert after is not None
    assert after.file == before.file
    assert after.written.comments == before.written.comments


@EXAMPLES
@given(recipe_texts)
def test_what_is_formatted_stays_as_it_is(text: str) -> None:
    before = reading(text)
    assume(before is not None)
    assert before is not None
    once = laid_out(before.written)
    again = reading(once)
    assert again is not None
    assert laid_out(again.written) == once
