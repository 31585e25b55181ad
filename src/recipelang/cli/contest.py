"""One evaluation, from its arguments and open backends to a report: who is measured, on what, within which budget."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from recipelang.backends.cassettes import Cassette, Replay
from recipelang.backends.opening import open_backends
from recipelang.cli.compiling import show
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.lending import READY_MADE, Function, lent
from recipelang.cli.naming import plan_and_default
from recipelang.cli.progress import say, short_names
from recipelang.cli.run import fetch
from recipelang.cli.values import assigned
from recipelang.diagnostics.suggesting import nearest
from recipelang.evaluation.contests import equal_cost, report_of
from recipelang.evaluation.grading import Grade, graded_by_tests, graded_plainly
from recipelang.evaluation.items import Item, drawn_items
from recipelang.evaluation.judging import Jury, judging_plan
from recipelang.evaluation.outcomes import Outcome, ResultsFile
from recipelang.evaluation.packs import Pack, Verdict
from recipelang.evaluation.replaying import SAMPLES, SAYINGS, Plainly, RecordedGrades, ReplayBackend
from recipelang.evaluation.running import Contestant, Evaluation, Grading, ended_by
from recipelang.evaluation.spending import Spending
from recipelang.evaluation.summing import Report
from recipelang.evaluation.worlds import STRATEGIES, with_models
from recipelang.hosts.binding import find
from recipelang.hosts.engine import Engine
from recipelang.hosts.functions import functions_for
from recipelang.hosts.local import local_models_in
from recipelang.hosts.reaching import models_of
from recipelang.hosts.recorded import recorded_world, replayed_world
from recipelang.ir.plan import Plan
from recipelang.localmodels.server import local_models
from recipelang.localmodels.store import ModelStore
from recipelang.quick import replace
from recipelang.runtime.ports import NotRecorded

if TYPE_CHECKING:
    from rich.console import Console


class Contest:
    """One evaluation, from open backends to closed ones."""

    def __init__(
        self, arguments: argparse.Namespace, pack: Pack | None, items: Sequence[Item], console: Console
    ) -> None:
        self._given = arguments
        self._pack = pack
        self._items = items
        self._console = console
        self._spending = Spending(arguments.budget)
        self._store = ModelStore()
        self.stopped = ""
        self._cassette: Cassette | None = None  # one for all contestants, as the one that is replayed
        self._replay = None if arguments.replay is None else Replay.of(arguments.replay)
        self._backend = None if pack is None else _backend(pack, arguments)
        self._plans = [self._plan(path) for path in arguments.recipes]
        self._world = self._plans[0][1] if self._plans else self._plan("std.direct")[1]
        self._called = short_names(self._world)

    def until_it_ends(self) -> Report:
        """On an event loop of its own; recorded answers on one where waiting takes no time."""
        try:
            if self._pack is None and self._given.replay is None:
                return anyio.run(self._run)
            from recipelang.recipetests.virtual_time import VirtualTimeLoop  # deferred: only a replay needs it

            return anyio.run(self._run, backend_options={"loop_factory": VirtualTimeLoop})
        except BaseExceptionGroup as group:
            first = ended_by(group)
            if isinstance(first, NotRecorded):
                raise Stop(Exit.NO_ANSWER, str(first)) from group
            raise first from group

    def _secrets(self) -> list[str]:
        """What must not stand in a recording: the keys of the backends."""
        keys = [backend.key.variable for _, plan in self._plans for backend in plan.backends.values() if backend.key]
        return [os.environ[variable] for variable in keys if os.environ.get(variable)]

    def _plan(self, path: str) -> tuple[str, Plan]:
        """A recipe's plan with the models at hand."""
        if self._pack is None:
            return path, plan_and_default(path, self._given.uses)[0]
        place = path if Path(path).is_file() or path.startswith("std.") else f"std.{path}"
        has_own = Path(path).is_file() or self._given.uses
        alone = plan_and_default(place, self._given.uses, UNPRICED)[0] if has_own else None
        known = None if alone is None else {model.id for model in alone.models.values()}
        if alone is not None and known and known <= set(self._pack.models):
            return path, alone
        compilation = with_models(self._pack, place, *self._given.uses)
        if compilation.library is None:
            show(compilation.diagnostics)
            raise Stop(Exit.PROBLEMS, f"{path} does not go with the models of the pack")
        return path, compilation.library

    async def _run(self) -> Report:
        results = ResultsFile(self._given.results)
        async with AsyncExitStack() as stack:
            stack.callback(results.close)
            if self._given.record is not None:
                self._cassette = stack.enter_context(Cassette.opened(self._given.record, self._secrets()))
            self._must_take(self._given.set)
            contestants = [
                contestant for path, plan in self._plans for contestant in await self._contestants(stack, path, plan)
            ]
            contestants += await self._singles(stack)
            self._must_know(contestants)
            items, notes = self._asked(contestants)
            grade = await self._grading(stack)
            evaluation = Evaluation(contestants, items, grade, results, self._spending, self._backend, self._given.seed)
            evaluation.left_out = set() if self._given.where_recorded else None
            self._say_what_is_kept(evaluation, "already in")
            await self._watched(evaluation)
            if self._given.equal_cost and not evaluation.stopped:
                notes += await self._equal_cost(stack, evaluation)
            self.stopped = evaluation.stopped
            notes += self._caveats(evaluation)
            return report_of(
                evaluation,
                Path(self._given.data or self._given.pack).name,
                self._given.baseline,
                self._given.slice,
                notes,
            )

    def _must_know(self, contestants: Sequence[Contestant]) -> None:
        """Whoever is named must be there, before anything is paid."""
        if self._given.equal_cost:
            find(self._world.models, self._given.equal_cost, "model")
        wanted, names = self._given.baseline, [contestant.name for contestant in contestants]
        if wanted is not None and wanted not in names and f"single {wanted}" not in names:
            raise Stop(Exit.USAGE, f"`--baseline {wanted}`: nobody is called so; there are {', '.join(names)}")

    def _asked(self, contestants: Sequence[Contestant]) -> tuple[list[Item], list[str]]:
        """The questions; of a pack those to which all models that may be called have a graded answer, and how many lack it."""
        if self._pack is None or self._backend is None:
            return drawn_items(self._items, self._given.limit, self._given.seed), []
        backend, verdicts = self._backend, self._pack.verdicts
        needed = sorted(frozenset().union(*(one.models for one in contestants)))

        def is_graded(item: Item, model: str) -> bool:
            row = backend.recorded(item.id, model)
            return row is not None and verdicts[row.place] is not Verdict.UNGRADED

        whole = [item for item in self._items if all(is_graded(item, model) for model in needed)]
        if not whole:
            graded = {model: sum(is_graded(item, model) for item in self._items) for model in needed}
            least = min(needed, key=lambda model: graded[model])
            raise Stop(
                Exit.USAGE,
                f"there is no question that all of these {len(needed)} models have a graded answer to; "
                f"`{least}` has one to {graded[least]} of {len(self._items)}",
            )
        lacking = len(self._items) - len(whole)
        note = f"{_left_out(lacking)}: not all of these {len(needed)} models have a graded answer there."
        return drawn_items(whole, self._given.limit, self._given.seed), [note] if lacking else []

    def _caveats(self, evaluation: Evaluation) -> list[str]:
        """What a reader of the report must know."""
        notes = []
        if evaluation.left_out and not evaluation.items:
            raise Stop(Exit.NO_ANSWER, "on each of the questions a recipe asks for what was not recorded")
        if evaluation.left_out:
            notes.append(
                f"{_left_out(len(evaluation.left_out))}: there a recipe asks for what was not recorded. "
                "The others are not like them, so that accuracy is comparable within this table only."
            )
        if self._given.perfect_verifier:
            notes.append(
                f"`{self._given.perfect_verifier}` was a perfect verifier: what recipes that call it bring is an upper bound."
            )
        return notes

    async def _watched(self, evaluation: Evaluation) -> None:
        """Run it, with a bar in a terminal."""
        from rich.progress import (  # deferred: start-up cost
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}")
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bar:
            whole = len(evaluation.contestants) * len(evaluation.items)
            done = sum(len(evaluation.outcomes(contestant)) for contestant in evaluation.contestants)
            task = bar.add_task("", total=whole, completed=done)

            def told(_outcome: Outcome) -> None:
                bar.update(task, advance=1, description=f"${evaluation.spending.spent:.4f}")

            evaluation.told = told
            try:
                await evaluation.run(self._given.concurrency)
            except anyio.get_cancelled_exc_class():
                self._say_what_is_kept(evaluation, "kept in")
                raise
        if evaluation.stopped:
            say(self._console, f"stopped: {evaluation.stopped}", "yellow")

    def _say_what_is_kept(self, evaluation: Evaluation, how: str) -> None:
        whole = len(evaluation.contestants) * len(evaluation.items)
        done = sum(len(evaluation.outcomes(contestant)) for contestant in evaluation.contestants)
        if done and self._given.results is not None:
            say(self._console, f"{done} of {whole} runs are {how} {self._given.results}: the same command goes on")
        elif done and how == "kept in":
            say(self._console, f"{done} of {whole} runs are lost: `--results FILE` would have kept them")

    async def _engine(self, stack: AsyncExitStack, plan: Plan, functions: Mapping[str, Any] | None = None) -> Engine:
        if self._backend is not None:
            recorded = Plainly(self._backend, plan)
            engine = Engine(plan, backends=dict.fromkeys(plan.backends, recorded), functions=functions)
        elif self._replay is not None:
            backends, played = replayed_world(plan, self._replay)
            engine = Engine(plan, backends=backends, functions=played)
        else:
            models = await stack.enter_async_context(local_models(self._store, lambda _: None))
            if self._cassette is None:
                engine = Engine(plan, endpoints=models, functions=functions, environment=os.environ)
            else:
                live = await stack.enter_async_context(open_backends(plan, os.environ, endpoints=models))
                backends, played = recorded_world((live, functions_for(plan, functions or {})), self._cassette)
                engine = Engine(plan, backends=backends, functions=played)
        return await stack.enter_async_context(engine)

    def _names(self, path: str, plan: Plan) -> list[str]:
        """The exposed names and the recipes of a plan that are measured."""
        wanted = [own for name in self._given.names if (own := _named(plan, name)) is not None]
        if self._given.names and not wanted:
            raise Stop(
                Exit.USAGE, f"{path} has no recipe {' or '.join(self._given.names)}; it has {', '.join(plan.recipes)}"
            )
        return wanted or list(plan.entries) or [_only(plan, path)]

    def _must_take(self, settings: Sequence[str]) -> None:
        """Each argument that is given must be one of a recipe that is measured; what is exposed has its own."""
        names = [(plan, name) for path, plan in self._plans for name in self._names(path, plan)]
        known = [p.name for plan, name in names if name not in plan.entries for p in plan.recipes[name].parameters]
        for setting in settings:
            name = setting.partition("=")[0].strip()
            if name not in known:
                near = nearest(name, known)
                hint = f"is `{near}` meant?" if near else f"they take {', '.join(dict.fromkeys(known)) or 'nothing'}"
                raise Stop(Exit.USAGE, f"`--set {name}`: no recipe that is measured takes that; {hint}")

    async def _contestants(self, stack: AsyncExitStack, path: str, plan: Plan) -> list[Contestant]:
        names = self._names(path, plan)
        functions = {}
        if self._given.replay is None:
            functions = lent(plan, self._given.functions, self._given.allow, self._verifier())
        engine = await self._engine(stack, plan, functions)
        found = []
        for name in names:
            settings = {} if name in plan.entries else assigned(self._given.set, find(plan.recipes, name, "recipe"))
            known = {p.name for p in plan.recipes[name].parameters} if name in plan.recipes else set()
            chosen = {key: value for key, value in settings.items() if key in known}
            bare = name.rpartition(".")[2] if name in plan.recipes else name
            found.append(self._contestant(engine, name, chosen, bare))
        return found

    def _verifier(self) -> dict[str, Function]:
        if self._given.perfect_verifier is None:
            return {}
        if self._backend is None:
            raise Stop(
                Exit.USAGE, "`--perfect-verifier` goes with `--pack`: only recorded answers are known to be right"
            )
        return {self._given.perfect_verifier: self._backend.is_right}

    def _contestant(
        self, engine: Engine, recipe: str, arguments: Mapping[str, Any], name: str = "", *, single: bool = False
    ) -> Contestant:
        entry = engine.entry(recipe, arguments)
        if self._backend is None and self._given.replay is None:
            fetch(local_models_in(engine.plan, models_of(engine.plan, entry)), self._store, self._console)
        return Contestant(name or recipe, engine, entry, _digest(engine.plan), single)

    async def _singles(self, stack: AsyncExitStack) -> list[Contestant]:
        if not self._given.single:
            return []
        wanted = self._given.single.split(",") if self._given.single != "all" else list(self._world.models)
        wanted = [find(self._world.models, name.strip(), "model").name for name in wanted]
        engine = await self._engine(stack, self._strategies())
        return [self._single(engine, model) for model in wanted]

    def _single(self, engine: Engine, model: str) -> Contestant:
        name = f"single {self._called[model]}"
        return self._contestant(engine, "single", {"model_of_choice": model}, name, single=True)

    def _strategies(self) -> Plan:
        """The recipes that everything is measured by, with the models at hand."""
        from recipelang.compilation import compile_file  # deferred: start-up cost

        plan = compile_file(str(STRATEGIES)).library
        assert plan is not None  # it comes with the package
        wanted = {name: recipe for name, recipe in plan.recipes.items() if name in MEASURES}
        roles = dict(plan.roles)
        if self._pack is None:
            own = [role.max_tokens for _, one in self._plans for role in one.roles.values()]
            roles = {name: replace(role, max_tokens=max(own, default=LIVE_TOKENS)) for name, role in roles.items()}
        return replace(
            plan, models=self._world.models, backends=self._world.backends, recipes=wanted, roles=roles, externs={}
        )

    async def _equal_cost(self, stack: AsyncExitStack, evaluation: Evaluation) -> list[str]:
        """One model as often as the dearest recipe pays for."""
        model = find(self._world.models, self._given.equal_cost, "model").name
        engine = await self._engine(stack, self._strategies())
        single = self._single(engine, model)
        own = [one for one in evaluation.contestants if one.name == single.name]
        if not own:
            evaluation.contestants = [*evaluation.contestants, single]
            await self._watched(evaluation)
        times, note = equal_cost(evaluation, own[0] if own else single)
        if times < 2:
            return [note]
        arguments = {"thinker": model, "samples": times}
        recipe = "first_attempts" if self._pack is None else "first_samples"
        extra = self._contestant(engine, recipe, arguments, f"{self._called[model]} {times} times")
        before = evaluation.contestants
        evaluation.contestants = [*before, extra]
        try:
            await self._watched(evaluation)
        except BaseExceptionGroup as group:
            missing = ended_by(group)
            if not isinstance(missing, NotRecorded):
                raise
            evaluation.contestants = before
            return [f"{self._called[model]} {times} times, at equal cost, can't be told: {missing}"]
        return [note]

    async def _grading(self, stack: AsyncExitStack) -> Grading:
        """How answers are graded."""
        if self._backend is not None:
            return RecordedGrades(self._backend)
        kinds = {item.grader for item in self._items}
        tests = None
        if "code" in kinds:
            if "run_tests" not in self._given.allow:
                raise Stop(Exit.USAGE, "the grader `code` runs what models wrote: `--allow run_tests` allows it")
            tests = READY_MADE["run_tests"]()
        jury = None
        if "judge" in kinds:
            if not self._given.judge:
                raise Stop(Exit.USAGE, "the grader `judge` needs judges: `--judge MODEL,MODEL`")
            engine = await self._engine(stack, judging_plan(self._world))
            names = [find(self._world.models, name.strip(), "model").name for name in self._given.judge.split(",")]
            jury = Jury(engine, names, self._spending, judge_own=self._given.judge_own)
        return partial(_graded, tests, jury)


MEASURES = ("single", "first_samples", "first_attempts")
"""The recipes that others are measured by."""
UNPRICED = ("W0701",)
"""What calls cost was recorded with them."""
LIVE_TOKENS = 1000
"""Completion tokens of single models that no recipe is compared with; else they have as many as any role of the recipes."""


async def _graded(
    tests: Any, jury: Jury | None, item: Item, text: str, authors: frozenset[str]
) -> Grade:  # Any: run_tests
    if item.grader == "code":
        return await graded_by_tests(item, text, tests)
    if item.grader == "judge" and jury is not None:
        return await jury.grade(item, text, authors)
    return graded_plainly(item, text)


def _backend(pack: Pack, arguments: argparse.Namespace) -> ReplayBackend:
    return ReplayBackend(pack, sample=SAMPLES[arguments.samples], says=SAYINGS[arguments.says])


def _named(plan: Plan, name: str) -> str | None:
    """The exposed name or the recipe that is meant, with or without its module."""
    if name in plan.entries:
        return name
    ends = [recipe for recipe in plan.recipes if recipe == name or recipe.endswith(f".{name}")]
    return ends[0] if len(ends) == 1 else None


def _only(plan: Plan, path: str) -> str:
    bare = Path(path).name.removesuffix(".recipe").removeprefix("std.")
    own = _named(plan, bare) or (next(iter(plan.recipes)) if len(plan.recipes) == 1 else None)
    if own is not None:
        return own
    raise Stop(Exit.USAGE, f"{path} exposes nothing; `--recipe` takes one or more of {', '.join(plan.recipes)}")


def _digest(plan: Plan) -> str:
    from recipelang.ir.document import dump  # deferred: start-up cost

    return sha256(dump(plan).encode()).hexdigest()


def _left_out(questions: int) -> str:
    return "1 question is left out" if questions == 1 else f"{questions} questions are left out"
