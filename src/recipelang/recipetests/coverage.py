"""Coverage: which steps, arms and fallbacks of the tested recipes no test reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from recipelang.compilation import Compilation
from recipelang.ir import plan as ir
from recipelang.quick import dataclass
from recipelang.recipetests.observing import Watched
from recipelang.recipetests.results import TestResult
from recipelang.semantics.checking import Checked
from recipelang.semantics.testing import reached_recipes
from recipelang.source import Span
from recipelang.syntax import nodes

RAN = frozenset(("ok", "fallback", "none", "failed"))
"""How a step ends that was not left out."""


@dataclass(frozen=True, slots=True)
class Reachable:
    """A step, an arm of a choice or a fallback, and whether a test reached it."""

    recipe: str
    step: str
    what: str  # `step`, `arm 2`, `fallback`, `failure` of an optional step
    span: Span
    reached: bool

    @property
    def title(self) -> str:
        return f"{self.recipe}.{self.step}" if self.what == "step" else f"the {self.what} of {self.recipe}.{self.step}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """All that there is to reach in the recipes of a file and in those that its tests run."""

    parts: tuple[Reachable, ...]

    @property
    def reached(self) -> int:
        return sum(part.reached for part in self.parts)

    @property
    def missed(self) -> tuple[Reachable, ...]:
        return tuple(part for part in self.parts if not part.reached)

    @property
    def percent(self) -> float:
        """Of what is there to reach; of nothing all was reached."""
        return 100 * self.reached / len(self.parts) if self.parts else 100.0


def coverage_of(compilation: Compilation, results: Sequence[TestResult]) -> Coverage:
    """What the tests of a compilation reached."""
    checked = compilation.checked
    watched = [result.watched for result in results]
    parts = [part for name in tested_recipes(checked) for part in _parts(checked, name, watched)]
    return Coverage(tuple(parts))


def tested_recipes(checked: Checked) -> list[str]:
    """The recipes of the file itself, and of other files those that a test runs, with what these run of their own file."""
    own = [name for name in checked.own if name in checked.recipes]
    found = dict.fromkeys(own)
    for test in checked.tests:
        source = checked.recipe_nodes[test.entry.recipe].span.source
        for name in reached_recipes(test.entry.recipe, checked.recipes):
            if checked.recipe_nodes[name].span.source is source:
                found.setdefault(name)
    return list(found)


def _parts(checked: Checked, recipe: str, watched: Sequence[Watched]) -> Iterator[Reachable]:
    written = {_name(node): node for node in checked.recipe_nodes[recipe].steps}
    for step in checked.recipes[recipe].steps:
        place, node = (recipe, step.name), written[step.name]
        endings = {status for run in watched for status in run.endings.get(place, ())}
        yield Reachable(recipe, step.name, "step", _head(node), bool(endings & RAN))
        if isinstance(step, ir.Choose) and isinstance(node, nodes.Choose):
            taken = {arm for run in watched for arm in run.arms.get(place, ())}
            for number, arm in enumerate(node.arms):
                yield Reachable(recipe, step.name, f"arm {number + 1}", arm.span, number in taken)
        if getattr(step, "fallback", None) is not None:
            took = any(place in run.fallbacks for run in watched)
            yield Reachable(recipe, step.name, "fallback", _attribute(node, "fallback"), took)
        if getattr(step, "optional", False):
            yield Reachable(recipe, step.name, "failure", _attribute(node, "optional"), "none" in endings)


def _name(node: nodes.Step) -> str:
    return "return" if isinstance(node, nodes.Return) else node.name.text


def _head(node: nodes.Step) -> Span:
    return node.span if isinstance(node, nodes.Return) else node.name.span


def _attribute(node: nodes.Step, name: str) -> Span:
    policy = None if isinstance(node, nodes.Let) else node.policy
    found = (attribute.span for attribute in (policy.attributes if policy else ()) if attribute.name.text == name)
    return next(found, node.span)


def merged(all_of: Iterable[Coverage]) -> Coverage:
    """The coverage of several files: a part counts once, and is reached where any file reaches it."""
    parts: dict[tuple[str, int, str], Reachable] = {}
    for one in all_of:
        for part in one.parts:
            key = (part.span.source.name, part.span.start, part.what)
            if key not in parts or part.reached:
                parts[key] = part
    return Coverage(tuple(parts.values()))
