"""Loops of a client's tools: each turn goes on in the state in which the last one ended, wherever it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from recipelang import (
    BackendError,
    Engine,
    FailureKind,
    ModelCall,
    Plan,
    Reply,
    RunFailure,
    RunFailureKind,
    RunResult,
    ScriptedBackend,
    StoreProblem,
)
from recipelang.backends.scripted import After, Outcome
from recipelang.hosts.loops import Looped, Loops, TooManyTurns, Turn
from recipelang.hosts.requests import request_of
from recipelang.hosts.state import MemoryState, SqliteState
from recipelang.runtime.ports import CallPiece, State
from recipelang.runtime.values import Usage
from runs import every_backend, plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("moons", "rings")
]
Said = str | Reply | BackendError
ANSWER = "Jupiter has 95 moons."
PANEL = """
role panelist() { max_tokens = 100 }
role write(answers: answer[]) { tools = true, max_tokens = 100, prompt = "{{ answers }}" }
recipe main() -> answer {
  fanout answers = panelist(model = m) for m in [small, large, third] { quorum = 2, on_error = skip, timeout = 20s }
  ask    final   = write(answers, model = large)
  return final
}
expose "main" = main()
"""


def calling(*names: str, of: str = "Jupiter") -> Reply:
    """A reply that calls tools, whose numbers say nothing, as those of many servers."""
    calls = [
        {"id": "0", "type": "function", "function": {"name": name, "arguments": json.dumps({"of": of})}}
        for name in names
    ]
    return Reply("", "tool_calls", Usage(10, 5), tool_calls=tuple(calls))


@dataclass
class Client:
    """One who asks and carries tools out, of one or several replicas of a server."""

    plan: Plan
    script: Callable[[ModelCall], Outcome] | Mapping[str, Any]
    state: State = field(default_factory=MemoryState)
    key: str = "ann"
    functions: Mapping[str, Any] = field(default_factory=dict)
    turns: int = 8
    messages: list[Any] = field(default_factory=lambda: [{"role": "user", "content": "How many moons has Jupiter?"}])
    asked: list[ModelCall] = field(default_factory=list)  # in the last turn
    pieces: list[CallPiece | str] = field(default_factory=list)
    turn: Turn | None = None

    async def ask(self, entry: str = "main", **options: Any) -> RunResult:
        """One turn, on a replica of its own."""
        backend = ScriptedBackend(self.script)
        engine = Engine(self.plan, backends=every_backend(self.plan, backend), functions=self.functions)
        request = request_of(self.messages, tools=TOOLS, tool_options=options)
        self.pieces.clear()

        async def run(turn: Turn) -> RunResult:
            self.turn = turn
            return await engine.answer(
                engine.entry(entry), request, seed=turn.seed, loop=turn, listener=self.hear, call_listener=self.hear
            )

        async with engine:
            its = Looped(self.plan, "digest", request, self.key, len(self.messages))
            result = await Loops(self.state, turns=self.turns).answer(run, its)
        self.asked = backend.calls
        return result

    async def hear(self, piece: CallPiece | str) -> None:
        self.pieces.append(piece)

    def carry_out(self, result: RunResult, given: str = "95") -> None:
        assert self.turn is not None
        answer: Any = result.answer
        calls = [{**call, "id": self.turn.call_number(place)} for place, call in enumerate(answer.tool_calls)]
        self.messages.append({"role": "assistant", "content": answer.text or None, "tool_calls": calls})
        self.messages += [{"role": "tool", "tool_call_id": call["id"], "content": given} for call in calls]

    @property
    def who(self) -> list[str]:
        return [f"{call.model.name}/{call.role}" for call in self.asked]


def after_tools(first: Said, then: Said = ANSWER) -> Callable[[ModelCall], Said]:
    """Says the one before it sees what a tool gave, and the other after."""
    return lambda call: then if any(message.role == "tool" for message in call.messages) else first


def panel(call: ModelCall) -> Outcome:
    if call.role == "panelist":
        return After(30, "too late") if call.model.name == "third" else After(1, "Some moons.")
    return after_tools(calling("moons"))(call)


async def test_what_was_done_is_not_done_again_and_the_one_who_called_goes_on() -> None:
    client = Client(plan_of(PANEL), panel)
    first = await client.ask()
    assert client.who == ["small/panelist", "large/panelist", "third/panelist", "large/write"]
    client.carry_out(first)
    second = await client.ask()
    assert (client.who, second.text) == (["large/write"], ANSWER)
    roles = [message.role for message in client.asked[0].messages]
    assert roles == ["user", "assistant", "tool"]
    assert "Some moons." in str(client.asked[0].messages[0].content)


async def test_each_turn_is_booked_by_itself() -> None:
    client = Client(plan_of(PANEL), panel)
    first = await client.ask()
    client.carry_out(first)
    second = await client.ask()
    assert (first.spend.calls, first.spend.wasted_calls) == (4, 1)
    assert (second.spend.calls, second.spend.wasted_calls) == (1, 0)
    known = [event.data["role"] for event in second.trace.of("call_known")]
    assert sorted(known) == ["panelist", "panelist", "panelist", "write"]


async def test_what_was_given_up_is_given_up_again_at_once() -> None:
    text = PANEL.replace("quorum = 2, ", "")
    client = Client(plan_of(text), panel)
    began = anyio.current_time()
    first = await client.ask()
    assert anyio.current_time() - began == pytest.approx(20)
    client.carry_out(first)
    began = anyio.current_time()
    second = await client.ask()
    assert anyio.current_time() - began < 1
    assert (client.who, second.text) == (["large/write"], ANSWER)


async def test_who_was_not_needed_is_waited_for_no_more_than_those_who_go_on() -> None:
    plan = plan_of("""
    recipe main() -> answer {
      fanout votes = speak(model = m) for m in [small, large, third] { quorum = 1 }
      return first(votes)
    }
    expose "main" = main()
    """)
    slow = {"small": 5.0, "large": 1.0, "third": 5.0}
    client = Client(plan, lambda call: After(slow[call.model.name], after_tools(calling("moons"))(call)))
    client.carry_out(await client.ask())
    began = anyio.current_time()
    assert ((await client.ask()).text, client.who) == (ANSWER, ["large/speak"])
    assert anyio.current_time() - began == pytest.approx(1.0, abs=0.2)


async def test_of_a_call_that_was_sent_twice_the_answer_is_heard_again() -> None:
    text = PANEL.replace("write(answers, model = large)", "write(answers, model = large) { hedge = 1s }")
    times = iter([30.0, 0.5, 0.1, 0.1])

    def script(call: ModelCall) -> Outcome:
        return panel(call) if call.role == "panelist" else After(next(times), after_tools(calling("moons"))(call))

    client = Client(plan_of(text), script)
    first = await client.ask()
    assert client.who[-2:] == ["large/write", "large/write"]
    client.carry_out(first)
    began = anyio.current_time()
    assert ((await client.ask()).text, client.who) == (ANSWER, ["large/write"])
    assert anyio.current_time() - began < 0.5


async def test_a_failure_and_its_retries_come_again_at_once() -> None:
    text = PANEL.replace("write(answers, model = large)", "write(answers, model = large) { retries = 2 }")
    down = BackendError(FailureKind.SERVER, "HTTP 503", status=503, may_pass=True)
    outcomes: Iterator[Outcome] = iter([down, down, calling("moons"), ANSWER])
    client = Client(plan_of(text), lambda call: panel(call) if call.role == "panelist" else next(outcomes))
    client.carry_out(await client.ask())
    began = anyio.current_time()
    second = await client.ask()
    assert (client.who, second.text, second.spend.wasted_calls) == (["large/write"], ANSWER, 0)
    assert anyio.current_time() - began < 0.2


async def test_any_replica_goes_on_where_they_share_a_state(tmp_path: Path) -> None:
    plan = plan_of(PANEL)
    one = Client(plan, panel, SqliteState(tmp_path / "state.db"))
    other = Client(plan, panel, SqliteState(tmp_path / "state.db"), messages=one.messages)
    one.carry_out(await one.ask())
    assert ((await other.ask()).text, other.who) == (ANSWER, ["large/write"])


async def test_without_the_state_the_conversation_is_answered_from_its_beginning() -> None:
    plan = plan_of(PANEL)
    one = Client(plan, panel)
    one.carry_out(await one.ask())
    other = Client(plan, panel, messages=one.messages)
    assert (await other.ask()).text == ANSWER
    assert len(other.who) == 4


async def test_a_turn_may_be_asked_for_again_and_go_another_way() -> None:
    client = Client(plan_of(PANEL), panel)
    client.carry_out(await client.ask())
    for given in ("95", "no idea"):
        client.messages[-1]["content"] = given
        assert ((await client.ask()).text, client.who) == (ANSWER, ["large/write"])


@pytest.mark.parametrize("what", ["key", "earlier words", "another call", "a call less"])
async def test_a_state_is_for_one_conversation_alone(what: str) -> None:
    client = Client(plan_of(PANEL), panel)
    result = await client.ask()
    client.carry_out(result)
    call = client.messages[1]["tool_calls"][0]
    match what:
        case "key":
            client.key = "bob"
        case "earlier words":
            client.messages[0]["content"] = "How many rings?"
        case "another call":
            call["function"] = {**call["function"], "arguments": '{"of": "Saturn"}'}
        case _:
            client.messages[1]["tool_calls"].append({**call, "id": "call_1"})
    await client.ask()
    assert client.turn is not None
    assert not client.turn.is_resumed
    assert len(client.who) == 4


async def test_after_an_answer_in_words_the_next_question_is_a_new_one() -> None:
    client = Client(plan_of(PANEL), panel)
    client.carry_out(await client.ask())
    said = await client.ask()
    client.messages += [{"role": "assistant", "content": said.text}, {"role": "user", "content": "And Saturn?"}]
    await client.ask()
    assert client.turn is not None
    assert (client.turn.number, client.turn.is_resumed) == (1, False)
    assert client.who[:3] == ["small/panelist", "large/panelist", "third/panelist"]


async def test_what_the_user_says_beside_the_results_is_a_part_of_the_turn() -> None:
    client = Client(plan_of(PANEL), panel)
    client.carry_out(await client.ask())
    client.messages.append({"role": "user", "content": "Be quick."})
    assert ((await client.ask()).text, client.who) == (ANSWER, ["large/write"])
    assert client.asked[0].messages[-1].content == "Be quick."


async def test_three_turns_with_two_calls_at_once_go_through() -> None:
    def script(call: ModelCall) -> Outcome:
        if call.role == "panelist":
            return panel(call)
        known = sum(message.role == "tool" for message in call.messages)
        return {0: calling("moons"), 1: calling("moons", "rings")}.get(known, ANSWER)

    client = Client(plan_of(PANEL), script)
    for number in (1, 2):
        client.carry_out(await client.ask())
        assert client.turn is not None
        assert (client.turn.number, client.turn.is_resumed) == (number, number > 1)
    assert (await client.ask()).text == ANSWER
    assert client.who == ["large/write"]


async def test_votes_that_were_taken_go_on_and_the_others_keep_theirs() -> None:
    plan = plan_of("""
    recipe main() -> answer {
      fanout votes = speak(model = m) for m in [small, large, third]
      return majority(votes, key = it.value)
    }
    expose "main" = main()
    """)
    first = {"small": calling("moons"), "large": calling("moons"), "third": calling("rings")}
    client = Client(plan, lambda call: after_tools(first[call.model.name])(call))
    client.carry_out(await client.ask())
    assert ((await client.ask()).text, sorted(client.who)) == (ANSWER, ["large/speak", "small/speak"])


async def test_a_loop_has_only_so_many_turns() -> None:
    client = Client(plan_of(PANEL), lambda call: "Some." if call.role == "panelist" else calling("moons"), turns=2)
    for _ in range(2):
        client.carry_out(await client.ask())
    client.carry_out(await client.ask())
    with pytest.raises(TooManyTurns, match="called 3 times for this answer, and may be called 2 times"):
        await client.ask()
    client.state = MemoryState()  # a replica that knows nothing of it counts alike
    with pytest.raises(TooManyTurns):
        await client.ask()


async def test_a_turn_asks_as_its_client_does_now() -> None:
    client = Client(plan_of(PANEL), panel)
    client.carry_out(await client.ask(tool_choice="required"))
    assert client.asked[-1].others == {"tool_choice": "required"}
    await client.ask(tool_choice="none")
    assert client.asked[-1].others == {"tool_choice": "none"}


async def test_calls_of_a_fallback_whose_model_can_not_go_on_begin_anew() -> None:
    text = PANEL.replace("write(answers, model = large)", "write(answers, model = large) { fallback = first(answers) }")
    down = BackendError(FailureKind.SERVER, "HTTP 500", status=500)
    client = Client(plan_of(text), lambda call: down if call.role == "write" else after_tools(calling("moons"))(call))
    client.carry_out(await client.ask())
    assert (await client.ask()).text == ANSWER
    assert client.turn is not None
    assert not client.turn.is_resumed


async def test_what_a_tool_gave_may_bring_a_boundary_to_hold() -> None:
    plan = plan_of("""
    boundary private { when = pii(request), allow = it.name == "small" }
    recipe main() -> answer {
      choose reply {
        when private => speak(model = small)
        otherwise    => speak(model = large)
      }
      return reply
    }
    expose "main" = main()
    """)
    client = Client(plan, after_tools(calling("moons")))
    client.carry_out(await client.ask(), given="write to ann.lee@example.com")
    assert client.who == ["large/speak"]
    await client.ask()
    assert client.who == ["small/speak"]


async def test_a_function_of_the_host_is_called_once_for_all_turns() -> None:
    plan = plan_of("""
    extern look(of: text) -> text { cost = $0.5 }
    role write(seen: text) { tools = true, max_tokens = 100, prompt = "{{ seen }}" }
    recipe main() -> answer {
      call seen  = look(request.text)
      ask  final = write(seen, model = large)
      return final
    }
    expose "main" = main()
    """)
    looked: list[str] = []

    async def look(of: str) -> str:
        looked.append(of)
        return "seen"

    client = Client(plan, after_tools(calling("moons")), functions={"look": look})
    client.carry_out(await client.ask())
    second = await client.ask()
    assert (looked, second.text) == (["How many moons has Jupiter?"], ANSWER)
    assert second.spend.cost is not None
    assert second.spend.cost < 0.5


async def test_a_turn_stays_within_what_the_recipe_may_use_at_most() -> None:
    plan = plan_of(PANEL.replace("recipe main() -> answer {", "recipe main() -> answer {\n  budget { calls = 4 }"))
    client = Client(plan, lambda call: panel(call) if call.role == "panelist" else calling("moons"))
    for _ in range(4):
        result = await client.ask()
        assert result.spend.calls <= 4
        client.carry_out(result)


async def test_what_was_said_in_an_earlier_turn_is_not_spoken_again() -> None:
    plan = plan_of(
        'recipe main() -> answer { ask reply = speak(model = small)\n return reply }\nexpose "main" = main()'
    )
    said = Reply("Let me see.", "tool_calls", Usage(10, 5), tool_calls=calling("moons").tool_calls)
    client = Client(plan, after_tools(said))
    client.carry_out(await client.ask())
    assert client.pieces == ["Let ", "me ", "see."]
    await client.ask()
    assert client.pieces == ["Jupiter ", "has ", "95 ", "moons."]


async def test_a_turn_that_fails_leaves_the_one_before_to_go_on_from() -> None:
    down = BackendError(FailureKind.SERVER, "HTTP 500", status=500)
    client = Client(
        plan_of(PANEL),
        lambda call: panel(call) if call.role == "panelist" else after_tools(calling("moons"), down)(call),
    )
    client.carry_out(await client.ask())
    with pytest.raises(RunFailure) as failed:
        await client.ask()
    assert failed.value.kind is RunFailureKind.BACKEND
    client.script = panel
    assert ((await client.ask()).text, client.who) == (ANSWER, ["large/write"])


class Broken:
    """A state that can't be reached."""

    async def recall(self, name: str) -> str | None:
        raise StoreProblem("nobody is there")

    async def remember(self, name: str, value: str, seconds: float) -> None:
        raise StoreProblem("nobody is there")

    async def change(self, name: str, seconds: float, change: Callable[[Any], tuple[Any, Any]]) -> Any:
        raise StoreProblem("nobody is there")


async def test_arguments_that_nest_without_end_are_handed_on_as_they_were_written() -> None:
    endless = {"id": "0", "type": "function", "function": {"name": "moons", "arguments": "[" * 100_000}}
    client = Client(plan_of(PANEL), after_tools(Reply("", "tool_calls", tool_calls=(endless,))))
    client.carry_out(await client.ask())
    assert (await client.ask()).text == ANSWER
    assert client.turn is not None
    assert client.turn.is_resumed


async def test_a_state_that_can_not_be_reached_costs_calls_and_no_answer() -> None:
    client = Client(plan_of(PANEL), panel, Broken())
    client.carry_out(await client.ask())
    assert (await client.ask()).text == ANSWER
    assert len(client.who) == 4


@pytest.mark.parametrize("state", ["no base64", "bm8gemxpYg==", "eJwDAAAAAAE=", None])
async def test_a_state_that_is_damaged_costs_calls_and_no_answer(state: str | None) -> None:
    client = Client(plan_of(PANEL), panel)
    client.carry_out(await client.ask())
    assert client.turn is not None
    name = f"turn:{client.turn.state}"
    kept = await client.state.recall(name)
    assert kept is not None
    await client.state.remember(name, kept[:200] if state is None else state, 60)
    assert (await client.ask()).text == ANSWER
    assert len(client.who) == 4


def numbers(results: Sequence[Any]) -> list[str]:
    return [call["id"] for message in results for call in message.get("tool_calls", ())]


async def test_no_two_calls_have_the_same_number() -> None:
    client = Client(plan_of(PANEL), lambda call: panel(call) if call.role == "panelist" else calling("moons", "rings"))
    for _ in range(3):
        client.carry_out(await client.ask())
    assert len(set(numbers(client.messages))) == 6
