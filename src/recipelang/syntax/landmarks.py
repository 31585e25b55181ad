"""Where the text of a file goes its own way: comments and texts, in which a bracket or a word means nothing."""

from __future__ import annotations

import re

_OPAQUE = r'#[^\n]*|r?"""[\s\S]*?"""|"(?!"")(?:\\.|[^"\\\n])*"'
_BRACKET = r"[(\[{}\])]"

OPAQUE_OR_BRACKET = re.compile(f"{_OPAQUE}|{_BRACKET}")
"""A comment or a text as a whole, or a bracket outside of both."""
