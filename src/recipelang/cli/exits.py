"""How the command ends."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Self


class Exit(IntEnum):
    FINE = 0
    PROBLEMS = 1  # the recipe has errors
    USAGE = 2
    NO_ANSWER = 3  # the run ended without one
    INPUT_OUTPUT = 4  # a file, a secret, a model that can't be had
    INTERNAL = 70  # our own mistake


class Stop(Exception):
    """Ends the command with a message for the user."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code

    @classmethod
    def at(cls, place: str | Path, problem: OSError) -> Self:
        """What the system says of a file."""
        return cls(Exit.INPUT_OUTPUT, f"{place}: {(problem.strerror or str(problem)).lower()}")
