"""Messages as a person sees them, and as a program reads them."""

from __future__ import annotations

import re

import pytest

from recipelang.diagnostics import Code, Diagnostic, Edit, Fix, Label, Severity
from recipelang.diagnostics.rendering import WINDOW, apply_fixes, render, summary, to_json
from recipelang.source import Source

CODE = Code("E0999", "a mistake", "It is one.", "", "")
WARNING = Code("W0999", "a doubt", "It may be one.", "", "", Severity.WARNING)
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def at(text: str, part: str, *, code: Code = CODE, label: str = "here", **more: object) -> Diagnostic:
    source = Source("a.recipe", text)
    start = text.index(part)
    return code.at(source.span(start, start + len(part)), "something is wrong", label=label, **more)  # type: ignore[arg-type]


def columns(rendered: str, sign: str = "^") -> tuple[str, str]:
    """The source line and the line of signs under it, from the bar on."""
    lines = rendered.split("\n")
    under = next(number for number, line in enumerate(lines) if sign in line)
    return lines[under - 1].partition("| ")[2], lines[under].partition("| ")[2]


def test_a_message_shows_the_place_the_line_and_what_to_do() -> None:
    assert render([at("one\ntwo three\n", "three", help="write `3`")]) == (
        "error[E0999]: something is wrong\n"
        " --> a.recipe:2:5\n"
        "  |\n"
        "2 | two three\n"
        "  |     ^^^^^ here\n"
        "  = help: write `3`\n"
        "\n"
    )


def test_a_message_without_a_place_is_one_line() -> None:
    assert render([CODE.at(None, "something is wrong")]) == "error[E0999]: something is wrong\n\n"


def test_notes_stand_under_each_other() -> None:
    rendered = render([at("a", "a", notes=("one  1", "two  2", "= 3"))])
    assert "  = note: one  1\n          two  2\n          = 3\n" in rendered


def test_a_span_over_several_lines_is_marked_to_the_end_of_its_first() -> None:
    line, under = columns(render([at("let x = [\n  1,\n  2]\n", "[\n  1,\n  2]")]))
    assert line == "let x = ["
    assert under == "        ^ here"


def test_a_place_at_the_end_of_the_file_has_a_mark() -> None:
    source = Source("a.recipe", "role")
    line, under = columns(render([CODE.at(source.span(4, 4), "it ends too early")]))
    assert (line, under) == ("role", "    ^")


def test_a_tab_is_as_wide_as_it_is_shown() -> None:
    line, under = columns(render([at("\tx = y", "y")]))
    assert line == "    x = y"
    assert under.index("^") == line.index("y")


def test_wide_and_combining_characters_take_the_columns_of_a_terminal() -> None:
    _, under = columns(render([at('"漢字" e\u0301 y', "y")]))
    assert under.index("^") == len('"') + 4 + len('" ') + 1 + 1


def test_what_can_not_be_shown_is_a_dot() -> None:
    line, _ = columns(render([at("a\x1b[31m\u200bb", "b")]))
    assert line == "a·[31m·b"


def test_a_very_long_line_is_cut_around_the_place() -> None:
    rendered = render([at("a " * 3000 + "culprit" + " b" * 3000, "culprit")])
    line, under = columns(rendered)
    assert len(line) <= WINDOW + 2
    assert line.startswith("…")
    assert line.endswith("…")
    assert line[under.index("^") :].startswith("culprit")
    assert len(under.removesuffix(" here")) <= WINDOW + 2


def test_a_very_long_culprit_is_cut_with_its_line() -> None:
    line, under = columns(render([at("x" * 5000, "x" * 5000)]))
    assert len(line) == WINDOW + 1
    assert under.count("^") == WINDOW


def test_a_witness_on_the_same_line_is_drawn_under_it_once() -> None:
    source = Source("a.recipe", "for m in ms { quorum = 9 }")
    rendered = render([CODE.at(source.span(23, 24), "m", label="here", labels=(Label(source.span(9, 11), "these"),))])
    assert "1 | for m in ms { quorum = 9 }\n  |          --            ^ here\n  |          these\n" in rendered


def test_witnesses_stand_in_the_order_of_the_file_with_dots_between() -> None:
    text = "first\n\n\nsecond\n"
    source = Source("a.recipe", text)
    rendered = render([CODE.at(source.span(8, 14), "twice", labels=(Label(source.span(0, 5), "the first"),))])
    assert rendered.index("1 | first") < rendered.index("...") < rendered.index("4 | second")
    assert " --> a.recipe:4:1\n" in rendered


def test_a_witness_in_another_file_is_shown_under_its_own_place() -> None:
    other = Source("b.recipe", "role shared()\n")
    rendered = render([at("shared()", "shared", labels=(Label(other.span(5, 11), "one is here"),))])
    assert rendered.index("--> a.recipe:1:1") < rendered.index("--> b.recipe:1:6")


def test_marks_that_overlap_are_drawn_as_far_as_they_can_be() -> None:
    source = Source("a.recipe", "abcdef")
    diagnostic = CODE.at(source.span(0, 6), "m", label="all", labels=(Label(source.span(2, 4), "a part"),))
    assert "^" in render([diagnostic])
    assert "a part" in render([diagnostic])


def test_colours_change_nothing_but_the_colour() -> None:
    diagnostics = [at("one two", "two", help="why not", notes=("a", "b")), at("x", "x", code=WARNING)]
    coloured = render(diagnostics, color=True)
    assert coloured != render(diagnostics)
    assert ESCAPES.sub("", coloured) == render(diagnostics)


def test_errors_are_red_and_warnings_yellow() -> None:
    assert "\x1b[1;31m" in render([at("x", "x")], color=True)
    assert "\x1b[1;33m" in render([at("x", "x", code=WARNING)], color=True)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([], "no problems"),
        ([CODE], "1 error"),
        ([CODE, CODE, WARNING], "2 errors, 1 warning"),
        ([WARNING], "1 warning"),
    ],
)
def test_the_summary_counts(codes: list[Code], said: str) -> None:
    assert summary([at("x", "x", code=code) for code in codes]) == said


def test_json_counts_lines_and_columns_from_one_and_offsets_from_zero() -> None:
    fix = Fix("say so", (Edit(Source("a.recipe", "one\ntwo").span(4, 7), "2"),))
    read = to_json(at("one\ntwo", "two", help="why", fix=fix))
    place = {"file": "a.recipe", "line": 2, "column": 1, "end_line": 2, "end_column": 4, "start": 4, "end": 7}
    assert read["place"] == place
    assert read["fix"] == {"title": "say so", "edits": [{"place": place, "text": "2"}]}
    assert (read["code"], read["severity"], read["title"]) == ("E0999", "error", "a mistake")


def test_json_of_a_message_without_a_place_has_none() -> None:
    read = to_json(CODE.at(None, "something is wrong"))
    assert read["place"] is None
    assert read["fix"] is None


def test_fixes_are_applied_from_the_front_and_one_that_overlaps_is_left() -> None:
    text = "aa bb cc"
    source = Source("a.recipe", text)

    def fixed(start: int, end: int, new: str) -> Diagnostic:
        return CODE.at(source.span(start, end), "m", fix=Fix("f", (Edit(source.span(start, end), new),)))

    given = [fixed(6, 8, "three"), fixed(0, 5, "one"), fixed(3, 5, "two")]
    assert apply_fixes(text, given, "a.recipe") == "one three"


def test_a_fix_of_another_file_is_not_applied_to_this_one() -> None:
    other = Source("b.recipe", "aa")
    diagnostic = CODE.at(other.span(0, 2), "m", fix=Fix("f", (Edit(other.span(0, 2), "b"),)))
    assert apply_fixes("aa", [diagnostic], "a.recipe") == "aa"
