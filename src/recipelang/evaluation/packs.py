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
from typing import Any

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
    """Read a pack; raises `PackProblem`, and `OSError` where it can't be read.

    `questions.jsonl` says what is asked: answers to other questions are passed over.
    """
    place = Path(folder)
    name, models = _meta(place)
    asked: dict[str, Mapping[str, Json]] = {}
    for at, entry in _lines(place, "questions"):
        question = _known(entry, "q", (str, int), at)
        if str(question) in asked:
            raise PackProblem(f"{at}: the question `{question}` is there twice")
        asked[str(question)] = entry
    questions = {id: _question(id, entry) for id, entry in asked.items()}
    rows: dict[Place, Row] = {}
    verdicts: dict[Place, Verdict] = {}
    graded_by: dict[Place, str] = {}
    for at, entry in _lines(place, "rows"):
        told = questions.get(str(_known(entry, "q", (str, int), at)))
        if told is None:
            continue
        row = _row(entry, told.id, asked[told.id], models, at)
        if row.place in rows:
            raise PackProblem(f"{at}: sample {row.sample} of `{row.model}` to `{row.question}` is there twice")
        rows[row.place], verdicts[row.place] = row, _verdict(entry, at)
        if entry.get("gr") is not None:
            graded_by[row.place] = entry["gr"]
    samples = {model: known["samples"] for model, known in models.items()}
    references = {id: entry.get("gold") for id, entry in asked.items()}
    return Pack(name, questions, rows, samples, verdicts, references, graded_by)


def _meta(place: Path) -> tuple[str, Mapping[str, Mapping[str, Json]]]:
    """The name of a pack, and its models."""
    file = place / "meta.json"
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PackProblem(f"{place} is no pack: it has no meta.json") from error
    except ValueError as error:
        raise PackProblem(f"{file} is no JSON: {error}") from error
    models = told.get("models") if isinstance(told, dict) else None
    if not isinstance(models, dict) or not models:
        raise PackProblem(f"{file} names no `models`")
    for model, known in models.items():
        samples = known.get("samples") if isinstance(known, dict) else None
        if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
            raise PackProblem(f"{file} does not say how many `samples` there are of `{model}`")
    return str(told.get("pack", place.name)), models


def _lines(place: Path, name: str) -> Iterator[tuple[str, dict[str, Json]]]:
    """The objects of a file, each with where it stands."""
    plain, packed = place / f"{name}.jsonl", place / f"{name}.jsonl.gz"
    path = plain if plain.exists() else packed
    if not path.exists():
        raise PackProblem(f"{place} is no pack: it has no {packed.name}")
    number = 0
    try:
        with plain.open(encoding="utf-8") if path is plain else gzip.open(packed, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    told = json.loads(line)
                    if not isinstance(told, dict):
                        raise PackProblem(f"{path}, line {number}: it is no object `{{...}}`")
                    yield f"{path}, line {number}", told
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        raise PackProblem(f"{path} can't be read after line {number}: {error}") from error


def _known(
    entry: Mapping[str, Json], name: str, kinds: type | tuple[type, ...], at: str
) -> Any:  # Any: one of the kinds
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise PackProblem(f"{at}: it has no `{name}` that can be read: {value!r:.40}")
    return value


def _measured(entry: Mapping[str, Json], name: str, at: str) -> Any:  # Any: a number, or none
    return None if entry.get(name) is None else _known(entry, name, (int, float), at)


_OWN = frozenset(("q", "kind", "prompt", "system", "gold"))


def _question(id: str, entry: Mapping[str, Json]) -> Question:
    about = {name: value for name, value in entry.items() if name not in _OWN}
    return Question(id, str(entry.get("kind", "")), entry.get("prompt"), entry.get("system"), about)


def _row(
    entry: Mapping[str, Json],
    question: str,
    asked: Mapping[str, Json],
    models: Mapping[str, Mapping[str, Json]],
    at: str,
) -> Row:
    model, latency, ratings = _known(entry, "m", str, at), _measured(entry, "lat", at), entry.get("r")
    if model not in models:
        raise PackProblem(f"{at}: the model `{model}` is not in meta.json")
    return Row(
        question,  # the one text for all rows of a question
        model,
        _known(entry, "s", int, at),
        _compared(entry.get("a")),
        entry.get("t"),
        _measured(entry if "in" in entry else asked, "in", at),
        _measured(entry, "out", at),
        _measured(entry, "usd", at) if "usd" in entry else models[model].get("price_index"),
        None if latency is None else latency / 1000,
        _measured(entry, "lp", at),
        _measured(entry, "conf", at),
        "decoder" in (entry.get("err") or ""),
        None if ratings is None else tuple(ratings),
    )


def _compared(answer: Json) -> str | None:
    return answer if answer is None or isinstance(answer, str) else json.dumps(answer)


def _verdict(entry: Mapping[str, Json], at: str) -> Verdict:
    ok = entry.get("ok", "")
    if ok is not None and ok not in (0, 1):
        raise PackProblem(f"{at}: `ok` is 1, 0 or null, not {ok!r:.40}")
    return Verdict.UNGRADED if ok is None else Verdict.RIGHT if ok else Verdict.WRONG
