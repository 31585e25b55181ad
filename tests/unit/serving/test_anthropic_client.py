"""The official `anthropic` package against the running server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from served import serving
from upstream import Upstream, answered, chunk, completion, refused, replying, streamed

ASKED: list[Any] = [{"role": "user", "content": "Which planet is the largest?"}]
TOOL: Any = {"name": "look_up", "input_schema": {"type": "object", "properties": {}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"what": "moons"}'}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Upstream]]:
    with serving(tmp_path_factory.mktemp("served")) as it:
        yield it


@pytest.fixture
def upstream(served: tuple[str, Upstream]) -> Upstream:
    served[1].script = replying()
    return served[1]


@pytest.fixture
def client(served: tuple[str, Upstream]) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=served[0], api_key="any", max_retries=0) as found:
        yield found


def ask(client: anthropic.Anthropic, **fields: Any) -> Any:
    return client.messages.create(**{"model": "team/panel", "max_tokens": 50, "messages": ASKED, **fields})


def test_a_message_is_an_answer(client: anthropic.Anthropic, upstream: Upstream) -> None:
    answer = ask(client, system="Be brief.", stop_sequences=["END"])
    assert (answer.content[0].text, answer.stop_reason) == ("Jupiter.", "end_turn")
    assert answer.usage.input_tokens == 44
    assert upstream.requests[-1].json["stop"] == ["END"]
    assert "Be brief." in upstream.requests[-1].json["messages"][0]["content"]


def test_a_message_streams(client: anthropic.Anthropic, upstream: Upstream) -> None:
    with client.messages.stream(model="vllm-sr/auto", max_tokens=50, messages=ASKED) as stream:
        assert "".join(stream.text_stream) == "Jupiter."
        assert stream.get_final_message().usage.output_tokens == 3


def test_tools_are_called_and_their_results_go_on(client: anthropic.Anthropic, upstream: Upstream) -> None:
    upstream.script = answered(completion("Let me see.", finish="tool_calls", tool_calls=[CALL]))
    answer = ask(client, model="vllm-sr/auto", tools=[TOOL], tool_choice={"type": "any"})
    assert answer.stop_reason == "tool_use"
    assert answer.content[1].input == {"what": "moons"}
    assert upstream.requests[-1].json["tool_choice"] == "required"
    upstream.script = replying()
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "95"}
    turns = [*ASKED, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    assert ask(client, model="vllm-sr/auto", tools=[TOOL], messages=turns).content[0].text == "Jupiter."
    assert [m["role"] for m in upstream.requests[-1].json["messages"]] == ["user", "assistant", "tool"]


@pytest.mark.parametrize("arguments", ["[" * 100_000, "no JSON", "[1]"])
def test_arguments_that_are_no_object_are_quoted(
    client: anthropic.Anthropic, upstream: Upstream, arguments: str
) -> None:
    function = {"name": "look_up", "arguments": arguments}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    upstream.script = answered(completion(None, finish="tool_calls", tool_calls=calls))
    assert ask(client, model="vllm-sr/auto", tools=[TOOL]).content[0].input == {"arguments": arguments}


def test_a_stream_may_call_tools(client: anthropic.Anthropic, upstream: Upstream) -> None:
    upstream.script = streamed(chunk(tool_calls=[{"index": 0, **CALL}]), chunk(finish="tool_calls"))
    with client.messages.stream(model="vllm-sr/auto", max_tokens=50, messages=ASKED, tools=[TOOL]) as stream:
        block: Any = stream.get_final_message().content[0]
    assert (block.type, block.input) == ("tool_use", {"what": "moons"})


def test_images_become_parts_that_models_take(client: anthropic.Anthropic, upstream: Upstream) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    ask(client, model="vllm-sr/auto", messages=[{"role": "user", "content": [{"type": "image", "source": source}]}])
    part = upstream.requests[-1].json["messages"][-1]["content"][0]
    assert part == {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def test_a_stream_that_breaks_says_so(client: anthropic.Anthropic, upstream: Upstream) -> None:
    upstream.script = streamed(chunk("Jup"), done=False)
    with pytest.raises(anthropic.APIStatusError, match="ended before the answer did"):
        for _ in ask(client, model="vllm-sr/auto", stream=True):
            pass


def test_errors_are_in_the_form_of_the_protocol(client: anthropic.Anthropic, upstream: Upstream) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        ask(client, model="team/pannel")
    assert missing.value.response.json()["error"]["type"] == "not_found_error"
    upstream.script = refused(429, "slow down")
    with pytest.raises(anthropic.RateLimitError):
        ask(client, model="vllm-sr/auto")
    with pytest.raises(anthropic.BadRequestError, match="thinking"):
        ask(client, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048)
