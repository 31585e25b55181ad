"""No bound is looser than it must be: each standard recipe has a run that reaches its calls, its peak and its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from recipelang.backends.scripted import After, Outcome, ScriptedBackend
from recipelang.compilation import compile_text
from recipelang.ir.certificate import Bound
from recipelang.ir.plan import Contract, Extraction, Plan
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ledger import Spend
from recipelang.runtime.ports import ModelCall, Reply
from recipelang.runtime.prompts import prompt_bound, request_bytes
from recipelang.runtime.values import Message, Request, TokenLogprob, Usage

FOR_EVER = 100_000.0
REQUEST = Request(
    (Message("user", "Which planet is the largest?"),),
    format=Contract("request.format", Extraction("pattern", "ANSWER: ([A-J])"), repair=1),
)


def dear(call: ModelCall, text: str) -> Reply:
    """An answer that used all that it might have."""
    tokens = Usage(prompt_bound(call.messages, call.tools, call.schema), call.max_tokens)
    return Reply(text, usage=tokens, logprobs=(TokenLogprob("x", -9.0, -9.0),))


def pool(size: int) -> str:
    return "[" + ", ".join(f"m{number}" for number in range(size)) + "]"


def plan_for(recipe: str, arguments: str) -> Plan:
    models = "\n".join(
        f'model m{number} {{ backend = lab, id = "m{number}", price = {{ input = $1, output = $2 }}, rating = {number} }}'
        for number in range(16)
    )
    text = f'use std.{recipe}\nbackend lab {{ kind = openai, url = "http://127.0.0.1:9/v1" }}\n{models}\nexpose "e" = {recipe}({arguments})'
    plan = compile_text(text).plan
    assert plan is not None
    return plan


@dataclass
class Reached:
    spend: Spend
    bound: Bound


async def reached(plan: Plan, script: Callable[[ModelCall], Outcome]) -> Reached:
    certificate = plan.entries["e"].certificate
    assert certificate is not None
    interpreter = Interpreter(plan, {"lab": ScriptedBackend(script)})
    try:
        spend = (await interpreter.run("e", REQUEST)).spend
    except RunFailure as failure:
        assert failure.spend is not None  # noqa: PT017 - a run that fails has used as much as one that does not
        spend = failure.spend
    return Reached(spend, certificate.total)


def prompts(bound: Bound) -> float:
    return bound.prompt_tokens.at(request_bytes(REQUEST))


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_direct_reaches_its_time_and_its_tokens() -> None:
    plan = plan_for("direct", "model_of_choice = m0")
    slow = await reached(plan, lambda call: After(FOR_EVER, "never"))
    assert (slow.spend.calls, slow.spend.peak_parallel, slow.spend.seconds) == (1, 1, slow.bound.seconds)
    full = await reached(plan, lambda call: dear(call, "Jupiter"))
    assert full.spend.completion_tokens == full.bound.completion_tokens
    assert prompts(full.bound) - full.spend.prompt_tokens == 2 * 16  # no message was added


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("size", [1, 3, 8])
async def test_confidence_asks_everyone_when_no_one_is_sure(size: int) -> None:
    plan = plan_for("confidence", f"candidates = {pool(size)}")
    unsure = await reached(plan, lambda call: dear(call, "Jupiter?"))
    assert (unsure.spend.calls, unsure.spend.peak_parallel) == (unsure.bound.calls, unsure.bound.parallel) == (size, 1)
    assert unsure.spend.completion_tokens == unsure.bound.completion_tokens
    slow = await reached(plan, lambda call: After(FOR_EVER, "never"))
    assert slow.spend.seconds == slow.bound.seconds == min(size * 120, 240)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_self_verified_grades_every_draft_when_none_is_good() -> None:
    plan = plan_for("self_verified", f"candidates = {pool(4)}")

    def poor(call: ModelCall) -> Outcome:
        return dear(call, '{"reason": "wrong", "score": 0}' if call.role.endswith("grader") else "x" * 8_000)

    run = await reached(plan, poor)
    assert (run.spend.calls, run.spend.peak_parallel) == (run.bound.calls, run.bound.parallel) == (8, 1)
    assert run.spend.completion_tokens == run.bound.completion_tokens
    assert prompts(run.bound) - run.spend.prompt_tokens <= 8 * (2 * 16 + 160)  # the fences are shorter than they may be
    slow = await reached(plan, lambda call: After(FOR_EVER, "never"))
    assert slow.spend.seconds == slow.bound.seconds


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize(("size", "at_once"), [(2, 4), (8, 4), (8, 8)])
async def test_ratings_keeps_as_many_calls_in_flight_as_it_may(size: int, at_once: int) -> None:
    plan = plan_for("ratings", f"panel = {pool(size)}, max_concurrent = {at_once}")
    run = await reached(plan, lambda call: After(1.0, dear(call, "no form")))
    assert (
        (run.spend.calls, run.spend.peak_parallel)
        == (run.bound.calls, run.bound.parallel)
        == (size, min(size, at_once))
    )
    assert run.spend.completion_tokens == run.bound.completion_tokens
    slow = await reached(plan, lambda call: After(FOR_EVER, "never"))
    assert slow.spend.seconds == slow.bound.seconds == 90


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_remom_thinks_all_its_rounds_and_repairs_its_synthesis() -> None:
    plan = plan_for("remom", f"thinkers = {pool(8)}, writer = m0, breadth = [16, 16, 16]")
    said = iter(range(1_000))

    def disagreeing(call: ModelCall) -> Outcome:
        letter = "ABCDEFGHIJ"[next(said) % 10]
        return After(50.0, dear(call, f"ANSWER: {letter}" if call.role.endswith("thinker") else "no form"))

    run = await reached(plan, disagreeing)
    assert (run.spend.calls, run.spend.peak_parallel) == (run.bound.calls, run.bound.parallel) == (50, 16)
    assert run.spend.completion_tokens == run.bound.completion_tokens

    def late(call: ModelCall) -> Outcome:
        if call.role.endswith("thinker"):
            return After(89.9, f"ANSWER: {'ABCDEFGHIJ'[next(said) % 10]}")
        return After(59.0 if call.role.endswith("synthesizer") else FOR_EVER, "no form")

    slow = await reached(plan, late)
    assert slow.spend.seconds == pytest.approx(slow.bound.seconds, abs=1)


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("size", [2, 3, 8])
async def test_fusion_asks_everyone_and_takes_each_of_its_timeouts(size: int) -> None:
    plan = plan_for("fusion", f"panel = {pool(size)}, judge_model = m0")
    analysis = '{"consensus": [], "contradictions": [], "unique": [], "blind_spots": []}'

    def full(call: ModelCall) -> Outcome:
        return After(1.0, dear(call, analysis if call.role.endswith("judge") else "no form"))

    run = await reached(plan, full)
    assert (run.spend.calls, run.spend.peak_parallel) == (run.bound.calls, run.bound.parallel) == (size + 3, size)
    assert run.spend.completion_tokens == run.bound.completion_tokens

    def late(call: ModelCall) -> Outcome:
        if call.role.endswith("panelist"):
            return After({"m0": 0.0, "m1": 56.0}.get(call.model.name, FOR_EVER), "no form")
        return After(59.0 if call.role.endswith("finalizer") else FOR_EVER, "no form")

    slow = await reached(plan, late)
    assert slow.spend.seconds == pytest.approx(slow.bound.seconds, abs=6)
