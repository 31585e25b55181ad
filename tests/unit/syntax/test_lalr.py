"""The tables are run as lark runs them: the same trees, at the same places, and stuck where lark is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import lark
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark.exceptions import UnexpectedInput

from page_fences import ROOT
from recipe_corpus import INVALID, VALID, text_of
from recipe_texts import grown
from recipelang.resources import grammar_text
from recipelang.syntax.lalr import Parser, Token, Tree, Unexpected
from recipelang.syntax.tables import parser, tables_of

TEXTS = [*VALID, *INVALID, *sorted((ROOT / "stdlib_recipes").glob("*.recipe"))]
Shape = tuple[str, int, int, tuple["Shape", ...]]


@cache
def larks() -> lark.Lark:
    return lark.Lark(grammar_text(), parser="lalr", lexer="contextual", propagate_positions=True, keep_all_tokens=True)


def shape(at: Tree | Token) -> Shape:
    if isinstance(at, Token):
        return at.type, at.start, at.end, ()
    return at.data, at.start, at.end, tuple(map(shape, at.children))


def larks_shape(at: lark.Tree[lark.Token] | lark.Token) -> Shape:
    if isinstance(at, lark.Token):
        return at.type, at.start_pos or 0, at.end_pos or 0, ()
    start, end = (0, 0) if at.meta.empty else (at.meta.start_pos, at.meta.end_pos)
    return str(at.data), start, end, tuple(map(larks_shape, at.children))


def read_by_us(text: str) -> Shape | None:
    try:
        return shape(parser().parse(text, 0, len(text)))
    except Unexpected:
        return None


def read_by_lark(text: str) -> Shape | None:
    try:
        return larks_shape(larks().parse(text))
    except UnexpectedInput:
        return None


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_file_is_read_as_lark_reads_it(path: Path) -> None:
    text = text_of(path)
    assert read_by_us(text) == read_by_lark(text)


@given(st.binary(max_size=400))
def test_whatever_the_grammar_has_is_read_as_lark_reads_it(data: bytes) -> None:
    text = grown(data)
    assert read_by_us(text) == read_by_lark(text)


def test_a_part_of_a_text_keeps_its_places() -> None:
    text = "role a() { }\nrole b() { }"
    tree = parser().parse(text, 13, len(text))
    assert (tree.start, tree.end) == (13, len(text))
    assert [token.start for token in tree.tokens()][:2] == [13, 18]


@pytest.mark.parametrize(
    "text", ["rolesolver() { }", "recipe a() { askreply = b()  return reply }", 'exposed "a" = b()']
)
def test_a_word_ends_where_it_ends(text: str) -> None:
    """lark takes the beginning of a word for the word that may stand there."""
    with pytest.raises(Unexpected):
        parser().parse(text, 0, len(text))


def test_what_may_come_next_is_told() -> None:
    with pytest.raises(Unexpected) as stuck:
        parser().parse("role a( {", 0, 9)
    assert (stuck.value.type, stuck.value.start, stuck.value.expected) == ("LBRACE", 8, ["NAME", "RPAR"])


def test_any_grammar_is_read_by_its_tables() -> None:
    tables = tables_of('start: "(" start* ")"\n%ignore / /\n')
    tree = Parser(tables).parse("( () (()) )", 0, 11)
    assert shape(tree)[:3] == ("start", 0, 11)
    assert list(tree.tokens()) == list("(()(()))")
