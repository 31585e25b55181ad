"""Law 6: whatever a recipe and whatever the models do, a run uses no more than its certificate promised."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import anyio
import pytest
import trio.testing
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from recipe_programs import programs
from recipelang.backends.scripted import After, Outcome, ScriptedBackend
from recipelang.compilation import compile_text
from recipelang.ir.plan import Plan
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ledger import Spend
from recipelang.runtime.ports import BackendError, FailureKind, ModelCall, Reply
from recipelang.runtime.prompts import prompt_bound, request_bytes
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Message, Request, TokenLogprob, Usage

DELAYS = (0.0, 0.0, 0.3, 5.0, 29.0, 89.5, 119.0, 400.0)
Temper = Literal["any", "slow", "dear"]
LONG_GRADE = '{"reason": "' + "é" * 20_000 + '", "score": 0.25}'
TEXTS = (
    "ANSWER: A",
    "ANSWER: B, because",
    "",
    "no form at all",
    "```python\nprint(1)\n```",
    '{"reason": "it is so", "score": 0.4}',
    '{"reason": "sure", "score": 1}',
    '{"reason": "cut off',
    "ß" * 3_000,
    "x" * 50_000,
    '{"reason": "' + "é" * 4_000 + '", "score": 0.25}',
    "\ud800 alone",
)


@dataclass
class Moody:
    """Models in every mood: slow, failing in each way, saying anything; `calls` counts those in flight."""

    mood: random.Random
    temper: Temper
    steady: float  # the share of calls that are answered at all
    in_flight: int = 0
    peak: int = 0

    def backend(self) -> Watched:
        return Watched(self)

    def outcome(self, call: ModelCall) -> Outcome:
        if self.temper == "dear":
            return self._dearest(call)
        delay = self.mood.choice(DELAYS if self.temper == "any" else DELAYS[-3:])
        return After(delay, self._answer(call) if self.mood.random() < self.steady else self._failure(call))

    def _dearest(self, call: ModelCall) -> Outcome:
        """As much as there can be: a failure that may pass, or a long answer that has not the form; all used up."""
        full = Usage(prompt_bound(call.messages, call.tools, call.schema), call.max_tokens)
        if self.mood.random() > self.steady:
            return BackendError(FailureKind.SERVER, "again", 500, 0.0, True, full)
        return Reply(LONG_GRADE if call.schema is not None else "x" * 50_000, usage=full)

    def _answer(self, call: ModelCall) -> Reply:
        logprobs = (TokenLogprob("a", self.mood.choice((-0.01, -5.0)), -6.0),)
        said = self.mood.choice(TEXTS)
        return Reply(said, self.mood.choice(("stop", "length", "f" * 5_000)), self._usage(call), logprobs)

    def _failure(self, call: ModelCall) -> BackendError:
        kind = self.mood.choice(list(FailureKind))
        after = self.mood.choice((None, None, 0.0, 1.0, 60.0, 1e9, -3.0))
        return BackendError(kind, "out of sorts", 500, after, self.mood.random() < 0.7, self._usage(call))

    def _usage(self, call: ModelCall) -> Usage | None:
        """None, all that was reserved, less, or nonsense that can't be believed; never more than there can be."""
        prompt = prompt_bound(call.messages, call.tools, call.schema)
        return self.mood.choice(
            (
                None,
                Usage(prompt, call.max_tokens),
                Usage(prompt // 4, call.max_tokens // 2),
                Usage(-5, 10**9),
                Usage(0, 0),
            )
        )


class Watched(ScriptedBackend):
    """A scripted backend that counts the calls in flight."""

    def __init__(self, moody: Moody) -> None:
        super().__init__(moody.outcome)
        self._moody = moody

    async def complete(self, call: ModelCall) -> Reply:
        with self._counted():
            return await super().complete(call)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        moody = self._moody
        moody.in_flight += 1
        moody.peak = max(moody.peak, moody.in_flight)
        try:
            yield
        finally:
            moody.in_flight -= 1


REQUESTS = st.builds(
    lambda turns, words, who: Request(
        tuple(Message("user" if place % 2 == 0 else "assistant", words) for place in range(2 * turns - 1)),
        metadata={"who": who},
    ),
    st.integers(1, 3),
    st.sampled_from(("Which planet is the largest?", "naïve " * 50, "")),
    st.sampled_from(("ann", "b" * 700)),
)

LOOPS: dict[str, Any] = {  # Any: each event loop's own options
    "asyncio": lambda: {"loop_factory": VirtualTimeLoop},
    "trio": lambda: {"clock": trio.testing.MockClock(autojump_threshold=0)},
}


def ran(loop: str, plan: Plan, request: Request, moody: Moody, seed: int) -> tuple[Spend | None, Trace | None]:
    """What one run of `main` in virtual time used, however it ended."""

    async def once() -> tuple[Spend | None, Trace | None]:
        interpreter = Interpreter(plan, {"lab": moody.backend()})
        try:
            result = await interpreter.run("main", request, seed=seed)
        except RunFailure as failure:
            return failure.spend, failure.trace
        return result.spend, result.trace

    return anyio.run(once, backend=loop, backend_options=LOOPS[loop]())


def used_by(step: str, trace: Trace) -> tuple[int, int]:
    """The calls of a step of `main`, and of all that it calls, and their tokens."""
    own = [event for event in trace.events if re.match(rf"{step}\b", event.step)]
    ended = [event.data for event in own if event.kind in ("call_end", "call_failed", "call_cancelled")]
    tokens = [
        told.get("tokens", 0) or told.get("prompt_tokens", 0) + told.get("completion_tokens", 0) for told in ended
    ]
    return sum(event.kind == "call_start" for event in own), sum(tokens)


def held(plan: Plan, request: Request, moody: Moody, spend: Spend | None, trace: Trace | None) -> None:
    certificate = plan.entries["main"].certificate
    assert certificate is not None
    assert spend is not None
    assert trace is not None
    most, size = certificate.total, request_bytes(request)
    assert spend.calls <= most.calls
    assert spend.prompt_tokens <= most.prompt_tokens.at(size)
    assert spend.completion_tokens <= most.completion_tokens
    assert max(spend.peak_parallel, moody.peak) <= most.parallel
    assert spend.seconds <= most.seconds + 1e-6
    if most.cost is not None:
        assert spend.cost is not None
        assert spend.cost <= most.cost.at(size) + 1e-9
    for step in certificate.steps:
        calls, tokens = used_by(step.step, trace)
        assert calls <= step.bound.calls, step.step
        assert tokens <= step.bound.prompt_tokens.at(size) + step.bound.completion_tokens, step.step
    refused = [event for event in trace.events if event.kind == "call_refused" and event.data["failure"] == "budget"]
    assert not refused, "the backend was honest, and a call was refused"


@pytest.mark.parametrize("loop", LOOPS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    text=programs(),
    request=REQUESTS,
    mood=st.integers(0, 2**32),
    temper=st.sampled_from(get_args(Temper)),
    steady=st.sampled_from((0.2, 0.8, 1.0)),
)
def test_no_run_uses_more_than_its_certificate_promised(
    loop: str, text: str, request: Request, mood: int, temper: Temper, steady: float
) -> None:
    plan = compile_text(text).plan
    assume(plan is not None)
    assert plan is not None
    moody = Moody(random.Random(mood), temper, steady)
    spend, trace = ran(loop, plan, request, moody, seed=mood % 7)
    held(plan, request, moody, spend, trace)
