"""The formatter proves itself: what would change more than the layout never leaves it."""

from __future__ import annotations

import pytest

from recipelang.diagnostics import Diagnostic
from recipelang.formatting import proving
from recipelang.formatting.proving import FormattingMistake, formatted
from recipelang.source import Source

TEXT = "# a comment\nrole a() { max_tokens = 1k }\n"


def ignore(diagnostic: Diagnostic) -> None:
    """Nobody wants to know."""


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("# a comment\nrole a() { max_tokens = 2k }\n", "what test.recipe means"),
        ("role a() { max_tokens = 1k }\n", "the comments of test.recipe"),
        ("# another\nrole a() { max_tokens = 1k }\n", "the comments of test.recipe"),
        ("## a comment\nrole a() { max_tokens = 1k }\n", "what test.recipe means"),
        ("# a comment\nrole a() { max_tokens = 1k\n", "can't be read"),
    ],
)
def test_a_layout_that_changes_more_is_refused(wrong: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "laid_out", lambda written: wrong)
    with pytest.raises(FormattingMistake, match=why):
        formatted(Source("test.recipe", TEXT), ignore)


def test_a_layout_that_changes_nothing_else_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    other = "# a comment\nrole a() {\nmax_tokens=1000\n}"
    monkeypatch.setattr(proving, "laid_out", lambda written: other)
    assert formatted(Source("test.recipe", TEXT), ignore) == other


def test_mistakes_of_form_are_reported_and_nothing_is_formatted() -> None:
    found: list[Diagnostic] = []
    assert formatted(Source("test.recipe", "role a( {}"), found.append) is None
    assert len(found) == 1


def test_a_file_in_another_language_is_left_as_it_is() -> None:
    found: list[Diagnostic] = []
    assert formatted(Source("later.recipe", "language 2\nrole   a( ) { max_tokens=1k }\n"), found.append) is None
    assert [diagnostic.code.id for diagnostic in found] == ["E0604"]
