"""Laws 6 and 7 in loops of tools: whatever a recipe, its models and its client do, each turn keeps what was promised for its request."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from certified_runs import LOOPS, Case, Ended, Journal, drawn_case, held_to_bounds
from hostile_models import Sent, World
from recipe_programs import Pick, drawn_program
from recipelang.hosts.loops import Looped, Loops, Turn
from recipelang.hosts.state import MemoryState
from recipelang.ir.plan import Plan
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import Interpreter, RunResult
from recipelang.runtime.ledger import NO_LIMITS
from recipelang.runtime.ports import Delta, ModelCall, Reply
from recipelang.runtime.values import Answer, Message, Request

EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
TURNS = 4
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
numbers: st.SearchStrategy[Any] = st.data()  # Any: what Hypothesis draws from


@dataclass
class Calling:
    """A world whose models call a tool now and then, where they are offered one."""

    world: World
    pick: Pick

    async def complete(self, call: ModelCall) -> Reply:
        reply = await self.world.complete(call)
        if not call.tools or self.pick(0, 2) == 0:
            return reply
        function = {"name": "look", "arguments": f'{{"at": {self.pick(0, 1)}}}'}
        return replace(reply, tool_calls=({"id": "0", "type": "function", "function": function},))

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        yield Delta(reply=await self.complete(call))


@dataclass
class Gone:
    """One turn: what was asked, how it ended, and the calls that were sent in it."""

    request: Request
    ended: Ended
    sent: list[Sent]
    turn: Turn | None = None
    result: RunResult | None = None


def carried_out(gone: Gone, pick: Pick) -> Request | None:
    """The next request of the client, who may change a word of what was said; none where there is nothing to carry out."""
    answer, request = None if gone.result is None else gone.result.answer, gone.request
    if not isinstance(answer, Answer) or not answer.tool_calls or gone.turn is None:
        return None
    calls = [{**call, "id": gone.turn.call_number(place)} for place, call in enumerate(answer.tool_calls)]
    given = ("95", "", "ß" * 900)[pick(0, 2)]
    results = [Message("tool", given, {"tool_call_id": call["id"]}) for call in calls]
    before = request.messages if pick(0, 5) else (*request.messages[:-1], replace(request.messages[-1], content="?"))
    return replace(request, messages=(*before, Message("assistant", answer.text, {"tool_calls": calls}), *results))


async def gone_through(case: Case, plan: Plan, pick: Pick) -> list[Gone]:
    """A loop of a few turns."""
    interpreter = Interpreter(plan, {"lab": Calling(case.world, pick)}, case.world.functions())
    loops = Loops(MemoryState(), turns=TURNS)

    async def one(request: Request) -> Gone:
        journal, before, began = Journal(), len(case.world.sent), anyio.current_time()
        gone = Gone(request, Ended(None, None, journal.events, [], 0.0), [])

        async def run(turn: Turn) -> RunResult:
            gone.turn = turn
            return await interpreter.run("main", request, seed=turn.seed, journal=journal, loop=turn)

        try:
            gone.result = await loops.answer(run, Looped(plan, "digest", request, "", case.seed))
            gone.ended.spend = gone.result.spend
        except RunFailure as failure:
            gone.ended.spend, gone.ended.failure = failure.spend, failure
        gone.ended.seconds = anyio.current_time() - began
        gone.sent = case.world.sent[before:]
        return gone

    turns: list[Gone] = []
    request: Request | None = replace(case.request, tools=(TOOL,))
    while request is not None and len(turns) < TURNS:
        gone = await one(request)
        turns.append(gone)
        request = carried_out(gone, pick)
    return turns


@pytest.mark.parametrize("loop", LOOPS)
@EXAMPLES
@given(data=numbers)
def test_no_turn_uses_more_than_its_certificate_promised(loop: str, data: st.DataObject) -> None:
    def pick(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    program = drawn_program(pick)
    assume(not program.invalid)
    plan = program.plan
    assert plan is not None
    case = replace(drawn_case(pick, loop, program), most=NO_LIMITS, patience=None)
    turns = anyio.run(gone_through, case, plan, pick, backend=loop, backend_options=LOOPS[loop]())
    for gone in turns:
        held_to_bounds(replace(case, request=gone.request), gone.ended, gone.sent)
