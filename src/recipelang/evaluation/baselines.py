"""Baselines of recorded answers, reproduced by recipes that the interpreter runs: every integer, and costs to nine decimals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import anyio

from recipelang.compilation import Compilation
from recipelang.evaluation.packs import Pack, Verdict
from recipelang.evaluation.replaying import ReplayBackend, as_asked, concluded, drawn, rated
from recipelang.evaluation.worlds import STRATEGIES, models_text, recipe_names
from recipelang.hosts.engine import Engine
from recipelang.quick import dataclass, field
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.values import Answer, Message, Request, to_json
from recipelang.source import FileLoader, Source

Told = Mapping[str, Any]  # Any: a baseline's JSON
Tell = Callable[[str, str | None], None]
"""Takes the name of a strategy, and what is wrong with it: none where it is as it was."""


@dataclass(frozen=True)
class Score:
    """What a strategy brings on so many questions; the cost is that of one question on average, none where unknown."""

    n: int
    correct: int
    cost: float | None

    @classmethod
    def of(cls, told: Told) -> Score:
        return cls(told["n"], told["correct"], told["cost"])


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy of a baseline: the recipe that it is, its arguments by the names of the pack, and its score."""

    name: str
    recipe: str
    arguments: Mapping[str, Any]  # Any: names of models, numbers
    score: Score


@dataclass(frozen=True, slots=True)
class Runs:
    """How a strategy fared on each question: whether it was right, and its cost."""

    right: dict[str, bool] = field(default_factory=dict)
    costs: dict[str, float | None] = field(default_factory=dict)

    @property
    def score(self) -> Score:
        return Score(len(self.right), sum(self.right.values()), average(self.costs.values()))


def average(costs: Iterable[float | None]) -> float | None:
    told = list(costs)
    known = [cost for cost in told if cost is not None]
    return round(sum(known) / len(known), 9) if known and len(known) == len(told) else None


class Strategies:
    """The strategies over the models of a pack."""

    def __init__(self, pack: Pack, backend: ReplayBackend) -> None:
        self.pack = pack
        self.backend = backend
        self.names = recipe_names(pack.models)
        text = "\n".join([STRATEGIES.read_text(encoding="utf-8"), models_text(pack)])
        plan = Compilation(Source("<strategies>", text), FileLoader()).plan
        assert plan is not None  # they come with the package
        self.plan = plan

    async def score(self, recipe: str, questions: Sequence[str], at_once: int = 16, **arguments: Any) -> Score:
        """Run a recipe on questions; arguments name models as the pack does."""
        return (await self.runs(recipe, questions, arguments, at_once)).score

    async def runs(
        self, recipe: str, questions: Sequence[str], arguments: Mapping[str, Any], at_once: int = 16
    ) -> Runs:
        runs = Runs()
        functions = {"is_right": self.backend.is_right}
        async with Engine(self.plan, backends={"recorded": self.backend}, functions=functions) as engine:
            entry = engine.entry(recipe, {name: self._named(value) for name, value in arguments.items()})
            waiting = iter(questions)

            async def work() -> None:
                for question in waiting:
                    with self.backend.answering(question):
                        try:
                            result = await engine.answer(entry, Request((Message("user", question),)))
                        except RunFailure as failure:
                            runs.right[question] = False
                            runs.costs[question] = None if failure.spend is None else failure.spend.cost
                            continue
                        runs.right[question] = self._graded(question, result.answer)
                        runs.costs[question] = result.spend.cost

            async with anyio.create_task_group() as group:
                for _ in range(at_once):
                    group.start_soon(work)
        return runs

    def _graded(self, question: str, answer: Any) -> bool:  # Any: a value of the language
        if isinstance(answer, Answer):
            return self.backend.verdict(answer.model.id, answer.text) is Verdict.RIGHT
        return bool(to_json(answer) == self.pack.references[question])

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


async def checked(pack: Pack, told: Told, tell: Tell) -> None:
    """Hold a pack to all of a baseline that is about it: one with parts, one without, or the sets of several packs."""
    if told.get("pack") == "ratings":
        await _check_ratings(pack, told, tell)
        return
    if pack.name in told and "pack" not in told:
        for name, part in told[pack.name].items():
            await _check_part(pack, name, part, tell)
        return
    parts = {"": told} if "models" in told else told
    for name, part in parts.items():
        if "models" in part:
            await _check_part(pack, name, part, tell)
    world = Strategies(pack, ReplayBackend(pack, says=concluded, in_time=False))
    for strategy in _repeated(told):
        await _hold(world, strategy, list(pack.questions), tell, "")


async def _check_part(pack: Pack, part: str, told: Told, tell: Tell) -> None:
    is_hle = pack.name == "hle"
    backend = ReplayBackend(pack, sample=as_asked if is_hle else drawn, says=concluded, in_time=False)
    graded_by = ("judge", "letter") if part == "judged_core" else ()
    asked = core(pack, backend, told["models"], _questions_of(pack, part), priced=is_hle, graded_by=graded_by)
    world, key = Strategies(pack, backend), split_of(told["core_questions"])
    prefix = f"{part}: " if part else ""
    wanted = told["core_questions"][key]
    tell(f"{prefix}questions", None if len(asked) == wanted else f"{len(asked)}, not {wanted}")
    singles: dict[str, Runs] = {}
    ranked = told.get("rank_by_public_acc")
    if ranked is None or "oracle" in told:
        for model in told["models"]:
            singles[model] = await world.runs("single", asked, {"model_of_choice": model})
    if ranked is None:
        ranked = sorted(told["models"], key=lambda model: (-singles[model].score.correct, model))
    for strategy in _strategies({**told, "pack": pack.name}, key, ranked):
        known = singles.get(strategy.arguments.get("model_of_choice", ""))
        await _hold(world, strategy, asked, tell, prefix, known)
    for name, right, cost in _oracles(told, list(singles.values()), asked):
        wanted = told[name][key]
        is_same = right == wanted["correct"] and (wanted["cost"] is None or cost == wanted["cost"])
        tell(prefix + name, None if is_same else f"{right} at {cost}, not {wanted}")


async def _hold(
    world: Strategies, strategy: Strategy, asked: Sequence[str], tell: Tell, prefix: str, known: Runs | None = None
) -> None:
    runs = known or await world.runs(strategy.recipe, asked, strategy.arguments)
    wrong = runs.score != strategy.score
    tell(prefix + strategy.name, f"{runs.score}, not {strategy.score}" if wrong else None)


def of_split(told: Any, split: str) -> Any:  # Any: a baseline's JSON, or a part of it
    """A baseline with the numbers of one split alone, where it has those of several.

    >>> of_split({"single": {"m": {"public": {"n": 3}, "other": {"n": 2}}}}, "other")
    {'single': {'m': {'other': {'n': 2}}}}
    """
    if isinstance(told, list):
        return [of_split(item, split) for item in told]
    if not isinstance(told, Mapping):
        return told
    left_out = {"public"} if split in told else set()
    return {name: of_split(value, split) for name, value in told.items() if name not in left_out}


def split_of(told: Told) -> str:
    """Which questions a baseline's numbers are about: `public`, unless it has others only."""
    return "public" if "public" in told else next(iter(told))


def _questions_of(pack: Pack, part: str) -> list[str]:
    """The questions that a part is about: those of a data set of the pack, or of a kind."""
    sets = {question.about.get("ds") for question in pack.questions.values()}
    if part in sets:
        return [id for id, question in pack.questions.items() if question.about.get("ds") == part]
    if part == "mcq_core" or (pack.name == "hle" and part in ("closed", "hybrid")):
        return [id for id, question in pack.questions.items() if question.kind == "mcq"]
    return list(pack.questions)


def _strategies(told: Told, key: str, ranked: Sequence[str]) -> Iterator[Strategy]:
    for model, score in told.get("single", {}).items():
        yield Strategy(f"single({model})", "single", {"model_of_choice": model}, Score.of(score[key]))
    if "best_single" in told and isinstance(told["best_single"], Mapping):
        best = told["best_single"]
        arguments = {"model_of_choice": best["model"]}
        yield Strategy("best_single", "single", arguments, Score.of(best[key]))
    for k, voted in {**told.get("vote_topk", {}), **told.get("vote", {})}.items():
        panel = voted.get("models") or ranked[: int(k)]
        yield Strategy(f"vote_top{k}", "vote", {"panel": panel}, Score.of(voted[key]))
    for frontier in (name for name in told if name.startswith("frontier_")):
        for entry in told[frontier]:
            recipe, arguments = parsed(entry["name"], told["pack"])
            yield Strategy(f"{frontier}: {entry['name']}", recipe, arguments, Score.of(entry["score"][key]))


def parsed(name: str, pack: str) -> tuple[str, dict[str, Any]]:
    """The recipe that a strategy's name stands for, and its arguments."""
    if found := re.fullmatch(r"single\((.*)\)", name):
        return "single", {"model_of_choice": found[1]}
    if found := re.fullmatch(r"agree\((.*),(.*)\)->(.*)", name):
        return "agree", {"one": found[1], "other": found[2], "referee": found[3]}
    if found := re.fullmatch(r"conf\((.*)>=(.*)\)->(.*)", name):
        threshold = float(found[2]) if pack == "hle" else math.exp(float(found[2]))
        return "sure", {"cheap": found[1], "strong": found[3], "threshold": threshold}
    if found := re.fullmatch(r"format_fallback\((.*)\)->(.*)", name):
        return "readable", {"cheap": found[1], "strong": found[2]}
    if found := re.fullmatch(r"verify\((.*)\)", name):
        chain = dict(zip(("one", "two", "three"), found[1].split("->"), strict=False))
        return ("verify_two" if len(chain) == 2 else "verify_three"), chain
    raise ValueError(f"no recipe is known for the strategy {name!r}")


def _repeated(told: Told) -> Iterator[Strategy]:
    """One model several times: the first samples, or until so many agree."""
    for model, scores in told.get("self_consistency_first_k_samples", {}).items():
        for k, score in ((k, score) for k, score in scores.items() if k.isdigit()):
            arguments = {"thinker": model, "samples": int(k)}
            yield Strategy(f"{k} of {model}", "first_samples", arguments, Score.of(score[split_of(score)]))
    for model, scores in told.get("quorum_stop_max10", {}).items():
        for z, score in scores.items():
            arguments = {"thinker": model, "votes": int(z)}
            yield Strategy(f"stop at {z} of {model}", "stop_at", arguments, Score.of(score[split_of(score)]))


def _oracles(told: Told, singles: Sequence[Runs], asked: Sequence[str]) -> Iterator[tuple[str, int, float | None]]:
    """What always choosing the right model would have brought; only who knows the answers can tell."""
    if "oracle" not in told:
        return
    right = sum(any(runs.right[question] for runs in singles) for question in asked)
    costs = [_cheapest(singles, question) for question in asked]
    yield "oracle", right, None
    if "oracle_cheapest_correct" in told:
        yield "oracle_cheapest_correct", right, average(costs)


def _cheapest(singles: Sequence[Runs], question: str) -> float | None:
    wanted = [runs for runs in singles if runs.right[question]] or singles
    costs = [cost for runs in wanted if (cost := runs.costs[question]) is not None]
    return min(costs) if costs else None


# ---------------------------------------------------------------- ratings


async def _check_ratings(pack: Pack, told: Told, tell: Tell) -> None:
    plain = Strategies(pack, ReplayBackend(pack, says=concluded, in_time=False))
    world = Strategies(pack, ReplayBackend(pack, says=rated, in_time=False))
    key, asked = split_of(told["core_questions"]), list(pack.questions)
    singles = []
    for model, score in told["single"].items():
        runs = await plain.runs("single", asked, {"model_of_choice": model})
        singles.append(runs)
        wanted = Score.of(score[key])
        tell(f"single({model})", None if runs.score == wanted else f"{runs.score}, not {wanted}")
    for name in ("ensemble_topk", "ensemble_cheap"):
        for k, ways in told.get(name, {}).items():
            panel = ways.get("models") or told["rank_by_public_acc"][: int(k)]
            for way in ("minmax", "raw", "borda"):
                strategy = Strategy(f"{name} {k} {way}", f"rated_{way}", {"panel": panel}, Score.of(ways[way][key]))
                await _hold(world, strategy, asked, tell, "")
    right = sum(any(runs.right[question] for runs in singles) for question in asked)
    wanted = told["oracle_all"][key]["correct"]
    tell("oracle_all", None if right == wanted else f"{right}, not {wanted}")
