"""Runs of drawn programs against hostile models, held to all that the compiler and the interpreter promise of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import trio.testing

from hostile_models import TEMPERS, Sent, World, drawn_request
from recipe_programs import Pick, Program, drawn_program
from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import render
from recipelang.formatting.layout import laid_out
from recipelang.ir.certificate import Bound, Certificate, Linear
from recipelang.ir.document import digest_of, dump, load
from recipelang.ir.plan import Entry, Plan, Step
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.runtime import scheduling
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.frame import Frame
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ledger import NO_LIMITS, Limits, Spend
from recipelang.runtime.members import images_of, shown_bytes
from recipelang.runtime.ports import Event
from recipelang.runtime.prompts import request_bytes
from recipelang.runtime.steps.prepared import PreparedStep
from recipelang.runtime.values import (
    Answer,
    RecordValue,
    Request,
    Said,
    TaskPlan,
    Value,
    byte_length,
)
from recipelang.source import Source
from recipelang.syntax.parser import read
from recipelang.validation.bounds import Prover, Use
from recipelang.validation.evaluating import Environment
from recipelang.validation.values import (
    Abstract,
    Answers,
    Contracts,
    Fields,
    Items,
    Models,
    Nothing,
    Number,
    Other,
    Plans,
    Truth,
    Words,
    join,
)

LOOPS: dict[str, Any] = {  # Any: each event loop's own options
    "asyncio": lambda: {"loop_factory": VirtualTimeLoop},
    "trio": lambda: {"clock": trio.testing.MockClock(autojump_threshold=0)},
}


class Broken(AssertionError):
    """A law that does not hold. `law` is a word or two."""

    def __init__(self, law: str, detail: object = "") -> None:
        super().__init__(f"{law}: {detail}")
        self.law = law


def must(law: str, holds: bool, detail: object = "") -> None:
    if not holds:
        raise Broken(law, detail)


# ------------------------------------------------------------------- values


Trail = tuple[str, ...]


class Watching(Prover):
    """A prover that remembers what it said of each step, by the way that leads to it: its value, and its prompts."""

    def watch(self, entry: Entry) -> None:
        self.said: dict[Trail, Abstract] = {}
        self.prompts: dict[tuple[Trail, bool], Linear] = {}  # and whether it is a repair
        self.completions: dict[Trail, int] = {}
        self.exposed(entry)

    def recipe(self, name: str, arguments: Mapping[str, Abstract]) -> tuple[Certificate, Abstract]:
        """Without a memory, so that each call is looked at with its own arguments."""
        return self._prove(self.plan.recipes[name], arguments)

    def _exchange(self, prompt: Linear, tokens: int, models: Models, first: int, repairs: int) -> Use:
        for once, again in ((1, 0), (0, 1)):
            bound = super()._exchange(prompt, tokens, models, once, again).bound
            key = (self.trail, bool(again))
            self.prompts[key] = bound.prompt_tokens.join(self.prompts.get(key, Linear()))
            self.completions[self.trail] = max(bound.completion_tokens, self.completions.get(self.trail, 0))
        return super()._exchange(prompt, tokens, models, first, repairs)

    def _step(self, step: Step, known: Environment) -> Use:
        use = super()._step(step, known)
        said = self.said.get(self.trail)
        self.said[self.trail] = use.value if said is None else join(said, use.value)
        return use


def below(value: Value, said: Abstract, size: int) -> bool:
    """Whether a value is one of those that were foretold. None may stand wherever a value is optional."""
    match said:
        case _ if value is None:
            return not isinstance(said, Truth) or said.value is not True
        case Number(low, high):
            return not _is_number(value) or low <= value <= high  # type: ignore[operator]  # a number, as was asked
        case Words(most, text):
            quoted = byte_length(value) if isinstance(value, str) else 0
            quoted = min(quoted, value.limit) if isinstance(value, Said) else quoted
            return isinstance(value, str) and quoted <= most.at(size) and text in (None, value)
        case Truth(known):
            return known is None or value is known
        case Nothing():
            return False
        case Answers(most, tokens, models):
            if not isinstance(value, Answer):
                return False
            there = models is None or value.model.name in models
            return there and shown_bytes(value, _EMPTY) <= most and (value.max_tokens or 0) <= tokens
        case Models(names):
            return names is None or getattr(value, "name", None) in names
        case Contracts(repair):
            return getattr(value, "repair", math.inf) <= repair
        case Items(low, high, item, exact):
            if not isinstance(value, tuple) or not low <= len(value) <= high:
                return False
            each = exact if exact is not None else (item,) * len(value)
            return len(each) == len(value) and all(map(below, value, each, (size,) * len(value)))
        case Fields(fields, most, built):
            return isinstance(value, RecordValue) and _record_below(value, dict(fields), most, built, size)
        case Plans(workers, steps, most):
            return (
                isinstance(value, TaskPlan)
                and len(value.tasks) <= steps
                and (workers is None or all(task.model.name in workers for task in value.tasks))
                and min(byte_length(value.text), value.limit or 10**9) <= most.at(size)
            )
        case Other():
            return not isinstance(value, (Answer, tuple, RecordValue, TaskPlan))


_EMPTY = Plan()


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _record_below(value: RecordValue, fields: Mapping[str, Abstract], most: int | None, built: bool, size: int) -> bool:
    if value.limit is not None and (most is None or value.limit > most):
        return False
    if value.limit is None and not built:
        return False
    return all(below(inside, fields.get(name, Other()), size) for name, inside in value.fields.items())


@contextmanager
def tapped(seen: list[tuple[str, Value]]) -> Iterator[None]:
    """While it is open, the value of each step that ends is put down with its path."""
    execute = scheduling.execute

    async def told(step: PreparedStep, frame: Frame) -> Value:
        value = await execute(step, frame)
        seen.append((frame.path + step.name, value))
        return value

    scheduling.execute = told
    try:
        yield
    finally:
        scheduling.execute = execute


def trail_of(path: str) -> tuple[str, ...]:
    """`s3[1].s2` is the way from `s3` to `s2`."""
    return tuple(re.sub(r"\[[^\]]*\]", "", path).split("."))


# --------------------------------------------------------------------- runs


@dataclass
class Journal:
    events: list[Event] = field(default_factory=list)

    def record(self, event: Event) -> None:
        self.events.append(event)


@dataclass
class Case:
    """A program, a request and a world, and what may be used: drawn together."""

    program: Program
    request: Request
    world: World
    most: Limits
    patience: float | None  # seconds after which the run is cancelled
    loop: str
    seed: int


def drawn_case(pick: Pick, loop: str = "asyncio", program: Program | None = None) -> Case:
    """A case of a program, which is drawn as well where there is none."""
    program = program or drawn_program(pick)
    request = drawn_request(pick)
    temper = TEMPERS[pick(0, len(TEMPERS) - 1)]
    world = World(pick, temper, (10, 8, 3)[pick(0, 2)])
    most = NO_LIMITS
    if program.plan is not None and pick(0, 3) == 3:
        most = _dial(_certificate(program.plan).total, request, pick)
    patience = (0.0, 0.7, 30.5, 100.25)[pick(0, 3)] if pick(0, 7) == 7 else None
    return Case(program, request, world, most, patience, loop, pick(0, 6))


def _dial(bound: Bound, request: Request, pick: Pick) -> Limits:
    """Less than the certificate, in one dimension or in several."""
    size = request_bytes(request)
    tokens = int(bound.prompt_tokens.at(size)) + bound.completion_tokens
    share = (0.2, 0.5, 0.9, 1.0)
    return Limits(
        int(bound.calls * share[pick(0, 3)]) if pick(0, 1) else None,
        int(tokens * share[pick(0, 3)]) if pick(0, 1) else None,
        bound.cost.at(size) * share[pick(0, 3)] if bound.cost is not None and pick(0, 1) else None,
        max(1, int(bound.parallel * share[pick(0, 3)])) if pick(0, 1) else None,
    )


def _certificate(plan: Plan) -> Certificate:
    certificate = plan.entries["main"].certificate
    assert certificate is not None
    return certificate


@dataclass
class Ended:
    """How a run went. `spend` is none where it was cancelled."""

    spend: Spend | None
    failure: RunFailure | None
    events: list[Event]
    values: list[tuple[str, Value]]
    seconds: float


def ran(case: Case) -> Ended:
    """One run of `main` in virtual time, however it ended."""
    plan = case.program.plan
    assert plan is not None
    journal, values = Journal(), list[tuple[str, Value]]()
    interpreter = Interpreter(_unhindered(plan, case), {"lab": case.world}, case.world.functions())

    async def once() -> Ended:
        began = anyio.current_time()
        ended = Ended(None, None, journal.events, values, 0.0)
        with anyio.move_on_after(math.inf if case.patience is None else case.patience):
            try:
                result = await interpreter.run("main", case.request, seed=case.seed, journal=journal, most=case.most)
                ended.spend = result.spend
            except RunFailure as failure:
                ended.spend, ended.failure = failure.spend, failure
        ended.seconds = anyio.current_time() - began
        return ended

    with tapped(values):
        return anyio.run(once, backend=case.loop, backend_options=LOOPS[case.loop]())


def _unhindered(plan: Plan, case: Case) -> Plan:
    """The plan so that no permit holds a call back: more at once than was promised must be seen, not mended."""
    if case.most.parallel is not None:
        return plan
    entry = plan.entries["main"]
    certificate = _certificate(plan)
    free = replace(certificate, total=replace(certificate.total, parallel=10**6))
    return replace(plan, entries={"main": replace(entry, certificate=free)})


# --------------------------------------------------------------------- laws


def held(case: Case) -> Ended:
    """Run a case and hold it to every law; raises `Broken`."""
    plan = case.program.plan
    assert plan is not None
    ended = ran(case)
    spend = ended.spend or _spend_of(ended.events)
    if not ended.events:
        return ended  # cancelled before it began
    _nothing_is_left(case.world, ended.events)
    _books_balance(case, ended.events, spend)
    must("a boundary was passed", not case.world.leaked(case.request))
    refused = [event.data for event in ended.events if event.kind == "call_refused"]
    must("a boundary had to be kept", not any(data["failure"] == "boundary" for data in refused), refused)
    said = Watching(plan)
    said.watch(plan.entries["main"])
    _values_are_below(case, said, ended)
    _calls_are_below(case, said, ended)
    _within(case, _certificate(plan), ended, spend)
    _within_dial(case, spend)
    if case.world.temper != "liar" and case.most == NO_LIMITS and _is_bounded(case, plan):
        budgets = [data for data in refused if data["failure"] == "budget"]
        must("a call was refused that was promised", not budgets, budgets)
        taken = [event.data for event in ended.events if event.kind in ("fallback_taken", "step_end")]
        budgets = [data for data in taken if data.get("failure") == "budget"]
        must("a step was refused that was promised", not budgets, budgets)
    return ended


def held_to_bounds(case: Case, ended: Ended, sent: list[Sent]) -> None:
    """Hold a turn of a loop of tools, in which these calls were sent, to the bound of its own request."""
    plan, spend = case.program.plan, ended.spend
    assert plan is not None
    assert spend is not None
    _nothing_is_left(case.world, ended.events)
    must("a call is not in the books", spend.calls == sum(one.left for one in sent), (spend.calls, len(sent)))
    _within(case, _certificate(plan), ended, spend)
    refused = [event.data for event in ended.events if event.kind == "call_refused"]
    if case.world.temper != "liar" and _is_bounded(case, plan):
        budgets = [data for data in refused if data["failure"] == "budget"]
        must("a call was refused that was promised", not budgets, budgets)


def _spend_of(events: list[Event]) -> Spend:
    """What a run that was cancelled used, by its last event."""
    last = events[-1].data if events else {}
    return Spend(**{figure: last.get(figure, 0) for figure in Spend.__slots__})


def _is_bounded(case: Case, plan: Plan) -> bool:
    """Whether the tokens of the request can be bounded for all models that may see it."""
    images = sum(map(images_of, case.request.messages))
    return not images or not _certificate(plan).uncounted


def _nothing_is_left(world: World, events: list[Event]) -> None:
    kinds = [event.kind for event in events]
    must("a call leaked", world.in_flight == 0, world.in_flight)
    must("a run did not end", kinds[-1] == "run_end" and kinds.count("run_end") == 1, kinds[-3:])
    must("a step did not end", kinds.count("step_start") == kinds.count("step_end"))
    ends = sum(kinds.count(kind) for kind in ("call_end", "call_failed", "call_cancelled"))
    must("a call did not end", kinds.count("call_start") == ends, (kinds.count("call_start"), ends))


def _books_balance(case: Case, events: list[Event], spend: Spend) -> None:
    """Every call that was sent is in the books, with no less than it may have been billed, and no other call."""
    sent = [one for one in case.world.sent if one.left]
    must("a call is not in the books", spend.calls == len(sent), (spend.calls, len(sent)))
    prompt = sum(case.world.billed(one).prompt_tokens for one in sent)
    completion = sum(case.world.billed(one).completion_tokens for one in sent)
    must("prompt tokens are missing", spend.prompt_tokens >= prompt, (spend.prompt_tokens, prompt))
    must("completion tokens are missing", spend.completion_tokens >= completion, (spend.completion_tokens, completion))
    if spend.cost is not None and case.program.plan is not None:
        extern = case.program.plan.externs.get("probe")
        least = sum(_priced(one.call.model, case.world.billed(one)) for one in sent)
        least += case.world.probes * (0.0 if extern is None else extern.cost)
        must("money is missing", spend.cost >= least - 1e-9, (spend.cost, least))
    ended = [event.data for event in events if event.kind in ("call_end", "call_failed", "call_cancelled")]
    told = sum(data["prompt_tokens"] + data["completion_tokens"] for data in ended)
    must("the trace tells other sums", told == spend.tokens, (told, spend.tokens))


def _priced(model: Any, usage: Any) -> float:
    price = model.price
    return 0.0 if price is None else (usage.prompt_tokens * price.input + usage.completion_tokens * price.output) / 1e6


def _values_are_below(case: Case, prover: Watching, ended: Ended) -> None:
    """Every value is one of those that were foretold for its step."""
    size = request_bytes(case.request)
    for path, value in ended.values:
        said = prover.said.get(trail_of(path))
        must("a step was not foreseen", said is not None, path)
        must("a value was not foreseen", said is not None and below(value, said, size), (path, value, said))


def _calls_are_below(case: Case, prover: Watching, ended: Ended) -> None:
    """Every call has a prompt no longer than was foretold for its step, and may say no more."""
    size, images = request_bytes(case.request), sum(map(images_of, case.request.messages))
    repairs: Counter[str] = Counter()
    for event in ended.events:
        if event.kind == "repair":
            repairs[event.step] += 1
        if event.kind != "call_start":
            continue
        most, trail = case.world.sent[event.data["call"] - 1].most, trail_of(event.step)
        foretold = prover.prompts.get((trail, repairs[event.step] > 0), Linear()).at(size, images)
        must("a prompt is longer than foreseen", most.prompt_tokens <= foretold + 1e-6, (event.step, most, foretold))
        must("a call may say more than foreseen", most.completion_tokens <= prover.completions[trail], event.step)


def _within(case: Case, certificate: Certificate, ended: Ended, spend: Spend) -> None:
    most, size = certificate.total, request_bytes(case.request)
    images = sum(map(images_of, case.request.messages))
    must("too many calls", spend.calls <= most.calls, (spend.calls, most.calls))
    peak = max(spend.peak_parallel, case.world.peak)
    must("too many at once", peak <= most.parallel, (peak, most.parallel))
    seconds = max(spend.seconds, ended.seconds)
    if case.most.parallel is None:  # with fewer at once than it needs a run may wait longer
        must("too long", seconds <= most.seconds + 1e-6, (seconds, most.seconds))
    if case.world.temper == "liar" or (images and certificate.uncounted):
        return
    prompt = most.prompt_tokens.at(size, images)
    must("too many prompt tokens", spend.prompt_tokens <= prompt + 1e-6, (spend.prompt_tokens, prompt))
    must("too many completion tokens", spend.completion_tokens <= most.completion_tokens)
    if most.cost is not None:
        must("too dear", (spend.cost or 0.0) <= most.cost.at(size, images) + 1e-9, (spend.cost, most.cost))
    bounds = {step.step: step.bound.seconds for step in certificate.steps}
    for name, longest in _durations(ended.events).items() if case.most.parallel is None else ():
        must("a step took too long", longest <= bounds.get(name, 0.0) + 1e-6, (name, longest))
    for step in certificate.steps:
        calls, tokens = used_by(step.step, ended.events)
        at_most = step.bound.prompt_tokens.at(size, images) + step.bound.completion_tokens
        must("too many calls of a step", calls <= step.bound.calls, (step.step, calls, step.bound.calls))
        must("too many tokens of a step", tokens <= at_most + 1e-6, (step.step, tokens, at_most))


def _durations(events: list[Event]) -> dict[str, float]:
    """How long each step of `main` took."""
    began = {event.step: event.at for event in events if event.kind == "step_start" and "." not in event.step}
    return {
        event.step: event.at - began[event.step]
        for event in events
        if event.kind == "step_end" and "." not in event.step
    }


def used_by(step: str, events: list[Event]) -> tuple[int, int]:
    """The calls of a step of `main`, and of all that it calls, and their tokens."""
    own = [event for event in events if re.match(rf"{step}(?![\w])", event.step)]
    ended = [event.data for event in own if event.kind in ("call_end", "call_failed", "call_cancelled")]
    tokens = sum(data["prompt_tokens"] + data["completion_tokens"] for data in ended)
    return sum(event.kind == "call_start" for event in own), tokens


def _within_dial(case: Case, spend: Spend) -> None:
    """A run keeps to what the host allows, if its models tell the truth; of calls it always does."""
    most = case.most
    must("more calls than allowed", most.calls is None or spend.calls <= most.calls, (spend.calls, most.calls))
    at_once = max(spend.peak_parallel, case.world.peak)
    must("more at once than allowed", most.parallel is None or at_once <= most.parallel, (at_once, most.parallel))
    if case.world.temper == "liar":
        return
    must("more tokens than allowed", most.tokens is None or spend.tokens <= most.tokens, (spend.tokens, most.tokens))
    must("more money than allowed", most.cost is None or (spend.cost or 0.0) <= most.cost + 1e-9, spend.cost)


# ------------------------------------------------------- laws of the program


def lawful(program: Program) -> None:
    """What holds of a program however it is run: its layout, its plan as a document, its compilation."""
    plan = program.plan
    assert plan is not None
    digest = digest_of(plan)
    again = compile_text(program.text).plan
    must("compiling is not deterministic", again is not None and digest_of(again) == digest)
    loaded = load(dump(plan))
    must("a plan changes when it is saved", loaded == plan and digest_of(loaded) == digest)
    commented = _with_comments(program.text)
    before = read(Source("drawn.recipe", commented), lambda _: None)
    assert before is not None
    layout = laid_out(before.written)
    after = read(Source("drawn.recipe", layout), lambda _: None)
    must("a layout says something else", after is not None and after.file == before.file)
    assert after is not None
    must("a layout loses a comment", after.written.comments == before.written.comments)
    must("a layout is not at rest", laid_out(after.written) == layout)
    formatted = compile_text(layout)
    must("a layout does not compile", formatted.plan is not None, render(formatted.diagnostics))


def _with_comments(text: str) -> str:
    """A comment of its own after each fourth line, and one on a line of its own before each eighth."""
    lines = text.split("\n")
    inside = False
    for place, line in enumerate(list(lines)):
        inside ^= line.count('"""') % 2 == 1
        if not inside and place % 4 == 3:
            lines[place] = f"{line}  # comment {place}"
        if not inside and place % 8 == 7:
            lines[place] = f"# before {place}\n{lines[place]}"
    return "\n".join(lines)


def without_dial(case: Case) -> Case:
    return replace(case, most=NO_LIMITS)


BUDGET = RunFailureKind.BUDGET
