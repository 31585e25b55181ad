"""Formats a text and proves that nothing but its layout changed; knows nothing of how it is laid out."""

from __future__ import annotations

from recipelang.diagnostics import Diagnostic, Report
from recipelang.formatting.layout import laid_out
from recipelang.source import Source
from recipelang.syntax.parser import Reading, read


class FormattingMistake(Exception):
    """The formatter would have changed more than the layout: a mistake of ours, never the author's."""


def formatted(source: Source, report: Report) -> str | None:
    """The text in its one layout; none where it has mistakes of form, which are reported.

    Raises `FormattingMistake` where the new text says anything else than the old one, or loses a comment.
    """
    before = read(source, report)
    if before is None:
        return None
    text = laid_out(before.written)
    found: list[Diagnostic] = []
    after = read(Source(source.name, text), found.append)
    if after is None:
        raise FormattingMistake(f"the formatted text of {source.name} can't be read: {found[0].message}")
    _compare(source.name, before, after)
    return text


def _compare(name: str, before: Reading, after: Reading) -> None:
    if before.file != after.file:
        raise FormattingMistake(f"formatting would change what {name} means")
    if before.written.comments != after.written.comments:
        raise FormattingMistake(f"formatting would change the comments of {name}")
