"""When a recipe's steps can run: their order, their critical path, what can run at once; the one door to networkx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from recipelang.ir.plan import Recipe, Step
from recipelang.ir.reading import names_read
from recipelang.quick import dataclass

if TYPE_CHECKING:
    import networkx as nx

Needs = Mapping[str, frozenset[str]]
"""The steps that each step reads."""

FEW = 10
"""Steps for which trying them all takes less time than to import networkx."""


@dataclass(frozen=True, slots=True)
class StepGraph:
    """The steps of a recipe in an order of the data flow, and which steps each reads."""

    ordered: tuple[Step, ...]
    needs: dict[str, frozenset[str]]

    @staticmethod
    def of(recipe: Recipe) -> StepGraph:
        by_name = {step.name: step for step in recipe.steps}
        needs = {name: names_read(step) & by_name.keys() for name, step in by_name.items()}
        from graphlib import TopologicalSorter  # deferred: start-up cost

        order = TopologicalSorter(needs).static_order()
        return StepGraph(tuple(by_name[name] for name in order), needs)

    def longest(self, seconds: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
        """The time of the critical path, and its steps that take any."""
        ends: dict[str, float] = {}
        latest: dict[str, str | None] = {}
        for step in self.ordered:
            latest[step.name] = max(sorted(self.needs[step.name]), key=ends.__getitem__, default=None)
            ends[step.name] = seconds[step.name] + ends.get(latest[step.name] or "", 0.0)
        path = []
        at = max(ends, key=ends.__getitem__, default=None)
        total = ends[at] if at is not None else 0.0
        while at is not None:
            path.append(at)
            at = latest[at]
        return total, tuple(name for name in reversed(path) if seconds[name])

    def heaviest(self, weights: Mapping[str, int]) -> tuple[int, tuple[str, ...]]:
        """The greatest sum of weights of steps that can run at once: an antichain."""
        in_order = {step.name: weights[step.name] for step in self.ordered}
        return heaviest_antichain(in_order, self.needs)


def heaviest_antichain(weights: Mapping[str, int], needs: Needs) -> tuple[int, tuple[str, ...]]:
    """The steps of greatest total weight of which none comes before another; `weights` are in an order of the flow.

    In a chain it is the heaviest step; of a few steps all sets are tried, of more a flow finds it.
    """
    weighing = tuple(name for name, weight in weights.items() if weight > 0)
    if _is_chain(weighing, weights, needs):
        chosen: tuple[str, ...] = (max(weighing, key=weights.__getitem__),) if weighing else ()
    elif len(weighing) <= FEW:
        chosen = _by_trying(weighing, weights, _before(weights, needs))
    else:
        chosen = _by_a_flow(weights, needs)
    return sum(weights[name] for name in chosen), chosen


def _is_chain(names: tuple[str, ...], ordered: Mapping[str, int], needs: Needs) -> bool:
    """Whether each of the names waits for the one before it."""
    place = {name: at for at, name in enumerate(names)}
    latest: dict[str, int] = {}  # the last of the names that each step waits for
    for name in ordered:
        latest[name] = max((place.get(needed, latest[needed]) for needed in needs[name]), default=-1)
    return all(latest[name] == at - 1 for name, at in place.items())


def _before(ordered: Mapping[str, int], needs: Needs) -> dict[str, set[str]]:
    """All the steps that end before each starts."""
    found: dict[str, set[str]] = {}
    for name in ordered:
        found[name] = set(needs[name]).union(*(found[needed] for needed in needs[name]))
    return found


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


def _by_a_flow(weights: Mapping[str, int], needs: Needs) -> tuple[str, ...]:
    """Dilworth's theorem: what no chain covers, from a minimum cut. A chain may pass through a step on its way."""
    import networkx as nx  # deferred: start-up cost

    graph: nx.DiGraph[tuple[str, str]] = nx.DiGraph()
    for name, weight in weights.items():
        graph.add_edge(("", "source"), (name, "out"), capacity=weight)
        graph.add_edge((name, "in"), ("", "sink"), capacity=weight)
        graph.add_edge((name, "in"), (name, "out"))
        for needed in needs[name]:
            graph.add_edge((needed, "out"), (name, "in"))
    _, (reached, _) = nx.minimum_cut(graph, ("", "source"), ("", "sink"))
    return tuple(
        name for name, weight in weights.items() if weight and (name, "out") in reached and (name, "in") not in reached
    )
