"""Data sets: a question a line of JSON, held to what it must be before anything is asked."""

from __future__ import annotations

import ast
import json
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from recipelang.diagnostics.suggesting import nearest
from recipelang.evaluation.grading import normal, number
from recipelang.evaluation.items import DataProblem, Item
from recipelang.hosts.requests import RequestProblem, request_of
from recipelang.runtime.values import Json

_OWN = ("id", "prompt", "messages", "system", "reference", "grader", "tests", "schema", "tolerance")


class _Mistake(Exception):
    """What is wrong with a line."""


def read_items(path: str | os.PathLike[str], grader: str | None = None) -> list[Item]:
    """Read a JSONL file; `grader` is for lines that name none. Raises `DataProblem`, and `OSError`."""
    place = os.fspath(path)
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as problem:
        raise DataProblem(f"{place} is no text in UTF-8: {problem.reason} at byte {problem.start}") from problem
    found: dict[str, Item] = {}
    first: dict[str, int] = {}
    for at, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = _item(_object(line), at, grader)
        except _Mistake as problem:
            raise DataProblem(f"{place}, line {at}: {problem}") from problem
        if item.id in found:
            raise DataProblem(f"{place}, line {at}: line {first[item.id]} has the id {item.id!r} as well")
        found[item.id], first[item.id] = item, at
    if not found:
        raise DataProblem(f"{place} has no questions")
    return list(found.values())


def _object(line: str) -> Mapping[str, Json]:
    try:
        told = json.loads(line)
    except RecursionError as problem:
        raise _Mistake("it is nested too deeply") from problem
    except ValueError as problem:
        raise _Mistake(f"it is no JSON: {problem}") from problem
    if not isinstance(told, dict):
        raise _Mistake("it is no object `{...}`")
    return told


def _item(entry: Mapping[str, Json], line: int, default: str | None) -> Item:
    """The question of a line; `default` is the grader of lines that name none."""
    messages = _messages(entry)
    grader = entry.get("grader", default)
    if grader is None:
        raise _Mistake("it names no grader; `--grader` is for all lines that name none")
    if not isinstance(grader, str) or grader not in _CHECKS:
        raise _Mistake(f"there is no grader {grader!r:.40}; there are {', '.join(_CHECKS)}")
    needed, check = _CHECKS[grader]
    if entry.get(needed) is None:
        near = nearest(needed, [name for name in entry if name not in _OWN])
        raise _Mistake(f"the grader `{grader}` needs `{needed}`" + (f"; is `{near}` meant?" if near else ""))
    check(entry[needed])
    id = entry.get("id", line)
    if isinstance(id, bool) or not isinstance(id, (str, int)):
        raise _Mistake(f"`id` is a text or a whole number, not {id!r:.40}")
    return Item(
        str(id),
        messages,
        grader,
        entry.get("reference"),
        entry.get("tests", ""),
        entry.get("schema"),
        _tolerance(entry.get("tolerance", 1e-6)),
        {name: value for name, value in entry.items() if name not in _OWN},
    )


def _messages(entry: Mapping[str, Json]) -> Sequence[Mapping[str, Json]]:
    if ("prompt" in entry) == ("messages" in entry):
        raise _Mistake("it has either a `prompt` or `messages`")
    for name in ("prompt", "system"):
        if name in entry and not isinstance(entry[name], str):
            raise _Mistake(f"`{name}` is a text, not {entry[name]!r:.40}")
    if "prompt" in entry and not entry["prompt"].strip():
        raise _Mistake("its `prompt` is empty")
    messages = entry.get("messages", [{"role": "user", "content": entry.get("prompt")}])
    if not isinstance(messages, list):
        raise _Mistake(f"`messages` is a list, not {messages!r:.40}")
    system = [{"role": "system", "content": entry["system"]}] if "system" in entry else []
    try:
        request_of([*system, *messages])
    except RequestProblem as problem:
        raise _Mistake(str(problem)) from problem
    return [*system, *messages]


def _tolerance(told: Json) -> float:
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not 0 <= told < math.inf:
        raise _Mistake(f"`tolerance` is a number from 0 on, not {told!r:.40}")
    return float(told)


# ------------------------------------------------------------- what is right


def _exact(reference: Json) -> None:
    spellings = reference if isinstance(reference, list) else [reference]
    if not spellings:
        raise _Mistake("`reference` is an empty list")
    for one in spellings:
        if not isinstance(one, (str, int, float)) or not normal(str(one)):
            raise _Mistake(f"`reference` is a text or a number, or a list of these, not {one!r:.40}")


def _choice(reference: Json) -> None:
    letter = reference.strip().upper() if isinstance(reference, str) else ""
    if len(letter) != 1 or not "A" <= letter <= "Z":
        raise _Mistake(f"`reference` is one letter from A to Z, not {reference!r:.40}")


def _number(reference: Json) -> None:
    if isinstance(reference, bool) or not isinstance(reference, (int, float, str)) or number(str(reference)) is None:
        raise _Mistake(f"`reference` is a number, not {reference!r:.40}")


def _tests(tests: Json) -> None:
    if not isinstance(tests, str) or not tests.strip():
        raise _Mistake(f"`tests` is Python, as a text, not {tests!r:.40}")
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(tests)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise _Mistake(f"`tests` is no Python: {problem}") from problem


def _schema(schema: Json) -> None:
    import jsonschema_rs  # deferred: start-up cost

    try:
        jsonschema_rs.validator_for(schema)
    except ValueError as problem:
        raise _Mistake(f"`schema` is no JSON Schema: {str(problem).partition(chr(10))[0]}") from problem


def _judged(reference: Json) -> None:
    if isinstance(reference, bool) or not isinstance(reference, (str, int, float)) or not str(reference).strip():
        raise _Mistake(f"`reference` is a text that a judge can compare with, not {reference!r:.40}")


_CHECKS: Mapping[str, tuple[str, Callable[[Json], None]]] = {
    "exact": ("reference", _exact),
    "choice": ("reference", _choice),
    "number": ("reference", _number),
    "code": ("tests", _tests),
    "schema": ("schema", _schema),
    "judge": ("reference", _judged),
}
GRADERS = tuple(_CHECKS)
