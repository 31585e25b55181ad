"""Faults planted in the prover, the ledger and the interpreter, each of which the laws must find: a test of the tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from recipelang.ir import plan as ir
from recipelang.ir.certificate import Bound, Linear
from recipelang.runtime import admission, calling, exchange, ledger, prompts
from recipelang.runtime.exchange import Exchange
from recipelang.runtime.ledger import Account, Totals
from recipelang.runtime.ports import BackendError
from recipelang.runtime.values import Usage
from recipelang.validation import boundaries, bounds, evaluating
from recipelang.validation.bounds import Prover, Use
from recipelang.validation.schedule import StepGraph
from recipelang.validation.values import Items, Models, join


@dataclass(frozen=True)
class Fault:
    """Something that is wrong while it is planted. `places` are what is put in the place of what is right."""

    name: str
    places: tuple[tuple[Any, str, Any], ...]  # Any: a module or a class, and one of its attributes

    @contextmanager
    def planted(self) -> Iterator[None]:
        with ExitStack() as stack:
            for owner, attribute, wrong in self.places:
                stack.enter_context(patch.object(owner, attribute, wrong))
            yield


def fault(name: str, *places: tuple[Any, str, Any]) -> Fault:
    return Fault(name, places)


# ---------------------------------------------------------------- the prover

_ASK, _STEP, _PROMPT, _CALL, _TASK = Prover._ask, Prover._step, Prover._prompt, Prover._call, Prover._task
_EXCHANGE, _FANOUT, _CASCADE, _RETURN = Prover._exchange, Prover._fanout, Prover._cascade, Prover._return
_POSSIBLE = Prover._possible
_HOST, _FACTS, _APPLY = Prover._host_call, evaluating.Facts.of, evaluating._apply


def _without(step: Any, **changes: Any) -> Any:
    return replace(step, **changes)


def _narrow(self: Prover, step: ir.Fanout, known: Any, count: int) -> tuple[int, int]:
    least, widest = _AT_ONCE(self, step, known, count)
    return widest, least


_AT_ONCE = Prover._at_once


def _one_state(self: Prover, step: ir.Repeat, known: Any) -> Use:
    """All rounds as if each began with `start`."""
    state = evaluating.evaluate(step.start, known, self.facts)
    uses = []
    value = state
    for item in self._rounds(step, known):
        inside = {**known, step.name: state, **({step.variable: item} if step.variable else {})}
        uses.append(self._call(step.call, inside))
        value = join(value, uses[-1].value)
    return replace(bounds._together(uses), value=value)


def _one_round(self: Prover, step: ir.Perform, plan: Any, steps: int, known: Any) -> Use:
    return _TASK(self, step, plan, 1, known)


def _first_item(self: Prover, step: ir.Cascade, known: Any) -> Use:
    use = _CASCADE(self, step, known)
    return replace(use, bound=replace(use.bound, calls=min(1, use.bound.calls)))


def _own_heaviest(self: StepGraph, weights: Any) -> Any:
    name = max(weights, key=lambda each: weights[each], default=None)
    return (weights[name], (name,)) if name is not None else (0, ())


def _cheapest(self: Prover, models: Any, prompts: Any, completions: Any) -> Linear | None:
    each = [_COST(self, [m], [p], [c]) for m, p, c in zip(models, prompts, completions, strict=True)]
    return None if None in each or not each else min(each, key=lambda cost: cost.constant)  # type: ignore[union-attr]  # none is there


_COST = Prover._cost


def _first_of(self: Prover, step: ir.Choose, known: Any) -> Iterator[Any]:
    yield 0, step.arms[0]


def _unweighed(self: Prover, step: ir.Choose, known: Any) -> Iterator[Any]:
    return _POSSIBLE(self, replace(step, by=None), known)


def _at_once_seconds(self: Prover, step: ir.Fanout, known: Any) -> Use:
    use = _FANOUT(self, step, known)
    return _FANOUT(self, replace(step, parallel=None), known) if step.parallel is not None else use


def _by_items(self: Prover, step: ir.Fanout, known: Any) -> Use:
    return _FANOUT(self, replace(step, samples=None), known)


def _model_blind(self: Prover, prompt: Linear, model: ir.Model) -> Linear:
    return _TOKENS(self, prompt, replace(model, tokens_per_byte=1.0))


_TOKENS = Prover._tokens


def _unthinking(self: Prover, prompt: Any, tokens: int, models: Models, first: int, repairs: int) -> Use:
    known = self.plan.models
    thoughtless = {name: replace(model, reasoning_tokens=0) for name, model in known.items()}
    with patch.object(self, "plan", replace(self.plan, models=thoughtless)):
        return _EXCHANGE(self, prompt, tokens, models, first, repairs)


def _no_seconds_for_functions(self: Prover, step: ir.HostCall, known: Any) -> Use:
    use = _HOST(self, step, known)
    return replace(use, bound=replace(use.bound, seconds=0.0))


def _free_functions(self: Prover, step: ir.HostCall, known: Any) -> Use:
    use = _HOST(self, step, known)
    return replace(use, bound=replace(use.bound, cost=Linear()))


def _unseen(self: Prover, role: ir.Role, given: Any) -> Linear:
    """As if a role with a prompt of its own never saw the conversation."""
    return _PROMPT(self, replace(role, conversation=False) if role.prompt is not None else role, given)


def _blind_to_images(self: Prover, role: ir.Role, given: Any) -> Linear:
    return replace(_PROMPT(self, role, given), per_image=0.0)


def _as_long(expression: Any, known: Any, facts: Any) -> Any:
    """As if the lower-case form of a text had no more bytes."""
    if expression.function == "lower":
        return evaluating.evaluate(expression.arguments[0].value, known, facts)
    return _APPLY(expression, known, facts)


def _one_of_many(value: Any, facts: Any) -> Linear:
    """As if a list were shown by its largest item."""
    return _SHOWN(replace(value, high=min(value.high, 1), exact=None) if isinstance(value, Items) else value, facts)


_SHOWN = bounds._shown


def _least(one: Bound, other: Bound) -> Bound:
    return one if one.calls or one.cost else other


PROVER = (
    fault("repairs of a contract are not counted", (Prover, "_repairs", lambda *_: 0)),
    fault(
        "repairs of records and plans are not counted",
        (Prover, "_exchange", lambda self, prompt, tokens, models, first, repairs: _EXCHANGE(self, prompt, tokens, models, first, 0 if first else repairs)),
    ),
    fault(
        "repairs of `return` are not counted",
        (Prover, "_return", lambda self, step, known: _RETURN(self, _without(step, contract=None), known)),
    ),
    fault("retries are not counted", (Prover, "_ask", lambda self, step, known: _ASK(self, _without(step, retries=0), known))),
    fault("`parallel`: the narrowest and the widest are swapped", (Prover, "_at_once", _narrow)),
    fault("`parallel` costs no time", (Prover, "_fanout", _at_once_seconds)),
    fault("`samples` are as many as the items", (Prover, "_fanout", _by_items)),
    fault(
        "a fallback is not joined",
        (Prover, "_step", lambda self, step, known: _STEP(self, _without(step, fallback=None) if not isinstance(step, ir.Let) else step, known)),
    ),
    fault("the bytes of a schema are missing", (Prover, "_prompt", lambda self, role, given: _PROMPT(self, _without(role, schema=None), given))),
    fault("the bytes of the schema of a plan are missing", (bounds, "plan_schema", lambda workers, steps: "")),
    fault("the bytes of fences are missing", (bounds, "FENCE_BYTES", 0)),
    fault("a list is as large as one item", (bounds, "_shown", _one_of_many)),
    fault("the tokens around messages are missing", (bounds, "MESSAGE_TOKENS", 0)),
    fault("the bytes of a repair are missing", (bounds, "REPAIR_BYTES", 0), (bounds, "BYTES_PER_TOKEN", 0)),
    fault("answers are as short as their tokens", (bounds, "BYTES_PER_TOKEN", 1)),
    fault("of all arms only the first is looked at", (Prover, "_possible", _first_of)),
    fault("of arms that are weighed none counts after one that applies for certain", (Prover, "_possible", _unweighed)),
    fault("of two arms the first counts", (bounds, "_greatest", _least)),
    fault("the state of a `repeat` does not grow", (Prover, "_repeat", _one_state)),
    fault("the results of a `perform` are not in its prompts", (Prover, "_task", _one_round)),
    fault("a `cascade` stops at its first item", (Prover, "_cascade", _first_item)),
    fault("functions of the host cost nothing", (Prover, "_host_call", _free_functions)),
    fault("functions of the host take no time", (Prover, "_host_call", _no_seconds_for_functions)),
    fault("steps side by side do not add up", (StepGraph, "heaviest", _own_heaviest)),
    fault("the cheapest model pays", (Prover, "_cost", _cheapest)),
    fault("names of models are short", (evaluating.Facts, "of", staticmethod(lambda plan: replace(_FACTS(plan), longest_name=8)))),
    fault("the conversation is not in prompts", (Prover, "_prompt", _unseen)),
    fault("images are not in prompts", (Prover, "_prompt", _blind_to_images)),
    fault("all tokenizers are byte-level", (Prover, "_tokens", _model_blind)),
    fault("models don't think", (Prover, "_exchange", _unthinking)),
    fault("steps one after the other take as long as the longest", (StepGraph, "longest", lambda self, seconds: (max(seconds.values(), default=0.0), ()))),
    fault("`lower` makes no text longer", (evaluating, "_apply", _as_long)),
    fault("budgets of recipes inside are not looked at", (Prover, "_remember", lambda self, name, bound: None)),
    fault("no leak is seen", (boundaries, "leaks", lambda plan, entry: [])),
)  # fmt: skip


# --------------------------------------------------- the ledger and the run


class NoPermits(ledger.Permits):
    """As many as anyone wants."""

    async def acquire(self) -> None:
        """At once."""

    def release(self) -> None:
        """Nothing was taken."""


_TOLD, _ADMIT, _SETTLE, _RESERVE, _SEND = exchange._told, Account.admit, Account.settle, Account.reserve, Exchange.send


def _unchecked(*dimensions: str) -> Callable[..., None]:
    def admit(self: Account, model: Any, tokens: int, cost: float, kept: Any = ledger.NOTHING) -> None:
        limits = self.limits
        self.limits = replace(limits, **dict.fromkeys(dimensions))
        try:
            _ADMIT(self, model, tokens, cost, kept)
        finally:
            self.limits = limits

    return admit


def _only_prompts(self: Account, model: Any, prompt_tokens: int, completion_tokens: int) -> Any:
    return _RESERVE(self, model, prompt_tokens, 0)


def _own_account(self: Account, reservation: Any, usage: Any, wasted: bool = False) -> Any:
    """Settled where the call was made, and not in the accounts around it."""
    lineage, self.lineage = self.lineage, self.lineage[:1]
    try:
        return _SETTLE(self, reservation, usage, wasted)
    finally:
        self.lineage = lineage


async def _once_more(self: Exchange, messages: Any) -> Any:
    self.retries += 1
    return await _SEND(self, messages)


def _nothing_wasted(self: Account, reservation: Any, usage: Any, wasted: bool = False) -> Any:
    return None if wasted else _SETTLE(self, reservation, usage, wasted)


def _quietly(self: Exchange, reservation: Any, *, sent: bool) -> None:
    """A call that was cancelled is forgotten."""


def _as_if_unused(self: Exchange, reservation: Any, *, sent: bool) -> None:
    self._wasted(reservation, Usage(0, 0), "cancelled", "")


def _patient(*arguments: Any, **named: Any) -> Any:
    return replace(_PREPARED(*arguments, **named), patience=math.inf)


_PREPARED = calling.prepare_role_call
_FAILED = Exchange._failed


def _as_if_unsent(self: Exchange, reservation: Any, error: BackendError) -> None:
    _FAILED(self, reservation, replace(error, sent=False))


_IN_TIME = Exchange.in_time


def _endless(self: Exchange) -> Any:
    scope = _IN_TIME(self)
    scope.deadline = math.inf
    return scope


RUNTIME = (
    fault("permits are not taken", (ledger, "Permits", NoPermits)),
    fault("calls are not counted", (Account, "admit", _unchecked("calls"))),
    fault("tokens are not looked at", (Account, "admit", _unchecked("tokens"))),
    fault("money is not looked at", (Account, "admit", _unchecked("cost"))),
    fault("completion tokens are not reserved", (Account, "reserve", _only_prompts)),
    fault("accounts around a call are not settled", (Account, "settle", _own_account)),
    fault("calls that failed are free", (Account, "settle", _nothing_wasted)),
    fault("calls that failed count as never sent", (Exchange, "_failed", _as_if_unsent)),
    fault("calls that were cancelled are forgotten", (Exchange, "_cancelled", _quietly)),
    fault("calls that were cancelled are free", (Exchange, "_cancelled", _as_if_unused)),
    fault("every usage is believed", (exchange, "_told", lambda usage, answered=False: usage)),
    fault("one more retry than was said", (Exchange, "send", _once_more)),
    fault("quotations are not cut", (prompts, "_cut", lambda text, limit: text)),
    fault("calls have no end", (Exchange, "in_time", _endless)),
    fault("functions of the host are free", (Account, "charge", lambda self, cost: None)),
    fault("the peak is not seen", (Totals, "entered", lambda self: None), (ledger, "Permits", NoPermits)),
    fault("the budgets of recipes inside are not held", (admission.Worst, "must_fit", lambda self, budget, name: None)),
    fault("what the client may use is not looked at", (ledger.Limits, "tightened", lambda self, other: self)),
)  # fmt: skip

FAULTS: tuple[Fault, ...] = (*PROVER, *RUNTIME)
"""All of them."""
