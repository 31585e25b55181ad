"""What recorded runs must be able to say of a recipe with other numbers in it, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from recipelang.ir.plan import Entry, Plan
from recipelang.quick import dataclass


class EvidenceProblem(Exception):
    """Recorded runs that say nothing of a recipe; the message says why."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one question: whether it was right, dollars, seconds."""

    right: bool
    cost: float
    seconds: float = 0.0


Weighed = Mapping[int, Mapping[str, float | None]]
"""What was expected of each arm that applied, by its place: `quality`, `cost`, `time`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A recipe with its arguments, of one version of its text."""

    plan: Plan
    entry: Entry


class Evidence(Protocol):
    """Recorded runs of questions."""

    questions: Sequence[str]

    def outcomes(self, asked: Asked, questions: Sequence[str]) -> list[Came]:
        """What would have come of the recipe, question by question."""
        ...

    def weighed(self, asked: Asked, step: str, questions: Sequence[str]) -> list[Weighed]:
        """What a `choose` expects of its arms, question by question."""
        ...

    def alone(self, asked: Asked, step: str, arm: int, questions: Sequence[str]) -> list[Came | None]:
        """What comes of a question where this arm is taken; cost and time are the arm's own. None where it does not apply."""
        ...


def digest_of(path: Path) -> str | None:
    """The digest of data: of a file, or of what a pack has in its folder; none where there is nothing."""
    files = sorted(path.glob("*.json*")) if path.is_dir() else [path]
    hashed = sha256()
    for file in files:
        try:
            hashed.update(file.read_bytes())
        except OSError:
            return None
    return hashed.hexdigest() if files else None
