"""Packs of recorded answers: what models said to questions, what it cost, and, kept apart from that, whether it was right.

A pack is a folder with `meta.json`, `questions.jsonl` and `rows.jsonl`, these two as they are or as `.gz`. Knows nothing of recipes and of runs.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from recipelang.quick import dataclass
from recipelang.runtime.values import Json

Place = tuple[str, str, int]
"""A question, a model and a sample."""


class PackProblem(Exception):
    """A folder that is no pack; the message says what is missing or wrong."""


class Verdict(StrEnum):
    """How a recorded answer was graded. A judge that failed has not said no."""

    RIGHT = "right"
    WRONG = "wrong"
    UNGRADED = "ungraded"


@dataclass(frozen=True, slots=True)
class Question:
    """A question as far as a recipe may know it; what the right answer is stands in the pack."""

    id: str
    kind: str
    prompt: str | None  # none: the words are not a part of the pack
    system: str | None
    about: Mapping[str, Json]  # what else is recorded of it: its category, its difficulty, its choices


@dataclass(frozen=True, slots=True)
class Row:
    """What one model said to one question, one time, as far as a recipe may know it."""

    question: str
    model: str
    sample: int
    final: str | None  # in a form that can be compared; none: it gave no answer that can be read
    text: str | None  # in its own words
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: float | None  # dollars; where the source has no tokens, the index that stands for a call of the model
    latency: float | None  # seconds
    log_confidence: float | None  # as it was measured, from log-probabilities: natural logarithm, at most 0
    stated_confidence: float | None  # as the model itself put it, from 0 to 1
    malformed: bool  # whether its form was so that the source could not read it
    ratings: tuple[float | None, ...] | None  # of the candidates, where that is what it was asked for

    @property
    def place(self) -> Place:
        return self.question, self.model, self.sample


@dataclass(frozen=True, slots=True)
class Pack:
    """Recorded answers by question, model and sample. What stands after `samples` is for graders alone."""

    name: str
    questions: Mapping[str, Question]
    rows: Mapping[Place, Row]
    samples: Mapping[str, int]  # how many each model was asked for, by the model's name in the pack
    verdicts: Mapping[Place, Verdict]
    references: Mapping[str, Json]  # the right answers by question
    graded_by: Mapping[Place, str]  # the way of grading, where the source has several: a judge, the letter

    @property
    def models(self) -> list[str]:
        return list(self.samples)


def read_pack(folder: str | os.PathLike[str]) -> Pack:
    """Read a pack; raises `PackProblem`, and `OSError` where it can't be read."""
    place = Path(folder)
    try:
        meta = json.loads((place / "meta.json").read_text(encoding="utf-8"))
        samples = {name: model["samples"] for name, model in meta["models"].items()}
        asked = {entry["q"]: entry for entry in _lines(place / "questions.jsonl")}
        indices = {name: model.get("price_index") for name, model in meta["models"].items()}
        read = [
            (_row(entry, asked[entry["q"]], indices), _verdict(entry), entry.get("gr"))
            for entry in _lines(place / "rows.jsonl")
        ]
    except FileNotFoundError as error:
        raise PackProblem(f"{place} is no pack: it has no {Path(error.filename).name}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise PackProblem(f"{place} is no pack that can be read: {type(error).__name__}: {error}") from error
    return Pack(
        meta["pack"],
        {id: _question(entry) for id, entry in asked.items()},
        {row.place: row for row, _, _ in read},
        samples,
        {row.place: verdict for row, verdict, _ in read},
        {id: entry.get("gold") for id, entry in asked.items()},
        {row.place: how for row, _, how in read if how is not None},
    )


def _lines(path: Path) -> Iterator[dict[str, Json]]:
    packed = path.with_name(f"{path.name}.gz")
    with path.open(encoding="utf-8") if path.exists() else gzip.open(packed, "rt", encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


_OWN = frozenset(("q", "kind", "prompt", "system", "gold"))


def _question(entry: Mapping[str, Json]) -> Question:
    about = {name: value for name, value in entry.items() if name not in _OWN}
    return Question(entry["q"], entry["kind"], entry.get("prompt"), entry.get("system"), about)


def _row(entry: Mapping[str, Json], question: Mapping[str, Json], indices: Mapping[str, float | None]) -> Row:
    latency, ratings = entry.get("lat"), entry.get("r")
    return Row(
        question["q"],  # the one text for all rows of a question
        entry["m"],
        entry["s"],
        _compared(entry.get("a")),
        entry.get("t"),
        entry.get("in", question.get("in")),
        entry.get("out"),
        entry.get("usd", indices[entry["m"]]),
        None if latency is None else latency / 1000,
        entry.get("lp"),
        entry.get("conf"),
        "decoder" in (entry.get("err") or ""),
        None if ratings is None else tuple(ratings),
    )


def _compared(answer: Json) -> str | None:
    return answer if answer is None or isinstance(answer, str) else json.dumps(answer)


def _verdict(entry: Mapping[str, Json]) -> Verdict:
    match entry["ok"]:
        case None:
            return Verdict.UNGRADED
        case ok:
            return Verdict.RIGHT if ok else Verdict.WRONG
