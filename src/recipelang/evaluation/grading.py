"""Graders: whether an answer is right. What can't be found out is a state of its own, and not a no."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation

from recipelang.evaluation.items import Item
from recipelang.evaluation.packs import Verdict
from recipelang.quick import dataclass, field
from recipelang.runtime.values import Json

Tests = Callable[[str, str], Awaitable[Mapping[str, Json]]]
"""Runs a program against its tests: `run_tests` of the host functions."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict, and where judges gave it what each of them said: none for one that failed."""

    verdict: Verdict
    why: str = ""
    judges: Mapping[str, bool | None] = field(default_factory=dict)
    cost: float | None = 0.0  # dollars that grading took
    said: str | None = None  # what the answer comes to, in a form that can be compared


def graded_plainly(item: Item, text: str) -> Grade:
    """By the graders that need nothing but the text."""
    said = comparable(item, text)
    match item.grader:
        case "exact":
            wanted = item.reference if isinstance(item.reference, list) else [item.reference]
            return _grade(normal(final(text)) in [normal(str(one)) for one in wanted], said)
        case "choice":
            return _grade(said == str(item.reference).strip().upper(), said)
        case "number":
            return _grade(_near(number(text), number(str(item.reference)), item.tolerance), said)
        case "schema":
            return _fits(text, item.schema, said)
        case other:
            raise ValueError(other)


async def graded_by_tests(item: Item, text: str, tests: Tests) -> Grade:
    ended = await tests(code(text), item.tests)
    return _grade(bool(ended["passed"]), comparable(item, text), str(ended["log"])[:500])


def comparable(item: Item, text: str) -> str | None:
    """What an answer comes to, so that equal answers are equal texts; none where it comes to nothing that can be compared.

    >>> comparable(Item("1", [], "number", 42), "So it is 42.0"), comparable(Item("2", [], "choice", "B"), "B or C")
    ('42', None)
    """
    match item.grader:
        case "choice":
            return choice(text)
        case "number":
            value = number(text)
            return None if value is None else str(value.normalize())
        case "schema":
            try:
                return json.dumps(json.loads(code(text, "json")), sort_keys=True)
            except (ValueError, RecursionError):
                return None
        case "code":
            return None  # two programs that do the same are seldom the same text
        case _:
            return normal(final(text)) or None


def _grade(right: bool, said: str | None, why: str = "") -> Grade:
    return Grade(Verdict.RIGHT if right else Verdict.WRONG, why, said=said)


# ----------------------------------------------------- what an answer comes to

_FINAL = re.compile(r"(?:final\s+)?answer\s*(?:is)?\s*[:=]\s*\**\s*(.+)", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_CHOICE = re.compile(r"(?:answer|option|choice)\s*(?:is)?\s*[:=]?\s*\**\s*\(?([A-Z])\b", re.IGNORECASE)
_LETTER = re.compile(r"^\W*([A-Z])\W*$", re.MULTILINE)
_LEADING = re.compile(r"^\s*\(?([A-Z])[).:]\s")
_NUMBER = re.compile(r"[-+−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")
MOST_DIGITS = 1000
"""Before or after the point: what is larger is no number that anybody asks for, and can't be computed with."""
_FENCE = re.compile(r"^```[ \t]*(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def final(text: str) -> str:
    """What stands after the last `Answer:` or in the last box, or else all of it.

    >>> final("Let me see.\\nAnswer: Paris")
    'Paris'
    """
    found = _FINAL.findall(text) or _BOXED.findall(text)
    return (found[-1] if found else text).strip().strip("*").strip()


def normal(text: str) -> str:
    """A text as it is compared: without case, blanks and the signs around it.

    >>> normal("  The  Sun. ")
    'the sun'
    """
    return " ".join(text.casefold().split()).strip(" .,;:!?\"'`*()$")


def choice(text: str) -> str | None:
    """The letter that an answer comes to; none where it names none.

    >>> choice("B) because A is false"), choice("So the answer is (C)."), choice("I don't know")
    ('B', 'C', None)
    """
    for pattern in (_CHOICE, _LETTER, _LEADING):
        if found := pattern.findall(text):
            return str(found[-1]).upper()
    boxed = _BOXED.findall(text)
    return boxed[-1].strip().upper() if boxed and len(boxed[-1].strip()) == 1 else None


def number(text: str) -> Decimal | None:
    """The last number of what an answer comes to.

    >>> number("6 x 7 = 42, so the answer is: $1,042.50")
    Decimal('1042.50')
    """
    found = _NUMBER.findall(final(text)) or _NUMBER.findall(text)
    if not found:
        return None
    try:
        value = Decimal(found[-1].replace(",", "").replace("−", "-"))
    except InvalidOperation:
        return None
    return value if abs(value.adjusted()) <= MOST_DIGITS else None


def code(text: str, language: str = "python") -> str:
    """The last fenced block in a language, or else the last one, or else all of it.

    >>> code("```python\\nx = 1\\n```\\nIt prints\\n```\\n1\\n```")
    'x = 1\\n'
    """
    found = _FENCE.findall(text)
    own = [inside for word, inside in found if word.casefold() == language]
    return str((own or [inside for _, inside in found] or [text])[-1])


def _near(said: Decimal | None, wanted: Decimal | None, tolerance: float) -> bool:
    if said is None or wanted is None:
        return False
    return abs(said - wanted) <= Decimal(tolerance) * max(Decimal(1), abs(wanted))


def _fits(text: str, schema: Json, said: str | None) -> Grade:
    import jsonschema_rs  # deferred: start-up cost

    try:
        value = json.loads(code(text, "json"))
    except (ValueError, RecursionError) as problem:
        return _grade(False, said, f"no JSON: {problem}")
    problems = jsonschema_rs.validator_for(schema).iter_errors(value)
    first = next(iter(problems), None)
    return _grade(first is None, said, "" if first is None else first.message)
