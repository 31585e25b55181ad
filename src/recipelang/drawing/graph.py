"""What is drawn: a recipe's steps with a few words on each, and which reads which."""

from __future__ import annotations

from dataclasses import dataclass

from recipelang.ir import plan as ir
from recipelang.ir.expressions import Constant, FailExpression
from recipelang.ir.reading import names_read


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    kind: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """`edges` go from a step to one that reads it."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]


def graph_of(plan: ir.Plan, recipe: str) -> Graph:
    """The graph of one recipe of the plan."""
    drawn = plan.recipes[recipe]
    calls = {step.step: step.bound.calls for step in drawn.certificate.steps} if drawn.certificate else {}
    names = [step.name for step in drawn.steps]
    nodes = tuple(Node(step.name, step.kind, _lines(step, calls.get(step.name, 0))) for step in drawn.steps)
    edges = tuple((name, step.name) for step in drawn.steps for name in names if name in names_read(step))
    return Graph(drawn.name, nodes, edges)


def _lines(step: ir.Step, calls: int) -> tuple[str, ...]:
    title = "return" if isinstance(step, ir.Return) else f"{step.kind} {step.name}"
    lines = [title, *_calls(step), *_policy(step)]
    if calls:
        lines.append(f"at most {calls} call{'' if calls == 1 else 's'}")
    return tuple(lines)


def _calls(step: ir.Step) -> list[str]:
    match step:
        case ir.Let() | ir.Return():
            return []
        case ir.Choose(arms=arms):
            return [_callee(arm.call) for arm in arms]
        case ir.Fanout() | ir.Cascade():
            return [f"{_callee(step.call)} for each {step.variable}"]
        case _:
            return [_callee(step.call)]


def _callee(call: ir.RoleCall | ir.RecipeCall | FailExpression) -> str:
    match call:
        case ir.RoleCall(role=name) | ir.RecipeCall(recipe=name):
            return name
        case FailExpression():
            return "fail"


def _policy(step: ir.Step) -> list[str]:
    said = []
    if isinstance(step, ir.Fanout) and isinstance(step.quorum, Constant):
        said.append(f"quorum {step.quorum.value}")
    timeout = getattr(step, "timeout", None)
    if timeout is not None:
        said.append(f"{timeout:g} s")
    if getattr(step, "fallback", None) is not None:
        said.append("fallback")
    return [", ".join(said)] if said else []
