"""No bound is looser than it must be: each standard recipe has a run that reaches its calls, its peak and its time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import anyio
import pytest

from recipelang.backends.scripted import After, Outcome, ScriptedBackend
from recipelang.compilation import compile_text
from recipelang.ir.certificate import Bound
from recipelang.ir.plan import Contract, Extraction, Plan
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ledger import Spend
from recipelang.runtime.ports import HostFunction, ModelCall, Reply
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


async def reached(
    plan: Plan,
    script: Callable[[ModelCall], Outcome],
    *,
    request: Request = REQUEST,
    function: HostFunction | None = None,
) -> Reached:
    certificate = plan.entries["e"].certificate
    assert certificate is not None
    functions = {} if function is None else dict.fromkeys(plan.externs, function)
    interpreter = Interpreter(plan, {"lab": ScriptedBackend(script)}, functions)
    try:
        spend = (await interpreter.run("e", request)).spend
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


def all_of_it(run: Reached, *, calls: int, at_once: int) -> None:
    """The run made all calls that it may, as many at once, and had all completion tokens."""
    assert (run.spend.calls, run.spend.peak_parallel) == (run.bound.calls, run.bound.parallel) == (calls, at_once)
    assert run.spend.completion_tokens == run.bound.completion_tokens


def all_the_time(run: Reached, *, but: float) -> None:
    """The run took as long as it may, but for the moments by which each step came in before its timeout."""
    assert run.bound.seconds - but <= run.spend.seconds <= run.bound.seconds


def unhappy(call: ModelCall) -> str:
    """What a critic says that is content with nothing, in the form that it is asked for."""
    assert call.schema is not None
    said = {"array": ["all of it"], "boolean": False, "string": "it is wrong", "number": 0, "integer": 1}
    return json.dumps({name: said[form["type"]] for name, form in json.loads(call.schema)["properties"].items()})


def role_of(call: ModelCall) -> str:
    return call.role.rpartition(".")[2]


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_self_consistency_asks_all_its_times_where_no_vote_is_decided() -> None:
    plan = plan_for("self_consistency", "thinker = m0, attempts = 10, max_concurrent = 16")
    said = count()
    run = await reached(plan, lambda call: After(1.0, dear(call, f"ANSWER: {'ABCDEFGHIJ'[next(said) % 10]}")))
    all_of_it(run, calls=10, at_once=10)
    all_the_time(await reached(plan, lambda call: After(FOR_EVER, "never")), but=0)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_best_of_n_has_all_drafts_and_its_ranking() -> None:
    plan = plan_for("best_of_n", f"writers = {pool(4)}, judge_model = m0, drafts = 6")
    all_of_it(await reached(plan, lambda call: After(1.0, dear(call, "ANSWER: A"))), calls=7, at_once=6)
    drafts = iter((0.0, 89.5, *[FOR_EVER] * 4))

    def late(call: ModelCall) -> Outcome:
        return After(next(drafts) if role_of(call) == "writer" else FOR_EVER, "ANSWER: A")

    all_the_time(await reached(plan, late), but=1)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_critique_and_revise_goes_all_its_rounds_where_the_critic_is_never_content() -> None:
    plan = plan_for("critique_and_revise", "author = m0, critic_model = m1, rounds = 4")

    def words(call: ModelCall) -> str:
        return unhappy(call) if role_of(call) == "critic" else "no form"

    all_of_it(await reached(plan, lambda call: dear(call, words(call))), calls=10, at_once=1)
    took = {"critic": 59.5, "repair": FOR_EVER}
    late = await reached(plan, lambda call: After(took.get(role_of(call), 89.5), words(call)))
    all_the_time(late, but=0)  # the budget ends it


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_debate_goes_all_its_rounds_where_nobody_agrees() -> None:
    plan = plan_for("debate", f"debaters = {pool(6)}, judge_model = m0, rounds = 3")

    def words(call: ModelCall) -> str:
        return f"ANSWER: {'ABCDEFGHIJ'[int(call.model.name[1:])]}" if role_of(call) == "debater" else "no form"

    all_of_it(await reached(plan, lambda call: After(1.0, dear(call, words(call)))), calls=26, at_once=6)
    took = {"debater": 89.5, "judge": 59.5}
    late = await reached(plan, lambda call: After(took.get(role_of(call), FOR_EVER), words(call)))
    all_the_time(late, but=0)  # the budget ends it


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_confidence_then_fusion_calls_the_whole_panel_where_the_scouts_disagree() -> None:
    plan = plan_for("confidence_then_fusion", f"scouts = [m0, m1], panel = {pool(8)}, judge_model = m0")
    analysis = '{"consensus": [], "contradictions": [], "unique": [], "blind_spots": []}'

    def words(call: ModelCall) -> str:
        scouted = {"m0": "ANSWER: A this", "m1": "ANSWER: B that"}
        return {"scout": scouted.get(call.model.name, ""), "judge": analysis}.get(role_of(call), "no form")

    all_of_it(await reached(plan, lambda call: After(1.0, dear(call, words(call)))), calls=13, at_once=8)

    def late(call: ModelCall) -> Outcome:
        if role_of(call) == "panelist":
            return After({"m0": 0.0, "m1": 56.0}.get(call.model.name, FOR_EVER), "no form")
        return After(59.0 if role_of(call) == "finalizer" else FOR_EVER, "no form")

    all_the_time(await reached(plan, late), but=6)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_map_reduce_reads_every_piece_and_repairs_what_it_wrote() -> None:
    plan = plan_for("map_reduce", f"readers = {pool(2)}, writer = m1, pieces = 16, max_concurrent = 4")
    text = replace(REQUEST, messages=(Message("user", "A word or two. " * 200),))
    run = await reached(plan, lambda call: After(1.0, dear(call, "no form")), request=text)
    all_of_it(run, calls=18, at_once=4)
    read = iter((0.0, *[FOR_EVER] * 20))

    def late(call: ModelCall) -> Outcome:
        took = {"reader": lambda: next(read), "writer_of_answer": lambda: 179.5}
        return After(took.get(role_of(call), lambda: FOR_EVER)(), "no form")

    all_the_time(await reached(plan, late, request=text), but=1)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_generate_and_test_mends_all_its_rounds_where_no_test_passes() -> None:
    plan = plan_for("generate_and_test", "coder = m0, rounds = 4")
    program, said = "```python\npass\n```", count()

    async def fails(*_: object, program: str, cases: str) -> dict[str, object]:
        await anyio.sleep(19.5)
        return {"passed": False, "log": "x" * 9_000}

    run = await reached(plan, lambda call: dear(call, program if next(said) % 2 else "no form"), function=fails)
    all_of_it(run, calls=10, at_once=1)
    late = await reached(plan, lambda call: After(119.5, program), function=fails)
    all_the_time(late, but=5 * 1.0)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_workflows_does_every_task_and_mends_its_draft_twice() -> None:
    plan = plan_for(
        "workflows",
        f"planner_model = m0, workers = {pool(6)}, verifier_model = m1, max_steps = 12, max_parallel = 4",
    )
    tasks = [{"name": f"t{n}", "needs": [], "worker": "m2", "instruction": "do it"} for n in range(12)]
    planned, said = json.dumps({"tasks": tasks}), count()

    def words(call: ModelCall) -> str:
        return planned if role_of(call) == "planner" else unhappy(call) if role_of(call) == "verifier" else "no form"

    def full(call: ModelCall) -> Outcome:
        spoilt = role_of(call) == "planner" and next(said) == 0
        return After(1.0, dear(call, "no plan" if spoilt else words(call)))

    run = await reached(plan, full)
    all_of_it(run, calls=20, at_once=4)
    worked = iter((1.0, *[FOR_EVER] * 20))

    def late(call: ModelCall) -> Outcome:
        took = next(worked) if role_of(call) == "worker" else FOR_EVER if role_of(call) == "repair" else 59.5
        return After(took, words(call))

    all_the_time(await reached(plan, late), but=4)
