"""One message to a person: its code, where it points, what to do; knows nothing of how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from recipelang.quick import dataclass
from recipelang.source import Span


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Label:
    """A witness: a second place that explains the first."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters of `span` with `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that mend the problem and are safe to apply unseen."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A problem at a place. `label` stands under the caret; `help` says what to do."""

    code: Code
    message: str
    span: Span | None = None
    label: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""
    fix: Fix | None = None
    secret: bool = False  # whether what stands at `span` is not to be shown

    @property
    def severity(self) -> Severity:
        return self.code.severity


Report = Callable[[Diagnostic], None]
"""Where a phase hands its problems in; a phase never raises for an author's mistake."""


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of mistake: why it is one, a program that makes it (`wrong`) and the same one mended (`right`).

    `wrong` and `right` are whole files, `files` those beside them, by name; the tests check that the first raises this
    code and the second nothing.
    """

    id: str
    title: str
    why: str
    wrong: str
    right: str
    severity: Severity = Severity.ERROR
    files: tuple[tuple[str, str], ...] = ()

    def at(
        self,
        span: Span | None,
        message: str,
        *,
        label: str = "",
        labels: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        help: str = "",
        fix: Fix | None = None,
        secret: bool = False,
    ) -> Diagnostic:
        """This mistake, made at a place."""
        return Diagnostic(self, message, span, label, labels, notes, help, fix, secret)
