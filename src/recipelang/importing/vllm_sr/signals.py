"""The signals of a policy as they are gathered: what each comes to where a rule, or a sum, asks for it."""

from __future__ import annotations

import re

from recipelang.importing.conditions import (
    ALWAYS,
    NEVER,
    Condition,
    all_of,
    compared,
)
from recipelang.importing.reading import Part
from recipelang.importing.writing import Names, bare_name, doc, remarks_above
from recipelang.quick import dataclass, field

STANDARD = {
    "attack": "signals",
    "facts": "signals", "dissatisfied": "signals", "unclear": "intents", "wants_another": "intents",
    "satisfied": "intents", "wants_image": "intents", "wants_text": "intents", "task": "intents",
}  # fmt: skip
"""The standard signals that stand in for classifiers, and the standard files that they are in."""
ONE = {
    "keywords": "keyword", "embeddings": "embedding", "domains": "domain", "reasks": "reask", "events": "event",
    "user_feedbacks": "user_feedback", "preferences": "preference", "role_bindings": "authz", "actions": "action",
    "classifiers": "classifier",
}  # fmt: skip
"""How one signal of a family is referred to, where not as the family is called."""


@dataclass
class Signals:
    """The signals of one policy: what a reference to one comes to, and what its value is where a sum asks."""

    names: Names
    within: str  # the policy's name
    valued: set[tuple[str, str]] = field(default_factory=set)  # those of which a number is asked
    settings: Part | None = None  # of the router's embeddings
    conditions: dict[tuple[str, str], Condition] = field(default_factory=dict)
    values: dict[tuple[str, str], str] = field(default_factory=dict)
    standard: set[str] = field(default_factory=set)  # files of standard signals that are read
    lines: list[str] = field(default_factory=list)
    composed: list[tuple[str, str, Part]] = field(default_factory=list)  # what holds only where other signals say so
    # A name, type and value, to the name it got.
    declared: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def declare(self, part: Part, type: str, value: str, name: str = "") -> str:
        """The name of a signal of that value: one that is there already, or a new one."""
        wanted = bare_name(name or part.get("name").text())
        known = self.declared.get((wanted, type, value))
        if known is not None:
            part.get("description").done()
            return known
        found = self.names.name(wanted, self.within)
        self.lines += remarks_above(part)
        self.lines += doc(part.get("description").text())
        written = f"signal {found}: {type} = {value}" if type else f"band {found} = {value}"
        self.lines.append(f"{written}\n")
        self.declared[(wanted, type, value)] = found
        return found

    def give(self, part: Part, kind: str, condition: Condition, name: str = "") -> None:
        """A signal that is there or not."""
        own = part.get("name").text()
        if condition in (ALWAYS, NEVER):
            part.change(
                f"nothing is asked for that is known here: it is {'always' if condition == ALWAYS else 'never'} there"
            )
        if condition in (ALWAYS, NEVER) or re.fullmatch(r"[a-z_]\w*( == \w+)?", condition.text):
            inline(part)
            self.conditions[(kind, own)] = condition
        else:
            self.conditions[(kind, own)] = Condition(self.declare(part, "bool", condition.text, name))

    def is_valued(self, kind: str, part: Part) -> bool:
        return (kind, str(part.get("name").data)) in self.valued

    def stands_in(self, name: str) -> Condition:
        """A standard signal."""
        self.standard.add(STANDARD[name.partition(" ")[0]])
        return Condition(name, 3 if " " in name else 4)

    def nearest_wins(self, family: str) -> None:
        """Of several examples the nearest is there, where the router says so, and that is what it does by default."""
        rules = [(own, value) for (kind, own), value in self.values.items() if kind == family]
        if len(rules) < 2 or not self.one_wins():
            for own, _ in rules:
                self.conditions[(family, own)] = Condition(self.named(own, self.conditions[(family, own)]))
            return
        nearest = self.names.name("nearest", self.within)
        self.lines.append("# Of several examples that a request is like, the nearest counts.")
        self.lines.append(f"signal {nearest}: score = max({', '.join(value for _, value in rules)})\n")
        for own, value in rules:
            won = all_of([self.conditions[(family, own)], compared(value, "==", nearest)])
            self.conditions[(family, own)] = Condition(self.named(own, won))

    def named(self, own: str, condition: Condition) -> str:
        name = self.names.name(own, self.within)
        self.lines.append(f"signal {name}: bool = {condition.text}\n")
        return name

    def one_wins(self) -> bool:
        top = self.settings.get("top_k") if self.settings is not None else None
        return top is None or top.number(1) == 1

    def soft(self) -> float | None:
        """The likeness that is enough for the nearest, where matching is soft."""
        if self.settings is None or not self.settings.get("enable_soft_matching").flag():
            return None
        return self.settings.get("min_score_threshold").number(0.5)


def inline(part: Part) -> None:
    """A signal whose condition stands where it is asked has no place for a description."""
    if part.get("description").given:
        part.get("description").lose("what it asks for stands where it is asked")
