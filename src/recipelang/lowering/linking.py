"""From checked declarations to one plan: only what is needed, with what each call must ask of its model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recipelang.ir import plan as ir
from recipelang.ir.expressions import ApplyExpression, MemberExpression
from recipelang.ir.reading import names_in, names_read, nodes_in
from recipelang.ir.types import AnswerType
from recipelang.semantics.checking import Checked


def link(checked: Checked, *, with_uses: bool = False) -> ir.Plan:
    """The plan of the root file's own declarations and of all that they need; `with_uses`: of all that it may name."""
    flowing = {name: _without_idle_steps(recipe) for name, recipe in checked.recipes.items()}
    sure = _recipes_that_read_confidence(flowing)
    needed = _needed(checked, flowing, checked.visible if with_uses else [])
    recipes = {
        name: _asking_for_logprobs(recipe, checked.roles) if name in sure else recipe
        for name, recipe in flowing.items()
        if name in needed
    }
    return ir.Plan(
        backends={name: value for name, value in checked.backends.items() if name in needed},
        models={name: value for name, value in checked.models.items() if name in needed},
        contracts={name: value for name, value in checked.contracts.items() if name in needed},
        roles={name: value for name, value in checked.roles.items() if name in needed},
        externs={name: value for name, value in checked.externs.items() if name in needed},
        boundaries=checked.boundaries,  # a promise holds whoever names it
        recipes=recipes,
        entries=checked.entries,
    )


def _needed(checked: Checked, recipes: dict[str, ir.Recipe], more: list[str]) -> set[str]:
    """The qualified names that the root file's declarations, and `more`, reach."""
    everything: dict[str, Any] = {  # Any: nodes of any kind
        **checked.backends, **checked.models, **checked.contracts, **checked.roles, **checked.externs,
        **checked.boundaries, **recipes,
    }  # fmt: skip
    waiting = [*checked.own, *more]
    for node in (*checked.entries.values(), *checked.boundaries.values()):
        waiting += names_in(node)
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in everything and name not in needed:
            needed.add(name)
            waiting += names_in(everything[name])
    return needed


def _without_idle_steps(recipe: ir.Recipe) -> ir.Recipe:
    """The recipe without the steps that nothing on the way to `return` reads: a run would end without waiting for them."""
    by_name = {step.name: step for step in recipe.steps}
    reaching, waiting = set[str](), ["return"]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in reaching:
            reaching.add(name)
            waiting += names_read(by_name[name])
    return replace(recipe, steps=tuple(step for step in recipe.steps if step.name in reaching))


def _recipes_that_read_confidence(recipes: dict[str, ir.Recipe]) -> set[str]:
    """Those that ask how sure an answer is, and those whose answers they get: their calls ask for log-probabilities."""
    waiting = list(_readers_of_confidence(recipes))
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found and name in recipes:
            found.add(name)
            waiting += [node.recipe for node in nodes_in(recipes[name].steps) if isinstance(node, ir.RecipeCall)]
    return found


def _readers_of_confidence(recipes: dict[str, ir.Recipe]) -> set[str]:
    """Those that read it themselves, and those that hand answers to one that does."""
    found = {name for name, recipe in recipes.items() if any(_reads_confidence(n) for n in nodes_in(recipe))}
    while True:
        handed = {name for name in found if any(isinstance(t, AnswerType) for t in nodes_in(recipes[name].parameters))}
        more = {
            name
            for name, recipe in recipes.items()
            if any(isinstance(node, ir.RecipeCall) and node.recipe in handed for node in nodes_in(recipe.steps))
        }
        if more <= found:
            return found
        found |= more


def _reads_confidence(node: object) -> bool:
    match node:
        case ApplyExpression(function="confidence") | MemberExpression(name="confidence"):
            return True
        case _:
            return False


def _asking_for_logprobs(recipe: ir.Recipe, roles: dict[str, ir.Role]) -> ir.Recipe:
    return replace(recipe, steps=tuple(_step_with_logprobs(step, roles) for step in recipe.steps))


def _step_with_logprobs(step: ir.Step, roles: dict[str, ir.Role]) -> ir.Step:
    match step:
        case ir.Choose():
            return replace(step, arms=tuple(replace(arm, call=_with_logprobs(arm.call, roles)) for arm in step.arms))
        case ir.Ask() | ir.Fanout() | ir.Cascade() | ir.Repeat() | ir.Perform():
            return replace(step, call=_with_logprobs(step.call, roles))
        case _:
            return step


def _with_logprobs(call: Any, roles: dict[str, ir.Role]) -> Any:  # Any: an arm's call may be a `fail`
    if isinstance(call, ir.RoleCall) and call.role in roles and roles[call.role].schema is None:
        return replace(call, logprobs=True)
    return call
