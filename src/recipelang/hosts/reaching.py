"""What an entry reaches: the models and recipes that it may call, and the part of its plan that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from recipelang.ir.plan import Entry, Plan
from recipelang.ir.reading import names_in
from recipelang.quick import replace


def models_of(plan: Plan, entry: Entry) -> list[str]:
    """The names of the models that an entry may call."""
    found = _called(plan, entry)
    return [name for name in plan.models if name in found]


def recipes_of(plan: Plan, entry: Entry) -> list[str]:
    """The names of the recipes that an entry may run."""
    found = _called(plan, entry)
    return [name for name in plan.recipes if name in found]


def part_of(plan: Plan, *entries: Entry) -> Plan:
    """The plan of these entries alone: what they name, and what that names. A boundary holds whoever names it."""
    tables: Mapping[str, Mapping[str, Any]] = {  # Any: declarations of any kind
        "recipes": plan.recipes,
        "roles": plan.roles,
        "models": plan.models,
        "contracts": plan.contracts,
        "backends": plan.backends,
        "externs": plan.externs,
        "signals": plan.signals,
    }
    found = _reached([*entries, *plan.boundaries.values()], [*tables.values(), plan.boundaries])
    parts = {kind: {name: its for name, its in table.items() if name in found} for kind, table in tables.items()}
    return replace(plan, entries={entry.name: entry for entry in entries}, **parts)


def _called(plan: Plan, entry: Entry) -> set[str]:
    """All names in an entry, and in the recipes and the roles that these are: what signals and boundaries look at is not called."""
    return _reached([entry], [plan.recipes, plan.roles])


def _reached(nodes: Iterable[object], tables: Iterable[Mapping[str, object]]) -> set[str]:
    """All names in some nodes, and in what the tables have by these names."""
    found, waiting = set[str](), [name for node in nodes for name in names_in(node)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [inner for table in tables if name in table for inner in names_in(table[name])]
    return found
