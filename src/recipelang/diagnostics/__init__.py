"""What the compiler says to people: codes, messages with spans, fixes, and their rendering."""

from recipelang.diagnostics.diagnostic import (
    Code,
    Diagnostic,
    Edit,
    Fix,
    Label,
    Report,
    Severity,
)

__all__ = ["Code", "Diagnostic", "Edit", "Fix", "Label", "Report", "Severity"]
