"""Data sets: a question a line, with what is right and how that is found out; knows nothing of recipes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from recipelang.evaluation.packs import Question
from recipelang.quick import dataclass
from recipelang.runtime.values import Json

GRADERS = ("exact", "choice", "number", "code", "schema", "judge")
_OWN = frozenset(("id", "prompt", "messages", "system", "reference", "grader", "tests", "schema", "tolerance"))


class DataProblem(Exception):
    """A file that is no data set; the message says which line, and why."""


@dataclass(frozen=True, slots=True)
class Item:
    """A question, and what only graders know of it: everything after `messages` but what it is about."""

    id: str
    messages: Sequence[Mapping[str, Json]]
    grader: str
    reference: Json = None
    tests: str = ""
    schema: Json = None
    tolerance: float = 1e-6
    about: Mapping[str, Json] | None = None  # the other fields, which a report can be split by

    @property
    def question(self) -> str:
        """The words of the last message."""
        content = self.messages[-1].get("content") if self.messages else ""
        return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)

    def slice(self, field: str) -> str:
        value = (self.about or {}).get(field)
        return "(none)" if value is None else value if isinstance(value, str) else json.dumps(value)


def read_items(path: str | os.PathLike[str], grader: str | None = None) -> list[Item]:
    """Read a JSONL file; `grader` is for lines that name none. Raises `DataProblem`, and `OSError`."""
    found: dict[str, Item] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            item = _item(json.loads(line), number, grader)
        except (ValueError, TypeError, AttributeError) as problem:
            raise DataProblem(f"{os.fspath(path)}, line {number}: {problem}") from problem
        if item.id in found:
            raise DataProblem(f"{os.fspath(path)}, line {number}: the id {item.id!r} is there twice")
        found[item.id] = item
    if not found:
        raise DataProblem(f"{os.fspath(path)} has no questions")
    return list(found.values())


def in_first_half(id: str) -> bool:
    """One of two halves of any questions, the same for ever: thresholds are fixed on one, and measured on the other."""
    return sha256(f"fit|{id}".encode()).digest()[0] % 2 == 0


def drawn_items(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """So many of the items, drawn by the seed, in their order: the first ones may all be of a kind."""
    order = sorted(items, key=lambda item: sha256(f"{seed}|{item.id}".encode()).digest())
    chosen = {item.id for item in order[:limit]}
    return [item for item in items if item.id in chosen]


def item_of(question: Question) -> Item:
    """A question of a pack, which is graded by what was recorded; where its words are not there its name stands in."""
    system = [{"role": "system", "content": question.system}] if question.system else []
    said = {"role": "user", "content": question.prompt or question.id}
    return Item(question.id, [*system, said], "recorded", about={"kind": question.kind, **question.about})


def _item(entry: Mapping[str, Json], number: int, default: str | None) -> Item:
    if ("prompt" in entry) == ("messages" in entry):
        raise ValueError("it has either a `prompt` or `messages`")
    grader = entry.get("grader", default)
    if grader is None:
        raise ValueError("it names no grader; `--grader` is for all lines that name none")
    if grader not in GRADERS:
        raise ValueError(f"there is no grader {grader!r}; there are {', '.join(GRADERS)}")
    needed = {"code": "tests", "schema": "schema"}.get(grader, "reference")
    if entry.get(needed) is None:
        raise ValueError(f"the grader `{grader}` needs `{needed}`")
    system = [{"role": "system", "content": entry["system"]}] if "system" in entry else []
    messages = entry["messages"] if "messages" in entry else [{"role": "user", "content": entry["prompt"]}]
    return Item(
        str(entry.get("id", number)),
        [*system, *messages],
        grader,
        entry.get("reference"),
        entry.get("tests", ""),
        entry.get("schema"),
        float(entry.get("tolerance", 1e-6)),
        {name: value for name, value in entry.items() if name not in _OWN},
    )
