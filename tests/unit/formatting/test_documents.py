"""How documents are set on a page."""

from __future__ import annotations

import pytest

from recipelang.formatting.documents import (
    BLANK,
    EDGE,
    END,
    LINE,
    WIDTH,
    Break,
    Document,
    Group,
    Indented,
    Lines,
    Remark,
    Text,
    join,
    render,
    separated,
)


def call(*arguments: Document) -> Document:
    inside = separated(arguments, join(Text(",", glued=True), LINE))
    return Group(join(Text("f("), Indented(join(EDGE, inside)), Break("", ending=","), Text(")")))


def test_a_group_that_fits_stands_on_one_line() -> None:
    assert render(call(Text("a"), Text("b"))) == "f(a, b)\n"


def test_a_group_that_is_too_wide_takes_all_of_its_breaks() -> None:
    wide = "x" * WIDTH
    assert render(call(Text(wide), Text("b"))) == f"f(\n  {wide},\n  b,\n)\n"


@pytest.mark.parametrize(("more", "lines"), [(0, 1), (1, 3)])
def test_what_follows_a_group_up_to_the_next_break_counts(more: int, lines: int) -> None:
    tail = Text("y" * (WIDTH - len("f(a)") + more))
    assert render(join(call(Text("a")), tail, END, Text("z" * WIDTH))).count("\n") == lines + 1


def test_an_inner_group_may_fit_where_the_outer_one_does_not() -> None:
    assert render(call(call(Text("a")), Text("x" * WIDTH))).startswith("f(\n  f(a),\n  x")


def test_what_takes_the_place_of_a_broken_group_may_be_another_document() -> None:
    group = Group(Text("x" * (WIDTH + 1)), otherwise=join(Text("a"), END, Text("b")))
    assert render(group) == "a\nb\n"


def test_a_comma_stands_before_the_comment_that_trails_its_item() -> None:
    item = join(Text("a"), Remark("# why", trailing=True))
    inside = join(item, Text(",", glued=True), LINE, Text("b"))
    assert render(Group(inside, broken=True)) == "a,  # why\nb\n"


def test_trailing_comments_of_neighbouring_lines_begin_in_one_column() -> None:
    lines = [join(Text(word), Remark(f"# {word}", trailing=True)) for word in ("a", "long", "of")]
    assert (
        render(join(lines[0], END, lines[1], END, Text("x"), END, lines[2])) == "a     # a\nlong  # long\nx\nof  # of\n"
    )


def test_a_comment_of_its_own_breaks_the_line_and_ends_its_own() -> None:
    assert render(join(Text("a"), Remark("# c", trailing=False), Text("b"))) == "a\n# c\nb\n"


def test_blank_lines_are_one_at_most_and_none_at_the_top() -> None:
    assert render(join(BLANK, Text("a"), BLANK, BLANK, Text("b"), END)) == "a\n\nb\n"


def test_text_over_lines_is_indented_below_where_it_begins_and_its_blank_lines_stay_empty() -> None:
    text = Indented(join(END, Text("p = "), Lines(('"""', "one", "", "  two", '"""'))))
    assert render(join(Text("{"), text)) == '{\n  p = """\n    one\n\n      two\n  """\n'
