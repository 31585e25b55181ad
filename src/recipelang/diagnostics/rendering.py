"""Diagnostics as a person sees them, and as a program reads them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from recipelang.diagnostics.diagnostic import Diagnostic, Edit, Severity
from recipelang.quick import dataclass, replace
from recipelang.source import Source, Span

Paint = Callable[[str, str], str]

WINDOW = 100
"""Columns of a source line that are shown; a longer one is cut around what it is about."""
_INSIDE = re.compile(r'[^"\n]')
_RED, _YELLOW, _BLUE, _BOLD, _RESET = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"


def render(diagnostics: Iterable[Diagnostic], *, color: bool = False) -> str:
    """The messages one after the other, with a blank line after each."""
    shown = list(diagnostics)
    covered = _covered([each.span for each in shown if each.secret and each.span is not None])
    return "".join(_render(diagnostic, color, covered) + "\n" for diagnostic in shown)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`."""
    counts = dict.fromkeys(Severity, 0)
    for diagnostic in diagnostics:
        counts[diagnostic.severity] += 1
    shown = [f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in counts.items() if count]
    return ", ".join(shown) or "no problems"


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The message as JSON: lines and columns from 1, offsets in characters from 0."""
    return {
        "code": diagnostic.code.id,
        "severity": diagnostic.severity.value,
        "title": diagnostic.code.title,
        "message": diagnostic.message,
        "place": _place(diagnostic.span),
        "label": diagnostic.label,
        "labels": [{"place": _place(label.span), "text": label.text} for label in diagnostic.labels],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
        "fix": None
        if diagnostic.fix is None
        else {
            "title": diagnostic.fix.title,
            "edits": [{"place": _place(edit.span), "text": edit.text} for edit in diagnostic.fix.edits],
        },
    }


def excerpt(span: Span, label: str = "", *, color: bool = False) -> str:
    """The line of a source that a place is on, with the place marked, as a message shows it."""
    mark = _Mark(span, label, "^", _RED)
    return "\n".join(_quoted([mark], len(str(span.position.line)), _painter(color)))


def apply_fixes(text: str, diagnostics: Iterable[Diagnostic], name: str) -> str:
    """The text of the source `name` with every fix applied; of two that overlap the first one is."""
    edits: list[Edit] = []
    for diagnostic in diagnostics:
        if diagnostic.fix is not None:
            edits += [edit for edit in diagnostic.fix.edits if edit.span.source.name == name]
    return edited(text, edits)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; of two that overlap the first one is."""
    result, at = [], 0
    for edit in sorted(edits, key=lambda edit: edit.span.start):
        if edit.span.start >= at:
            result += [text[at : edit.span.start], edit.text]
            at = edit.span.end
    return "".join([*result, text[at:]])


def _place(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    start, end = span.position, span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
        "start": span.start,
        "end": span.end,
    }


@dataclass(frozen=True, slots=True)
class _Mark:
    """What is drawn under a place: `^` for the culprit, `-` for a witness."""

    span: Span
    text: str
    sign: str
    tone: str


def _covered(secrets: list[Span]) -> dict[Source, Source]:
    """Sources with keys or passwords in them, and what is shown of each: stars between the quotes."""
    covered: dict[Source, Source] = {}
    for span in secrets:
        text = covered.get(span.source, span.source).text
        stars = _INSIDE.sub("*", text[span.start : span.end])
        covered[span.source] = Source(span.source.name, text[: span.start] + stars + text[span.end :])
    return covered


def _render(diagnostic: Diagnostic, color: bool, covered: Mapping[Source, Source]) -> str:
    paint = _painter(color)
    tone = _RED if diagnostic.severity is Severity.ERROR else _YELLOW
    head = paint(f"{diagnostic.severity.value}[{diagnostic.code.id}]", tone)
    marks = [_Mark(label.span, label.text, "-", _BLUE) for label in diagnostic.labels]
    if diagnostic.span is not None:
        marks.insert(0, _Mark(diagnostic.span, diagnostic.label, "^", tone))
    marks = [
        replace(mark, span=replace(mark.span, source=covered.get(mark.span.source, mark.span.source))) for mark in marks
    ]
    gutter = max((len(str(mark.span.position.line)) for mark in marks), default=1)
    lines = [f"{head}{paint(': ' + diagnostic.message, _BOLD)}"]
    for source in dict.fromkeys(mark.span.source for mark in marks):
        lines += _quoted([mark for mark in marks if mark.span.source is source], gutter, paint)
    if diagnostic.notes:
        lines.append(_told("note", "\n".join(diagnostic.notes), gutter, paint))
    if diagnostic.help:
        lines.append(_told("help", diagnostic.help, gutter, paint))
    return "\n".join(lines) + "\n"


def _quoted(marks: list[_Mark], gutter: int, paint: Paint) -> list[str]:
    """The lines of one source that are marked, in its order, under the place of the first mark."""
    blank, bar = " " * gutter, paint("|", _BLUE)
    lines = [f"{blank}{paint('-->', _BLUE)} {marks[0].span}", f"{blank} {bar}"]
    before = 0
    for number in sorted({mark.span.position.line for mark in marks}):
        if before and number > before + 1:
            lines.append(paint("...", _BLUE))
        before = number
        for group in _together([mark for mark in marks if mark.span.position.line == number]):
            shown, under = _excerpt(group, paint)
            lines.append(f"{paint(f'{number:>{gutter}}', _BLUE)} {bar} {shown}".rstrip())
            lines += [f"{blank} {bar} {row}" for row in under]
    return lines


def _together(marks: list[_Mark]) -> list[list[_Mark]]:
    """The marks of one line; each by itself where the line is too long to show them at once."""
    line = marks[0].span.source.line(marks[0].span.position.line)
    return [marks] if len(line) <= WINDOW else [[mark] for mark in marks]


def _excerpt(marks: list[_Mark], paint: Paint) -> tuple[str, list[str]]:
    """A line of a source, and what is drawn under it: the signs, with the words of the last one beside them and those
    of the others below, each under its own place."""
    first = marks[0].span
    line = first.source.line(first.position.line)
    begin = max(0, min(first.position.column - 1 - WINDOW // 3, len(line) - WINDOW))
    end = begin + WINDOW
    cut = "…" if begin else ""
    shown = cut + _plain(line[begin:end]) + ("…" if end < len(line) else "")
    drawn = [(_columns_of(mark, line, begin, end, len(cut)), mark) for mark in reversed(marks)]
    drawn.sort(key=lambda place_and_mark: place_and_mark[0])
    signs, at = "", 0
    for (start, stop), mark in drawn:
        signs += " " * (start - at) + paint(mark.sign * (stop - max(start, at)), mark.tone)
        at = max(at, stop)
    (_, last), *rest = reversed(drawn)
    rows = [signs + (paint(f" {last.text}", last.tone) if last.text else "")]
    return shown, rows + [" " * start + paint(mark.text, mark.tone) for (start, _), mark in rest if mark.text]


def _columns_of(mark: _Mark, line: str, begin: int, end: int, cut: int) -> tuple[int, int]:
    """The columns under a mark, at least one; a span over several lines is marked to the end of its first one."""
    start = mark.span.position.column - 1
    stop = min(start + mark.span.end - mark.span.start, len(line), end)
    column = cut + _width(_plain(line[begin:start]))
    return column, column + max(1, _width(_plain(line[start:stop])))


def _told(word: str, text: str, gutter: int, paint: Paint) -> str:
    first, *rest = text.split("\n")
    indent = " " * (gutter + 3 + len(word) + 2)
    return "\n".join(
        [f"{' ' * gutter} {paint('=', _BLUE)} {paint(word, _BOLD)}: {first}", *(indent + line for line in rest)]
    )


def _plain(text: str) -> str:
    """Tabs as blanks; what can't be shown as a dot."""
    return "".join(c if c.isprintable() else "·" for c in text.replace("\t", "    "))


def _width(text: str) -> int:
    """The columns that a text takes in a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _painter(color: bool) -> Paint:
    return (lambda text, tone: f"{tone}{text}{_RESET}") if color else (lambda text, _: text)
