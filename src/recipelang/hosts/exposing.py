"""The names that a host offers to clients: those that a plan exposes, or else its recipes, each over the models there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from recipelang.hosts.binding import ArgumentProblem, bound_entry
from recipelang.ir.plan import Entry, Plan, Recipe, RecipeCall
from recipelang.ir.reading import calls_of
from recipelang.ir.types import AnswerType, TextType


def with_names(plan: Plan, pool: Callable[[Recipe], Sequence[str]] | None = None) -> Plan:
    """The plan, where it exposes nothing with its recipes exposed by their own names.

    A recipe takes its models from the `pool` for it, by default all of the plan. Left out are those that need more than
    models, or more of them than there are, that give no answer, and that are a part of others.
    """
    if plan.entries:
        return plan
    inner = {
        call.recipe
        for recipe in plan.recipes.values()
        for step in recipe.steps
        for call in calls_of(step)
        if isinstance(call, RecipeCall)
    }
    entries: dict[str, Entry] = {}
    for name, recipe in plan.recipes.items():
        if name in inner or not isinstance(recipe.returns, AnswerType | TextType):
            continue
        try:
            entry = bound_entry(plan, name, {}, list(plan.models) if pool is None else pool(recipe))
        except ArgumentProblem:
            continue
        entries[name] = entry
    return replace(plan, entries=entries)
