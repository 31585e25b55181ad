"""Text to a parse tree by the tables of a grammar; knows none of its rules by name.

lark makes the tables (`tables.py`). They are run here, for lark and its lexers take longer to start than an ordinary file
takes to be checked, and twice as long for each line of it (`bench/check.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast  # Any: a part is one thing or a list of them

from recipelang.quick import unguarded as dataclass

END = "$END"


class Token(str):
    """A word of the text. `type` is the name of its terminal."""

    __slots__ = ("end", "start", "type")
    type: str
    start: int
    end: int


@dataclass(slots=True)
class Tree:
    """A rule with what stands for its parts, from the start of the first to the end of the last."""

    data: str
    children: list[Token | Tree]
    start: int = 0
    end: int = 0

    def tokens(self) -> Iterator[Token]:
        """All words, in order."""
        for child in self.children:
            if isinstance(child, Token):
                yield child
            else:
                yield from child.tokens()


@dataclass(frozen=True, slots=True)
class Tables:
    """What lark has made of a grammar, as plain data.

    In each state an action for a terminal is the next state, or ~n: what was read is the rule n, a name and a length.
    Rules whose name begins with `_` stand for their parts. The patterns are in the order in which they are tried.
    """

    patterns: dict[str, str]
    words: dict[str, str]  # terminals by their text, where it is fixed
    ignored: list[str]
    rules: list[tuple[str, int]]
    actions: list[dict[str, int]]
    follow: list[dict[str, int]]  # the next state, by the rule that was read
    start: int
    end: int


class Unexpected(Exception):
    """The text does not go on as it may. `end` is none where the word begins as no word can."""

    def __init__(self, type: str | None, start: int, end: int | None, expected: list[str]) -> None:
        super().__init__(type)
        self.type, self.start, self.end, self.expected = type, start, end, expected


class Parser:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._next = _next_word(tables)

    def parse(self, text: str, start: int, end: int) -> Tree:
        """The tree of that part of the text, whose places are those in the whole. Raises `Unexpected`."""
        actions, rules, follow = self._tables.actions, self._tables.rules, self._tables.follow
        states = [self._tables.start]
        parts: list[Any] = []  # words, trees, and lists of them: the parts of a rule that stands for its parts
        at = start
        while True:
            word = self._word(text, at, end, states)
            at, type = word.end, word.type
            while (action := actions[states[-1]].get(type)) is not None and action < 0:
                name, length = rules[~action]
                kept = len(parts) - length
                children = _joined(parts[kept:])
                del parts[kept:], states[kept + 1 :]
                parts.append(children if name[0] == "_" else _tree(name, children))
                states.append(follow[states[-1]][name])
                if type == END and states[-1] == self._tables.end:
                    return cast(Tree, parts[0])
            if action is None:
                raise Unexpected(type, word.start, word.end, self._accepted(states))
            parts.append(word)
            states.append(action)

    def _word(self, text: str, at: int, end: int, states: list[int]) -> Token:
        """The next word, of a type that may stand here if it can be."""
        found = self._next(text, at, end)
        assert found is not None  # what is ignored may be nothing, and so may the word
        word = Token(found[found.lastgroup] if found.lastgroup else "")
        word.start, word.end = found.end() - len(word), found.end()
        if found.lastgroup:
            word.type = self._fitting(found.lastgroup, word, self._tables.actions[states[-1]])
        elif word.end == end:
            word.type = END
        else:
            raise Unexpected(None, word.start, None, self._accepted(states))
        return word

    def _fitting(self, type: str, word: str, allowed: Mapping[str, int]) -> str:
        """A word with a meaning of its own has it where that may stand, and is a name elsewhere; so with two kinds of number."""
        fixed = self._tables.words.get(word)
        if fixed is not None and fixed in allowed:
            return fixed
        if type in allowed:
            return type
        patterns = self._tables.patterns.items()
        other = (name for name, pattern in patterns if name in allowed and re.fullmatch(pattern, word))
        return next(other, fixed or type)

    def _accepted(self, states: list[int]) -> list[str]:
        """The types of words that may come next."""
        return sorted(type for type in self._tables.actions[states[-1]] if self._leads_on(type, states[:]))

    def _leads_on(self, type: str, states: list[int]) -> bool:
        while (action := self._tables.actions[states[-1]].get(type)) is not None and action < 0:
            name, length = self._tables.rules[~action]
            del states[len(states) - length :]
            states.append(self._tables.follow[states[-1]][name])
            if type == END and states[-1] == self._tables.end:
                return True
        return action is not None


def _next_word(tables: Tables) -> Callable[[str, int, int], re.Match[str] | None]:
    """What is ignored, and the word behind it: its group has the name of its terminal, or is `_fixed`."""
    named = [f"(?P<{name}>{pattern})" for name, pattern in tables.patterns.items()]
    fixed = [
        re.escape(word) + (r"\b" if word.isidentifier() else "") for word in sorted(tables.words, key=len, reverse=True)
    ]
    ignored, word = "|".join(tables.ignored), "|".join([*named, f"(?P<_fixed>{'|'.join(fixed)})"])
    return re.compile(f"(?:{ignored})*+(?:{word})?").match


def _joined(parts: list[Any]) -> list[Token | Tree]:
    """The parts with what stands for its parts unfolded; the first list goes on growing, for nobody else has it."""
    if not parts:
        return []
    joined: list[Token | Tree] = parts[0] if type(parts[0]) is list else [parts[0]]
    for part in parts[1:]:
        if type(part) is list:
            joined += part
        else:
            joined.append(part)
    return joined


def _tree(rule: str, children: list[Token | Tree]) -> Tree:
    return Tree(rule, children, children[0].start, children[-1].end) if children else Tree(rule, children)
