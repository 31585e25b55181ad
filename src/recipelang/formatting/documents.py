"""Documents: texts with places where a line may break, and how they are set on a page; knows nothing of recipes.

After Wadler, "A prettier printer": a group stands on one line where it fits, and else all of its breaks are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from recipelang.quick import dataclass, field

WIDTH = 120
INDENT = 2


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a line. A glued one stands before the comment that ends the line."""

    text: str
    glued: bool = False

    @property
    def width(self) -> int | None:
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Break:
    """The end of a line where its group is broken, with `ending` before it; `flat` where its group is not."""

    flat: str | None = " "  # none: always the end of a line
    ending: str = ""
    blank: bool = False  # whether a blank line follows

    @property
    def width(self) -> int | None:
        return None if self.flat is None else len(self.flat)


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment: it ends the line that it trails, or has one of its own."""

    text: str
    trailing: bool
    width: int | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", 0 if self.trailing else None)


@dataclass(frozen=True, slots=True)
class Lines:
    """A text over several lines: all but the first and the last are indented once more, where they are not empty."""

    lines: tuple[str, ...]
    width: None = None


@dataclass(frozen=True, slots=True)
class Joined:
    parts: tuple[Document, ...]
    width: int | None


@dataclass(frozen=True, slots=True)
class Indented:
    """Lines that begin in it are further in."""

    content: Document

    @property
    def width(self) -> int | None:
        return self.content.width


@dataclass(frozen=True, slots=True)
class Group:
    """Its content on one line where that fits; else its content with all breaks taken, or what stands for it then."""

    content: Document
    broken: bool = False
    otherwise: Document | None = None
    width: int | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", None if self.broken else self.content.width)


Document = Text | Break | Remark | Lines | Joined | Indented | Group
"""`width` is that of the document on one line, and none where it can't stand on one."""

SPACE = Text(" ")
LINE = Break()
END = Break(None)
BLANK = Break(None, blank=True)
EDGE = Break("")


def join(*parts: Document) -> Document:
    width = 0
    for part in parts:
        if part.width is None:
            return Joined(parts, None)
        width += part.width
    return Joined(parts, width)


def separated(parts: Iterable[Document], separator: Document) -> Document:
    result: list[Document] = []
    for part in parts:
        result += [separator, part] if result else [part]
    return join(*result)


def render(document: Document) -> str:
    """The document's text. Each line ends with a line break, and none with a blank that is not its author's."""
    page = _Page()
    waiting: list[_Placed] = [(0, False, document)]
    while waiting:
        indent, flat, part = waiting.pop()
        match part:
            case Text(text, glued):
                page.write(text, indent, glued)
            case Break(between, ending, blank):
                if flat and between is not None and not page.ended:
                    page.space(between)
                else:
                    page.write(ending, indent, glued=True)
                    page.end_line(blank)
            case Remark(text, trailing):
                page.remark(text, indent, trailing)
            case Lines(lines):
                page.write_lines(lines, indent)
            case Joined(parts):
                waiting += [(indent, flat, each) for each in reversed(parts)]
            case Indented(content):
                waiting.append((indent + INDENT, flat, content))
            case Group(content, _, otherwise):
                fits = part.width is not None and _fits(page.column(indent) + part.width, waiting)
                waiting.append((indent, flat or fits, content if flat or fits else otherwise or content))
    return page.text()


_Placed = tuple[int, bool, Document]  # indentation, whether its group is flat, the document


def _fits(column: int, following: Sequence[_Placed]) -> bool:
    """Whether what follows, up to where the line may end, leaves it within the width."""
    at = len(following)
    rest: list[tuple[bool, Document]] = []
    while column <= WIDTH and (rest or at):
        if not rest:
            at -= 1
            rest.append((following[at][1], following[at][2]))
        flat, part = rest.pop()
        match part:
            case Text(text):
                column += len(text)
            case Break(between):
                if not flat or between is None:
                    return True
                column += len(between)
            case Remark():
                return True
            case Lines(lines):
                return column + len(lines[0]) <= WIDTH
            case Joined(parts):
                rest += [(flat, each) for each in reversed(parts)]
            case Indented(content):
                rest.append((flat, content))
            case Group(content, _, otherwise):
                rest.append((flat, content if flat else otherwise or content))
    return column <= WIDTH


@dataclass
class _Page:
    lines: list[tuple[str, str | None]] = field(default_factory=list)  # each with the comment that trails it
    line: str = ""
    comment: str | None = None
    spaces: str = ""  # written before the next text, never at the end of a line

    @property
    def ended(self) -> bool:
        """Whether a comment has ended the line already."""
        return self.comment is not None

    def column(self, indent: int) -> int:
        return len(self.line) + len(self.spaces) if self.line and not self.ended else indent

    def space(self, text: str) -> None:
        self.spaces += text

    def write(self, text: str, indent: int, glued: bool = False) -> None:
        if not text.strip():
            self.space(text)
            return
        if self.ended and not (glued and self.line.strip()):
            self.end_line()
        if not self.line:
            self.line, self.spaces = " " * indent, ""
        self.line += self.spaces + text
        self.spaces = ""

    def write_lines(self, lines: Sequence[str], indent: int) -> None:
        first, *middle, last = lines
        self.write(first, indent)
        for line in middle:
            self._push()
            self.line = " " * (indent + INDENT) + line if line else ""
        self._push()
        self.write(last, indent)

    def remark(self, text: str, indent: int, trailing: bool) -> None:
        if not trailing or self.ended or not self.line:
            self.end_line()
            self.line = " " * indent
        self.comment = text

    def end_line(self, blank: bool = False) -> None:
        if self.line or self.ended:
            self._push()
        if blank and self.lines and self.lines[-1] != ("", None):
            self.lines.append(("", None))

    def _push(self) -> None:
        self.lines.append((self.line, self.comment))
        self.line, self.comment, self.spaces = "", None, ""

    def text(self) -> str:
        self.end_line()
        return "".join(line + "\n" for line in _with_comments(self.lines))


def _with_comments(lines: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """The lines with the comments that trail them, which in neighbouring lines begin in one column."""
    for trailed, group in groupby(lines, lambda line: line[1] is not None and bool(line[0].strip())):
        neighbours = list(group)
        column = max(len(line) for line, _ in neighbours) + 2 if trailed else 0
        for line, comment in neighbours:
            yield line.ljust(column) + (comment or "")
