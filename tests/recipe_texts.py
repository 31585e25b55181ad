"""Texts for the laws: recipes grown from the grammar, with comments and blanks between any two words; and spoilt ones.

A text is grown from a string of bytes, each of which decides one thing. A byte of zero, or none left, takes the
shortest way out, so that Hypothesis shrinks a counterexample to a short text by making bytes fewer and smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

import lark
from hypothesis import strategies as st

from recipelang.resources import grammar_text

NAMES = (
    "a",
    "it",
    "xs",
    "snake_case_2",
    "r",
    "_",
    "reply_of_a_model_with_a_rather_long_name",
    "model",
    "times",
    "when",
    "up",
)
WORDS: dict[str, Sequence[str]] = {
    "NAME": NAMES,
    "NUMBER": ("1", "42", "4k", "1M", "0.72", "80%", "500ms", "30s", "2m", "1h", "$0.05", "$2"),
    "INT": ("1", "16", "4k"),
    "TEXT": (
        '"t"', '""', r'"a \"b\" \n \u{e9}"', r'r"\d+ \s*"', '"# none"', '"""one line"""', '"""\n  two\n    lines\n  """',
        '"""first\n    second\n"""', '"""\n\n  blank lines\n\n\n  and "quotes"\n\n"""', 'r"""\n\\d # none\n\n"""',
        '"""\n\ttabs\n\t\tand trailing blanks  \n"""', '"' + "long " * 25 + '"',
    ),
}  # fmt: skip
COMMENTS = (
    "# note",
    "#",
    "## doc",
    "##",
    "#!?",
    '# "quoted',
    "# { [ (",
    "#  two  \t",
    "# é × 中",
    "## " + "long " * 25,
)
GAPS = (" ", "\n", "  ", "\n\n", "\n  \n\n\n", "\t", "\r\n")
BRACKETS = frozenset("()[]{},")
DEEPEST = 60  # rules


class _Choices:
    """Decisions from bytes: the first option where they have run out."""

    def __init__(self, data: bytes) -> None:
        self.data = iter(data)

    def below(self, count: int) -> int:
        return next(self.data, 0) % count


Expansion = tuple[str, ...]  # names of rules and terminals


@cache
def _grammar() -> tuple[dict[str, list[Expansion]], dict[str, str]]:
    """What each rule expands to, what ends soonest first; the terminals that are always spelled alike."""
    parser = lark.Lark(grammar_text(), parser="lalr")
    rules: dict[str, list[Expansion]] = {"callee": [("NAME",), ("NAME", "DOT", "NAME")]}
    for rule in parser.rules:
        expansion = tuple(str(symbol.name) for symbol in rule.expansion)
        if rule.origin.name == "call":  # of the values that the grammar lets stand there, only names can be called
            expansion = ("callee", *expansion[1:])
        rules.setdefault(str(rule.origin.name), []).append(expansion)
    depths = _depths(rules)
    for options in rules.values():
        options.sort(key=lambda expansion: (_depth(expansion, depths), len(expansion)))
    return rules, {each.name: each.pattern.value for each in parser.terminals if each.pattern.type == "str"}


def _depths(rules: dict[str, list[Expansion]]) -> dict[str, float]:
    """How many rules deep the shallowest text of each rule is."""
    depths = dict.fromkeys(rules, float("inf"))
    for _ in rules:
        for name, options in rules.items():
            depths[name] = min(1 + _depth(expansion, depths) for expansion in options)
    return depths


def _depth(expansion: Expansion, depths: dict[str, float]) -> float:
    return max((depths.get(name, 0) for name in expansion), default=0)


def grown(data: bytes) -> str:
    """A text of the grammar; nearly always one that can be read (a name may happen to be a keyword)."""
    choices = _Choices(data)
    head = ["language", "1"] * choices.below(2)
    words = [*head, *(word for _ in range(choices.below(8)) for word in _words("_declaration", choices))]
    text = _gap(choices, bare=True)
    for word, following in pairwise([*words, "}"]):
        text += word + _gap(choices, bare=word in BRACKETS or following in BRACKETS)
    return text


def _words(start: str, choices: _Choices) -> Iterator[str]:
    rules, spelled = _grammar()
    waiting = [(0, start)]
    while waiting:
        depth, name = waiting.pop()
        if name in rules:
            options = rules[name] if depth < DEEPEST else rules[name][:1]
            expansion = options[choices.below(len(options))]
            waiting += [(depth + 1, part) for part in reversed(expansion)]
        else:
            yield spelled[name] if name in spelled else WORDS[name][choices.below(len(WORDS[name]))]


def _gap(choices: _Choices, *, bare: bool) -> str:
    """What stands between two words: nothing (where that may be), blanks, comments."""
    if choices.below(8) < 6:
        return "" if bare and choices.below(2) else GAPS[choices.below(2)]
    gap = GAPS[choices.below(len(GAPS))]
    while choices.below(4) == 3:
        gap += COMMENTS[choices.below(len(COMMENTS))] + "\n" + GAPS[choices.below(len(GAPS))]
    return gap


recipe_texts: st.SearchStrategy[str] = st.binary(min_size=200, max_size=3_000).map(grown)
"""Recipes of any form that the grammar allows, meaningless as they are."""


@st.composite
def spoilt_texts(draw: st.DrawFn) -> str:
    """A recipe with a piece cut out, doubled or replaced, or its end cut off."""
    text = draw(recipe_texts)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 30)))
    return draw(
        st.one_of(
            st.just(text[:start]),
            st.just(text[:start] + text[end:]),
            st.just(text[:end] + text[start:]),
            st.sampled_from(sorted(_grammar()[1].values())).map(lambda word: f"{text[:start]} {word} {text[end:]}"),
            st.text(max_size=5).map(lambda noise: text[:start] + noise + text[end:]),
        )
    )


@st.composite
def word_soups(draw: st.DrawFn) -> str:
    """Words of the language in any order."""
    words = [*_grammar()[1].values(), *(word for words in WORDS.values() for word in words), *COMMENTS]
    return "".join(
        word + gap
        for word, gap in draw(st.lists(st.tuples(st.sampled_from(words), st.sampled_from(GAPS)), max_size=60))
    )
