"""Recipes run on recorded answers, for tests and measurements: how many were right, and what they cost."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import render
from recipelang.evaluation.packs import Pack, Verdict, read_pack
from recipelang.evaluation.replaying import ReplayBackend
from recipelang.hosts.engine import Engine
from recipelang.runtime.values import Answer, Message, Request

REPLAY = os.environ.get("RECIPELANG_REPLAY", "")
"""The folder with `packs/` and `baselines/`, where there is one."""

STRATEGIES = Path(__file__).parent / "unit" / "evaluation" / "strategies.recipe"


def pack_called(name: str) -> Pack:
    return read_pack(Path(REPLAY) / "packs" / name)


@dataclass(frozen=True)
class Score:
    """What a strategy brings on so many questions; the cost is that of one question on average, none where unknown."""

    n: int
    correct: int
    cost: float | None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Score:  # Any: a baseline's JSON
        return cls(told["n"], told["correct"], told["cost"])


class Strategies:
    """The strategies over the models of a pack, which are called `m0`, `m1` and so on in the recipe."""

    def __init__(self, pack: Pack, backend: ReplayBackend) -> None:
        self.pack = pack
        self.backend = backend
        self.names = {model: f"m{place}" for place, model in enumerate(pack.models)}
        models = [f'model {name} {{ backend = recorded, id = "{model}" }}' for model, name in self.names.items()]
        world = ['backend recorded { kind = openai, url = "http://127.0.0.1:1/v1" }', *models]
        compilation = compile_text("\n".join([STRATEGIES.read_text(encoding="utf-8"), *world]))
        assert compilation.plan is not None, render(compilation.diagnostics)
        self.plan = compilation.plan

    async def score(self, recipe: str, questions: Sequence[str], at_once: int = 16, **arguments: Any) -> Score:
        """Run a recipe on questions; arguments name models as the pack does."""
        costs: list[float | None] = []
        right = 0
        async with Engine(
            self.plan, backends={"recorded": self.backend}, functions={"is_right": self._is_right}
        ) as engine:
            entry = engine.entry(recipe, {name: self._named(value) for name, value in arguments.items()})
            waiting = iter(questions)

            async def work() -> None:
                nonlocal right
                for question in waiting:
                    with self.backend.answering(question):
                        result = await engine.answer(entry, Request((Message("user", question),)))
                        assert isinstance(result.answer, Answer)
                        verdict = self.backend.verdict(result.answer.model.id, result.answer.text)
                    right += verdict is Verdict.RIGHT
                    costs.append(result.spend.cost)

            async with anyio.create_task_group() as group:
                for _ in range(at_once):
                    group.start_soon(work)
        known = [cost for cost in costs if cost is not None]
        return Score(len(costs), right, round(sum(known) / len(known), 9) if len(known) == len(costs) else None)

    async def _is_right(self, by: str, said: str) -> bool:
        return self.backend.verdict(by, said) is Verdict.RIGHT

    def _named(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._named(item) for item in value]
        return self.names.get(value, value) if isinstance(value, str) else value


def core(
    pack: Pack,
    backend: ReplayBackend,
    models: Iterable[str],
    questions: Iterable[str],
    *,
    priced: bool = False,
    graded_by: Sequence[str] = (),
) -> list[str]:
    """The questions to which every one of the models has a graded answer, and what else counts where it matters."""
    needed = list(models)

    def counts(question: str, model: str) -> bool:
        row = backend.recorded(question, model)
        if row is None or pack.verdicts[row.place] is Verdict.UNGRADED or (priced and row.cost is None):
            return False
        return not graded_by or pack.graded_by.get(row.place) in graded_by

    return [question for question in questions if all(counts(question, model) for model in needed)]
