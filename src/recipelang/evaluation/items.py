"""Questions, with what is right and how that is found out; knows nothing of recipes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from recipelang.evaluation.packs import Question
from recipelang.quick import dataclass
from recipelang.runtime.values import Json


class DataProblem(Exception):
    """A file of questions or of results that is none; the message says which line, and why."""


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
