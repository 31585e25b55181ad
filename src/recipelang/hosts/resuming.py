"""Runs that outlive their process: what the journal says of a run, and how it is taken up again from there."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict

from recipelang.backends.cassettes.document import HEAD, CassetteProblem, Recorded, line_of, parse_cassette
from recipelang.backends.cassettes.resuming import Kept, keeping, keeping_function
from recipelang.hosts.binding import ArgumentProblem
from recipelang.hosts.drawing import Draw, draws_in
from recipelang.hosts.recorded import World, entry_again, request_again, run_as_json
from recipelang.ir.plan import Entry, Plan
from recipelang.quick import dataclass
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ledger import Limits, Lost
from recipelang.runtime.ports import Store, StoreProblem
from recipelang.runtime.values import Json, Request


@dataclass(frozen=True, slots=True)
class Asked:
    """A run as it was asked for. `origin`: what its host wants to find again."""

    entry: Entry
    request: Request
    seed: int
    most: Limits
    time: float | None
    key: str
    origin: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A run that is taken up again: what was asked, what was done, and what was in flight when its processes died."""

    kept: Kept
    asked: Asked
    lost: Sequence[Lost]
    draws: list[Draw]


def kept_world(world: World, plan: Plan) -> World:
    """The same backends and functions, for runs that are kept and for others."""
    backends, functions = world
    return (
        {name: keeping(backend) for name, backend in backends.items()},
        {name: keeping_function(name, plan.externs[name].cost, function) for name, function in functions.items()},
    )


async def begun(store: Store, run: str, plan: Plan, asked: Asked) -> Kept:
    """A new run, written down before anything is done; raises `StoreProblem`."""
    began = {
        "kind": "run",
        "number": 1,
        "plan": digest(plan),
        **run_as_json(plan, asked.entry, asked.request, asked.seed),
        "most": asdict(asked.most),
        "time": asked.time,
        "key": asked.key,
        "origin": dict(asked.origin),
    }
    holder = await store.begin(run, [line_of(HEAD), line_of(began)])
    return Kept(store, run, holder, Recorded(run, ()))


async def taken_up(store: Store, run: str, plan: Plan) -> TakenUp:
    """A run of this very plan; raises `StoreProblem`."""
    asked = asked_before(run, await store.read(run), plan)
    holder, lines = await store.take_up(run)
    done = _done(run, lines)
    lost = [Lost(call.usage, call.cost) for call in done.in_flight]
    return TakenUp(Kept(store, run, holder, done), asked, lost, _draws(run, lines))


def asked_before(run: str, lines: Sequence[str], plan: Plan) -> Asked:
    """What was asked of this very plan; raises `StoreProblem`."""
    first = began_with(run, lines)
    if first["plan"] != digest(plan):
        raise StoreProblem(
            f"the run `{run}` can't be resumed: its recipes have changed since it began, and would ask something else"
        )
    recorded = _done(run, lines).runs[0]
    try:
        entry, request = entry_again(plan, recorded), request_again(plan, recorded.request)
        most = Limits(**first["most"])
    except (ArgumentProblem, LookupError, TypeError, ValueError) as problem:
        raise damaged(run, problem) from problem
    return Asked(entry, request, recorded.seed, most, first["time"], first["key"], first["origin"])


def _done(run: str, lines: Sequence[str]) -> Recorded:
    try:
        return parse_cassette(run, "".join(lines))
    except CassetteProblem as problem:
        raise damaged(run, problem) from problem


def _draws(run: str, lines: Sequence[str]) -> list[Draw]:
    try:
        return draws_in(lines)
    except (LookupError, TypeError, ValueError) as problem:
        raise damaged(run, problem) from problem


def began_with(run: str, lines: Sequence[str]) -> Mapping[str, Json]:
    """The line that says what the run is of; raises `StoreProblem`."""
    try:
        first: Mapping[str, Json] = json.loads(lines[1])
        return {"origin": first["origin"], **{name: first[name] for name in ("plan", "most", "time", "key")}}
    except (LookupError, TypeError, ValueError) as problem:
        raise damaged(run, problem) from problem


def damaged(run: str, problem: Exception) -> StoreProblem:
    return StoreProblem(f"the run `{run}` is damaged in the journal, and can't be resumed: {problem}")


def digest(plan: Plan) -> str:
    from recipelang.ir.document import digest_of  # deferred: start-up cost

    return digest_of(plan)


async def kept_run(kept: Kept, run: Callable[[], Awaitable[RunResult]]) -> RunResult:
    """A run whose calls and whose end are written down."""
    with kept.running():
        try:
            result = await run()
        except RunFailure as failure:
            await kept.end(status="failed", failure=failure.kind.value, why=str(failure))
            raise
        await kept.end(status="ok", text=result.text, spend=result.spend.as_json())
        return result
