"""What is drawn: a recipe's steps with a few words on each, and which reads which."""

from __future__ import annotations

from recipelang.drawing.spelling import seconds, spelled
from recipelang.ir import plan as ir
from recipelang.ir.expressions import Expression, FailExpression
from recipelang.ir.reading import names_read
from recipelang.quick import dataclass

COLORS = {
    "ask": "#3b82f6", "fanout": "#8b5cf6", "cascade": "#f59e0b", "repeat": "#ec4899",
    "choose": "#14b8a6", "run": "#6366f1", "let": "#94a3b8", "return": "#22c55e",
    "perform": "#ef4444", "call": "#64748b",
}  # fmt: skip
"""The colour of each kind of step, that of its box's edge; they show on a light and on a dark page."""
FEW = 24
"""Characters of what is shown beside other words."""


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
            return [spelled(step.value)]
        case ir.HostCall(extern=name):
            return [name]
        case ir.Choose(arms=arms):
            by = [] if step.by is None else [f"the best by {spelled(step.by, FEW)}"]
            return [_arm(arm) for arm in arms] + by
        case ir.Fanout() | ir.Cascade():
            return [f"{_callee(step.call)} for {step.variable} in {spelled(step.over, FEW)}"]
        case ir.Perform():
            return [f"{_callee(step.call)} for {step.variable} in {spelled(step.plan, FEW)}"]
        case ir.Repeat():
            return [f"{_callee(step.call)} {_rounds(step)}"]
        case _:
            return [_callee(step.call)]


def _rounds(step: ir.Repeat) -> str:
    if step.over is not None:
        return f"for {step.variable} in {spelled(step.over, FEW)}"
    return "" if step.times is None else f"up to {spelled(step.times, FEW)} times"


def _arm(arm: ir.Arm) -> str:
    return f"{_callee(arm.call)} {'otherwise' if arm.when is None else f'when {spelled(arm.when, FEW)}'}"


def _callee(call: ir.ArmCall) -> str:
    match call:
        case ir.RoleCall(role=name) | ir.RecipeCall(recipe=name):
            return name
        case FailExpression():
            return "fail"


def _policy(step: ir.Step) -> list[str]:
    """What a step may do besides its work, in the order in which it would come to it."""
    lines = [f"{name} {spelled(value)}" for name, value in _conditions(step) if value is not None]
    said: list[str] = []
    if isinstance(step, ir.Fanout):
        said += [f"{name} {spelled(value, FEW)}" for name, value in _counts(step) if value is not None]
        said += [f"grace {seconds(step.grace)}"] if step.grace else []
    retries = getattr(step, "retries", 0)
    if retries:
        said.append(f"{retries} {'retry' if retries == 1 else 'retries'}")
    hedge = getattr(step, "hedge", None)
    if hedge is not None:
        said.append(f"again after {seconds(hedge)}")
    timeout = getattr(step, "timeout", None)
    if timeout is not None:
        said.append(f"timeout {seconds(timeout)}")
    if getattr(step, "on_error", "fail") == "skip":
        said.append("skips failures")
    if getattr(step, "optional", False):
        said.append("optional")
    if said:
        lines.append(", ".join(said))
    fallback = getattr(step, "fallback", None)
    return lines if fallback is None else [*lines, f"else {spelled(fallback)}"]


def _conditions(step: ir.Step) -> tuple[tuple[str, Expression | None], ...]:
    match step:
        case ir.Ask():
            return (("when", step.when),)
        case ir.Fanout():
            return (("keep", step.keep),)
        case ir.Cascade():
            return (("accept", step.accept),)
        case ir.Repeat():
            return (("until", step.until),)
        case ir.Return():
            return (("contract", step.contract),)
        case _:
            return ()


def _counts(step: ir.Fanout) -> tuple[tuple[str, Expression | None], ...]:
    return ("samples", step.samples), ("parallel", step.parallel), ("quorum", step.quorum)
