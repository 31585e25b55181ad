"""Runs each test by itself: a plan of what it needs, an event loop of its own on which waiting takes no time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType

import anyio

from recipelang.backends.scripted import ScriptedBackend
from recipelang.compilation import Compilation
from recipelang.ir.expressions import BinaryExpression, Constant, Variable, free_variables
from recipelang.ir.plan import Contract, Plan
from recipelang.ir.types import EnumType
from recipelang.quick import dataclass, replace
from recipelang.recipetests.observing import Watched
from recipelang.recipetests.results import Problem, Shown, TestResult, Unmet
from recipelang.recipetests.scripting import NoReply, Script
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.recipetests.writing import written
from recipelang.runtime.expressions import Environment, StepFailed, compile_expression
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ledger import Limits, Spend
from recipelang.runtime.ports import Event
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Message, Request, Value
from recipelang.semantics.checking import Checked
from recipelang.semantics.tested import Expectation, RecipeTest, Seen
from recipelang.semantics.typing import without_none

UNUSED = "nothing asked for this reply"


def run_tests(compilation: Compilation, matching: str = "") -> list[TestResult]:
    """Run the tests of a source that has no errors, in the order of the file; `matching` is a part of their names.

    Not to be called on a running event loop: each test has a loop of its own.
    """
    if compilation.has_errors or compilation.plan is None:
        raise ValueError("a source with errors has no tests to run")
    wanted = [test for test in compilation.checked.tests if matching.casefold() in test.name.casefold()]
    return [run_test(compilation.checked, test) for test in wanted]


def run_test(checked: Checked, test: RecipeTest) -> TestResult:
    """Run one test, and hold its run against what it expects."""
    began = time.perf_counter()
    plan, script = plan_of(checked, test), Script(test.replies)
    ended = anyio.run(_run, plan, test, script, checked.contracts, backend_options={"loop_factory": VirtualTimeLoop})
    watched = Watched(plan, plan.entries[test.name], ended.trace)
    values = {"request": request_of(test, checked.contracts), **_values(test, watched, ended)}
    problems = tuple(_problems(test, script, ended))
    # expectations may name what the run does not need
    named = replace(plan, models={**checked.models, **test.models}, contracts=checked.contracts)
    unmet = () if script.missing else tuple(_unmet(test, named, watched, ended, values))
    if not problems and not unmet and ended.failure is None:  # a run that broke off leaves replies over as well
        problems = tuple(Problem(UNUSED, reply.span, help="take it out, or mend the test") for reply in script.unused())
    return TestResult(test, problems, unmet, watched, ended.spend, ended.failure, time.perf_counter() - began)


def plan_of(checked: Checked, test: RecipeTest) -> Plan:
    """The plan of what the test runs, with the test's own models."""
    from recipelang.lowering.linking import link  # deferred: start-up cost
    from recipelang.validation.bounds import certified  # deferred: start-up cost

    entry = replace(test.entry, name=test.name)
    alone = replace(
        checked, models={**checked.models, **test.models}, entries={test.name: entry}, own=[], visible=[], tests=[]
    )
    return certified(link(alone))


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    value: Value
    failure: RunFailure | None
    trace: Trace
    spend: Spend


async def _run(plan: Plan, test: RecipeTest, script: Script, contracts: Mapping[str, Contract]) -> Ended:
    backend = ScriptedBackend(script.play)
    models = {model.backend for model in plan.models.values()}
    interpreter = Interpreter(plan, dict.fromkeys(models, backend), script.functions(list(plan.externs)))
    request = request_of(test, contracts)
    watcher = Recording()
    try:
        result = await interpreter.run(
            test.name,
            request,
            seed=test.seed,
            journal=watcher,
            content=True,
            most=Limits(cost=test.request.max_cost),
        )
    except RunFailure as failure:
        return Ended(None, failure, *watcher.told(test))
    except NoReply:
        return Ended(None, None, *watcher.told(test))
    return Ended(result.answer, None, result.trace, result.spend)


class Recording:
    """Keeps the events of a run, which tell how it went however it ends."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def told(self, test: RecipeTest) -> tuple[Trace, Spend]:
        """The trace, and what the last event says was used."""
        used = self.events[-1].data
        spend = Spend(**{figure.name: used[figure.name] for figure in fields(Spend)})
        return Trace(test.name, test.seed, tuple(self.events)), spend


def request_of(test: RecipeTest, contracts: Mapping[str, Contract]) -> Request:
    """What the test asks."""
    asked = test.request
    request = Request(
        tuple(Message(role, content) for role, content in asked.messages),
        asked.tools,
        max_latency=asked.max_latency,
        max_cost=asked.max_cost,
        quality=asked.quality,
        metadata=MappingProxyType(dict(asked.metadata)),
    )
    return request if asked.format is None else replace(request, format=contracts[asked.format])


# ------------------------------------------------------------------ judging


def _values(test: RecipeTest, watched: Watched, ended: Ended) -> Environment:
    """What expectations read."""
    spend, failure = ended.spend, ended.failure
    values: dict[str, Value] = {
        "result": ended.value,
        "calls": spend.calls,
        "tokens": spend.tokens,
        "cost": spend.cost,
        "time": spend.seconds,
        "parallel": spend.peak_parallel,
        "wasted": spend.wasted_calls,
        "failure": None if failure is None else failure.kind.value,
    }
    questions = {name: watched.answer(question) for name, question in test.observations.items()}
    return {**values, **questions}


def _problems(test: RecipeTest, script: Script, ended: Ended) -> Iterator[Problem]:
    if script.missing is not None:
        callee, model = script.missing.callee.rpartition(".")[2], script.missing.model
        on = f" on {model}" if model else ""
        given = [reply.span for reply in test.replies if reply.callee == script.missing.callee and reply.times]
        label = "this is used up" if given else ""
        span = given[-1] if given else test.node.name.span
        yield Problem(str(script.missing), span, label, f"add `reply {callee}{on} = ...`")
    elif ended.failure is not None and not any(_reads_failure(one) for one in test.expectations):
        run = next(a.value.span for a in test.node.attributes if a.name.text == "run")
        help = f"if that is what the test is about, say `expect failure == {ended.failure.kind.value}`"
        yield Problem("the run ended without an answer", run, str(ended.failure), help)


def _reads_failure(expectation: Expectation) -> bool:
    return "failure" in free_variables(expectation.condition)


def _unmet(test: RecipeTest, plan: Plan, watched: Watched, ended: Ended, values: Environment) -> Iterator[Unmet]:
    unforeseen = ended.failure is not None and not any(_reads_failure(one) for one in test.expectations)
    for expectation in test.expectations:
        lost = ended.failure is not None and "result" in free_variables(expectation.condition)
        try:
            if compile_expression(expectation.condition, plan)(values) is True or (lost and unforeseen):
                continue  # that there is no result has been told already
        except StepFailed as problem:
            yield Unmet(expectation.span, (), _no_value(expectation, values, str(problem)))
            continue
        if lost:
            yield Unmet(expectation.span, (), _no_value(expectation, values, ""))
            continue
        found = [(seen, compile_expression(seen.expression, plan)(values)) for seen in expectation.seen]
        yield Unmet(
            expectation.span, tuple(_shown(test, watched, *one) for one in found), "", _differing(expectation, found)
        )


def _no_value(expectation: Expectation, values: Environment, problem: str) -> str:
    """Why a condition could not be looked at."""
    absent = [name for name in sorted(free_variables(expectation.condition)) if values.get(name) is None]
    if "result" in absent:
        return "there is no result: the run failed"
    prompts = [name for name in absent if name.startswith("prompt(")]
    return f"there is no `{prompts[0]}`: it was never asked" if prompts else problem


def _shown(test: RecipeTest, watched: Watched, seen: Seen, value: Value) -> Shown:
    """A value; where it is the answer to a question about a step or a role, with what that comes from."""
    shown = written(value, seen.type)
    if isinstance(seen.expression, Variable) and isinstance(value, bool):
        question = test.observations.get(seen.expression.name)
        shown = f"{shown}: {watched.story(question)}" if question is not None else shown
    return Shown(" ".join(seen.span.text.split()), shown)


def _differing(expectation: Expectation, found: list[tuple[Seen, Value]]) -> tuple[str, str] | None:
    """The text that was wanted and the one that there was, where two texts should be equal."""
    if not expectation.equal or any(isinstance(without_none(seen.type), EnumType) for seen, _ in found):
        return None
    match expectation.condition, found:
        case BinaryExpression("==", Constant(str() as wanted), _), [(_, str() as got)]:
            return wanted, got
        case BinaryExpression("==", _, Constant(str() as wanted)), [(_, str() as got)]:
            return wanted, got
        case BinaryExpression("=="), [(_, str() as got), (_, str() as wanted)]:
            return wanted, got
        case _:
            return None
