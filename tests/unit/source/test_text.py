"""Places in a text, as a person counts them."""

from __future__ import annotations

import pytest

from recipelang.source import Position, Source

SOURCE = Source("a.recipe", "one\ntwo\r\n\nfour é×")


@pytest.mark.parametrize(
    ("offset", "line", "column"), [(0, 1, 1), (3, 1, 4), (4, 2, 1), (9, 3, 1), (10, 4, 1), (16, 4, 7), (17, 4, 8)]
)
def test_lines_and_columns_are_counted_from_one(offset: int, line: int, column: int) -> None:
    assert SOURCE.position(offset) == Position(line, column)


def test_a_line_is_without_its_end() -> None:
    assert [SOURCE.line(number) for number in (1, 2, 3, 4)] == ["one", "two", "", "four é×"]


def test_an_empty_text_has_one_empty_line() -> None:
    empty = Source("a.recipe", "")
    assert (empty.line(1), empty.position(0)) == ("", (1, 1))


def test_a_span_knows_its_text_its_place_and_what_lies_between_it_and_another() -> None:
    one, two = SOURCE.span(0, 3), SOURCE.span(4, 7)
    assert (one.text, str(two)) == ("one", "a.recipe:2:1")
    assert one.to(two).text == "one\ntwo"
