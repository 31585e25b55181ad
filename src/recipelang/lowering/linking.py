"""From checked declarations to one plan: only what is needed, with what each call must ask of its model."""

from __future__ import annotations

from typing import Any

from recipelang.ir import plan as ir
from recipelang.ir.reading import names_in, names_read
from recipelang.ir.sureness import Place, readings, steps_asked
from recipelang.quick import replace
from recipelang.semantics.checking import Checked


def link(checked: Checked, *, with_uses: bool = False) -> ir.Plan:
    """The plan of the root file's own declarations and of all that they need; `with_uses`: of all that it may name."""
    flowing = {name: _without_idle_steps(recipe) for name, recipe in checked.recipes.items()}
    asked = steps_asked(flowing, readings(flowing, checked.roles))
    needed = _needed(checked, flowing, checked.visible if with_uses else [])
    recipes = {
        name: _asking_for_logprobs(recipe, asked, checked.roles) for name, recipe in flowing.items() if name in needed
    }
    return ir.Plan(
        backends={name: value for name, value in checked.backends.items() if name in needed},
        models={name: value for name, value in checked.models.items() if name in needed},
        contracts={name: value for name, value in checked.contracts.items() if name in needed},
        roles={name: value for name, value in checked.roles.items() if name in needed},
        externs={name: value for name, value in checked.externs.items() if name in needed},
        signals={name: value for name, value in checked.signals.items() if name in needed},
        boundaries=checked.boundaries,  # a promise holds whoever names it
        recipes=recipes,
        entries=checked.entries,
    )


def _needed(checked: Checked, recipes: dict[str, ir.Recipe], more: list[str]) -> set[str]:
    """The qualified names that the root file's declarations, and `more`, reach."""
    everything: dict[str, Any] = {  # Any: nodes of any kind
        **checked.backends, **checked.models, **checked.contracts, **checked.roles, **checked.externs,
        **checked.signals, **checked.boundaries, **recipes,
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


def _asking_for_logprobs(recipe: ir.Recipe, asked: set[Place], roles: dict[str, ir.Role]) -> ir.Recipe:
    """The recipe with its calls asking for log-probabilities where something reads how sure their answers are."""
    steps = (_step_with_logprobs(step, roles) if (recipe.name, step.name) in asked else step for step in recipe.steps)
    return replace(recipe, steps=tuple(steps))


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
