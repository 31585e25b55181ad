"""Models of this machine write a call of a tool down in place of making it; then it is made for them."""

from __future__ import annotations

from typing import Any

import pytest

from model_calls import deltas_of, model_call, outcome_of
from recipelang.backends.clients import open_client
from recipelang.backends.local import LocalBackend
from recipelang.runtime.ports import Endpoint, Reply
from upstream import Upstream, replying

pytestmark = pytest.mark.anyio
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
CALLED = '{"name": "look_up", "arguments": {"of": "moons"}}'


class At:
    """Where the model of a test is."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def endpoint(self, model: str) -> Endpoint:
        return Endpoint(self._url)


async def reply_to(text: str, *, stream: bool, tools: tuple[Any, ...] = (TOOL,)) -> Reply:
    with Upstream(replying(text)) as upstream:
        async with open_client(secure=False) as client:
            backend = LocalBackend(At(upstream.url), client)
            if stream:
                deltas = await deltas_of(backend, model_call(tools=tools))
                reply = deltas[-1].reply
                assert reply is not None
                assert "".join(delta.text for delta in deltas) == reply.text
                return reply
            found = await outcome_of(backend, stream=False, call=model_call(tools=tools))
    assert isinstance(found, Reply)
    return found


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "said", [CALLED, f"```json\n{CALLED}\n```\n\n", f"```\n{CALLED}\n```", f"{{{CALLED}}}", f"```json\n{CALLED}\n"]
)
async def test_a_call_that_was_written_down_is_made(said: str, stream: bool) -> None:
    reply = await reply_to(said, stream=stream)
    assert (reply.text, reply.finish) == ("", "tool_calls")
    assert [call["function"] for call in reply.tool_calls] == [{"name": "look_up", "arguments": '{"of": "moons"}'}]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "said",
    [
        "Jupiter has 95 moons.",
        '{"name": "another", "arguments": {}}',
        '{"name": "look_up"}',
        f"I would call this: {CALLED}",
        f"```json\n{CALLED}\n``` is what I would call.",
        "```python\nprint(95)\n```",
        "{",
    ],
)
async def test_what_is_no_call_of_a_tool_that_is_there_is_left_as_it_is(said: str, stream: bool) -> None:
    assert (await reply_to(said, stream=stream)).text == said


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_without_tools_nothing_is_a_call(stream: bool) -> None:
    assert (await reply_to(CALLED, stream=stream, tools=())).text == CALLED


async def test_words_are_passed_on_as_they_come() -> None:
    with Upstream(replying("Jupiter has 95 moons.")) as upstream:
        async with open_client(secure=False) as client:
            deltas = await deltas_of(LocalBackend(At(upstream.url), client), model_call(tools=(TOOL,)))
    assert [delta.text for delta in deltas if delta.text] == ["Jupiter ", "has ", "95 ", "moons."]
