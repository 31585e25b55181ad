"""The names that a host offers to clients: those that a plan exposes, or else its recipes, each over the models there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from recipelang.hosts.binding import ArgumentProblem, bound_entry
from recipelang.ir.plan import Entry, Plan
from recipelang.ir.types import AnswerType
from recipelang.quick import replace


def plans_to_serve(paths: Sequence[str], compiled: Callable[[list[str]], Plan], uses: Sequence[str] = ()) -> list[Plan]:
    """A plan for each file that exposes names, and one of all the others, used together and with `uses`."""
    exposing: list[Plan] = []
    others: list[str] = []
    for path in paths:
        plan = None if path.startswith("std.") else compiled([path])
        if plan is not None and plan.entries:
            exposing.append(plan)
        else:
            others.append(path)
    together = compiled([*others, *uses]) if others else None
    return exposing if together is None or not together.recipes else [*exposing, together]


def with_names(plan: Plan, pool: Sequence[str] | None = None) -> Plan:
    """The plan, where it exposes nothing with its recipes exposed by their own names.

    A recipe takes its models from the `pool`, by default all of the plan. Left out are those that need more than
    models, or more of them than there are, and those that give something else than an answer.
    """
    if plan.entries:
        return plan
    entries: dict[str, Entry] = {}
    for name, recipe in plan.recipes.items():
        if not isinstance(recipe.returns, AnswerType):
            continue
        try:
            entry = bound_entry(plan, name, {}, list(plan.models) if pool is None else pool)
        except ArgumentProblem:
            continue
        entries[name] = entry
    return replace(plan, entries=entries)
