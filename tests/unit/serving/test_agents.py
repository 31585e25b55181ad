"""An agent of three turns by the official client, whose model is a recipe: who calls its tools, and that the loop comes to its end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from recipelang.hosts.state import SqliteState
from recipelang.serving import app
from served import running
from upstream import Answer, Received, Upstream, answered, completion, replying

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"of": {"type": "string"}}, "required": ["of"]},
        },
    }
    for name in ("moons", "rings")
]
LEAST: dict[str, Any] = {"string": "", "boolean": True, "number": 1, "integer": 1, "array": []}
RESULTS = {"moons": "95", "rings": "4"}


def calling(*names: str) -> Answer:
    calls = [
        {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": '{"of": "Jupiter"}'}}
        for name in names
    ]
    return answered(completion(None, finish="tool_calls", tool_calls=calls))


def team(request: Received) -> Answer:
    """Calls one tool, then two at once, then answers, where it has tools; else plays its part."""
    asked = request.json
    known = [message["content"] for message in asked["messages"] if message["role"] == "tool"]
    schema = asked.get("response_format", {}).get("json_schema", {}).get("schema", {}).get("properties", {})
    if "tasks" in schema:
        task = {"name": "look", "worker": "large", "needs": [], "instruction": "Look."}
        return answered(completion(json.dumps({"tasks": [task]})))
    if schema:
        return answered(completion(json.dumps({name: LEAST[its["type"]] for name, its in schema.items()})))
    if "tools" not in asked:
        return replying("Nothing is known.")(request)
    if not known:
        return calling("moons")
    if len(known) == 1:
        return calling("moons", "rings")
    return replying("Jupiter has 95 moons and 4 rings.")(request)


RECIPES = """
use std.direct
use std.confidence
use std.self_verified
use std.best_of_n
use std.ratings
use std.self_consistency
use std.fusion
use std.debate
use std.remom
use std.workflows
use std.critique_and_revise
use std.confidence_then_fusion

backend lab {{ kind = openai, url = "{url}" }}
model small {{ backend = lab, id = "small-1", context = 32k, price = {{ input = $0.05, output = $0.20 }}, rating = 900 }}
model large {{ backend = lab, id = "large-1", context = 32k, price = {{ input = $2, output = $12 }}, rating = 1400 }}

expose "direct" = direct(small)
expose "confidence" = confidence(candidates = [small, large])
expose "self_verified" = self_verified(candidates = [small, large])
expose "best_of_n" = best_of_n(writers = [small], judge_model = large, drafts = 2)
expose "ratings" = ratings(panel = [small, large])
expose "self_consistency" = self_consistency(thinker = small, attempts = 3)
expose "fusion" = fusion(panel = [small, large], judge_model = large)
expose "debate" = debate(debaters = [small, large], judge_model = large)
expose "remom" = remom(thinkers = [small, large], writer = large, breadth = [2])
expose "workflows" = workflows(planner_model = large, workers = [small, large], verifier_model = large)
expose "critique_and_revise" = critique_and_revise(author = small, critic_model = large)
expose "confidence_then_fusion" = confidence_then_fusion(scouts = [small, large], panel = [small, large], judge_model = large)
"""
NAMES = re.findall(r'expose "(\w+)"', RECIPES)
TEAMS = {"fusion": [4, 1, 1], "debate": [5, 1, 1], "remom": [3, 1, 1], "workflows": [3, 1, 2]}
"""The calls of each turn, where one alone calls tools: it alone is asked again, and `workflows` checks its answer in the end."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Upstream]]:
    file = tmp_path_factory.mktemp("agents") / "team.recipe"
    with Upstream(team) as upstream:
        file.write_text(RECIPES.format(url=upstream.url), encoding="utf-8")
        with running(app(file)) as address:
            yield address, upstream


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", NAMES)
def test_an_agent_comes_to_its_answer_in_three_turns(served: tuple[str, Upstream], model: str, stream: bool) -> None:
    address, upstream = served
    turns: list[Any] = [{"role": "user", "content": "How many moons and rings has Jupiter?"}]
    called: list[list[str]] = []
    sent: list[int] = []
    with openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client:
        for _ in range(3):
            upstream.requests.clear()
            message = said(client, model, turns, stream)
            sent.append(len(upstream.requests))
            turns.append(message.model_dump(exclude_none=True))
            calls = message.tool_calls or []
            called.append([call.function.name for call in calls])
            for call in calls:
                assert json.loads(call.function.arguments) == {"of": "Jupiter"}
                turns.append({"role": "tool", "tool_call_id": call.id, "content": RESULTS[call.function.name]})
    assert called == [["moons"], ["moons", "rings"], []]
    assert turns[-1]["content"] == "Jupiter has 95 moons and 4 rings."
    assert model not in TEAMS or sent == TEAMS[model]


def said(client: openai.OpenAI, model: str, turns: list[Any], stream: bool) -> Any:
    if not stream:
        return client.chat.completions.create(model=model, messages=turns, tools=TOOLS).choices[0].message
    with client.chat.completions.stream(model=model, messages=turns, tools=TOOLS) as pieces:
        for _ in pieces:
            pass
        return pieces.get_final_completion().choices[0].message


def by_responses(address: str, stream: bool) -> Iterator[int]:
    tools: Any = [{"type": "function", **tool["function"], "strict": None} for tool in TOOLS]
    turns: list[Any] = [{"role": "user", "content": "How many moons and rings has Jupiter?"}]
    with openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client:
        for _ in range(3):
            if stream:
                with client.responses.stream(model="fusion", input=turns, tools=tools) as events:
                    for _event in events:
                        pass
                    response: Any = events.get_final_response()
            else:
                response = client.responses.create(model="fusion", input=turns, tools=tools)
            turns += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
            calls = [item for item in response.output if item.type == "function_call"]
            turns += [{"type": "function_call_output", "call_id": c.call_id, "output": RESULTS[c.name]} for c in calls]
            yield len(calls)


def by_messages(address: str, stream: bool) -> Iterator[int]:
    tools: Any = [{"name": t["function"]["name"], "input_schema": t["function"]["parameters"]} for t in TOOLS]
    turns: list[Any] = [{"role": "user", "content": "How many moons and rings has Jupiter?"}]
    with anthropic.Anthropic(base_url=address, api_key="any", max_retries=0) as client:
        for _ in range(3):
            fields: Any = {"model": "fusion", "messages": turns, "tools": tools, "max_tokens": 500}
            if stream:
                with client.messages.stream(**fields) as events:
                    message: Any = events.get_final_message()
            else:
                message = client.messages.create(**fields)
            turns.append({"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in message.content]})
            calls = [block for block in message.content if block.type == "tool_use"]
            results = [{"type": "tool_result", "tool_use_id": c.id, "content": RESULTS[c.name]} for c in calls]
            turns.append({"role": "user", "content": results})
            yield len(calls)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("agent", [by_responses, by_messages])
def test_in_each_protocol_a_turn_goes_on_where_the_last_one_ended(
    served: tuple[str, Upstream], agent: Callable[[str, bool], Iterator[int]], stream: bool
) -> None:
    address, upstream = served
    upstream.requests.clear()
    sent, called = [], []
    for calls in agent(address, stream):
        sent.append(len(upstream.requests))
        called.append(calls)
        upstream.requests.clear()
    assert (called, sent) == ([1, 2, 0], TEAMS["fusion"])


def test_a_loop_goes_on_at_another_replica_that_shares_the_state(tmp_path: Path) -> None:
    turns: list[Any] = [{"role": "user", "content": "How many moons and rings has Jupiter?"}]
    file = tmp_path / "team.recipe"
    sent, resumed = [], []
    with Upstream(team) as upstream:
        file.write_text(RECIPES.format(url=upstream.url), encoding="utf-8")
        for _ in range(3):  # each turn at a replica of its own
            upstream.requests.clear()
            with (
                running(app(file, state=SqliteState(tmp_path / "state.db"))) as address,
                openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client,
            ):
                answer = client.chat.completions.create(
                    model="fusion", messages=turns, tools=TOOLS, extra_body={"recipelang": {"receipt": True}}
                )
            sent.append(len(upstream.requests))
            receipt: Any = (answer.model_extra or {})["recipelang"]
            assert receipt["calls"] == sent[-1]
            resumed.append(receipt["turn"]["resumed"])
            turns.append(answer.choices[0].message.model_dump(exclude_none=True))
            for call in turns[-1].get("tool_calls", ()):
                given = RESULTS[call["function"]["name"]]
                turns.append({"role": "tool", "tool_call_id": call["id"], "content": given})
    assert (sent, resumed) == (TEAMS["fusion"], [False, True, True])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_loop_that_has_had_its_turns_is_refused(tmp_path: Path, stream: bool) -> None:
    call = {"id": "0", "type": "function", "function": {"name": "moons", "arguments": "{}"}}
    turns: list[Any] = [{"role": "user", "content": "?"}]
    turns += [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "0", "content": "95"}] * 2
    file = tmp_path / "team.recipe"
    with Upstream(team) as upstream:
        file.write_text(RECIPES.format(url=upstream.url), encoding="utf-8")
        with (
            running(app(file, tool_turns=1)) as address,
            openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client,
            pytest.raises(
                openai.BadRequestError, match="called 2 times for this answer, and may be called 1 times"
            ) as caught,
        ):
            client.chat.completions.create(model="direct", messages=turns, tools=TOOLS, stream=stream)
        assert upstream.requests == []
    assert caught.value.code == "too_many_turns"


def test_the_finalizer_of_a_panel_sees_what_the_panel_would_call(served: tuple[str, Upstream]) -> None:
    address, upstream = served
    upstream.requests.clear()
    with openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client:
        client.chat.completions.create(
            model="fusion", messages=[{"role": "user", "content": "Moons?"}], tools=TOOLS, tool_choice="required"
        )
    *_, judge, final = [request.json for request in upstream.requests]
    assert "tools" not in judge
    assert (final["tools"], final["tool_choice"]) == (TOOLS, "required")
    assert final["messages"][-1]["content"].count('calls moons({"of": "Jupiter"})') == 2


def test_votes_are_taken_on_calls_whatever_their_numbers(served: tuple[str, Upstream]) -> None:
    address, upstream = served
    names = iter(["rings", "moons", "moons"])
    upstream.script = lambda request: calling(next(names))
    try:
        with openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client:
            asked: Any = [{"role": "user", "content": "Moons?"}]
            message = said(client, "self_consistency", asked, stream=False)
    finally:
        upstream.script = team
    assert [call.function.name for call in message.tool_calls] == ["moons"]
