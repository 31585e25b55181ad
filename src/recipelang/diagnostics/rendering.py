"""Diagnostics as a person sees them, and as a program reads them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

from recipelang.diagnostics.diagnostic import Diagnostic, Edit, Severity
from recipelang.source import Span

Paint = Callable[[str, str], str]

WINDOW = 100
"""Columns of a source line that are shown; a longer one is cut around what it is about."""
_RED, _YELLOW, _BLUE, _BOLD, _RESET = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"


def render(diagnostics: Iterable[Diagnostic], *, color: bool = False) -> str:
    """The messages one after the other, with a blank line after each."""
    return "".join(_render(diagnostic, color) + "\n" for diagnostic in diagnostics)


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


def apply_fixes(text: str, diagnostics: Iterable[Diagnostic], name: str) -> str:
    """The text of the source `name` with every fix applied; of two that overlap the first one is."""
    edits: list[Edit] = []
    for diagnostic in diagnostics:
        if diagnostic.fix is not None:
            edits += [edit for edit in diagnostic.fix.edits if edit.span.source.name == name]
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


def _render(diagnostic: Diagnostic, color: bool) -> str:
    paint = _painter(color)
    tone = _RED if diagnostic.severity is Severity.ERROR else _YELLOW
    head = paint(f"{diagnostic.severity.value}[{diagnostic.code.id}]", tone)
    lines = [f"{head}{paint(': ' + diagnostic.message, _BOLD)}"]
    marks = [(label.span, label.text, _BLUE, "-") for label in diagnostic.labels]
    if diagnostic.span is not None:
        marks.insert(0, (diagnostic.span, diagnostic.label, tone, "^"))
    gutter = max((len(str(span.position.line)) for span, *_ in marks), default=1)
    bar = paint("|", _BLUE)
    shown = ""
    for span, text, mark_tone, mark in marks:
        where = span.source.name
        if where != shown:
            lines.append(f"{' ' * gutter}{paint('-->', _BLUE)} {span}")
            lines.append(f"{' ' * gutter} {bar}")
            shown = where
        line, under = _excerpt(span, mark)
        number = paint(f"{span.position.line:>{gutter}}", _BLUE)
        said = f" {text}" if text else ""
        lines.append(f"{number} {bar} {line}".rstrip())
        lines.append(f"{' ' * gutter} {bar} {under[0]}{paint(under[1] + said, mark_tone)}")
    lines += [_told("note", note, gutter, paint) for note in _joined(diagnostic.notes)]
    if diagnostic.help:
        lines.append(_told("help", diagnostic.help, gutter, paint))
    return "\n".join(lines) + "\n"


def _joined(notes: tuple[str, ...]) -> list[str]:
    return ["\n".join(notes)] if notes else []


def _told(word: str, text: str, gutter: int, paint: Paint) -> str:
    first, *rest = text.split("\n")
    indent = " " * (gutter + 3 + len(word) + 2)
    return "\n".join(
        [f"{' ' * gutter} {paint('=', _BLUE)} {paint(word, _BOLD)}: {first}", *(indent + line for line in rest)]
    )


def _excerpt(span: Span, mark: str) -> tuple[str, tuple[str, str]]:
    """The line of a span, and the blanks and the marks under it. A span over several lines is marked to its line's end."""
    line_number, column = span.position
    line = span.source.line(line_number)
    start = column - 1
    length = min(span.end - span.start, max(1, len(line) - start))
    begin = max(0, min(start - WINDOW // 3, len(line) - WINDOW)) if len(line) > WINDOW else 0
    end = begin + WINDOW
    cut_before, cut_after = ("…" if begin else ""), ("…" if end < len(line) else "")
    shown = cut_before + _plain(line[begin:end]) + cut_after
    before = cut_before + _plain(line[begin:start])
    marked = _plain(line[start : min(start + length, end)])
    return shown, (" " * _columns(before), mark * max(1, _columns(marked)))


def _plain(text: str) -> str:
    """Tabs as blanks; what can't be shown as a dot."""
    return "".join(c if c.isprintable() else "·" for c in text.replace("\t", "    "))


def _columns(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _painter(color: bool) -> Paint:
    return (lambda text, tone: f"{tone}{text}{_RESET}") if color else (lambda text, _: text)
