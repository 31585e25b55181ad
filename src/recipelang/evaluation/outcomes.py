"""What came of each run, a line of JSON each, in a file that a later evaluation goes on with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from recipelang.evaluation.packs import Verdict
from recipelang.runtime.values import Json


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of one contestant on one item."""

    contestant: str
    item: str
    key: str  # of the plan, the arguments, the item and the seed: another key is another run
    verdict: Verdict
    answer: str | None  # none: the run ended without one
    model: str | None  # whose words the answer is
    cost: float | None  # dollars; none: a price is unknown
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    failure: str = ""
    why: str = ""
    judges: Mapping[str, bool | None] = field(default_factory=dict)
    reported: bool = True  # whether the providers told the tokens; false: they are upper bounds

    @property
    def is_right(self) -> bool:
        return self.verdict is Verdict.RIGHT

    @property
    def is_graded(self) -> bool:
        return self.verdict is not Verdict.UNGRADED

    def as_json(self) -> dict[str, Json]:
        return {**asdict(self), "verdict": self.verdict.value}


class ResultsFile:
    """Outcomes by their keys. Each is written as soon as it is there; a line that was cut off is left out."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self.known: dict[str, Outcome] = {}
        self._file: TextIO | None = None
        if path is None:
            return
        place = Path(path)
        whole = place.read_text(encoding="utf-8") if place.exists() else ""
        for line in whole.splitlines():
            if (outcome := _read(line)) is not None:
                self.known[outcome.key] = outcome
        self._file = place.open("a", encoding="utf-8")
        if whole and not whole.endswith("\n"):
            self._file.write("\n")

    def add(self, outcome: Outcome) -> None:
        self.known[outcome.key] = outcome
        if self._file is not None:
            self._file.write(json.dumps(outcome.as_json(), ensure_ascii=False) + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _read(line: str) -> Outcome | None:
    try:
        told = json.loads(line)
        return Outcome(**{**told, "verdict": Verdict(told["verdict"])})
    except (ValueError, TypeError, KeyError):
        return None
