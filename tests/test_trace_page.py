"""The pages about traces and failures are current: all that can happen is on them, and the example is a run's own."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from recipelang.backends.scripted import After
from recipelang.runtime.failures import RunFailureKind
from recipelang.runtime.ports import BackendError, FailureKind, Reply
from recipelang.runtime.values import Usage
from runs import outcome_of, plan_of

ROOT = Path(__file__).parent.parent
TRACE = (ROOT / "docs" / "trace.md").read_text(encoding="utf-8")
FAILURES = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \|([^|]*)\|", re.MULTILINE)


def documented() -> dict[str, set[str]]:
    """The kinds of events on the page, each with its fields."""
    return {kind: set(re.findall(r"`(\w+)`", fields)) for kind, fields in ROW.findall(TRACE)}


def recorded() -> dict[str, set[str]]:
    """The kinds of events that the runtime's code records, each with the fields that it names where it does."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in (ROOT / "src" / "recipelang" / "runtime").rglob("*.py"):
        for function in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in calls_of_record(function):
                    for kind in kinds(call.args[0], function):
                        found[kind] |= {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    return dict(found)


def calls_of_record(function: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        match node:
            case ast.Call(ast.Attribute(attr="record"), [_, _]):  # a recorder's; a journal's has the event alone
                yield node
            case _:
                pass


def kinds(argument: ast.expr, function: ast.AST) -> Iterator[str]:
    """The texts that an argument may be: its own, or those given to the name that it is."""
    sources: list[ast.AST] = [argument]
    if isinstance(argument, ast.Name):
        assigned = (node for node in ast.walk(function) if isinstance(node, ast.Assign))
        sources = [node.value for node in assigned if ast.unparse(node.targets[0]) == argument.id]
    for source in sources:
        branches = [source.body, source.orelse] if isinstance(source, ast.IfExp) else [source]
        yield from (node.value for node in branches if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_the_page_has_the_kinds_of_events_that_the_code_has() -> None:
    assert documented().keys() == recorded().keys()


@pytest.mark.parametrize("kind", sorted(recorded()))
def test_the_page_has_all_fields_that_the_code_gives_an_event(kind: str) -> None:
    assert recorded()[kind] <= documented()[kind]


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_the_example_is_what_a_run_writes() -> None:
    recipe = re.search(r"```recipe\n(.*?)```", TRACE, re.DOTALL)
    example = re.search(r"```jsonl\n(.*?)```", TRACE, re.DOTALL)
    assert recipe is not None
    assert example is not None
    outcome = await outcome_of(
        plan_of(recipe.group(1), world=""),
        {
            "small": After(9, Reply("Saturn", usage=Usage(12, 3))),
            "large": After(1, Reply("Jupiter", usage=Usage(12, 4))),
            "third": BackendError(FailureKind.REFUSED, "connection refused", may_pass=True),
        },
    )
    assert example.group(1) == "".join(f"{json.dumps(event)}\n" for event in outcome.trace.as_json()["events"])


def test_the_page_of_failures_has_every_kind() -> None:
    of_runs, of_calls = FAILURES.split("## Failures of a call")
    assert {kind for kind, _ in ROW.findall(of_runs)} == {kind.value for kind in RunFailureKind}
    assert {kind for kind, _ in ROW.findall(of_calls)} == {kind.value for kind in FailureKind}
