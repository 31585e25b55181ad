"""A text as it was written: its words in the structure of the grammar, and the comments around them.

What the syntax tree leaves out is here: how a value was spelled, comments, blank lines, parentheses. Commas are left
out here as well, for wherever one may stand they only separate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipelang.quick import dataclass
from recipelang.syntax.lalr import Token, Tree

_COMMENT = re.compile(r"#[^\n]*")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment with a line of its own."""

    text: str  # from its `#` on
    after_blank: bool  # whether there is a blank line above it


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or the end of the file (which has no text)."""

    number: int  # of the words, from 0
    kind: str  # the terminal's name in the grammar
    text: str
    before: tuple[Comment, ...] = ()
    after_blank: bool = False  # whether there is a blank line above it, below its comments
    trailing: str | None = None  # the comment that ends its line
    ends_line: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A rule of the grammar with its words and its branches, in order."""

    rule: str
    parts: tuple[Part, ...]

    @property
    def branches(self) -> list[Branch]:
        return [part for part in self.parts if isinstance(part, Branch)]

    @property
    def first(self) -> Word:
        part = self.parts[0]
        return part if isinstance(part, Word) else part.first

    @property
    def last(self) -> Word:
        part = self.parts[-1]
        return part if isinstance(part, Word) else part.last

    def word(self, kind: str) -> Word:
        """The first word of that kind right below the branch."""
        return next(part for part in self.parts if isinstance(part, Word) and part.kind == kind)


Part = Word | Branch


@dataclass(frozen=True, slots=True)
class Written:
    """A whole text. `end` is no word, and has the comments after the last one."""

    root: Branch
    words: tuple[Word, ...]
    end: Word

    @property
    def comments(self) -> list[str]:
        """The comments in order."""
        found: list[str] = []
        for word in (*self.words, self.end):
            found += [comment.text for comment in word.before]
            found += [word.trailing] if word.trailing is not None else []
        return found


def written(text: str, tree: Tree) -> Written:
    """The words of a parse tree with what stands between them in the text."""
    tokens = [token for token in tree.tokens() if token.type != "COMMA"]
    *words, end = _words(text, tokens)
    remaining = iter(words)
    return Written(_branch(tree, remaining), tuple(words), end)


def _words(text: str, tokens: list[Token]) -> Iterator[Word]:
    """Each word with the gaps on both of its sides. A gap's first comment trails what it shares a line with."""
    starts = [*(token.start for token in tokens), len(text)]
    ends = [0, *(token.end for token in tokens)]
    gaps = [_gap(text[end:start], first=end == 0) for end, start in zip(ends, starts, strict=True)]
    for number, token in enumerate(tokens):
        _, before, after_blank, _ = gaps[number]
        trailing, _, _, ends_line = gaps[number + 1]
        yield Word(number, token.type, str(token), before, after_blank, trailing, ends_line)
    _, before, after_blank, _ = gaps[-1]
    yield Word(len(tokens), "$END", "", before, after_blank)


def _gap(gap: str, *, first: bool) -> tuple[str | None, tuple[Comment, ...], bool, bool]:
    """The comment that trails the word before, those before the next one, and whether a blank line and a line end follow."""
    trailing: str | None = None
    own: list[Comment] = []
    at = 0
    for match in _COMMENT.finditer(gap):
        between = gap[at : match.start()]
        if at == 0 and not first and "\n" not in between:
            trailing = match.group().rstrip()
        else:
            own.append(Comment(match.group().rstrip(), _BLANK_LINE.search(between) is not None))
        at = match.end()
    return trailing, tuple(own), _BLANK_LINE.search(gap[at:]) is not None, "\n" in gap


def _branch(tree: Tree, words: Iterator[Word]) -> Branch:
    parts: list[Part] = []
    for child in tree.children:
        if isinstance(child, Tree):
            parts.append(_branch(child, words))
        elif child.type != "COMMA":
            parts.append(next(words))
    return Branch(tree.data, tuple(parts))
