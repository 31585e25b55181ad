"""Runs for tests: a recipe's text to its plan, and a run of it against a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipelang.backends.scripted import Script, ScriptedBackend
from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import render
from recipelang.hosts.binding import bound_entry
from recipelang.ir.plan import Plan
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter, RunResult
from recipelang.runtime.ledger import NO_LIMITS, Limits, Spend
from recipelang.runtime.ports import Backend, HostFunction
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Message, Request, Value

WORLD = (Path(__file__).parent / "conformance" / "world.recipe").read_text(encoding="utf-8")
"""What the recipes of tests may count on: three models, and a role that passes the conversation on."""

QUESTION = "Which planet is the largest?"


def plan_of(text: str, world: str = WORLD) -> Plan:
    """The plan of recipes in the world above; the test fails where they do not compile."""
    compilation = compile_text(f"{world}\n{text}\n")
    assert compilation.plan is not None, render(compilation.diagnostics)
    return compilation.plan


def asking(text: str = QUESTION) -> Request:
    return Request((Message("user", text),))


@dataclass(frozen=True)
class Outcome:
    """How a run ended: with a result or a failure, either with its trace and its spend."""

    value: Value
    failure: RunFailure | None
    trace: Trace
    spend: Spend
    backend: ScriptedBackend

    @property
    def text(self) -> str:
        return RunResult(self.value, self.trace, self.spend).text


async def outcome_of(
    plan: Plan,
    script: Script,
    *,
    arguments: Mapping[str, Any] | None = None,
    request: Request | None = None,
    seed: int = 0,
    content: bool = False,
    functions: Mapping[str, HostFunction] | None = None,
    most: Limits = NO_LIMITS,
) -> Outcome:
    """Run the recipe `main` of a plan."""
    backend = ScriptedBackend(script)
    interpreter = Interpreter(plan, every_backend(plan, backend), functions)
    entry = bound_entry(plan, "main", arguments or {}, list(plan.models))
    try:
        result = await interpreter.run(entry, request or asking(), seed=seed, content=content, most=most)
    except RunFailure as ended:
        return failed(ended, backend)
    return Outcome(result.answer, None, result.trace, result.spend, backend)


def failed(failure: RunFailure, backend: ScriptedBackend) -> Outcome:
    assert failure.trace is not None
    assert failure.spend is not None
    return Outcome(None, failure, failure.trace, failure.spend, backend)


def every_backend(plan: Plan, backend: Backend) -> Mapping[str, Backend]:
    """One backend for all that a plan names."""
    return dict.fromkeys(plan.backends, backend)
