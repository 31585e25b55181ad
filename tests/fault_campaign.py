"""The fault campaign: every standard recipe, and a hardened one, under every fault of a provider, in random schedules, held to what is promised.

`python tests/fault_campaign.py --runs 20000 --seed 1` runs so many schedules in virtual time with scripted models, and
`--real 500` as many over HTTP against a faulty server on loopback, on asyncio and on trio, whole and streamed. `--mock
http://127.0.0.1:9100/v1 --mocked 500` runs as many against a server of another's making, whose models fail as their names say (`fail-500`, `every3-fail-429`,
`fail-hang@20`). It ends with a table, by fault; what breaks a promise is printed with the seed that shows it again, and the exit code is 1.

Each run is held to: it ends by its deadline; it spends no more than its certificate says, nor has more calls in flight;
each call that began has ended; no permit is kept; no call is left open; and a step for which a fallback was declared took
it, unless that had nothing to give either.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

import anyio
import httpx2
import trio.testing

from provider_faults import BROKEN, REPLIES, STREAMS
from recipelang.backends.scripted import After, ScriptedBackend
from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import render
from recipelang.hosts.binding import bound_entry
from recipelang.hosts.engine import Engine
from recipelang.ir.expressions import Expression, free_variables
from recipelang.ir.plan import Choose, Entry, Plan, Step
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.resources import standard_recipe, standard_recipe_names
from recipelang.runtime import interpreter as interpreting
from recipelang.runtime import ledger
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ledger import Account, Spend
from recipelang.runtime.ports import BackendError, FailureKind, ModelCall, Reply
from recipelang.runtime.prompts import request_bytes
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Json, Message, Request, TokenLogprob, Usage
from self_signed import self_signed
from upstream import (
    RESET,
    STALL,
    STREAM_HEAD,
    Answer,
    Received,
    Upstream,
    answered,
    chunk,
    completion,
    event,
    refused,
    streamed,
)


def _standard() -> Iterator[str]:
    """The standard files that have a recipe of their name; the others are libraries."""
    for name in standard_recipe_names():
        source = standard_recipe(name)
        if source is not None and re.search(rf"^recipe {name}\b", source.text, re.MULTILINE):
            yield name


STANDARD = tuple(_standard())
HARDENED = """
role speak() { max_tokens = 500 }
role weigh(said: answer[..4]) { max_tokens = 500, prompt = "{{ said }} Weigh them." }

recipe hardened(panel: model[2..4], writer: model) -> answer {
  budget { calls = 60, time = 2m }
  fanout said = stubborn(m) for m in panel { quorum = 2, grace = 100ms, on_error = skip }
  ask    last = weigh(said, model = writer) { retries = 2, hedge = 150ms, timeout = 30s, fallback = first(said) }
  return last
}

recipe stubborn(m: model) -> answer {
  ask reply = speak(model = m) { retries = 2, hedge = 150ms, timeout = 20s }
  return reply
}
"""
"""A recipe that does itself what the standard ones leave to their users: retries and hedges."""
RECIPES = (*STANDARD, "hardened")
SETTINGS = ("", ", circuit = 2, cooldown = 200ms, parallel = 3, queue = 2, patience = 300ms")
"""What a backend over HTTP may have besides."""
QUESTION = "Which planet is the largest? Answer with ANSWER: and a letter."
PAGE = (Path(__file__).parents[1] / "docs" / "providers.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (?P<name>[^|]+) \| `(?P<kind>\w+)` \| (?P<may_pass>yes|no) \| (?P<message>[^|]+) \|$", re.MULTILINE
)
STATUS = re.compile(r"HTTP (\d+)")
STALLED_MIDWAY = "stalls in the middle"
STALLED, SLOW, LIES, NOTHING_SAID = "stalls", "is slow", "bills what can't be", "tells no usage"
MISFORMED, RAMBLES = "answers in no form", "answers at great length"
FAULTS_OF_THE_PORT: dict[str, tuple[FailureKind, bool, str]] = {
    row["name"]: (FailureKind(row["kind"]), row["may_pass"] == "yes", row["message"]) for row in ROW.finditer(PAGE)
}
FAULTS = (*FAULTS_OF_THE_PORT, STALLED, SLOW, LIES, NOTHING_SAID, MISFORMED, RAMBLES)
"""What may go wrong with a call: the tables of `docs/providers.md`, and what no failure tells of."""
REAL_FAULTS: Mapping[str, Any] = {
    **REPLIES,
    **STREAMS,
    **BROKEN,
    STALLED: [STALL],
    STALLED_MIDWAY: [STREAM_HEAD, event(chunk("Jup")), STALL],
    "limits the rate, and says for how long": refused(429, "slow down", retry_after="0.2"),
    MISFORMED: None,
    LIES: None,
}
UNREACHED = (
    "is refused",
    "finds no host",
    "is no TLS where TLS was asked for",
    "meets a certificate that nobody vouches for",
)
"""Faults of a connection that is not made: in a run some of its models are where nobody is."""
OF_THE_MOCK = ("429", "500", "hang", "reset", "badjson", "truncsse")
HEAVY = ("sends 100 MB", "streams one endless line", "streams without end", "packs the reply")
"""Faults that move so much that a campaign has only a few of them."""
REAL_TIME = 1.0
"""Seconds that a run over HTTP gets."""
SLACK = 1.5
"""Seconds that such a run may end late on a busy machine."""
SIDE_BY_SIDE = 8
MOST_SHOWN = 5


class Broken(AssertionError):
    """A promise that was not kept."""


def must(promise: str, kept: bool, detail: object = "") -> None:
    if not kept:
        raise Broken(f"{promise}: {detail}")


# -------------------------------------------------------------------- plans


NAMES = ("m-1", "m-2", "m-3", "m-4")
"""What the models go by at their endpoints."""


@cache
def plan_of(recipe: str, *urls: str, ids: Sequence[str] = NAMES, settings: str = "") -> Plan:
    """A standard recipe with four models to play it; each has its own address, where there are several."""
    places = urls or ("http://127.0.0.1:9/v1",)
    models = "\n".join(
        f'model m{n} {{ backend = lab{n % len(places)}, id = "{id}", rating = {1000 + 50 * n},'
        f" price = {{ input = ${n}, output = ${4 * n} }} }}"
        for n, id in enumerate(ids, 1)
    )
    own = "\n".join(
        f'backend lab{n} {{ kind = openai, url = "{url}", key = env("LAB_KEY"){settings} }}'
        for n, url in enumerate(places)
    )
    source = None if recipe == "hardened" else standard_recipe(recipe)
    text = HARDENED if source is None else source.text
    compilation = compile_text(f"{text}\n{own}\n{models}\n")
    assert compilation.plan is not None, render(compilation.diagnostics)
    return compilation.plan


def entry_of(recipe: str, plan: Plan) -> Entry:
    return bound_entry(plan, recipe, {}, list(plan.models))


# ------------------------------------------------------------ what models do


def well_said(call: ModelCall, draw: random.Random) -> str:
    """An answer in the form that is asked for."""
    if call.schema is None:
        return f"ANSWER: {draw.choice('ABJ')}\n```python\nprint({draw.randint(0, 3)})\n```"
    return json.dumps(_value(json.loads(call.schema), draw))


def _value(schema: Mapping[str, Any], draw: random.Random) -> Json:
    if "enum" in schema:
        return draw.choice(schema["enum"])
    if "anyOf" in schema:
        return _value(schema["anyOf"][0], draw)
    match schema.get("type"):
        case "object" if "tasks" in schema.get("properties", {}):
            workers = schema["properties"]["tasks"]["items"]["properties"]["worker"]["enum"]
            most = schema["properties"]["tasks"].get("maxItems", 1)
            names = [f"t{n}" for n in range(draw.randint(1, most))]
            return {
                "tasks": [
                    {
                        "name": name,
                        "needs": draw.sample(names[:at], draw.randint(0, at)),
                        "worker": draw.choice(workers),
                        "instruction": "Do it.",
                    }
                    for at, name in enumerate(names)
                ]
            }
        case "object":
            return {name: _value(inner, draw) for name, inner in schema.get("properties", {}).items()}
        case "array":
            least, most = schema.get("minItems", 0), min(3, schema.get("maxItems", 2))
            return [_value(schema["items"], draw) for _ in range(draw.randint(least, max(least, most)))]
        case "boolean":
            return draw.random() < 0.5
        case "integer" | "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 10)
            return draw.randint(math.ceil(low), math.floor(high)) if high - low >= 1 else low
        case _:
            return "because"


@dataclass
class Schedule:
    """When which call suffers: each call by itself, with one probability for the run."""

    fault: str
    draw: random.Random
    often: float

    @staticmethod
    def of(fault: str, seed: str) -> Schedule:
        draw = random.Random(seed)
        return Schedule(fault, draw, draw.choice((0.15, 0.4, 0.7, 1.0)))

    def suffers(self) -> bool:
        return self.draw.random() < self.often

    def delay(self) -> float:
        return self.draw.choice((0.0, 0.1, 1.0, 7.0, 31.0))

    def __call__(self, call: ModelCall) -> After:
        if not self.suffers():
            return After(self.delay(), self.well(call))
        match self.fault:
            case "stalls":
                return After(1e9, "")
            case "is slow":
                return After(self.draw.choice((59.0, 89.0, 119.5, 400.0)), self.well(call))
            case "bills what can't be":
                lie = self.draw.choice((Usage(-5, 10**9), Usage(10**9, -5), Usage(0, 0)))
                return After(self.delay(), self.well(call, lie))
            case "tells no usage":
                return After(self.delay(), Reply(well_said(call, self.draw)))
            case "answers in no form":
                said = self.draw.choice(
                    ("no form at all", '{"score": "high"', "<html>", '{"tasks": []}', "[]", "ANSWER:")
                )
                return After(self.delay(), self.well(call, text=said))
            case "answers at great length":
                return After(self.delay(), self.well(call, Usage(10, call.max_tokens), text="\ud800ß€" * 20_000))
            case _:
                return After(self.delay(), self._error())

    def well(self, call: ModelCall, usage: Usage | None = None, text: str | None = None) -> Reply:
        said = well_said(call, self.draw) if text is None else text
        sure = TokenLogprob("a", -self.draw.random(), -3.0)
        return Reply(said, usage=usage or Usage(10, 1 + self.draw.randrange(call.max_tokens)), logprobs=(sure,))

    def _error(self) -> BackendError:
        kind, may_pass, message = FAULTS_OF_THE_PORT[self.fault]
        status = STATUS.search(message)
        after = self.draw.choice((None, None, 0.0, 2.0, 45.0, 3600.0)) if may_pass else None
        return BackendError(kind, message, int(status[1]) if status else None, after, may_pass)


class Host:
    """The functions of the host, as unsure as the models."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    async def __call__(self, *_: Json, **arguments: Json) -> Json:
        await anyio.sleep(self._schedule.delay())
        if self._schedule.suffers():
            raise RuntimeError("the host is out of sorts")
        return {"passed": self._schedule.draw.random() < 0.3, "log": "as it was"}


# ----------------------------------------------------------------- promises


@dataclass
class Ended:
    """How a run ended, and all that was kept of it on the way."""

    plan: Plan
    entry: Entry
    request: Request
    seconds: float
    failure: RunFailure | None
    trace: Trace
    spend: Spend
    accounts: list[Account]

    def hold(self, allowed: float) -> None:
        """Raise `Broken` where a promise was not kept."""
        must(
            "no hang past the deadline",
            self.seconds <= allowed + 1e-6,
            f"{self.seconds} s, and {allowed} s are allowed",
        )
        self._hold_spend()
        self._hold_accounts()
        self._hold_calls()
        for step in self._failed():
            self._hold_fallback(step)

    def _hold_spend(self) -> None:
        assert self.entry.certificate is not None
        bound, size, spend = self.entry.certificate.total, request_bytes(self.request), self.spend
        tokens = math.ceil(bound.prompt_tokens.at(size)) + bound.completion_tokens
        must("no budget passed", spend.calls <= bound.calls, f"{spend.calls} calls of {bound.calls}")
        must("no budget passed", spend.tokens <= tokens, f"{spend.tokens} tokens of {tokens}")
        must("no budget passed", spend.peak_parallel <= bound.parallel, f"{spend.peak_parallel} calls at once")
        if bound.cost is not None:
            must("no budget passed", (spend.cost or 0.0) <= bound.cost.at(size) + 1e-9, f"${spend.cost}")

    def _hold_accounts(self) -> None:
        must("no leaked permit", self.accounts[0].totals.in_flight == 0, "calls are in flight")
        for account in self.accounts:
            permits = account.permits
            must("no leaked permit", permits is None or permits.free == account.limits.parallel, account.name)

    def _hold_calls(self) -> None:
        kinds = Counter(event.kind for event in self.trace.events)
        ended = kinds["call_end"] + kinds["call_failed"] + kinds["call_cancelled"]
        unsent = sum(event.data.get("sent") is False for event in self.trace.events)
        must("no call without an end", kinds["call_start"] == ended == self.spend.calls + unsent, dict(kinds))
        steps = kinds["step_start"] == kinds["step_end"]
        must("no leaked task", steps, f"{kinds['step_start']} steps began, {kinds['step_end']} ended")
        must("no broken run", self.trace.events[-1].data["status"] in ("ok", "failed"), self.trace.events[-1].data)

    def _failed(self) -> Iterator[str]:
        return (e.step for e in self.trace.events if e.kind == "step_end" and e.data["status"] == "failed")

    def _hold_fallback(self, path: str) -> None:
        """A step that failed for good had nothing that stands in, or this had nothing to give."""
        step = self._step(path)
        fallback: Expression | None = getattr(step, "fallback", None)
        must("no lost answer", not getattr(step, "optional", False), f"`{path}` is optional, and failed")
        if fallback is None:
            return
        if self._told("committed", path):  # a part of the answer has been spoken: nothing can take its place
            return
        must("no lost answer", self._told("fallback_taken", path), f"the fallback of `{path}` was not looked at")
        if step.kind == "return":  # its fallback is held to the contract as well
            return
        prefix = path.rpartition(".")[0]
        for name in free_variables(fallback) - {"it"}:
            there = self._tried(path) if name == "tried" else self._is_there(f"{prefix}.{name}" if prefix else name)
            must("no lost answer", not there, f"`{path}` failed, and its fallback had `{name}`")

    def _step(self, path: str) -> Step:
        """A path is `evidence[1].thoughts`: each name a step of the recipe that the one before runs."""
        recipe = self.plan.recipes[self.entry.recipe]
        names = [part.partition("[")[0] for part in path.split(".")]
        for at, name in enumerate(names):
            step = next(s for s in recipe.steps if s.name == name)
            if at == len(names) - 1:
                return step
            if isinstance(step, Choose):
                calls: list[Any] = [step.arms[self._arm(".".join(path.split(".")[: at + 1]))].call]
            else:
                calls = [getattr(step, "call")]  # noqa: B009 - of whatever kind it is
            inside = [self.plan.recipes[call.recipe] for call in calls if call.kind == "recipe"]
            recipe = next(r for r in inside if any(s.name == names[at + 1] for s in r.steps))
        raise LookupError(path)

    def _arm(self, path: str) -> int:
        taken = [event.data["arm"] for event in self.trace.events if event.kind == "arm_taken" and event.step == path]
        return int(str(taken[-1]))

    def _told(self, kind: str, path: str) -> bool:
        return any(event.kind == kind and event.step == path for event in self.trace.events)

    def _tried(self, path: str) -> bool:
        """Whether an item came in that was not accepted, or a branch that counts."""
        return any(
            ((event.kind == "escalated" and "failure" not in event.data) or event.kind == "kept")
            and event.step.startswith(f"{path}[")
            for event in self.trace.events
        )

    def _is_there(self, path: str) -> bool:
        """Whether a step has a value; of one that runs recipes, whether a step in these has one that is not its fallback."""
        ends = [event for event in self.trace.events if event.kind == "step_end" and not event.step.endswith("return")]
        inside = [event for event in ends if event.step.startswith((f"{path}.", f"{path}["))]
        own = [event for event in ends if event.step == path and event.data["status"] in ("ok", "fallback")]
        return bool(own) and (not inside or any(event.data["status"] == "ok" for event in inside))


@contextmanager
def accounts_kept() -> Iterator[list[Account]]:
    """While it is open, each account is put down."""
    kept: list[Account] = []

    class Kept(Account):
        __slots__ = ()

        def __init__(self, *arguments: Any, **options: Any) -> None:  # Any: as the account has them
            super().__init__(*arguments, **options)
            kept.append(self)

    with patch.object(ledger, "Account", Kept), patch.object(interpreting, "Account", Kept):
        yield kept


# ------------------------------------------------------------- in virtual time


@dataclass
class Tally:
    """What came of the runs under one fault."""

    runs: int = 0
    answered: int = 0
    calls: int = 0
    wasted: int = 0
    fallbacks: int = 0
    retries: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, ended: Ended) -> None:
        self.runs += 1
        self.answered += ended.failure is None
        self.calls += ended.spend.calls
        self.wasted += ended.spend.wasted_calls
        kinds = Counter(event.kind for event in ended.trace.events)
        self.fallbacks += kinds["fallback_taken"]
        self.retries += kinds["retry"]
        if ended.failure is not None:
            self.ends[ended.failure.kind.value] += 1


Tallies = dict[str, Tally]


async def scripted_run(recipe: str, fault: str, seed: str) -> Ended:
    """One run in virtual time."""
    plan, schedule = plan_of(recipe), Schedule.of(fault, seed)
    entry, backend = entry_of(recipe, plan), ScriptedBackend(schedule)
    interpreter = Interpreter(plan, {"lab0": backend}, {name: Host(schedule) for name in plan.externs})
    request, began, failure = Request((Message("user", QUESTION),)), anyio.current_time(), None
    with accounts_kept() as accounts:
        try:
            result = await interpreter.run(entry, request, seed=schedule.draw.randrange(99))
            trace, spend = result.trace, result.spend
        except RunFailure as ended:
            failure, (trace, spend) = ended, _kept_by(ended)
    must("no call left open", not backend.open, backend.open)
    return Ended(plan, entry, request, anyio.current_time() - began, failure, trace, spend, accounts)


def _kept_by(failure: RunFailure) -> tuple[Trace, Spend]:
    assert failure.trace is not None
    assert failure.spend is not None
    return failure.trace, failure.spend


async def scripted_runs(cases: Sequence[tuple[str, str, str]], tallies: Tallies) -> None:
    own = len(anyio.get_running_tasks())
    for recipe, fault, seed in cases:
        tally = tallies.setdefault(fault, Tally())
        try:
            ended = await scripted_run(recipe, fault, seed)
            tally.add(ended)
            assert ended.entry.certificate is not None
            ended.hold(ended.entry.certificate.total.seconds)
            must("no leaked task", len(anyio.get_running_tasks()) <= own, anyio.get_running_tasks())
        except Exception as broken:  # noqa: BLE001 - whatever it is, it is put down with its seed
            tally.broken.append(f"{recipe}, {fault}, seed {seed}: {broken!r}")


LOOPS: Mapping[str, Any] = {  # Any: each event loop's own options
    "asyncio": lambda: {"loop_factory": VirtualTimeLoop},
    "trio": lambda: {"clock": trio.testing.MockClock(autojump_threshold=0)},
}


def drawn_cases(runs: int, seed: int, faults: Sequence[str]) -> list[tuple[str, str, str]]:
    """Every recipe with every fault, again and again, each time in another schedule."""
    pairs = [(recipe, fault) for fault in faults for recipe in RECIPES]
    random.Random(seed).shuffle(pairs)
    return [(*pairs[n % len(pairs)], f"{seed}/{n}") for n in range(runs)]


def in_virtual_time(runs: int, seed: int, tallies: Tallies) -> None:
    cases = drawn_cases(runs, seed, FAULTS)
    for number, (loop, options) in enumerate(LOOPS.items()):
        anyio.run(partial(scripted_runs, cases[number::2], tallies), backend=loop, backend_options=options())


# ------------------------------------------------------------------ over HTTP


class FaultyServer:
    """Answers each request well or with the fault, as a schedule says."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def __call__(self, request: Received) -> Answer:
        schedule = self._schedule
        try:
            asked = request.json
        except ValueError:  # its client has left in the middle of it
            return [RESET]
        form = asked.get("response_format", {}).get("json_schema", {}).get("schema")
        call = ModelCall(None, "", (), 100, schema=None if form is None else json.dumps(form))  # type: ignore[arg-type]  # of any model
        said, usage = well_said(call, schedule.draw), None
        if schedule.fault not in UNREACHED and schedule.suffers():
            if schedule.fault == MISFORMED:
                said = "no form at all"
            elif schedule.fault == LIES:
                usage = {"prompt_tokens": -5, "completion_tokens": 10**15, "total_tokens": 3}
            elif schedule.fault in (*STREAMS, STALLED_MIDWAY) and not asked.get("stream"):
                return refused(500, "oops")
            else:
                answer: Answer = REAL_FAULTS[schedule.fault]
                return answer
        if asked.get("stream"):
            told = {"choices": [], "usage": usage or {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}}
            return streamed(chunk(said), chunk(finish="stop"), told)
        return answered(completion(said) if usage is None else {**completion(said), "usage": usage})


async def real_run(engine: Engine, recipe: str, schedule: Schedule, allowed: float) -> Ended:
    """One run over HTTP, whole or as a stream, to which a second or so is allowed."""
    plan = engine.plan
    entry, request, failure = entry_of(recipe, plan), Request((Message("user", QUESTION),)), None
    heard: list[str] = []

    async def listen(piece: str) -> None:
        heard.append(piece)

    listener = listen if schedule.draw.random() < 0.5 else None
    began = anyio.current_time()
    try:
        result = await engine.answer(entry, request, listener=listener, time=allowed)
        trace, spend = result.trace, result.spend
        must("what was streamed is the answer", listener is None or "".join(heard) == result.text, heard)
    except RunFailure as ended:
        failure, (trace, spend) = ended, _kept_by(ended)
    return Ended(plan, entry, request, anyio.current_time() - began, failure, trace, spend, [])


async def real_runs(cases: Sequence[tuple[str, str, str]], tallies: Tallies) -> None:
    limiter = anyio.CapacityLimiter(SIDE_BY_SIDE)
    async with anyio.create_task_group() as group:
        for case in cases:
            await limiter.acquire_on_behalf_of(case)
            group.start_soon(_real_case, *case, tallies, limiter, case)


async def _real_case(
    recipe: str, fault: str, seed: str, tallies: Tallies, limiter: anyio.CapacityLimiter, case: object
) -> None:
    tally = tallies.setdefault(fault, Tally())
    schedule = Schedule.of(fault, seed)
    server = Upstream(FaultyServer(schedule))
    try:
        await anyio.to_thread.run_sync(server.__enter__)
        try:
            with elsewhere(fault, server.url) as bad:
                urls = [bad if fault in UNREACHED and schedule.suffers() else server.url for _ in NAMES]
                plan = plan_of(recipe, *urls, settings=schedule.draw.choice(SETTINGS))
                ended = await _engaged(plan, recipe, schedule)
            tally.add(ended)
            ended.hold(REAL_TIME + SLACK)
            await anyio.to_thread.run_sync(server.wait_until, lambda upstream: upstream.open == 0)
        finally:
            await anyio.to_thread.run_sync(partial(server.__exit__, None, None, None))
    except Exception as broken:  # noqa: BLE001 - whatever it is, it is put down with its seed
        tally.broken.append(f"{recipe}, {fault}, seed {seed}, over HTTP: {broken!r}")
    finally:
        limiter.release_on_behalf_of(case)


async def _engaged(plan: Plan, recipe: str, schedule: Schedule) -> Ended:
    """One run by an engine of its own, in whose trace there is no secret."""
    functions = {name: Host(schedule) for name in plan.externs}
    environment = {"LAB_KEY": "sk-a-key-that-nobody-sees"}
    async with Engine(plan, environment=environment, functions=functions) as engine:
        ended = await real_run(engine, recipe, schedule, REAL_TIME)
    ended.accounts = [Account("none", ledger.NO_LIMITS)]
    must("no secret in a trace", "sk-a-key" not in json.dumps(ended.trace.as_json()), "the key")
    return ended


@contextmanager
def elsewhere(fault: str, url: str) -> Iterator[str]:
    """An address where a connection fails so; of other faults the one that there is."""
    match fault:
        case "is refused":
            with socket.create_server(("127.0.0.1", 0)) as closed:
                address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
            yield address
        case "finds no host":
            yield "http://models.invalid/v1"
        case "is no TLS where TLS was asked for":
            yield url.replace("http:", "https:")
        case "meets a certificate that nobody vouches for":
            with tempfile.TemporaryDirectory() as folder, Upstream(tls=self_signed(Path(folder))) as strange:
                yield strange.url
        case _:
            yield url


# ------------------------------------------------------- against another's mock


async def mocked_runs(cases: Sequence[tuple[str, str, str]], url: str, tallies: Tallies) -> None:
    for recipe, fault, seed in cases:
        tally = tallies.setdefault(fault, Tally())
        schedule = Schedule.of(fault, seed)
        try:
            ids, settings = tuple(_mocked(schedule) for _ in NAMES), schedule.draw.choice(SETTINGS)
            ended = await _engaged(plan_of(recipe, url, ids=ids, settings=settings), recipe, schedule)
            tally.add(ended)
            ended.hold(REAL_TIME + SLACK)
            must("no leaked call", await _left_at(url) == 0, "the mock has calls in flight")
        except Exception as broken:  # noqa: BLE001 - whatever it is, it is put down with its seed
            tally.broken.append(f"{recipe}, {fault}, seed {seed}, against the mock: {broken!r}")


def _mocked(schedule: Schedule) -> str:
    """A model that fails each time, every so many times, or not at all, after a while or at once."""
    after = f"@{schedule.draw.choice((0, 5, 40))}"
    if schedule.suffers():
        return f"{schedule.draw.choice(('', 'every2-', 'every3-'))}fail-{schedule.fault}{after}"
    return schedule.draw.choice(("say-ANSWER: A", "say-ANSWER: B", "judge", "unsure", "plain")) + after


async def _left_at(url: str) -> int:
    """The calls that are in flight there, once those that were given up have had a moment to be noticed."""
    left = -1
    for _ in range(50):
        async with httpx2.AsyncClient(trust_env=False) as client:
            left = (await client.get(f"{url.removesuffix('/v1')}/stats")).json()["inflight"]
        if left == 0:
            break
        await anyio.sleep(0.02)
    return left


def against_mock(runs: int, seed: int, tallies: Tallies, url: str) -> None:
    cases = drawn_cases(runs, seed, OF_THE_MOCK)
    for number, loop in enumerate(LOOPS):
        anyio.run(partial(mocked_runs, cases[number::2], url, tallies), backend=loop)


def over_http(runs: int, seed: int, tallies: Tallies, faults: Sequence[str] = (*REAL_FAULTS, *UNREACHED)) -> None:
    light = [fault for fault in faults if fault not in HEAVY]
    heavy = drawn_cases(runs // 20, seed + 1, HEAVY) if set(HEAVY) <= set(faults) else []
    cases = drawn_cases(runs - len(heavy), seed, light) + heavy
    for number, loop in enumerate(LOOPS):
        anyio.run(partial(real_runs, cases[number::2], tallies), backend=loop)


# -------------------------------------------------------------------- command


def table(tallies: Tallies) -> str:
    """The runs by fault: how many were answered, with how many calls, and how the others ended."""
    rows = [
        "| fault | runs | answered | calls | wasted | retries | fallbacks | failed | broken promises |",
        "|---|" + "--:|" * 6 + "---|--:|",
    ]
    for fault, t in sorted(tallies.items()):
        ends = ", ".join(f"{kind} {count}" for kind, count in t.ends.most_common())
        rows.append(
            f"| {fault} | {t.runs} | {t.answered} | {t.calls} | {t.wasted} | {t.retries} | {t.fallbacks} | {ends} | {len(t.broken)} |"
        )
    return "\n".join(rows)


def broken_of(tallies: Tallies) -> list[str]:
    return [line for tally in tallies.values() for line in tally.broken]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="every standard recipe under every fault of a provider")
    parser.add_argument("--runs", type=int, default=5_000, help="schedules in virtual time")
    parser.add_argument("--real", type=int, default=300, help="schedules over HTTP")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mock", help="a server whose models fail as their names say")
    parser.add_argument("--mocked", type=int, default=300, help="schedules against it")
    asked = parser.parse_args(arguments)
    broken: list[str] = []
    campaigns: list[tuple[str, Callable[[int, int, Tallies], None], int]] = [
        ("In virtual time", in_virtual_time, asked.runs),
        ("Over HTTP", over_http, asked.real),
    ]
    if asked.mock is not None:
        campaigns.append(("Against the mock", partial(against_mock, url=asked.mock), asked.mocked))
    for title, run, runs in campaigns:
        tallies: Tallies = {}
        began = time.monotonic()
        run(runs, asked.seed, tallies)
        told = sum(t.runs for t in tallies.values()), sum(t.calls for t in tallies.values())
        print(
            f"\n{title}: {told[0]} runs with {told[1]} calls, in {time.monotonic() - began:.0f} s\n\n{table(tallies)}"
        )
        broken += broken_of(tallies)
    print(f"\n{len(broken)} broken promises")
    for line in broken[:MOST_SHOWN]:
        print(f"  {line}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
