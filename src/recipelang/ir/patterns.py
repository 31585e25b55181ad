"""Patterns in RE2 syntax, which run in linear time on any text."""

from __future__ import annotations

from collections.abc import Sequence
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


class PatternSet:
    """Many patterns looked for in one pass: which of them are somewhere in a text, in time that their number hardly changes."""

    def __init__(self, patterns: Sequence[str]) -> None:
        import re2  # deferred: start-up cost, and few recipes have a pattern

        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY
        self._set = re2.Set.SearchSet(options)
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()

    def found_in(self, text: str) -> list[int]:
        """The places of the patterns that are found, ascending; the text must be encodable."""
        return sorted(self._set.Match(text) or ())


_MEMORY = 64 * 2**20
"""Bytes that a set may take for its automaton: enough that no text can make it give up."""


@lru_cache(maxsize=256)
def pattern_set(patterns: tuple[str, ...]) -> PatternSet:
    return PatternSet(patterns)


def quoted(text: str) -> str:
    """A pattern that finds the text as it stands."""
    import re2  # deferred: start-up cost, and few recipes have a pattern

    return str(re2.escape(text))
