"""What has changed from one plan to another: bounds, names, steps, prompts, models, promises, each change told once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from recipelang.comparing.settings import arguments_of, call_of, settings_of
from recipelang.ir.certificate import Certificate
from recipelang.ir.plan import Plan, Recipe
from recipelang.quick import dataclass

Status = Literal["added", "removed", "changed"]
GROUPS = {
    "names": "exposed names", "budgets": "budgets", "recipes": "recipes", "steps": "steps", "prompts": "prompts",
    "roles": "roles", "models": "models", "backends": "backends", "contracts": "contracts",
    "functions": "functions of the host", "signals": "signals", "boundaries": "boundaries", "docs": "documentation",
}  # fmt: skip
"""The kinds of change, in the order in which they are told, and what they are called."""
FIGURES = ("calls", "tokens", "money", "time", "parallel")
MORE = tuple(f"more-{figure}" for figure in FIGURES)
FORBIDDABLE = (*MORE, *GROUPS, "any")
"""What a gate can forbid."""


@dataclass(frozen=True, slots=True)
class BoundChange:
    """A figure of what an exposed name or a recipe can use at most; none: unknown, as where a price is missing."""

    of: str
    figure: str
    before: float | None
    after: float | None

    @property
    def is_more(self) -> bool:
        return (math.inf if self.after is None else self.after) > (math.inf if self.before is None else self.before)


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A part of the plan that is new, gone or set otherwise; `line` tells one that is new or gone in a few words."""

    group: str
    name: str
    status: Status
    settings: tuple[Setting, ...]
    line: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """What has changed from one plan to another: its bounds, and its parts."""

    bounds: tuple[BoundChange, ...]
    changes: tuple[Change, ...]

    @property
    def is_none(self) -> bool:
        return not self.bounds and not self.changes

    def forbidden(self, gates: frozenset[str]) -> list[str]:
        """Which of the gates it breaks, in their order."""
        found = {f"more-{bound.figure}" for bound in self.bounds if bound.is_more}
        found |= {change.group for change in self.changes}
        if not self.is_none:
            found.add("any")
        return [gate for gate in FORBIDDABLE if gate in gates & found]


def difference(before: Plan, after: Plan, request: int | None = None) -> Difference:
    """What has changed; bounds are for a `request` of so many bytes, by default what each budget must be enough for."""
    return Difference(tuple(_bounds(before, after, request)), tuple(_changes(before, after)))


def _bounds(before: Plan, after: Plan, request: int | None) -> Iterator[BoundChange]:
    """Exposed names first, then the recipes."""
    for name, entry in after.entries.items():
        if name in before.entries:
            size = after.recipes[entry.recipe].budget.request if request is None else request
            yield from _figures(f'"{name}"', before.entries[name].certificate, entry.certificate, size)
    for name, recipe in after.recipes.items():
        if name in before.recipes:
            size = recipe.budget.request if request is None else request
            yield from _figures(name, before.recipes[name].certificate, recipe.certificate, size)


def _figures(name: str, before: Certificate | None, after: Certificate | None, size: int) -> Iterator[BoundChange]:
    if before is None or after is None:
        return
    for figure, one, other in zip(FIGURES, _used(before, size), _used(after, size), strict=True):
        if one != other and not (one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9)):
            yield BoundChange(name, figure, one, other)


def _used(certificate: Certificate, size: int) -> tuple[float | None, ...]:
    total = certificate.total
    tokens = total.prompt_tokens.at(size) + total.completion_tokens
    cost = None if total.cost is None else total.cost.at(size)
    return total.calls, math.ceil(tokens) if math.isfinite(tokens) else tokens, cost, total.seconds, total.parallel


def _changes(before: Plan, after: Plan) -> list[Change]:
    found = [*_declared("names", before.entries, after.entries)]
    found += _declared("recipes", before.recipes, after.recipes)
    for name, recipe in after.recipes.items():
        if name in before.recipes:
            found += _steps(before.recipes[name], recipe)
    found += _declared("roles", before.roles, after.roles)
    found += _declared("models", before.models, after.models)
    found += _declared("backends", before.backends, after.backends)
    found += _declared("contracts", before.contracts, after.contracts)
    found += _declared("functions", before.externs, after.externs)
    found += _declared("signals", before.signals, after.signals)
    found += _declared("boundaries", before.boundaries, after.boundaries)
    order = list(GROUPS)
    return sorted(found, key=lambda change: order.index(change.group))


def _steps(before: Recipe, after: Recipe) -> Iterator[Change]:
    """The steps of a recipe; one that has become another kind of step is told as such."""
    one, other = ({step.name: step for step in recipe.steps} for recipe in (before, after))
    for change in _declared("steps", one, other):
        name = change.name
        kinds = (one[name].kind, other[name].kind) if change.status == "changed" else None
        settings = (Setting("step", *kinds), *change.settings) if kinds and kinds[0] != kinds[1] else change.settings
        step = other.get(name) or one[name]
        line = "" if change.status == "changed" else call_of(step)
        yield Change("steps", f"{after.name}.{name}", change.status, settings, line)


def _declared(
    group: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:  # Any: nodes of a kind
    for name in [*after, *(name for name in before if name not in after)]:
        one = settings_of(before[name]) if name in before else {}
        other = settings_of(after[name]) if name in after else {}
        changed = [
            Setting(key, one.get(key), other.get(key)) for key in {**one, **other} if one.get(key) != other.get(key)
        ]
        if name not in before or name not in after:
            status: Status = "added" if name in after else "removed"
            yield Change(group, name, status, tuple(changed), _line(group, other or one))
        elif changed or (group == "steps" and before[name].kind != after[name].kind):
            yield from _by_group(group, name, changed)


def _by_group(group: str, name: str, changed: list[Setting]) -> Iterator[Change]:
    """The settings of one declaration by what they are about: a prompt is no policy."""
    groups: dict[str, list[Setting]] = {} if changed else {group: []}
    for setting in changed:
        about = group
        if setting.name in ("prompt", "system"):
            about = "prompts"
        elif setting.name == "doc":
            about = "docs"
        elif setting.name.startswith("budget."):
            about = "budgets"
        groups.setdefault(about, []).append(setting)
    for about, settings in groups.items():
        yield Change(about, name, "changed", tuple(settings))


def _line(group: str, told: Mapping[str, str]) -> str:
    match group:
        case "names":
            return f"{told['recipe']}({arguments_of(told)})"
        case "models":
            return f"{told['id']} on {told['backend']}"
        case "backends":
            return told.get("url", told["protocol"])
        case "signals":
            return told["value"]
        case "boundaries":
            return f"when {told['when']}, allow {told['allow']}"
        case "recipes" | "roles" | "functions":
            given = ", ".join(f"{name.split()[1]}: {told[name]}" for name in told if name.startswith("parameter "))
            return f"({given}) -> {told['returns']}"
        case _:
            return ""
