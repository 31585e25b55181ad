"""Which numbers of a file there are to fit: of its bands, its signals, the parameters and steps of its recipes. Knows
nothing of how they are fitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recipelang.ir.plan import ESTIMATES
from recipelang.quick import dataclass, names_of, replace
from recipelang.source import Span
from recipelang.syntax import nodes

Kind = nodes.NumberKind


@dataclass(frozen=True, slots=True)
class Slot:
    """A number that can be fitted. `label` says which one it is where several stand together."""

    label: str
    node: nodes.Number
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, slots=True)
class Unit:
    """Numbers that stand together, below one comment: of a band, a signal, a recipe's parameters, a step, an arm.

    `name` is what an author asks for them by; `arm` is the place of the arm whose estimates they are.
    """

    name: str
    span: Span
    slots: tuple[Slot, ...]
    arm: int | None = None

    @property
    def start(self) -> int:
        """Where the first line of it begins, the documentation above it included."""
        text = self.span.source.text
        at = text.rfind("\n", 0, self.span.start) + 1
        while at and text[(above := text.rfind("\n", 0, at - 1) + 1) : at].lstrip().startswith("##"):
            at = above
        return at


def units(file: nodes.File) -> Iterator[Unit]:
    """All that can be fitted in a file, in its order."""
    for node in file.declarations:
        match node:
            case nodes.Band(name=name, cuts=cuts):
                yield Unit(name.text, node.span, tuple(Slot(cut.above.text, cut.at, *_range(cut.at)) for cut in cuts))
            case nodes.Signal(name=name, value=value):
                yield from _unit(name.text, node.span, _numbers(value, ""))
            case nodes.Recipe():
                yield from _of_recipe(node)
            case _:
                pass


def _of_recipe(recipe: nodes.Recipe) -> Iterator[Unit]:
    slots = [
        Slot(parameter.name.text, parameter.default, *_of_type(parameter.type))
        for parameter in recipe.parameters
        if isinstance(parameter.default, nodes.Number) and parameter.default.kind in (Kind.FLOAT, Kind.INT)
    ]
    for slot in slots:
        yield Unit(f"{recipe.name.text}.{slot.label}", recipe.span, (slot,))
    for step in recipe.steps:
        name = f"{recipe.name.text}.{'return' if isinstance(step, nodes.Return) else step.name.text}"
        found: list[Slot] = []
        if isinstance(step, nodes.Choose):
            for number, arm in enumerate(step.arms):
                yield from _unit(name, arm.span, _of_arm(arm), number)
                found += _numbers(arm.condition, "when") if arm.condition is not None else []
        policy = getattr(step, "policy", None)
        for attribute in policy.attributes if policy is not None else ():
            found += _numbers(attribute.value, attribute.name.text)
        yield from _unit(name, step.span, found)


def _of_arm(arm: nodes.Arm) -> list[Slot]:
    block = arm.estimates.attributes if arm.estimates is not None else ()
    return [slot for attribute in block if attribute.name.text in ESTIMATES for slot in _estimates(attribute)]


def _estimates(attribute: nodes.Attribute) -> Iterator[Slot]:
    """The numbers of `quality = clamp(0.9 - 0.4 * difficulty)`, amounts and times too, but for those of conditions."""
    conditions = [node.condition.span for node in _conditionals(attribute.value)]
    for slot in _numbers(attribute.value, "", (Kind.FLOAT, Kind.INT, Kind.MONEY, Kind.DURATION)):
        if any(span.start <= slot.node.span.start < span.end for span in conditions):
            continue
        yield replace(slot, label=f"{attribute.name.text} {slot.label}".strip(), high=float("inf"))


def _conditionals(node: Any) -> Iterator[nodes.Conditional]:  # Any: a node or a part of one
    if isinstance(node, nodes.Conditional):
        yield node
    if isinstance(node, tuple):
        yield from (found for item in node for found in _conditionals(item))
    elif isinstance(node, nodes.Node):
        yield from (found for name in names_of(node) if name != "span" for found in _conditionals(getattr(node, name)))


def _unit(name: str, span: Span, slots: Iterable[Slot], arm: int | None = None) -> Iterator[Unit]:
    found: list[Slot] = []
    for slot in slots:
        label = slot.label or "base"
        taken = sum(each.label.rstrip("0123456789 ") == label for each in found)
        found.append(replace(slot, label=f"{label} {taken + 1}" if taken else label))
    if found:
        yield Unit(name, span, tuple(found), arm)


def _numbers(
    node: Any, label: str, kinds: tuple[Kind, ...] = (Kind.FLOAT,)
) -> list[Slot]:  # Any: a node or a part of one
    """The numbers in an expression, each called by what it is a weight of."""
    match node:
        case nodes.Number():
            return [Slot(label, node, *_range(node))] if node.kind in kinds else []
        case nodes.Binary("*", nodes.Number() as number, other) | nodes.Binary("*", other, nodes.Number() as number):
            return [*_numbers(number, f"{label} {_called(other)}".strip(), kinds), *_numbers(other, label, kinds)]
        case nodes.Call(arguments=arguments):
            return [slot for argument in arguments for slot in _numbers(argument.value, label, kinds)]
        case tuple():
            return [slot for item in node for slot in _numbers(item, label, kinds)]
        case nodes.Text() | nodes.Name():
            return []
        case nodes.Node():
            inner = (getattr(node, name) for name in names_of(node) if name != "span")
            return [slot for item in inner for slot in _numbers(item, label, kinds)]
        case _:
            return []


def _called(node: nodes.Expression) -> str:
    match node:
        case nodes.Name(text=text):
            return text
        case nodes.Call(callee=callee):
            return callee.text
        case nodes.Member(name=name):
            return name.text
        case _:
            return ""


def _range(number: nodes.Number) -> tuple[float, float]:
    """What a number may become: a share stays one."""
    return (0.0, 1.0) if 0 <= number.value <= 1 and number.kind is Kind.FLOAT else (0.0, float("inf"))


def _of_type(type: nodes.Type) -> tuple[float, float]:
    match type:
        case nodes.NamedType(name, nodes.Bounds(low, high)) if name.text == "int":
            return float(low or 0), float("inf") if high is None else float(high)
        case nodes.NamedType(name) if name.text == "score":
            return 0.0, 1.0
        case _:
            return 0.0, float("inf")
