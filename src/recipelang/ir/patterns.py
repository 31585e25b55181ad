"""Patterns in RE2 syntax, which run in linear time on any text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

LONGEST_PATTERN = 1_000
"""Characters of a pattern that somebody else wrote."""


class BadPattern(ValueError):
    """The pattern is not RE2's."""


def compiled_pattern(pattern: str) -> Any:  # Any: the library carries no types
    """A pattern that somebody wrote, compiled, with the methods of one of `re`; raises `BadPattern`."""
    if len(pattern) > LONGEST_PATTERN:
        raise BadPattern(f"longer than {LONGEST_PATTERN} characters")
    return known_pattern(pattern)


@lru_cache(maxsize=512)
def known_pattern(pattern: str) -> Any:  # Any: the library carries no types
    """The same for a pattern of our own, of any length."""
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
    """Many patterns looked for in one pass: which of them are somewhere in a text, in time that their number hardly changes.

    What is too much for one automaton is split in halves; a pattern that is too much by itself counts as found.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._parts = list(_automata(patterns, 0))

    def found_in(self, text: str) -> list[int]:
        """The places of the patterns that are found, ascending; the text must be encodable."""
        found: list[int] = []
        for first, automaton in self._parts:
            found += [first] if automaton is None else [first + at for at in sorted(automaton.Match(text) or ())]
        return found


def _automata(patterns: Sequence[str], first: int) -> Iterator[tuple[int, Any | None]]:  # Any: as above
    """Automata for the patterns, each with the place of its first one; none for one that is too big."""
    import re2  # deferred: start-up cost, and few recipes have a pattern

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    automaton = re2.Set.SearchSet(options)
    try:
        for pattern in patterns:
            automaton.Add(pattern)
        automaton.Compile()
        yield first, automaton
    except re2.error:
        if len(patterns) < 2:
            yield first, None
            return
        half = len(patterns) // 2
        yield from _automata(patterns[:half], first)
        yield from _automata(patterns[half:], first + half)


_MEMORY = 8 * 2**20
"""Bytes that an automaton may take: a text that wants more makes it begin anew and not give up."""


@lru_cache(maxsize=256)
def pattern_set(patterns: tuple[str, ...]) -> PatternSet:
    return PatternSet(patterns)


def quoted(text: str) -> str:
    """A pattern that finds the text as it stands."""
    import re2  # deferred: start-up cost, and few recipes have a pattern

    return str(re2.escape(text))
