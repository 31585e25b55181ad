"""What came of each run, a line of JSON each, in a file that a later evaluation goes on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from recipelang.evaluation.items import DataProblem
from recipelang.evaluation.packs import Verdict
from recipelang.quick import dataclass, field
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
    said: str | None = None  # what the answer comes to, in a form that can be compared; none: in none
    seed: int = 0
    judging: float | None = 0.0  # dollars that its judges took; none: a price is unknown

    @property
    def is_right(self) -> bool:
        return self.verdict is Verdict.RIGHT

    @property
    def is_graded(self) -> bool:
        return self.verdict is not Verdict.UNGRADED

    def as_json(self) -> dict[str, Json]:
        return {**asdict(self), "verdict": self.verdict.value}


class ResultsFile:
    """Outcomes by their keys. Each is written as soon as it is there. Raises `DataProblem` for another file."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self.known: dict[str, Outcome] = {}
        self._file: TextIO | None = None
        if path is None:
            return
        place = Path(path)
        whole = place.read_bytes() if place.exists() else b""
        self.known = {outcome.key: outcome for outcome in _outcomes(place, whole)}
        self._file = place.open("a", encoding="utf-8")
        self._file.truncate(whole.rfind(b"\n") + 1)  # whoever wrote it may have been stopped in the middle of a line

    def add(self, outcome: Outcome) -> None:
        self.known[outcome.key] = outcome
        if self._file is not None:
            self._file.write(json.dumps(outcome.as_json(), ensure_ascii=False) + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def read_outcomes(path: str | os.PathLike[str]) -> list[Outcome]:
    """What an evaluation has kept, in the order of the runs. Raises `DataProblem`, and `OSError`."""
    found = list(_outcomes(Path(path), Path(path).read_bytes()))
    if not found:
        raise DataProblem(f"{os.fspath(path)} has no results")
    return found


def _outcomes(place: Path, text: bytes) -> Iterator[Outcome]:
    """A line that was cut off is left out; any other that is no outcome shows that it is another file."""
    *lines, cut_off = text.split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            yield Outcome(**{**told, "verdict": Verdict(told["verdict"])})
        except (ValueError, TypeError, KeyError) as problem:
            raise _another(place, number) from problem
    if not (cut_off.startswith(_BEGINS) or _BEGINS.startswith(cut_off)):
        raise _another(place, len(lines) + 1)


_BEGINS = b'{"contestant":'


def _another(place: Path, number: int) -> DataProblem:
    return DataProblem(f"{place}, line {number}: it is no result of an evaluation; is this another file?")
