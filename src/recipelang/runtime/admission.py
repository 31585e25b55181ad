"""Admission: whether a request's worst case fits into the budget of its entry, before any call is made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from recipelang.ir.certificate import Bound, Certificate
from recipelang.ir.plan import Budget, Choose, Entry, HostCall, Let, Plan, RecipeCall, Return, Step
from recipelang.quick import replace
from recipelang.quick import unguarded as dataclass
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.ledger import ROUNDING, Limits
from recipelang.runtime.members import images_of
from recipelang.runtime.needs import needs_of
from recipelang.runtime.prompts import request_bytes
from recipelang.runtime.prospects import bounds_of_arms
from recipelang.runtime.scheduling import PreparedRecipe
from recipelang.runtime.values import Request


@dataclass(frozen=True, slots=True)
class PreparedEntry:
    """An entry made ready. Its arguments are evaluated in order: a default may name those before it."""

    recipe: PreparedRecipe
    arguments: tuple[tuple[str, Evaluator], ...]
    budgets: Mapping[str, Budget]  # of its recipe and of all inside it, by name
    certificate: Certificate | None  # none: only the budget limits a run
    counts_tokens: bool  # whether it, or a recipe inside it, has a budget of tokens or of money


def prepare_entry(entry: Entry, recipe: PreparedRecipe, plan: Plan) -> PreparedEntry:
    given = {argument.name: argument.value for argument in entry.arguments}
    parameters = plan.recipes[entry.recipe].parameters
    defaults = {parameter.name: parameter.default for parameter in parameters if parameter.default is not None}
    arguments = ((name, compile_expression(value, plan)) for name, value in {**defaults, **given}.items())
    budgets = {name: plan.recipes[name].budget for name in _inside(entry.recipe, plan)}
    return PreparedEntry(
        replace(
            recipe,
            needs=needs_of(plan.recipes[entry.recipe], entry.certificate),
            arms=bounds_of_arms(entry.certificate),
        ),
        tuple(arguments),
        budgets,
        entry.certificate,
        any(budget.tokens is not None or budget.cost is not None for budget in budgets.values()),
    )


def admitted(entry: PreparedEntry, request: Request, *, counts_tokens: bool = False) -> Limits:
    """The bound of the run for this request; raises `RunFailure` where a budget can't hold it.

    Of tokens and money there is none where those of the request can't be bounded; `counts_tokens` refuses such a request.
    """
    parts = media(request)
    unbounded = _unbounded(entry, parts)
    if unbounded is not None and (entry.counts_tokens or counts_tokens):
        raise RunFailure(RunFailureKind.REQUEST_UNBOUNDED, f"{unbounded}, and the budget is in tokens or money")
    certificate = entry.certificate
    if certificate is None:
        return Limits()
    bound = certificate.total
    if unbounded is not None:
        return Limits(calls=bound.calls, parallel=bound.parallel)
    if math.isinf(bound.prompt_tokens.constant):
        raise RunFailure(
            RunFailureKind.REQUEST_UNBOUNDED,
            f"a prompt of `{entry.recipe.name}` shows a list that has no greatest length",
        )
    size = request_bytes(request)
    worst = Worst.at(bound, size, parts.images)
    worst.must_fit(entry.budgets[entry.recipe.name], entry.recipe.name)
    for inside in certificate.nested:
        Worst.at(inside.bound, size, parts.images).must_fit(entry.budgets[inside.recipe], inside.recipe)
    return Limits(bound.calls, worst.tokens, worst.cost, bound.parallel)


def _unbounded(entry: PreparedEntry, parts: Media) -> str | None:
    """Why the tokens of a request can't be bounded: an image of a model that does not say, or what is neither text nor image."""
    if parts.others:
        return "the request has media other than images, whose tokens can't be bounded"
    if not parts.images:
        return None
    if entry.certificate is None:
        return "the request has images, whose tokens can't be bounded"
    silent = entry.certificate.uncounted
    if not silent:
        return None
    named = ", ".join(name if name == "any model" else f"`{name}`" for name in silent)
    return f"the request has images, and what one counts at most (`image_tokens`) is not declared for {named}"


@dataclass(frozen=True, slots=True)
class Media:
    """The parts of a request that are no text."""

    images: int
    others: int


def media(request: Request) -> Media:
    """How many images a request has, and how many parts that are neither text nor image."""
    images = others = 0
    for message in request.messages:
        if message.content is not None and not isinstance(message.content, str):
            shown = images_of(message)
            images += shown
            others += sum(part.get("type") != "text" for part in message.content) - shown
    return Media(images, others)


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that a run can use for one request, in what grows with the request."""

    size: int  # bytes of the request
    tokens: int
    cost: float | None

    @staticmethod
    def of(bound: Bound, request: Request) -> Worst:
        return Worst.at(bound, request_bytes(request), media(request).images)

    @staticmethod
    def at(bound: Bound, size: int, images: int) -> Worst:
        tokens = math.ceil(bound.prompt_tokens.at(size, images)) + bound.completion_tokens
        return Worst(size, tokens, None if bound.cost is None else bound.cost.at(size, images))

    def must_fit(self, budget: Budget, name: str) -> None:
        """Raise `RunFailure` where the budget of the recipe of that name can't hold it."""
        if budget.tokens is not None and self.tokens > budget.tokens:
            needed, limit = f"{self.tokens} tokens", f"{budget.tokens}"
        elif budget.cost is not None and self.cost is not None and self.cost > budget.cost + ROUNDING:
            needed, limit = f"${self.cost:.6f}", f"${budget.cost:.6f}"
        else:
            return
        raise RunFailure(
            RunFailureKind.REQUEST_TOO_LARGE,
            f"the request has {self.size} bytes, for which `{name}` may need {needed}, and its budget is {limit}",
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
