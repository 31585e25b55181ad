"""Roles that return a plan: which of their parameters name the workers, and the greatest number of tasks."""

from __future__ import annotations

from recipelang.diagnostics import Report
from recipelang.diagnostics.catalogue import types
from recipelang.ir.plan import Parameter, Planning
from recipelang.ir.types import IntType, ListType, ModelType, PlanType
from recipelang.quick import dataclass
from recipelang.syntax import nodes

HELP = "`-> plan(workers, most)`: `workers` is a parameter such as `workers: model[1..6]`, `most` one such as `most: int(1..8)`"


@dataclass(frozen=True, slots=True)
class PlanReturn:
    """What `-> plan(workers, most)` says."""

    type: PlanType
    planning: Planning


def plan_return(node: nodes.NamedType, parameters: list[Parameter], report: Report) -> PlanReturn | None:
    """Reads the return type of a role that makes a plan; none where it is not understood, which is reported."""
    given = {parameter.name: parameter.type for parameter in parameters}
    if len(node.cases) != 2:
        report(types.TYPE_ARGUMENTS.at(node.span, "a plan is made for some workers, with a number of steps", help=HELP))
        return None
    workers, steps = (case.text for case in node.cases)
    for name, case in zip((workers, steps), node.cases, strict=True):
        if name not in given:
            report(types.TYPE_ARGUMENTS.at(case.span, f"the role has no parameter `{name}`", help=HELP))
            return None
    match given[workers], given[steps]:
        case ListType(ModelType(), low), IntType(least, high) if low >= 1 and least is not None and least >= 1:
            return PlanReturn(PlanType(high), Planning(workers, steps))
        case ListType(ModelType(), low), _ if low >= 1:
            report(types.TYPE_ARGUMENTS.at(node.cases[1].span, "the number of steps is at least 1", help=HELP))
        case _:
            report(types.TYPE_ARGUMENTS.at(node.cases[0].span, "the workers are a list of models", help=HELP))
    return None


def is_plan(node: nodes.Type | None) -> bool:
    return isinstance(node, nodes.NamedType) and node.name.text == "plan"
