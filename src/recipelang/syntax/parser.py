"""Text to a syntax tree. Never raises for an author's mistake: it reports and goes on."""

from __future__ import annotations

import re

from recipelang.diagnostics import Diagnostic, Report
from recipelang.diagnostics.catalogue import modules
from recipelang.diagnostics.catalogue import syntax as codes
from recipelang.quick import dataclass
from recipelang.source import Source, Span
from recipelang.syntax import nodes
from recipelang.syntax.building import MAX_DEPTH, Builder, NotCallable, TooDeep
from recipelang.syntax.lalr import END, Tree, Unexpected
from recipelang.syntax.landmarks import OPAQUE_OR_BRACKET
from recipelang.syntax.mistakes import DECLARATIONS, explain, explain_character
from recipelang.syntax.tables import parser
from recipelang.syntax.written import Written, written

LANGUAGE = 1
"""The version of the language that is read. A file that does not say which one it is in, is in this first one."""
MAX_MISTAKES = 50
MAX_NESTING = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """A text without mistakes of form: what it says, and how it was written."""

    file: nodes.File
    written: Written


def parse(source: Source, report: Report) -> nodes.File:
    """The tree of what could be read; `broken` names the declarations that could not."""
    version = _later_language(source, report)
    if version is not None:
        whole = source.span(0, len(source.text))
        return nodes.File(version, (), span=whole, is_foreign=True)
    found = _whole(source)
    return _in_pieces(source, report) if found is None else found[0]


def read(source: Source, report: Report) -> Reading | None:
    """The text with all that the tree leaves out; none where it has mistakes, which are reported."""
    if _later_language(source, report) is not None:
        return None
    found = _whole(source)
    if found is None:
        _in_pieces(source, report)
        return None
    file, tree = found
    return Reading(file, written(source.text, tree))


def _later_language(source: Source, report: Report) -> nodes.Number | None:
    """The version at the head of a file in another language: its words may mean anything, so that none of them is read."""
    match = _VERSION.match(source.text)
    if match is None or match["version"].lstrip("0") == str(LANGUAGE):
        return None
    span = source.span(match.start("version"), match.end("version"))
    report(
        modules.LANGUAGE_VERSION.at(
            span,
            f"this version of recipelang reads language {LANGUAGE}",
            label=f"the file is in language {span.text}",
            help="nothing else of it has been read: take a version that knows it, or write the file in `language 1`",
        )
    )
    return nodes.Number(nodes.NumberKind.INT, int(match["digits"]), span=span)


def _whole(source: Source) -> tuple[nodes.File, Tree] | None:
    """The file at one go; none where there are mistakes in it."""
    if _too_deep_at(source) is not None:
        return None
    try:
        tree = parser().parse(source.text, 0, len(source.text))
        return Builder(source).file(tree), tree
    except (Unexpected, NotCallable, TooDeep):
        return None


def _in_pieces(source: Source, report: Report) -> nodes.File:
    """Each declaration by itself, so that one mistake does not touch its neighbours."""
    deep = _too_deep_at(source)
    if deep is not None:
        report(_too_deep(deep, MAX_NESTING))
        return nodes.File(None, (), span=source.span(0, len(source.text)), broken=_declared_names(source.text))
    language: nodes.Number | None = None
    declarations: list[nodes.AnyDeclaration] = []
    broken: list[str] = []
    mistakes = 0
    pieces = _pieces(source.text)
    first = pieces[0][0] if pieces else 0
    for start, end in pieces:
        if mistakes == MAX_MISTAKES:
            report(codes.TOO_MANY.at(None, f"after {MAX_MISTAKES} mistakes of form the rest of the file is not read"))
            broken += _declared_names(source.text[start:])
            break
        try:
            file = Builder(source).file(parser().parse(source.text, start, end))
            if file.language is not None and start > first:
                report(_misplaced(file.language))
            language = language or file.language
            declarations += file.declarations
        except Unexpected as error:
            broken += _declared_names(source.text[start:end])
            mistakes += 1
            report(_explained(source, error, start, end))
        except NotCallable as error:
            broken += _declared_names(source.text[start:end])
            report(codes.EXPECTED.at(error.span, "only a name can be called", help="write `name(arguments)`"))
        except TooDeep as error:
            broken += _declared_names(source.text[start:end])
            report(_too_deep(error.span, MAX_DEPTH))
    whole = source.span(0, len(source.text))
    return nodes.File(language, tuple(declarations), span=whole, broken=frozenset(broken))


def _misplaced(language: nodes.Number) -> Diagnostic:
    help = "move the line up, or remove it: one file is in one language"
    return codes.EXPECTED.at(language.span, "`language` may stand only at the head of a file", help=help)


def _pieces(text: str) -> list[tuple[int, int]]:
    """Where each declaration begins and ends.

    One begins with a word at the start of a line: with one that declares something anywhere, for a bracket before it
    may never be closed; with any other (it may be misspelt) after a declaration whose brackets are closed.
    """
    starts: list[int] = []
    depth, closed = 0, False
    for match in _LANDMARK.finditer(text):
        found = match.group()
        if found in _DEPTH:
            depth += _DEPTH[found]
            closed = depth <= 0
        elif match["word"] and (found in (*DECLARATIONS, "language") or closed):
            starts.append(match.start())
            depth, closed = 0, False
    blank = _BLANK.match(text)
    begin = blank.end() if blank else 0
    if begin < len(text) and (not starts or begin < starts[0]):
        starts.insert(0, begin)
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _explained(source: Source, error: Unexpected, start: int, end: int) -> Diagnostic:
    if error.end is None:
        return explain_character(source, error.start, (start, end))
    expected = [_SPELLING.get(name, name) for name in error.expected]
    at = None if error.type == END else (error.start, error.end)
    return explain(source, at, (start, end), expected)


def _too_deep_at(source: Source) -> Span | None:
    """The first bracket with too many others around it."""
    depth = 0
    for match in OPAQUE_OR_BRACKET.finditer(source.text):
        opening = match.group()
        if opening in "([{":
            depth += 1
        elif opening in ")]}":
            depth = max(0, depth - 1)
        if depth > MAX_NESTING:
            return source.span(match.start(), match.end())
    return None


def _too_deep(span: Span, levels: int) -> Diagnostic:
    return codes.TOO_DEEP.at(
        span,
        "this is nested too deeply",
        label=f"more than {levels} levels",
        help="give a part of it a name with `let`, or split the recipe",
    )


def _declared_names(text: str) -> frozenset[str]:
    return frozenset(match.group(1) for match in _NAMED.finditer(text))


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*+)*+")
_VERSION = re.compile(
    rf"{_BLANK.pattern}language(?![a-z0-9_]){_BLANK.pattern}(?P<version>(?P<digits>[0-9]{{1,15}})[kM]?)\b"
)
_LANDMARK = re.compile(OPAQUE_OR_BRACKET.pattern + r"|(?P<word>^[a-z_]\w*)\b(?!\s*[=:])", re.MULTILINE)
_DEPTH = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_NAMED = re.compile(
    r"^\s*(?:private\s+)?(?:backend|model|record|contract|role|extern|signal|band|boundary|recipe)\s+([a-zA-Z_]\w*)",
    re.MULTILINE,
)
_SPELLING = {
    "NAME": "a name", "NUMBER": "a number", "INT": "a whole number", "TEXT": "a text", "$END": "the end of the file",
    "LBRACE": "`{`", "RBRACE": "`}`", "LPAR": "`(`", "RPAR": "`)`", "LSQUARE": "`[`", "RSQUARE": "`]`", "COMMA": "`,`",
    "COLON": "`:`", "DOTDOT": "`..`", "DOT": "`.`", "QUESTION": "`?`", "ARROW": "`->`", "FATARROW": "`=>`",
    "EQUALS": "`==`", "EQUAL": "`=`", "UNEQUAL": "`!=`", "LESS": "`<`", "LESS_EQUAL": "`<=`", "MORE": "`>`",
    "MORE_EQUAL": "`>=`", "PLUS": "`+`", "MINUS": "`-`", "STAR": "`*`", "SLASH": "`/`", "PERCENT": "`%`",
    **{word.upper(): f"`{word}`" for word in ["language", "use", "as", "private", "backend", "model", "record", "contract", "role", "extern", "signal", "band", "boundary", "recipe", "expose", "test", "reply", "on", "after", "expect", "budget", "ask", "fanout", "cascade", "repeat", "perform", "choose", "call", "run", "let", "return", "for", "in", "up", "to", "times", "when", "otherwise", "if", "else", "or", "and", "not", "true", "false", "none"]},
}  # fmt: skip
