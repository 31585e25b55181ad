"""Patterns in RE2 syntax, which run in linear time on any text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

LONGEST_PATTERN = 1_000
"""Characters of a pattern."""


class BadPattern(ValueError):
    """The pattern is not RE2's."""


@lru_cache(maxsize=512)
def compiled_pattern(pattern: str) -> Any:  # Any: the library carries no types
    """A compiled pattern with the methods of one of `re`; raises `BadPattern`."""
    if len(pattern) > LONGEST_PATTERN:
        raise BadPattern(f"longer than {LONGEST_PATTERN} characters")
    import re2  # deferred: start-up cost, and few recipes have a pattern

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except UnicodeEncodeError as error:
        raise BadPattern("it has a character that no encoding can hold") from error
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise BadPattern(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from error
