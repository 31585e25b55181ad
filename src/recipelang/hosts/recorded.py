"""What a cassette says of a run: which recipe was run on what, and how it ended; and the backends on either side of one."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from recipelang.backends.cassettes.document import Recorded, RecordedRun, parse_cassette
from recipelang.backends.cassettes.recording import Cassette, recording, recording_function
from recipelang.backends.cassettes.replaying import Replay, replaying, replaying_function
from recipelang.hosts.binding import bound_entry
from recipelang.hosts.requests import ANY_FORM, RequestProblem, request_of
from recipelang.ir.expressions import (
    Constant,
    ContractReference,
    Expression,
    ListExpression,
    ModelReference,
    RecordExpression,
)
from recipelang.ir.plan import Contract, Entry, Plan
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter, RunResult
from recipelang.runtime.ports import Backend, HostFunction
from recipelang.runtime.trace import messages_as_json
from recipelang.runtime.values import NOTHING_MORE, Json, Request, Wishes

World = tuple[dict[str, Backend], dict[str, HostFunction]]
"""The backends and the functions that a plan reaches."""


def recorded_world(world: World, cassette: Cassette) -> World:
    """The same, with all traffic written down."""
    backends, functions = world
    return (
        {name: recording(backend, cassette) for name, backend in backends.items()},
        {name: recording_function(name, function, cassette) for name, function in functions.items()},
    )


def replayed_world(plan: Plan, replay: Replay) -> World:
    """A world that is all in a cassette."""
    return (
        dict.fromkeys(plan.backends, replaying(replay)),
        {name: replaying_function(name, replay) for name in plan.externs},
    )


async def recorded_run(
    cassette: Cassette, plan: Plan, entry: Entry, request: Request, seed: int, run: Callable[[], Awaitable[RunResult]]
) -> RunResult:
    """A run whose beginning and end are written down."""
    number = cassette.run_began(**run_as_json(plan, entry, request, seed))
    try:
        result = await run()
    except RunFailure as failure:
        spend = {} if failure.spend is None else {"spend": failure.spend.as_json()}
        cassette.run_ended(number, status="failed", failure=failure.kind.value, why=str(failure), **spend)
        raise
    cassette.run_ended(number, status="ok", text=result.text, spend=result.spend.as_json())
    return result


async def played_again(plan: Plan, run: RecordedRun, recorded: Recorded) -> Recorded:
    """The calls of a recorded run, run and recorded anew: on a clock that jumps, nothing else takes any time.

    Raises `NotRecorded` where the plan makes other calls than were recorded.
    """
    taken = io.StringIO()
    backends, functions = recorded_world(replayed_world(plan, Replay(recorded)), Cassette(taken))
    interpreter = Interpreter(plan, backends, functions)
    entry, request = entry_again(plan, run), request_again(plan, run.request)
    with suppress(RunFailure):
        await interpreter.run(entry, request, seed=run.seed)
    return parse_cassette(recorded.name, taken.getvalue())


def run_as_json(plan: Plan, entry: Entry, request: Request, seed: int) -> dict[str, Json]:
    """What is run, and what was asked."""
    known = plan.entries.get(entry.name)
    is_exposed = known is not None and (known.recipe, known.arguments) == (entry.recipe, entry.arguments)
    exposed = {"exposed": entry.name} if is_exposed else {}
    arguments, asked = _arguments(plan, entry), request_as_json(request)
    return {"recipe": entry.recipe, **exposed, "arguments": arguments, "request": asked, "seed": seed}


def entry_again(plan: Plan, run: RecordedRun) -> Entry:
    """What was run; raises `ArgumentProblem` where the plan has it no more."""
    return plan.entries.get(run.exposed or "") or bound_entry(plan, run.recipe, run.arguments, [])


def request_again(plan: Plan, asked: Mapping[str, Json]) -> Request:
    """What was asked; raises `RequestProblem` where that is damaged, or asks for a form that the plan has no more."""
    wishes = Wishes(
        temperature=asked.get("temperature"),
        max_tokens=asked.get("max_tokens"),
        logprobs=asked.get("logprobs", False),
        strict=asked.get("strict", True),
        others=asked.get("others", NOTHING_MORE),
    )
    form = ANY_FORM
    if "format" in asked:
        form = _form(plan, asked["format"])
    elif "schema" in asked:
        form = Contract(ANY_FORM.name, schema=asked["schema"], repair=asked.get("repair", 0))
    return request_of(
        asked["messages"],
        tools=asked.get("tools", ()),
        max_latency=asked.get("max_latency"),
        quality=asked.get("quality"),
        metadata=asked.get("metadata"),
        format=form,
        wishes=wishes,
        tool_options=asked.get("tool_options", NOTHING_MORE),
    )


def _form(plan: Plan, name: str) -> Contract:
    form = plan.contracts.get(name)
    if form is None:
        raise RequestProblem(f"it was asked for the form `{name}`, which the recipe does not have")
    return form


def _arguments(plan: Plan, entry: Entry) -> dict[str, Json]:
    """The arguments that are not the recipe's own defaults, as plain data; models and contracts by their names."""
    defaults = {parameter.name: parameter.default for parameter in plan.recipes[entry.recipe].parameters}
    return {a.name: _plain(a.value) for a in entry.arguments if a.value != defaults.get(a.name)}


def _plain(expression: Expression) -> Json:
    match expression:
        case Constant(value):
            return value
        case ModelReference(name) | ContractReference(name):
            return name
        case ListExpression(items):
            return [_plain(item) for item in items]
        case RecordExpression(fields):
            return {field.name: _plain(field.value) for field in fields}
        case _:
            raise AssertionError(f"{type(expression).__name__} is no constant argument")  # the binder makes none


def request_as_json(request: Request) -> dict[str, Json]:
    """What was asked; what is not said was not asked for."""
    wishes = request.wishes
    told: Mapping[str, Json] = {
        "messages": messages_as_json(request.messages),
        "tools": list(request.tools),
        "tool_options": dict(request.tool_options),
        "max_latency": request.max_latency,
        "quality": request.quality,
        "metadata": dict(request.metadata),
        "schema": request.format.schema,
        "repair": request.format.repair or None,
        "format": None if request.format.name == "request.format" else request.format.name,
        "temperature": wishes.temperature,
        "max_tokens": wishes.max_tokens,
        "logprobs": wishes.logprobs or None,
        "strict": None if wishes.strict else False,
        "others": dict(wishes.others),
    }
    return {name: value for name, value in told.items() if value is not None and value not in ([], {})}
