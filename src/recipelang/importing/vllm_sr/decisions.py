"""The decisions of a profile: one recipe each, and one that chooses among them in the order in which the router would."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.importing.conditions import ALWAYS, NEVER, Condition
from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr.algorithms import Algorithms
from recipelang.importing.vllm_sr.rules import condition_of
from recipelang.importing.vllm_sr.signals import Signals
from recipelang.importing.writing import doc, remarks_above
from recipelang.quick import dataclass, field


@dataclass
class Decisions:
    """The decisions of one policy."""

    name: str
    routing: Part
    signals: Signals
    algorithms: Algorithms
    recipes: dict[str, str]  # the names of its decisions, by their places
    assigned: Part | None = None  # the models of decisions, where an entry point says them
    arms: list[tuple[Condition, str]] = field(default_factory=list)

    def lines(self, description: str, default: str | None) -> Iterator[str]:
        strategy = self.routing.get("strategy")
        if not strategy.is_one_of("priority", ""):
            strategy.change("decisions are asked in the order of their priorities, however sure their signals are")
        decisions = sorted(self.routing.get("decisions").items(), key=_rank)
        for part in decisions:
            _tell_idle_ranks(part, decisions)
            yield from self._decision(part, default)
        yield from self._policy(description, default)

    def _decision(self, part: Part, default: str | None) -> Iterator[str]:
        own = self.recipes[part.place]
        refs = list(part.either("modelRefs", "model_refs", "models").items())
        if not refs and self.assigned is not None:
            refs = list(self.assigned.get(part.get("name").text()).get("models").items())
        condition = condition_of(part.get("rules"), self.signals)
        body = self.algorithms.body(part, refs, own, default)
        if body is None:
            part.lose("it names no model, and there is no other")
            return
        yield from _flushed(self.algorithms.roles)
        yield from _flushed(self.algorithms.models.later)
        yield from remarks_above(part)
        yield from doc(part.get("description").text())
        yield f"recipe {own}() -> answer {{\n{body}  return reply\n}}\n"
        if condition == NEVER:
            part.get("name").change("none of what it asks for is seen here: it is never taken")
        elif any(held == ALWAYS for held, _ in self.arms):
            part.get("name").change("a decision before it is always taken")
        else:
            self.arms.append((condition, f"{own}()"))

    def _policy(self, description: str, default: str | None) -> Iterator[str]:
        if not self.arms or self.arms[-1][0] != ALWAYS:
            if default is not None:
                self.algorithms.used.add("direct")
            self.arms.append((ALWAYS, f"direct({default})" if default else 'fail("no decision applies")'))
        yield from doc(description)
        arms = [
            f"    otherwise => {call}" if held == ALWAYS else f"    when {held.text} => {call}"
            for held, call in self.arms
        ]
        yield "\n".join(
            [f"recipe {self.name}() -> answer {{", "  choose reply {", *arms, "  }", "  return reply", "}\n"]
        )


def _rank(part: Part) -> tuple[float, bool, float, str]:
    """The router's order: tiers, then those that ask for something, then priorities, then names."""
    rules = part.get("rules")
    open_to_all = not rules.given or (
        not rules.get("type").given and not rules.get("conditions").given and isinstance(rules.data, dict)
    )
    return part.get("tier").number(), open_to_all, -part.get("priority").number(), part.get("name").text()


def _tell_idle_ranks(part: Part, decisions: list[Part]) -> None:
    """Says of a tier and a priority that order nothing that they do."""
    if len(decisions) == 1 and part.get("tier").given:
        part.get("tier").lose("there is no other decision")
    if part.get("priority").given and [_rank(other)[:2] for other in decisions].count(_rank(part)[:2]) == 1:
        part.get("priority").lose("no other decision stands where it would count")


def _flushed(lines: list[str]) -> Iterator[str]:
    yield from lines
    lines.clear()
