"""One run of one recipe: each step starts as soon as what it reads is there; order in the file means nothing."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import cast

import anyio
from anyio.abc import TaskGroup

from recipelang.ir.commitment import answering_steps, demands_nothing, speaking_step
from recipelang.ir.plan import Budget, Contract, Plan, Recipe, Return
from recipelang.quick import dataclass, field
from recipelang.runtime.expressions import Evaluator
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.frame import Execution, Frame, evaluate
from recipelang.runtime.ledger import Account, Limits
from recipelang.runtime.members import images_of
from recipelang.runtime.needs import StepNeed, last_first, needs_of
from recipelang.runtime.prompts import request_bytes
from recipelang.runtime.prospects import Bounds, bounds_of_arms
from recipelang.runtime.steps.prepared import PreparedStep, compile_optional
from recipelang.runtime.steps.preparing import prepare_step
from recipelang.runtime.values import Value
from recipelang.runtime.voice import Voice


@dataclass(frozen=True, slots=True)
class PreparedRecipe:
    """A recipe with its expressions compiled and its graph counted out: steps are known by their place in `steps`."""

    name: str
    steps: tuple[PreparedStep, ...]
    waits_for: tuple[int, ...]  # of how many steps each reads the value
    readers: tuple[tuple[int, ...], ...]  # the steps that read each
    answer: int  # the `return`
    speaker: int | None  # the step whose answer `return` hands on as it is
    answering: frozenset[int]  # the steps from whose answers `return` takes its own, and itself
    contract: Evaluator | None  # what `return` holds the answer to
    limits: Limits
    time: float | None  # seconds
    needs: tuple[StepNeed, ...]  # what each step may use
    last_first: tuple[int, ...]  # the steps by their places, each before those whose values it reads
    arms: Bounds | None  # what the arms of each `choose` that weighs them may use

    async def __call__(
        self,
        execution: Execution,
        arguments: dict[str, Value],
        path: str,
        deadline: float,
        account: Account,
        voice: Voice | None = None,
        *,
        answers: bool = False,
    ) -> Value:
        if self.time is not None:
            deadline = min(deadline, execution.timer() + self.time)
        values = {**arguments, "request": execution.request}
        own = account.open(f"the budget of `{self.name}`", self.limits)
        frame = Frame(execution, values, path, deadline, own, arms=self.arms)
        accounts = self._set_aside(execution, own) if own.is_tight else ()
        try:
            return await Progress(self, frame, list(self.waits_for), voice, answers, accounts=accounts).run()
        finally:
            for step in accounts:
                own.close(step)

    def _set_aside(self, execution: Execution, account: Account) -> tuple[Account, ...]:
        """An account for each step, with what is set aside for it: there is less than all of them may need."""
        size, images = request_bytes(execution.request), sum(map(images_of, execution.request.messages))
        needs = [need.at(size, images) for need in self.needs]
        return account.set_aside([step.name for step in self.steps], needs, self.last_first)


@dataclass(slots=True)
class Progress:
    """How far a run of a recipe is. `waiting`: how many values each step still waits for."""

    recipe: PreparedRecipe
    frame: Frame
    waiting: list[int]
    voice: Voice | None = None
    answers: bool = False
    done: bool = False
    value: Value = None
    error: Exception | None = None
    group: TaskGroup | None = field(default=None)
    accounts: tuple[Account, ...] = ()  # of the steps, where something is set aside for each

    async def run(self) -> Value:
        """The value of `return`. While only one step is ready it runs right here: a task costs more than a step."""
        ready = self._needed([step for step, missing in enumerate(self.waiting) if missing == 0])
        while len(ready) == 1:
            ready = await self._finish(ready[0])
        if not self.done:
            await self._side_by_side(ready)
        if self.error is not None:
            raise self.error
        return self.value

    async def _side_by_side(self, ready: Sequence[int]) -> None:
        async with anyio.create_task_group() as self.group:
            await self._follow(ready)

    async def _follow(self, ready: Sequence[int]) -> None:
        """Run a step, then one that it made ready, and so on; further ones run beside it."""
        assert self.group is not None
        try:
            while ready and not self.done:
                for step in ready[1:]:
                    self.group.start_soon(self._follow, (step,))
                ready = await self._finish(ready[0])
        except Exception as error:  # noqa: BLE001 - told by `run` as it is, not inside an exception group
            self.error = self.error or error
            self.done = True
        if self.done:
            self.group.cancel_scope.cancel()

    async def _finish(self, place: int) -> list[int]:
        """Run one step; gives those that are ready now. With `return` all is done, and what still runs is not needed."""
        step = self.recipe.steps[place]
        value = await execute(step, self._frame_of(place))
        if self.accounts:
            self.frame.account.close(self.accounts[place])
        if place == self.recipe.answer:
            self.value, self.done = value, True
            return []
        self.frame.values[step.name] = value
        return self._released(place)

    def _frame_of(self, place: int) -> Frame:
        """What a step sees: the frame of the recipe, with what is the step's own."""
        own, answers = self.frame, self.answers and place in self.recipe.answering
        voice = self.voice if place == self.recipe.speaker and self._may_speak() else None
        account = self.accounts[place] if self.accounts else own.account
        if voice is own.voice and answers is own.answers and account is own.account:
            return own
        return Frame(own.execution, own.values, own.path, own.deadline, account, voice, answers, own.arms)

    def _may_speak(self) -> bool:
        """Whether `return` demands nothing more of what its step says, so that it can be said as it comes."""
        if self.voice is None or self.recipe.contract is None:
            return True
        return demands_nothing(cast(Contract, evaluate(self.recipe.contract, self.frame.values, self.frame.path)))

    def _released(self, place: int) -> list[int]:
        ready = []
        for reader in self.recipe.readers[place]:
            self.waiting[reader] -= 1
            if self.waiting[reader] == 0:
                ready.append(reader)
        return self._needed(ready)

    def _needed(self, ready: list[int]) -> list[int]:
        """Of the steps that are ready those to run: once `return` is, no other is needed."""
        return [self.recipe.answer] if self.recipe.answer in ready else ready


async def execute(step: PreparedStep, frame: Frame) -> Value:
    """The value of a step: its own, or what stands in where it failed; raises `RunFailure` where nothing does."""
    path = frame.path + step.name
    recorder = frame.execution.recorder
    recorder.record("step_start", path, step_kind=step.kind)
    known: dict[str, Value] = {}
    try:
        if step.when is not None and evaluate(step.when, frame.values, path) is not True:
            recorder.record("step_end", path, status="skipped")
            return None
        deadline = frame.deadline
        if step.timeout is not None:
            deadline = min(deadline, frame.execution.timer() + step.timeout)
        value = await step.work(frame, path, deadline, known)
    except RunFailure as failure:
        return _stand_in(step, frame, path, known, failure)
    except Exception as bug:
        recorder.record("step_end", path, status="broken", why=repr(bug))
        raise
    except BaseException:
        recorder.record("step_end", path, status="cancelled")
        raise
    recorder.record("step_end", path, status="ok")
    return value


def _stand_in(step: PreparedStep, frame: Frame, path: str, known: dict[str, Value], failure: RunFailure) -> Value:
    """What a failed step gives all the same: its fallback, or none where it is optional."""
    recorder = frame.execution.recorder
    if step.fallback is not None and not frame.is_committed:
        recorder.record("fallback_taken", path, failure=failure.kind.value, why=str(failure))
        try:
            value = step.fallback({**frame.values, **known}, path)
        except RunFailure as second:
            failure.message += f"; its fallback has nothing to give: {second.reason}"
            failure.best = second.best if failure.best is None else failure.best
        else:
            recorder.record("step_end", path, status="fallback")
            return value
    if step.optional and not frame.is_committed:
        recorder.record("step_end", path, status="none", why=str(failure))
        return None
    recorder.record("step_end", path, status="failed", failure=failure.kind.value, why=str(failure))
    raise failure


def prepare_recipe(recipe: Recipe, plan: Plan) -> PreparedRecipe:
    """Compile a recipe's steps and count their edges; raises `ValueError` where steps wait for each other for ever."""
    steps = tuple(prepare_step(step, plan) for step in recipe.steps)
    places = {step.name: place for place, step in enumerate(steps)}
    needs = tuple(frozenset(places[name] for name in step.reads if name in places) for step in steps)
    readers: list[list[int]] = [[] for _ in steps]
    for reader, needed in enumerate(needs):
        for place in needed:
            readers[place].append(reader)
    _check_order(recipe.name, needs)
    if "return" not in places:
        raise ValueError(f"recipe `{recipe.name}` returns nothing")
    return PreparedRecipe(
        recipe.name,
        steps,
        tuple(len(needed) for needed in needs),
        tuple(map(tuple, readers)),
        places["return"],
        places.get(speaking_step(recipe) or ""),
        frozenset(places[name] for name in answering_steps(recipe)),
        compile_optional(next(step.contract for step in recipe.steps if isinstance(step, Return)), plan),
        limits_of(recipe.budget),
        recipe.budget.time,
        needs_of(recipe, recipe.certificate),
        last_first(needs, places["return"]),
        bounds_of_arms(recipe.certificate),
    )


def limits_of(budget: Budget) -> Limits:
    """What a declared budget limits, but for time, which is a deadline."""
    return Limits(budget.calls, budget.tokens, budget.cost, budget.parallel)


def _check_order(recipe: str, needs: Sequence[frozenset[int]]) -> None:
    try:
        TopologicalSorter(dict(enumerate(needs))).prepare()
    except CycleError:
        raise ValueError(f"steps of recipe `{recipe}` wait for each other") from None
