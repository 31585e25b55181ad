"""Thousands of runs of one entry, each on a request of its own, on an event loop where waiting takes no time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import cast

import anyio

from recipelang.hosts.reaching import models_of
from recipelang.ir.plan import Entry, Plan
from recipelang.quick import dataclass
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ledger import Spend
from recipelang.runtime.ports import HostFunction
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Answer, Json, Message, Request
from recipelang.simulation.models import SimulatedModels
from recipelang.simulation.profiles import Profiles

QUESTION = Request((Message("user", "What is the answer?"),))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run went. `correct`: none where no profile says how often its model is right."""

    spend: Spend
    answered_by: str | None  # a model; none: there is no answer, or it is of no model
    failure: str | None
    fallbacks: tuple[str, ...]  # the steps that something stood in for
    correct: bool | None


def simulated(
    plan: Plan,
    entry: Entry,
    profiles: Profiles,
    *,
    runs: int,
    seed: int = 0,
    requests: Sequence[Request] = (QUESTION,),
) -> list[Outcome]:
    """The outcomes; the same for the same seed. Requests are asked in turn. Raises `ProfileProblem` for a model without a profile.

    Not to be called on a running event loop.
    """
    for model in models_of(plan, entry):
        profiles.of(model)
    run = partial(_all, plan, entry, profiles, range(runs), seed, requests)
    return anyio.run(run, backend_options={"loop_factory": VirtualTimeLoop})


async def _all(
    plan: Plan, entry: Entry, profiles: Profiles, numbers: Iterable[int], seed: int, requests: Sequence[Request]
) -> list[Outcome]:
    models = SimulatedModels(profiles, seed)
    functions: dict[str, HostFunction] = dict.fromkeys(plan.externs, _not_there)
    interpreter = Interpreter(plan, dict.fromkeys(plan.backends, models), functions)
    knows = any(profiles.of(model).correct is not None for model in models_of(plan, entry))
    outcomes = []
    for number in numbers:
        models.ask(number)
        request = requests[number % len(requests)]
        outcomes.append(await _one(interpreter, entry, request, seed + number, profiles if knows else None))
    return outcomes


async def _not_there(**arguments: Json) -> Json:
    raise NotImplementedError("a simulation has no functions of the host")


async def _one(interpreter: Interpreter, entry: Entry, request: Request, seed: int, truth: Profiles | None) -> Outcome:
    try:
        result = await interpreter.run(entry, request, seed=seed)
    except RunFailure as failure:
        kind, spend, trace = failure.kind.value, failure.spend, failure.trace
        return Outcome(cast(Spend, spend), None, kind, _fallbacks(cast(Trace, trace)), None if truth is None else False)
    by = result.answer.model.name if isinstance(result.answer, Answer) else None
    correct = None if truth is None else truth.concluded(result.text)[-1:] == [truth.right]
    return Outcome(result.spend, by, None, _fallbacks(result.trace), correct)


def _fallbacks(trace: Trace) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.step for event in trace.events if event.kind == "fallback_taken"))
