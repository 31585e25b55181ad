"""What a plan's graphs must be, whoever made the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from recipelang.ir import plan as ir
from recipelang.ir.expressions import (
    ApplyExpression,
    BoundaryReference,
    ContractReference,
    Expression,
    ModelReference,
    SignalReference,
    children,
    free_variables,
)
from recipelang.ir.functions import FUNCTIONS
from recipelang.ir.reading import calls_of, expressions_of, names_in, names_read
from recipelang.ir.template import Section, Slot, Template, Words
from recipelang.ir.types import ListType
from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class PlanFault:
    """Something that a plan must not have. `place` is a recipe, or a step of one."""

    place: str
    problem: str


class UnsoundPlan(ValueError):
    """A plan that can't be run, or is not bounded; `faults` are all that is wrong with it."""

    def __init__(self, faults: list[PlanFault]) -> None:
        super().__init__("; ".join(f"{fault.place}: {fault.problem}" for fault in faults))
        self.faults = faults


def must_be_valid(plan: ir.Plan) -> None:
    """Raises `UnsoundPlan` where `validate` finds a fault."""
    faults = validate(plan)
    if faults:
        raise UnsoundPlan(faults)


def validate(plan: ir.Plan) -> list[PlanFault]:
    """Every fault of a plan, whoever made it; an empty list means that it can run and is bounded."""
    faults = _misfiled(plan)
    faults += [fault for recipe in plan.recipes.values() for fault in _recipe_faults(recipe, plan)]
    faults += _call_circles(plan)
    faults += [fault for role in plan.roles.values() for fault in _role_faults(role, plan)]
    faults += [fault for entry in plan.entries.values() for fault in _entry_faults(entry, plan)]
    faults += [
        PlanFault(model.name, f"there is no backend `{model.backend}`")
        for model in plan.models.values()
        if model.backend not in plan.backends
    ]
    faults += [fault for signal in plan.signals.values() for fault in _signal_faults(signal, plan)]
    faults += _reading_circles(plan)
    for boundary in plan.boundaries.values():
        faults += _unknown_references(boundary.when, boundary.name, plan)
        faults += _unknown_references(boundary.allow, boundary.name, plan)
    return faults


def _misfiled(plan: ir.Plan) -> list[PlanFault]:
    """Declarations that stand under another name than their own."""
    kinds = (
        plan.backends,
        plan.models,
        plan.contracts,
        plan.roles,
        plan.externs,
        plan.signals,
        plan.boundaries,
        plan.recipes,
    )
    filed = [item for kind in (*kinds, plan.entries) for item in kind.items()]
    return [PlanFault(name, f"its own name is `{declared.name}`") for name, declared in filed if name != declared.name]


def _recipe_faults(recipe: ir.Recipe, plan: ir.Plan) -> list[PlanFault]:
    names = [step.name for step in recipe.steps]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults = [PlanFault(recipe.name, f"two steps are called `{name}`") for name in twice]
    if names.count("return") != 1:
        faults.append(PlanFault(recipe.name, "a recipe has exactly one `return`"))
    faults += _default_faults(recipe.name, recipe.parameters, plan)
    fed = {parameter.name for parameter in recipe.parameters} | {"request"} | set(names) - {"return"}
    for step in recipe.steps:
        place = f"{recipe.name}.{step.name}"
        faults += [PlanFault(place, f"nothing feeds `{name}`") for name in sorted(names_read(step) - fed)]
        faults += _step_faults(step, place, plan)
    return faults + _flow_faults(recipe)


def _flow_faults(recipe: ir.Recipe) -> list[PlanFault]:
    """Steps that wait for each other, or else those that nothing on the way to `return` waits for."""
    before: dict[str, list[str]] = {step.name: [] for step in recipe.steps}
    for step in recipe.steps:
        before[step.name] += sorted(names_read(step) & before.keys())
    circle = _circle(before)
    if circle:
        return [PlanFault(recipe.name, f"steps wait for each other: {circle}")]
    if "return" not in before:
        return []
    reaching, waiting = set[str](), ["return"]
    while waiting:
        name = waiting.pop()
        if name not in reaching:
            reaching.add(name)
            waiting += before[name]
    idle = before.keys() - reaching
    return [PlanFault(f"{recipe.name}.{name}", "does not reach `return`") for name in sorted(idle)]


def _default_faults(place: str, parameters: Iterable[ir.Parameter], plan: ir.Plan) -> list[PlanFault]:
    faults: list[PlanFault] = []
    for parameter in parameters:
        if parameter.default is not None:
            unfed = sorted(free_variables(parameter.default) - {"request"})
            faults += [PlanFault(place, f"nothing feeds `{name}` in a default") for name in unfed]
            faults += _unknown_references(parameter.default, place, plan)
    return faults


def _role_faults(role: ir.Role, plan: ir.Plan) -> list[PlanFault]:
    known = {parameter.name for parameter in role.parameters}
    read = {path[0] for template in (role.system, role.prompt) for path in _paths(template or ()) if path}
    faults = [
        PlanFault(role.name, f"its prompt reads `{name}`, which is no parameter") for name in sorted(read - known)
    ]
    faults += _default_faults(role.name, role.parameters, plan)
    for expression in (role.model, role.contract):
        if expression is not None:
            faults += _unknown_references(expression, role.name, plan)
    return faults


def _paths(template: Template) -> Iterator[tuple[str, ...]]:
    """What a template reads."""
    for part in template:
        match part:
            case Slot(path):
                yield path
            case Section(path, then, otherwise):
                yield path
                yield from _paths(then)
                yield from _paths(otherwise)
            case Words():
                pass


def _entry_faults(entry: ir.Entry, plan: ir.Plan) -> list[PlanFault]:
    if entry.recipe not in plan.recipes:
        return [PlanFault(entry.name, f"there is no recipe `{entry.recipe}`")]
    recipe = plan.recipes[entry.recipe]
    given = {argument.name: argument.value for argument in entry.arguments}
    wanted = {parameter.name for parameter in recipe.parameters if parameter.default is None}
    faults = [PlanFault(entry.name, f"`{recipe.name}` also needs `{name}`") for name in sorted(wanted - given.keys())]
    known = {parameter.name for parameter in recipe.parameters}
    faults += [
        PlanFault(entry.name, f"`{recipe.name}` has no parameter `{name}`") for name in sorted(given.keys() - known)
    ]
    for value in given.values():
        unfed = sorted(free_variables(value) - {"request"})
        faults += [PlanFault(entry.name, f"nothing feeds `{name}`") for name in unfed]
        faults += _unknown_references(value, entry.name, plan)
    return faults


def _step_faults(step: ir.Step, place: str, plan: ir.Plan) -> list[PlanFault]:
    faults = [fault for call in calls_of(step) for fault in _call_faults(call, place, plan)]
    for expression in expressions_of(step):
        faults += _unknown_references(expression, place, plan)
    if isinstance(step, ir.HostCall) and step.extern not in plan.externs:
        faults.append(PlanFault(place, f"there is no function of the host `{step.extern}`"))
    if isinstance(step, ir.Fanout) and isinstance(step.type, ListType) and step.type.high is None:
        faults.append(PlanFault(place, "the number of its branches is not bounded"))
    if isinstance(step, ir.Repeat) and step.over is None and step.times is None:
        faults.append(PlanFault(place, "the number of its rounds is not bounded"))
    return faults


def _call_faults(call: ir.Call, place: str, plan: ir.Plan) -> list[PlanFault]:
    known = plan.roles.get(call.role) if isinstance(call, ir.RoleCall) else plan.recipes.get(call.recipe)
    if known is None:
        target = call.role if isinstance(call, ir.RoleCall) else call.recipe
        return [PlanFault(place, f"there is no {call.kind} `{target}`")]
    wanted = {parameter.name for parameter in known.parameters}
    given = {argument.name for argument in call.arguments}
    missing = [PlanFault(place, f"`{known.name}` also needs `{name}`") for name in sorted(wanted - given)]
    return missing + [PlanFault(place, f"`{known.name}` has no parameter `{name}`") for name in sorted(given - wanted)]


def _unknown_references(expression: Expression, place: str, plan: ir.Plan) -> list[PlanFault]:
    match expression:
        case ModelReference(name) if name not in plan.models:
            return [PlanFault(place, f"there is no model `{name}`")]
        case ContractReference(name) if name not in plan.contracts:
            return [PlanFault(place, f"there is no contract `{name}`")]
        case BoundaryReference(name) if name not in plan.boundaries:
            return [PlanFault(place, f"there is no boundary `{name}`")]
        case SignalReference(name) if name not in plan.signals:
            return [PlanFault(place, f"there is no signal `{name}`")]
        case ApplyExpression(function=name) if name not in FUNCTIONS:
            return [PlanFault(place, f"there is no function `{name}`")]
        case _:
            return [fault for child in children(expression) for fault in _unknown_references(child, place, plan)]


def _signal_faults(signal: ir.Signal, plan: ir.Plan) -> list[PlanFault]:
    unfed = sorted(free_variables(signal.value) - {"request"})
    faults = [PlanFault(signal.name, f"nothing feeds `{name}` in a signal") for name in unfed]
    return faults + _unknown_references(signal.value, signal.name, plan)


def _reading_circles(plan: ir.Plan) -> list[PlanFault]:
    """Signals and boundaries that are computed from each other."""
    read = {name: set(names_in(signal.value)) for name, signal in plan.signals.items()}
    read |= {name: set(names_in(boundary.when)) for name, boundary in plan.boundaries.items()}
    circle = _circle({name: sorted(others & read.keys()) for name, others in read.items()})
    return [PlanFault(circle.split(" → ")[0], f"signals read each other: {circle}")] if circle else []


def _call_circles(plan: ir.Plan) -> list[PlanFault]:
    called = {
        recipe.name: [
            call.recipe for step in recipe.steps for call in calls_of(step) if isinstance(call, ir.RecipeCall)
        ]
        for recipe in plan.recipes.values()
    }
    circle = _circle({name: [other for other in others if other in called] for name, others in called.items()})
    backwards = " → ".join(reversed(circle.split(" → ")))  # from who calls to who is called
    return [PlanFault(backwards.split(" → ")[0], f"recipes call each other: {backwards}")] if circle else []


def _circle(before: Mapping[str, Iterable[str]]) -> str:
    """One circle of a graph that is given by what comes before each node: `a → b → a`; empty where there is none."""
    from graphlib import CycleError, TopologicalSorter  # deferred: start-up cost

    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        names: list[str] = error.args[1]
        return " → ".join(names)
    return ""
