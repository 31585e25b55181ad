"""The order of a recipe's steps: each after those that it names, no circles, nothing that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from recipelang.diagnostics import Label, Report
from recipelang.diagnostics.catalogue import bounds, warnings
from recipelang.quick import dataclass, field, names_of
from recipelang.semantics.scope import Local
from recipelang.syntax import nodes


def in_order(steps: list[nodes.Step], report: Report) -> list[nodes.Step]:
    """The steps so that each comes after those that it names; a circle is reported and left out."""
    walk = _Walk({name_of(step): step for step in steps}, report)
    for name, step in walk.by_name.items():
        if _waits_for_itself(step):
            walk.circle((name, name))
    for start in walk.by_name:
        walk.visit(start)
    return [step for step in walk.order if not _waits_for_itself(step)]


def _waits_for_itself(step: nodes.Step) -> bool:
    return name_of(step) in names_read(step) and not isinstance(step, (nodes.Repeat, nodes.Return))


@dataclass
class _Walk:
    """Depth first, with a stack of its own: a recipe may have thousands of steps in a row."""

    by_name: dict[str, nodes.Step]
    report: Report
    done: dict[str, bool] = field(default_factory=dict)  # false while it is on the path
    order: list[nodes.Step] = field(default_factory=list)

    def needs(self, name: str) -> Iterator[str]:
        return (other for other in sorted(names_read(self.by_name[name])) if other in self.by_name and other != name)

    def visit(self, start: str) -> None:
        if start in self.done:
            return
        path = [(start, self.needs(start))]
        self.done[start] = False
        while path:
            name, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                self.done[name] = True
                self.order.append(self.by_name[name])
            elif following not in self.done:
                self.done[following] = False
                path.append((following, self.needs(following)))
            elif not self.done[following]:
                on_path = [step for step, _ in path]
                self.circle((*on_path[on_path.index(following) :], following))

    def circle(self, circle: tuple[str, ...]) -> None:
        first = self.by_name[circle[0]]
        place = first.span if isinstance(first, nodes.Return) else first.name.span
        others = [(self.by_name[one], following) for one, following in pairwise(circle[1:])]
        self.report(
            bounds.STEP_CIRCLE.at(
                place,
                "these steps wait for each other" if len(circle) > 2 else "this step waits for itself",
                label=f"waits for `{circle[1]}`",
                labels=tuple(
                    Label(step.name.span, f"waits for `{following}`")
                    for step, following in others
                    if not isinstance(step, nodes.Return)
                ),
                notes=(" → ".join(circle),),
                help="only `repeat` may read its own name, for the value of the round before",
            )
        )


def check_use(steps: list[nodes.Step], parameters: dict[str, Local], report: Report) -> None:
    """Warns of steps and parameters that nothing reads."""
    readers: dict[str, list[str]] = {}
    for step in steps:
        for name in names_read(step):
            readers.setdefault(name, []).append(name_of(step))
    for step in steps:
        if not isinstance(step, nodes.Return) and readers.get(step.name.text, []) in ([], [step.name.text]):
            report(
                warnings.UNUSED.at(
                    step.name.span,
                    f"nothing reads the step `{step.name.text}`",
                    help="it is left out of the plan: return it, pass it on, or remove it",
                )
            )
    for name, value in parameters.items():
        if name not in readers and value.span is not None:
            report(warnings.UNUSED.at(value.span, f"nothing reads the parameter `{name}`", help="remove it"))


def name_of(step: nodes.Step) -> str:
    return "return" if isinstance(step, nodes.Return) else step.name.text


def names_read(node: object) -> set[str]:
    """Every name that occurs in a value position; those that are bound inside do no harm, as names are unique."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if isinstance(at, nodes.Name):
            found.add(at.text)
        elif isinstance(at, tuple):
            waiting += at
        elif isinstance(at, nodes.Attribute) and at.name.text in _WORDS:
            continue
        elif isinstance(at, nodes.Node):
            waiting += [getattr(at, name) for name in names_of(at) if name not in _NOT_READ]
    return found


_WORDS = frozenset(("on_error", "spread"))
"""The policies whose values are bare words of the language."""
_NOT_READ = frozenset(("name", "callee", "variable", "span"))
"""The fields of nodes that hold names which introduce something, or name a declaration or a member."""
