"""A text as it was written: which comment belongs to which word."""

from __future__ import annotations

import pytest

from recipelang.diagnostics import Diagnostic
from recipelang.source import Source
from recipelang.syntax.parser import read
from recipelang.syntax.written import Comment, Word, Written


def written(text: str) -> Written:
    found: list[Diagnostic] = []
    reading = read(Source("test.recipe", text), found.append)
    assert reading is not None, found
    return reading.written


def word(text: str, of: str) -> Word:
    return next(word for word in written(of).words if word.text == text)


def test_words_are_in_order_and_commas_are_left_out() -> None:
    words = written("role a() { x = [1, 2,], y = 4k }").words
    assert [word.text for word in words] == [
        "role",
        "a",
        "(",
        ")",
        "{",
        "x",
        "=",
        "[",
        "1",
        "2",
        "]",
        "y",
        "=",
        "4k",
        "}",
    ]
    assert [word.number for word in words] == list(range(len(words)))


def test_a_comment_trails_the_word_before_it_on_its_line() -> None:
    assert word("1", "role a() { x = 1 # why  \n}").trailing == "# why"


def test_a_comment_after_a_comma_trails_the_item_before_it() -> None:
    assert word("1", "role a() { x = [1, # one\n2] }").trailing == "# one"


def test_a_comment_on_a_line_of_its_own_stands_before_the_next_word() -> None:
    text = "role a() {\n  # first\n\n  # second\n  x = 1\n}"
    assert word("x", text).before == (Comment("# first", False), Comment("# second", True))


@pytest.mark.parametrize(("gap", "blank"), [("\n", False), ("\n\n", True), ("\n  \t\n", True), ("  ", False)])
def test_a_blank_line_above_a_word_is_known(gap: str, blank: bool) -> None:
    assert word("y", f"role a() {{ x = 1{gap}y = 2 }}").after_blank is blank


def test_comments_at_the_end_of_the_file_have_a_place() -> None:
    text = written("role a() {} # trailing\n# the end\n")
    assert text.words[-1].trailing == "# trailing"
    assert text.end.before == (Comment("# the end", False),)


def test_a_file_of_comments_has_them_at_its_end() -> None:
    text = written("# a\n\n# b")
    assert text.words == ()
    assert text.comments == ["# a", "# b"]


def test_all_comments_are_in_the_order_of_the_text() -> None:
    text = "# 1\nrole a( # 2\n) { # 3\n x = 1, # 4\n # 5\n} # 6\n# 7"
    assert written(text).comments == [f"# {number}" for number in range(1, 8)]


def test_what_looks_like_a_comment_in_a_text_is_none() -> None:
    assert written('role a() { x = "# no", y = """\n# no\n""" }').comments == []
