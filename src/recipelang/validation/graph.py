"""The one door to networkx: what a plan's graphs must be, and what is heaviest in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recipelang.ir import plan as ir
from recipelang.ir.expressions import ContractReference, Expression, ModelReference, children
from recipelang.ir.reading import calls_of, expressions_of, names_read
from recipelang.ir.types import ListType

FEW = 10
"""Steps for which trying them all takes less time than to import networkx."""


@dataclass(frozen=True, slots=True)
class PlanFault:
    """Something that a plan must not have. `place` is a recipe, or a step of one."""

    place: str
    problem: str


def validate(plan: ir.Plan) -> list[PlanFault]:
    """Every fault of a plan, whoever made it; an empty list means that it can run and is bounded."""
    faults = [fault for recipe in plan.recipes.values() for fault in _recipe_faults(recipe, plan)]
    faults += _call_circles(plan)
    faults += [
        PlanFault(entry.name, f"there is no recipe `{entry.recipe}`")
        for entry in plan.entries.values()
        if entry.recipe not in plan.recipes
    ]
    faults += [
        PlanFault(model.name, f"there is no backend `{model.backend}`")
        for model in plan.models.values()
        if model.backend not in plan.backends
    ]
    return faults


def heaviest_antichain(weights: Mapping[str, int], before: Mapping[str, set[str]]) -> tuple[int, tuple[str, ...]]:
    """The steps of greatest total weight of which none comes before another: of a few by trying, else by a flow."""
    chosen = _by_trying(tuple(weights), weights, before) if len(weights) <= FEW else _by_a_flow(weights, before)
    return sum(weights[name] for name in chosen), chosen


def _by_trying(names: tuple[str, ...], weights: Mapping[str, int], before: Mapping[str, set[str]]) -> tuple[str, ...]:
    """With the first of the names or without it, whichever is heavier."""
    if not names:
        return ()
    first, *others = names
    apart = tuple(name for name in others if first not in before[name] and name not in before[first])
    having = (first, *_by_trying(apart, weights, before))
    if len(apart) == len(others):
        return having
    without = _by_trying(tuple(others), weights, before)
    return max(having, without, key=lambda chosen: sum(weights[name] for name in chosen))


def _by_a_flow(weights: Mapping[str, int], before: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Dilworth's theorem: what no chain covers, from a minimum cut."""
    import networkx as nx  # deferred: start-up cost

    graph: nx.DiGraph[tuple[str, str]] = nx.DiGraph()
    for name, weight in weights.items():
        graph.add_edge(("", "source"), (name, "out"), capacity=weight)
        graph.add_edge((name, "in"), ("", "sink"), capacity=weight)
        for earlier in before[name] & weights.keys():
            graph.add_edge((earlier, "out"), (name, "in"))
    _, (reached, _) = nx.minimum_cut(graph, ("", "source"), ("", "sink"))
    return tuple(name for name in weights if (name, "out") in reached and (name, "in") not in reached)


def _recipe_faults(recipe: ir.Recipe, plan: ir.Plan) -> list[PlanFault]:
    import networkx as nx  # deferred: start-up cost

    faults: list[PlanFault] = []
    names = [step.name for step in recipe.steps]
    faults += [
        PlanFault(recipe.name, f"two steps are called `{n}`") for n in sorted({n for n in names if names.count(n) > 1})
    ]
    if names.count("return") != 1:
        faults.append(PlanFault(recipe.name, "a recipe has exactly one `return`"))
    fed = {parameter.name for parameter in recipe.parameters} | {"request"} | set(names) - {"return"}
    graph: nx.DiGraph[object] = nx.DiGraph()
    graph.add_nodes_from(names)
    for step in recipe.steps:
        place = f"{recipe.name}.{step.name}"
        reads = names_read(step)
        faults += [PlanFault(place, f"nothing feeds `{name}`") for name in sorted(reads - fed)]
        graph.add_edges_from((name, step.name) for name in reads & set(names))
        faults += _step_faults(step, place, plan)
    if not nx.is_directed_acyclic_graph(graph):
        circle = [edge[0] for edge in nx.find_cycle(graph)]
        faults.append(PlanFault(recipe.name, "steps wait for each other: " + " → ".join([*circle, circle[0]])))
    elif "return" in names:
        idle = set(names) - nx.ancestors(graph, "return") - {"return"}
        faults += [PlanFault(f"{recipe.name}.{name}", "does not reach `return`") for name in sorted(idle)]
    return faults


def _step_faults(step: ir.Step, place: str, plan: ir.Plan) -> list[PlanFault]:
    faults = [fault for call in calls_of(step) for fault in _call_faults(call, place, plan)]
    for expression in expressions_of(step):
        faults += _unknown_references(expression, place, plan)
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
        case _:
            return [fault for child in children(expression) for fault in _unknown_references(child, place, plan)]


def _call_circles(plan: ir.Plan) -> list[PlanFault]:
    import networkx as nx  # deferred: start-up cost

    graph: nx.DiGraph[str] = nx.DiGraph()
    for recipe in plan.recipes.values():
        for step in recipe.steps:
            for call in calls_of(step):
                if isinstance(call, ir.RecipeCall):
                    graph.add_edge(recipe.name, call.recipe)
    if nx.is_directed_acyclic_graph(graph):
        return []
    circle = [edge[0] for edge in nx.find_cycle(graph)]
    return [PlanFault(circle[0], "recipes call each other: " + " → ".join([*circle, circle[0]]))]
