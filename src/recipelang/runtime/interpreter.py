"""The interpreter: takes a plan, makes it ready once, and runs its entries under their budgets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce

from recipelang.ir.commitment import demands_nothing
from recipelang.ir.plan import Entry, Plan
from recipelang.quick import replace
from recipelang.quick import unguarded as dataclass
from recipelang.runtime.admission import PreparedEntry, admitted, prepare_entry
from recipelang.runtime.boundaries import prepare_boundaries, withheld
from recipelang.runtime.clock import LoopClock, loop_timer
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.finishing import finished, text_of_answer
from recipelang.runtime.frame import Execution, evaluate
from recipelang.runtime.gauging import Dials
from recipelang.runtime.ledger import NO_LIMITS, NOTHING, Account, Limits, Lost, Share, Spend
from recipelang.runtime.ports import Backend, Clock, HostFunction, Journal, Tracer
from recipelang.runtime.prompts import Prompter
from recipelang.runtime.purses import Purse, held
from recipelang.runtime.readings import Readings, Why
from recipelang.runtime.scheduling import prepare_recipe
from recipelang.runtime.trace import Recorder, Trace
from recipelang.runtime.turns import Loop, Turns
from recipelang.runtime.values import Authored, Json, Request, Value, to_json
from recipelang.runtime.voice import CallListener, Listener, Voice

BOUND = "the bound of the run"
"""How the account is called that the certificate opens, where a refusal names it."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run gave, how it came about and what it used."""

    answer: Value  # an `Answer`, for a recipe that returns one
    trace: Trace
    spend: Spend

    @property
    def text(self) -> str:
        """The answer as text: what was said, or else its JSON."""
        return text_of_answer(self.answer)


class Interpreter:
    """Runs the entries of one plan, any number at a time, on asyncio or trio.

    `backends` are by the names that the plan gives them. The clock stamps the trace; deadlines go by the event loop.
    `functions` are those that the plan's recipes `call`, by the names that the plan gives them. Raises `ValueError` for a
    plan that can't run: steps that wait for each other, a backend or a function that is not there.
    """

    def __init__(
        self,
        plan: Plan,
        backends: Mapping[str, Backend],
        functions: Mapping[str, HostFunction] | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        functions = functions or {}
        _must_be_given("backend", {model.backend for model in plan.models.values()} - set(backends))
        _must_be_given("function", set(plan.externs) - set(functions))
        self._plan = plan
        self._backends = dict(backends)
        self._functions = dict(functions)
        self._boundaries = prepare_boundaries(plan)
        self._clock = clock
        self._prompter = Prompter(plan)
        self._recipes = {name: prepare_recipe(recipe, plan) for name, recipe in plan.recipes.items()}
        self._entries = {name: self._prepared(entry) for name, entry in plan.entries.items()}

    def _prepared(self, entry: Entry) -> PreparedEntry:
        return prepare_entry(entry, self._recipes[entry.recipe], self._plan)

    def _found(self, entry: str | Entry) -> PreparedEntry:
        if isinstance(entry, Entry):
            own = self._plan.entries.get(entry.name) is entry
            return self._entries[entry.name] if own else self._prepared(entry)
        if entry not in self._entries:
            raise LookupError(f"the plan has no entry `{entry}`")
        return self._entries[entry]

    async def run(
        self,
        entry: str | Entry,
        request: Request,
        *,
        seed: int = 0,
        journal: Journal | None = None,
        tracer: Tracer | None = None,
        content: bool = False,
        listener: Listener | None = None,
        call_listener: CallListener | None = None,
        most: Limits = NO_LIMITS,
        time: float | None = None,
        purse: Purse | None = None,
        lost: Sequence[Lost] = (),
        loop: Loop | None = None,
    ) -> RunResult:
        """Answer a request; raises `RunFailure` with its trace, and `LookupError` where the plan has no such entry.

        An entry is one of the plan's, by its name, or one that was bound to a recipe of the plan since. The same `seed`
        gives the same orders, jitters and seeds for the models. `journal` is told each event as it happens, and so is
        `tracer`, which says what goes with each call; `content`
        puts what was said into the trace as well. `listener` hears the answer, piece by piece from the moment on that
        nothing later can change it, or else as a whole in the end, and `call_listener` calls of tools alike, but for those that
        are only there as a whole; after its first piece no fallback can help, and a
        failure says so by `is_committed`. `most` and `time`, in seconds, tighten what the run may use, and never loosen
        it. `lost` are calls of an earlier process that died: they count as wasted, on top of what the recipe may use by
        itself. With a `loop` the run may go on with one of the client's tools, in the state in which its last turn ended,
        and what it does is kept for the next one. An exception of a backend that is no `BackendError` is a bug and ends the run as it is, with a note that
        names the step and the model.
        """
        prepared = self._found(entry)
        timer = loop_timer()
        clock = self._clock or LoopClock(timer)
        recorder = Recorder(clock, journal, content, tracer)
        turns = self._turns(request, loop, most, recorder)
        request = turns.requests[-1]
        execution = self._execution(turns, seed, clock, timer, recorder)
        name = entry if isinstance(entry, str) else entry.name
        recorder.record("run_start", "", entry=name, recipe=prepared.recipe.name, seed=seed)
        gone = _lost(recorder, lost)
        account = Account(BOUND, Limits())
        voice = None if listener is None else Voice(listener, call_listener)
        try:
            counts_tokens = most.counts_tokens or (purse is not None and purse.counts_tokens)
            bound = admitted(prepared, request, counts_tokens=counts_tokens).raised(gone)
            deadline = math.inf if time is None else timer() + time
            async with held(purse, bound.tightened(most)) as hold:
                account = Account(account.name, hold.limits, is_tight=hold.limits != bound)
                hold.totals = account.totals
                account.write_off(lost)
                _show_what_is_left(request, account, timer, _ends_at(prepared, deadline, timer))
                spoken = voice if demands_nothing(request.format) else None  # what is held to a form is looked at first
                answer = finished(await _answer(prepared, execution, account, spoken, deadline), request)
        except RunFailure as failure:
            failure.is_committed = voice is not None and voice.spoke
            failure.spend = _end(recorder, account, "failed", failure=failure.kind.value, why=str(failure))
            failure.trace = recorder.trace(name, seed)
            raise
        except Exception as bug:
            _end(recorder, account, "broken", why=repr(bug))
            raise
        except BaseException:
            _end(recorder, account, "cancelled")
            raise
        spend = _end(recorder, account, "ok")
        result = RunResult(answer, recorder.trace(name, seed), spend)
        if voice is not None and not voice.spoke and result.text:
            await voice.say(result.text)
        return result

    def _turns(self, request: Request, loop: Loop | None, most: Limits, recorder: Recorder) -> Turns:
        """The requests of a run, each with what can be read from it while it goes on."""
        readings = Readings(partial(_tell_signal, recorder))
        dials = Dials(self._backends, partial(_tell_gauge, recorder))
        allowed = request.max_cost if most.cost is None else most.cost
        requests = (*(() if loop is None else loop.before), request)
        return Turns(tuple(replace(each, max_cost=allowed, readings=readings, dials=dials) for each in requests), loop)

    def _execution(
        self, turns: Turns, seed: int, clock: Clock, timer: Callable[[], float], recorder: Recorder
    ) -> Execution:
        """All that a run reaches; in a loop of tools it hears again what it has heard, and keeps what is new."""
        backends, functions, loop = self._backends, self._functions, turns.loop
        if loop is not None:
            backends = {name: loop.keeping(backend) for name, backend in backends.items()}
            functions = {name: loop.keeping_function(name, function) for name, function in functions.items()}
        return Execution(
            self._plan,
            turns.requests[0],
            seed,
            clock,
            timer,
            recorder,
            backends,
            self._prompter,
            self._recipes,
            functions,
            withheld(self._boundaries, self._plan, turns.requests),
            turns,
        )


def _must_be_given(what: str, missing: set[str]) -> None:
    if missing:
        raise ValueError(f"no {what} was given for {', '.join(f'`{name}`' for name in sorted(missing))}")


async def _answer(
    prepared: PreparedEntry, execution: Execution, account: Account, voice: Voice | None, deadline: float
) -> Value:
    values: dict[str, Value] = {"request": execution.request}
    for name, compiled in prepared.arguments:
        values[name] = evaluate(compiled, values, "")
    return await prepared.recipe(execution, values, "", deadline, account, voice, answers=True)


def _tell_signal(recorder: Recorder, name: str, value: Value, find: Callable[[], Why]) -> None:
    """A signal with its value and the words that caused it; of the client's own only where texts are told at all."""
    why = find()
    told = [word for word in why.words if recorder.content or isinstance(word, Authored)]
    plain = value if recorder.content or not isinstance(value, str) or isinstance(value, Authored) else None
    recorder.record("signal", "", name=name, value=to_json(plain), words=told, by=list(why.by))


def _ends_at(prepared: PreparedEntry, deadline: float, timer: Callable[[], float]) -> float:
    """When the run is over at the latest."""
    time = prepared.recipe.time
    return deadline if time is None else min(deadline, timer() + time)


def _show_what_is_left(request: Request, account: Account, timer: Callable[[], float], end: float) -> None:
    if request.dials is not None:
        request.dials.watch(account.room, lambda: end - timer())


def _tell_gauge(recorder: Recorder, gauge: str, model: str, value: Value) -> None:
    recorder.record("gauge", "", gauge=gauge, model=model, value=to_json(value))


def _lost(recorder: Recorder, lost: Sequence[Lost]) -> Share:
    """What the calls of a process that died may have used."""
    gone = reduce(Share.plus, (call.share for call in lost), NOTHING)
    if lost:
        recorder.record("calls_lost", "", calls=gone.calls, tokens=gone.tokens, cost=gone.cost)
    return gone


def _end(recorder: Recorder, account: Account, status: str, **how: Json) -> Spend:
    spend = account.totals.spend(recorder.elapsed())
    recorder.record("run_end", "", status=status, **how, **spend.as_json())
    return spend
