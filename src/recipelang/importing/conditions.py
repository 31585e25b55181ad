"""Conditions as they are written: joined, turned around, and simplified where a part is always so; knows no foreign format."""

from __future__ import annotations

from collections.abc import Iterable

from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition's text, and how tightly it binds: 0 `or`, 1 `and`, 2 `not`, 3 a comparison, 4 a name or a call."""

    text: str
    binds: int = 4

    def within(self, binds: int) -> str:
        return self.text if self.binds > binds else f"({self.text})"


ALWAYS = Condition("true")
NEVER = Condition("false")


def all_of(conditions: Iterable[Condition]) -> Condition:
    return _joined(conditions, " and ", 1, ALWAYS, NEVER)


def any_of(conditions: Iterable[Condition]) -> Condition:
    return _joined(conditions, " or ", 0, NEVER, ALWAYS)


def negated(condition: Condition) -> Condition:
    if condition in (ALWAYS, NEVER):
        return NEVER if condition == ALWAYS else ALWAYS
    if condition.binds == 2:
        inner = condition.text.removeprefix("not ")
        return Condition(inner) if " " not in inner else Condition(f"not ({condition.text})", 2)
    if condition.binds == 3 and condition.text.count(" == ") == 1:
        return Condition(condition.text.replace(" == ", " != "), 3)
    return Condition(f"not {condition.within(2)}", 2)


def compared(what: str, sign: str, value: str) -> Condition:
    return Condition(f"{what} {sign} {value}", 3)


def _joined(conditions: Iterable[Condition], word: str, binds: int, plain: Condition, over: Condition) -> Condition:
    left = list(dict.fromkeys(each for each in conditions if each != plain))
    if over in left:
        return over
    if len(left) < 2:
        return left[0] if left else plain
    return Condition(word.join(each.within(binds - 1 if each.binds == binds else binds) for each in left), binds)
