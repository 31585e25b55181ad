"""Admission: whether a request's worst case fits into the budget of its entry, before any call is made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from recipelang.ir.certificate import Bound
from recipelang.ir.plan import Budget, Choose, Entry, HostCall, Let, Plan, RecipeCall, Return, Step
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.ledger import NO_LIMITS, ROUNDING, Limits
from recipelang.runtime.prompts import request_bytes
from recipelang.runtime.scheduling import PreparedRecipe
from recipelang.runtime.values import Request


@dataclass(frozen=True, slots=True)
class PreparedEntry:
    """An entry made ready. Its arguments are evaluated in order: a default may name those before it."""

    recipe: PreparedRecipe
    arguments: tuple[tuple[str, Evaluator], ...]
    budget: Budget
    bound: Bound | None  # none: only the budget limits a run
    counts_tokens: bool  # whether it, or a recipe inside it, has a budget of tokens or of money


def prepare_entry(entry: Entry, recipe: PreparedRecipe, plan: Plan) -> PreparedEntry:
    given = {argument.name: argument.value for argument in entry.arguments}
    parameters = plan.recipes[entry.recipe].parameters
    defaults = {parameter.name: parameter.default for parameter in parameters if parameter.default is not None}
    arguments = ((name, compile_expression(value, plan)) for name, value in {**defaults, **given}.items())
    budgets = [plan.recipes[name].budget for name in _inside(entry.recipe, plan)]
    return PreparedEntry(
        recipe,
        tuple(arguments),
        plan.recipes[entry.recipe].budget,
        None if entry.certificate is None else entry.certificate.total,
        any(budget.tokens is not None or budget.cost is not None for budget in budgets),
    )


def admitted(entry: PreparedEntry, request: Request, most: Limits = NO_LIMITS) -> Limits:
    """The bound of the run for this request, and no more than `most`; raises `RunFailure` where a budget can't hold it."""
    return _bounded(entry, request, most.tokens is not None or most.cost is not None).tightened(most)


def _bounded(entry: PreparedEntry, request: Request, counts_tokens: bool) -> Limits:
    bound = entry.bound
    if has_media(request):
        if entry.counts_tokens or counts_tokens:
            raise RunFailure(
                RunFailureKind.REQUEST_UNBOUNDED,
                "the request has images or other media, whose tokens can't be bounded, and the budget is in tokens"
                " or money",
            )
        return Limits() if bound is None else Limits(calls=bound.calls, parallel=bound.parallel)
    if bound is None:
        return Limits()
    if math.isinf(bound.prompt_tokens.constant):
        raise RunFailure(
            RunFailureKind.REQUEST_UNBOUNDED,
            f"a prompt of `{entry.recipe.name}` shows a list that has no greatest length",
        )
    size = request_bytes(request)
    tokens = math.ceil(bound.prompt_tokens.at(size)) + bound.completion_tokens
    cost = None if bound.cost is None else bound.cost.at(size)
    _must_fit(entry, size, tokens, cost)
    return Limits(bound.calls, tokens, cost, bound.parallel)


def has_media(request: Request) -> bool:
    """Whether a message has a part that is no text: an image, sound, a file."""
    return any(
        part.get("type") != "text"
        for message in request.messages
        if message.content is not None and not isinstance(message.content, str)
        for part in message.content
    )


def _must_fit(entry: PreparedEntry, size: int, tokens: int, cost: float | None) -> None:
    budget, name = entry.budget, entry.recipe.name
    if budget.tokens is not None and tokens > budget.tokens:
        needed, limit = f"{tokens} tokens", f"{budget.tokens}"
    elif budget.cost is not None and cost is not None and cost > budget.cost + ROUNDING:
        needed, limit = f"${cost:.6f}", f"${budget.cost:.6f}"
    else:
        return
    raise RunFailure(
        RunFailureKind.REQUEST_TOO_LARGE,
        f"the request has {size} bytes, for which `{name}` may need {needed}, and its budget is {limit}",
    )


def _inside(recipe: str, plan: Plan) -> frozenset[str]:
    """The names of a recipe and of all that it can call."""
    found, waiting = {recipe}, [recipe]
    while waiting:
        called = {name for step in plan.recipes[waiting.pop()].steps for name in _called(step)} - found
        found |= called
        waiting.extend(called)
    return frozenset(found)


def _called(step: Step) -> Iterator[str]:
    match step:
        case Let() | Return() | HostCall():
            return
        case Choose(arms=arms):
            yield from (arm.call.recipe for arm in arms if isinstance(arm.call, RecipeCall))
        case _:
            if isinstance(step.call, RecipeCall):
                yield step.call.recipe
