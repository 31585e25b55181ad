"""Holding a text to its contract: what it extracts, whether that passes the check, what is wrong where it does not."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Mapping
from typing import Any

from recipelang.ir.patterns import compiled_pattern
from recipelang.ir.plan import Check, Contract, Model
from recipelang.ir.schema import schema_validator
from recipelang.quick import dataclass
from recipelang.runtime.operators import finite
from recipelang.runtime.planning import read_plan
from recipelang.runtime.values import Json, Value, encodable, from_json

LONGEST_TEXT = 1_000_000
"""Characters of a text that is looked into; the answer of no model that was asked for one is longer."""

DEEPEST = 100
"""Levels of lists and objects in JSON."""

_FENCE = "```"
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a contract finds in a text. `problem` says, in words for the model and for a person, why it is not met."""

    value: Json
    problem: str | None = None
    repaired: bool = False  # whether JSON that was nearly right was mended

    @property
    def valid(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text holds of a record; the rest as in `Extracted`."""

    value: Value
    problem: str | None = None
    repaired: bool = False


def extract(contract: Contract, text: str) -> Extracted:
    """Hold a text to a contract."""
    if len(text) > LONGEST_TEXT:
        return Extracted(None, f"the answer is longer than {LONGEST_TEXT} characters")
    if contract.schema is not None:
        return _schematic(contract.schema, text)
    value, problem = _found(contract, encodable(text))  # patterns are matched over UTF-8
    if value is None or problem is not None:
        return Extracted(None, problem)
    problem = None if contract.check is None else _checked(contract.check, value)
    return Extracted(None if problem else value, problem)


def parse_record(schema: str, text: str, limit: int) -> Parsed:
    """The record in an answer, of which prompts show at most `limit` bytes."""
    if len(text) > LONGEST_TEXT:
        return Parsed(None, f"the answer is longer than {LONGEST_TEXT} characters")
    found = _schematic(schema, text)
    return Parsed(None if found.problem else from_json(found.value, limit), found.problem, found.repaired)


def parse_plan(schema: str, workers: Mapping[str, Model], text: str, limit: int) -> Parsed:
    """The plan in an answer, in the form of `schema`, whose tasks these workers do."""
    found = _schematic(schema, text)
    if found.problem is not None:
        return Parsed(None, found.problem)
    planned = read_plan(found.value, workers, limit)
    return Parsed(planned.plan, planned.problem)


def _found(contract: Contract, text: str) -> tuple[str | None, str | None]:
    extraction = contract.extract
    match extraction.how:
        case "whole":
            value = text.strip()
            return (value, None) if value else (None, "the answer is empty")
        case "fence":
            return _fenced(extraction.argument, text)
        case "pattern":
            return _matched(extraction.argument, text)


def _fenced(language: str, text: str) -> tuple[str | None, str | None]:
    """The last fenced block in a language, any where none is named."""
    found: str | None = None
    opened: tuple[str, list[str]] | None = None
    for line in text.splitlines():
        mark = line.strip()
        if opened is None:
            if mark.startswith(_FENCE):
                opened = (mark.strip("`").strip().lower(), [])
        elif mark == _FENCE:
            if language.lower() in ("", opened[0]):
                found = "\n".join(opened[1])
            opened = None
        else:
            opened[1].append(line)
    return (found, None) if found is not None else (None, f"it has no closed block that begins with ```{language}")


def _matched(pattern: str, text: str) -> tuple[str | None, str | None]:
    """The first group of the last match, or all of it where the pattern has no group."""
    found: str | None = None
    for match in compiled_pattern(pattern).finditer(text):
        found = match.group(1) if match.re.groups else match.group()
    return (found, None) if found is not None else (None, f"nothing in it matches {pattern}")


def _checked(check: Check, value: str) -> str | None:
    match check.how:
        case "parses":
            return _parse_problem(check.arguments[0], value)
        case "matches":
            pattern = check.arguments[0]
            return None if compiled_pattern(pattern).fullmatch(value) else f"`{_brief(value)}` does not match {pattern}"
        case "one_of":
            if value in check.arguments:
                return None
            return f"`{_brief(value)}` is none of {', '.join(check.arguments)}"


def _parse_problem(language: str, text: str) -> str | None:
    try:
        if language == "json":
            _strict(text)
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in a string is no error
            ast.parse(text)
    except SyntaxError as error:
        return f"it is not {language}: {error.msg}, line {error.lineno}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"it is not {language}: {str(error) or 'nested too deeply'}"
    return None


def _schematic(schema: str, text: str) -> Extracted:
    """The JSON of a text: as it stands, or else mended; either way it must satisfy the schema."""
    repaired = False
    try:
        value = _strict(text)
    except (ValueError, RecursionError):
        value, repaired = _mended(text), True
        if value is None or value == "":
            return Extracted(None, "there is no JSON in it")
    problem = _unusable(value)
    if problem is not None:
        return Extracted(None, problem)
    try:
        problem = _unmet(schema, value)
    except UnicodeEncodeError:
        problem = "it has characters that no encoding can hold"
    return Extracted(value, repaired=repaired) if problem is None else Extracted(None, problem)


def _unmet(schema: str, value: Json) -> str | None:
    """The first thing in which a value does not satisfy a schema."""
    for error in schema_validator(schema).iter_errors(value):
        place = "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in error.instance_path)
        return f"{place.lstrip('.') or 'the whole'}: {_brief(error.message, 300)}"
    return None


def _strict(text: str) -> Json:
    return json.loads(text, parse_constant=_no_number)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _unusable(value: Json) -> str | None:
    """What keeps JSON from being a value of the language: a number past the greatest, nesting past the deepest."""
    level = [value]
    for _ in range(DEEPEST):
        inner: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, (int, float)) and finite(item) != item:
                return "it has a number that is none, or too large"
        if not inner:
            return None
        level = inner
    return "it is nested too deeply"


def _mended(text: str) -> Json:
    import json_repair  # deferred: start-up cost, and most answers are as they should be

    try:
        return json_repair.loads(text)
    except (ValueError, RecursionError):
        return None


def _brief(text: str, longest: int = _SHOWN) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
