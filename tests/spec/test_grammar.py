"""The grammar of the specification is the language's: a parser built from that page takes and refuses the same texts."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import lark
import pytest
from lark.exceptions import UnexpectedInput

from page_fences import ROOT, fences_of
from recipe_corpus import INVALID, VALID, text_of
from recipelang.diagnostics import Diagnostic
from recipelang.resources import grammar_text
from recipelang.source import Source
from recipelang.syntax.parser import read

PAGE = ROOT / "docs" / "spec" / "03-grammar.md"
BEYOND_THE_GRAMMAR = {"E0111", "E0604"}
"""Nesting and the version are no matter of form; neither is what is called, which must be a name."""
TEXTS = [*VALID, *INVALID, *sorted((ROOT / "stdlib_recipes").glob("*.recipe"))]


def page_grammar() -> str:
    return "".join(fence.text for fence in fences_of(PAGE) if fence.kind == "ebnf")


@cache
def parser_of_the_page() -> lark.Lark:
    """The productions as the page has them, each of their words whole, and the words of chapter 2 from the grammar file."""
    rules = re.sub(r'"([a-z]+)"', lambda word: word[1].upper() + "_", page_grammar().replace("::=", ":"))
    fixed = {f"{word.upper()}_.2: /{word}\\b/" for word in re.findall(r'"([a-z]+)"', page_grammar())}
    words = re.findall(r"^(?:NAME|NUMBER|INT|TEXT|COMMENT|BLANK)\b.*|^%ignore.*", grammar_text(), re.MULTILINE)
    return lark.Lark("\n".join([rules, *fixed, *words]), start="file", parser="lalr", lexer="contextual")


def taken_by_the_page(text: str) -> bool:
    try:
        parser_of_the_page().parse(text)
    except UnexpectedInput:
        return False
    return True


def taken(text: str) -> bool:
    found: list[Diagnostic] = []
    reading = read(Source("test.recipe", text), found.append)
    beyond = all(one.code.id in BEYOND_THE_GRAMMAR or "can be called" in one.message for one in found)
    return reading is not None or beyond


@pytest.mark.parametrize("recipe", TEXTS, ids=lambda path: path.stem)
def test_a_parser_built_from_the_page_takes_what_the_compiler_takes(recipe: Path) -> None:
    assert taken_by_the_page(text_of(recipe)) == taken(text_of(recipe))


@pytest.mark.parametrize("number", range(60))
def test_it_takes_and_refuses_the_same_where_a_word_is_missing(number: int) -> None:
    words = re.split(r"(\s+)", text_of(VALID[number % len(VALID)]))
    at = (number * 7919) % len(words)
    text = "".join(words[:at] + words[at + 1 :])
    assert taken_by_the_page(text) == taken(text)


def test_each_rule_of_the_grammar_is_on_the_page_once() -> None:
    rules = re.findall(r"^(\w+) ::=", page_grammar(), re.MULTILINE)
    assert len(rules) == len(set(rules))
    named = set(re.findall(r"\b[a-z_]+\b", re.sub(r'"[^"]*"', "", page_grammar())))
    assert named == set(rules)
