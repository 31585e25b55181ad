"""Cassettes: what goes in comes out again, the same call gets the same answer, and no other call gets any."""

from __future__ import annotations

import io
import json
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from model_calls import CALL, deltas_of, model_call, outcome_of
from recipelang.backends.cassettes import (
    Cassette,
    CassetteProblem,
    Replay,
    read_cassette,
    recording,
    recording_function,
    replaying,
    replaying_function,
)
from recipelang.backends.cassettes.document import GivenUp, parse_cassette
from recipelang.backends.replicas import Replicas
from recipelang.backends.scripted import After, Script, ScriptedBackend
from recipelang.ir.plan import Backend
from recipelang.runtime.ports import BackendError, Delta, FailureKind, ModelCall, NotRecorded, Reply
from recipelang.runtime.values import Message, TokenLogprob, Usage

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

BUSY = BackendError(FailureKind.RATE_LIMIT, "HTTP 429", 429, retry_after=2.5, may_pass=True, usage=Usage(3, 0))
FULL = Reply(
    "Jupiter\n\u2014 \U0001f600 \"big\"",
    "length",
    Usage(11, 3, reported=False),
    (TokenLogprob("Jup", -0.25, -1.5, (("Jup", -0.25), ("Sat", -1.5))), TokenLogprob("iter", -0.0, -math.inf)),
    ({"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}},),
    0.0125,
)  # fmt: skip


async def recorded(script: Script, *calls: ModelCall, stream: bool = False) -> Replay:
    """A replay of calls that were made one after the other."""
    taken = io.StringIO()
    backend = recording(ScriptedBackend(script), Cassette(taken))
    for call in calls or (CALL,):
        await outcome_of(backend, stream=stream, call=call)
    return Replay(parse_cassette("it.cassette", taken.getvalue()))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("outcome", [Reply("Jupiter"), FULL, BUSY], ids=["a word", "all there is", "a failure"])
async def test_what_a_call_got_it_gets_again(outcome: Reply | BackendError, stream: bool) -> None:
    backend = replaying(await recorded({"*": outcome}, stream=stream))
    found = await outcome_of(backend, stream=stream)
    assert found == outcome
    if isinstance(found, Reply) and isinstance(outcome, Reply) and found.logprobs and outcome.logprobs:
        assert [token.best for token in found.logprobs] == [token.best for token in outcome.logprobs]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "in pieces"])
async def test_how_it_is_asked_for_does_not_matter(stream: bool) -> None:
    backend = replaying(await recorded({"*": FULL}, stream=not stream))
    assert await outcome_of(backend, stream=stream) == FULL


class InTwoPieces(ScriptedBackend):
    """Says the first half at once, and the other one a second later."""

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        yield Delta("Jupi")
        await anyio.sleep(1)
        yield Delta("ter")
        await anyio.sleep(0.5)
        yield Delta(reply=Reply("Jupiter"))


async def test_pieces_come_when_they_came() -> None:
    taken = io.StringIO()
    await deltas_of(recording(InTwoPieces({}), Cassette(taken)))
    replay = Replay(parse_cassette("it.cassette", taken.getvalue()))
    began, found = anyio.current_time(), list[tuple[float, str]]()
    async for delta in replaying(replay).stream(CALL):
        found += [(round(anyio.current_time() - began, 6), delta.text)]
    assert found == [(0, "Jupi"), (1, "ter"), (1.5, "")]


async def test_whoever_stops_listening_after_the_reply_has_heard_it_all() -> None:
    taken = io.StringIO()
    backend = recording(ScriptedBackend({"*": "Jupiter"}), Cassette(taken))
    stream = backend.stream(CALL)
    while (await anext(stream)).reply is None:
        pass
    await stream.aclose()
    [call] = parse_cassette("it.cassette", taken.getvalue()).calls
    assert isinstance(call.outcome, Reply)


async def test_equal_calls_are_answered_in_the_order_in_which_they_were_made() -> None:
    backend = replaying(await recorded({"*": ["one", BUSY, "three"]}, CALL, CALL, CALL))
    found = [await outcome_of(backend, stream=False) for _ in range(3)]
    assert found == [
        replace(Reply("one"), usage=_usage(found[0])),
        BUSY,
        replace(Reply("three"), usage=_usage(found[2])),
    ]


def _usage(found: Reply | BackendError) -> Usage | None:
    return found.usage


async def test_different_calls_may_come_in_any_order() -> None:
    calls = [model_call(sample=sample) for sample in range(4)]
    replay = await recorded(lambda call: str(call.sample), *calls)
    backend = replaying(replay)
    assert [(await backend.complete(call)).text for call in reversed(calls)] == ["3", "2", "1", "0"]
    assert replay.left == []


CHANGES: Sequence[tuple[str, dict[str, Any]]] = [
    ("model", {"model": replace(CALL.model, name="other")}),
    ("id", {"model": replace(CALL.model, id="small-2")}),
    ("role", {"role": "judge"}),
    ("sample", {"sample": 1}),
    ("messages", {"messages": (Message("user", "Which planet is the smallest?"),)}),
    ("max_tokens", {"max_tokens": 99}),
    ("temperature", {"temperature": 0.5}),
    ("seed", {"seed": 7}),
    ("logprobs", {"logprobs": True}),
    ("schema", {"schema": '{"type": "object"}'}),
    ("strict", {"strict": False}),
    ("tools", {"tools": ({"type": "function"},)}),
    ("others", {"others": {"top_p": 0.5}}),
]


@pytest.mark.parametrize(("field", "changes"), CHANGES, ids=[field for field, _ in CHANGES])
async def test_a_call_that_differs_in_anything_has_no_answer_and_is_told_in_what(
    field: str, changes: dict[str, Any]
) -> None:
    backend = replaying(await recorded({"*": "Jupiter"}))
    with pytest.raises(NotRecorded, match=f"the nearest recording differs in {field}\n"):
        await backend.complete(model_call(**changes))


async def test_the_difference_is_that_to_the_nearest_recording() -> None:
    far = model_call(messages=(Message("user", "What is for dinner?"),))
    near = model_call(
        messages=(Message("system", "Be brief.\nBe kind."), Message("user", "Which planet is the largest?"))
    )
    backend = replaying(await recorded({"*": "Jupiter"}, far, near))
    asked = model_call(
        messages=(Message("system", "Be brief.\nBe bold."), Message("user", "Which planet is the largest?"))
    )
    with pytest.raises(NotRecorded) as missing:
        await backend.complete(asked)
    assert str(missing.value) == """\
this call of `small` as `solver` was not recorded; the nearest recording differs in messages

--- recorded in it.cassette:3
+++ asked now
@@ -4,6 +4,6 @@
 max_tokens: 100
 [system]
 Be brief.
-Be kind.
+Be bold.
 [user]
 Which planet is the largest?"""  # fmt: skip


async def test_a_call_that_is_made_once_too_often_is_told_so() -> None:
    backend = replaying(await recorded({"*": "Jupiter"}))
    await backend.complete(CALL)
    with pytest.raises(NotRecorded, match="was recorded once in it.cassette .line 2., and was called once more"):
        await backend.complete(CALL)


async def test_from_an_empty_cassette_nothing_is_answered() -> None:
    backend = replaying(Replay(parse_cassette("it.cassette", '{"format": "recipelang.cassette", "version": 1}\n')))
    with pytest.raises(NotRecorded, match=r"there is no call in it\.cassette"):
        await backend.complete(CALL)


async def test_what_came_first_comes_first_again_after_the_same_time() -> None:
    calls = [model_call(sample=sample) for sample in range(3)]
    taken = io.StringIO()
    original = await _order(
        recording(ScriptedBackend(lambda call: After(3.0 - call.sample, str(call.sample))), Cassette(taken)), calls
    )
    replay = Replay(parse_cassette("it.cassette", taken.getvalue()))
    assert await _order(replaying(replay), calls) == original == [(1, "2"), (2, "1"), (3, "0")]


async def _order(backend: Any, calls: Sequence[ModelCall]) -> list[tuple[float, str]]:
    """After how many seconds which reply came, of calls that are made side by side."""
    began, found = anyio.current_time(), list[tuple[float, str]]()

    async def one(call: ModelCall) -> None:
        reply = await backend.complete(call)
        found.append((round(anyio.current_time() - began, 6), reply.text))

    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(one, call)
    return found


async def test_a_call_that_was_given_up_before_it_was_sent_is_so_again() -> None:
    taken = io.StringIO()
    lab = Replicas(Backend("lab", "openai", "u", parallel=1), [("u", ScriptedBackend({"*": After(10, "late")}))])
    recorded_lab, calls = recording(lab, Cassette(taken)), [model_call(sample=0), model_call(sample=1)]
    with anyio.move_on_after(2):
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(recorded_lab.complete, call)
    assert sorted(call.departure.waits for call in calls) == [False, True]
    replay, again = (
        replaying(Replay(parse_cassette("it.cassette", taken.getvalue()))),
        [model_call(sample=0), model_call(sample=1)],
    )
    with anyio.move_on_after(2):
        async with anyio.create_task_group() as group:
            for call in again:
                group.start_soon(replay.complete, call)
    assert [call.departure for call in again] == [call.departure for call in calls]


async def test_a_call_that_was_given_up_waits_until_it_is_given_up_again() -> None:
    taken = io.StringIO()
    with anyio.move_on_after(2):
        await recording(ScriptedBackend({"*": After(10, "late")}), Cassette(taken)).complete(CALL)
    recorded = parse_cassette("it.cassette", taken.getvalue())
    assert [call.outcome for call in recorded.calls] == [GivenUp()]
    with anyio.move_on_after(3600) as waiting:
        await replaying(Replay(recorded)).complete(CALL)
    assert waiting.cancelled_caught


async def test_a_bug_of_a_backend_is_no_part_of_a_recording() -> None:
    taken = io.StringIO()
    with pytest.raises(LookupError):
        await recording(ScriptedBackend({}), Cassette(taken)).complete(CALL)
    assert parse_cassette("it.cassette", taken.getvalue()).calls == []


# ------------------------------------------------------------------ functions


async def test_functions_of_the_host_do_again_what_they_did() -> None:
    taken = io.StringIO()

    async def divide(dividend: float, divisor: float) -> Any:
        return {"result": dividend / divisor}

    original = recording_function("divide", divide, Cassette(taken))
    assert await original(dividend=1, divisor=2) == {"result": 0.5}
    with pytest.raises(ZeroDivisionError):
        await original(dividend=1, divisor=0)
    again = replaying_function("divide", Replay(parse_cassette("it.cassette", taken.getvalue())))
    with pytest.raises(Exception, match="division by zero") as raised:
        await again(dividend=1, divisor=0)
    assert type(raised.value).__name__ == "ZeroDivisionError"
    assert await again(dividend=1, divisor=2) == {"result": 0.5}
    with pytest.raises(
        NotRecorded, match="function `divide` was not recorded; the nearest recording differs in divisor"
    ):
        await again(dividend=1, divisor=3)


# ------------------------------------------------------------------- the file


async def test_a_file_holds_a_line_for_each_call_as_soon_as_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "it.cassette"
    with Cassette.opened(path) as cassette:
        backend = recording(ScriptedBackend({"*": "Jupiter"}), cassette)
        await backend.complete(CALL)
        assert len(read_cassette(path).calls) == 1
        await backend.complete(CALL)
        assert len(read_cassette(path).calls) == 2


async def test_half_a_line_of_a_run_that_was_killed_is_passed_over(tmp_path: Path) -> None:
    taken = io.StringIO()
    backend = recording(ScriptedBackend({"*": "Jupiter"}), Cassette(taken))
    await backend.complete(CALL)
    await backend.complete(CALL)
    path = tmp_path / "it.cassette"
    path.write_text(taken.getvalue()[:-20], encoding="utf-8")
    assert [call.number for call in read_cassette(path).calls] == [1]


async def test_a_key_is_struck_out_of_what_is_said() -> None:
    taken = io.StringIO()
    said: Script = {
        "*": [Reply('The key is sk-12"34567890.'), BackendError(FailureKind.AUTH, 'sk-12"34567890 is wrong')]
    }
    backend = recording(ScriptedBackend(said), Cassette(taken, ['sk-12"34567890', "none"]))
    await outcome_of(backend, stream=False)
    await outcome_of(backend, stream=False)
    assert "34567890" not in taken.getvalue()
    outcomes = [call.outcome for call in parse_cassette("it.cassette", taken.getvalue()).calls]
    assert [getattr(o, "text", None) or getattr(o, "message", None) for o in outcomes] == [
        "The key is ***.",
        "*** is wrong",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "its first line does not say"),
        ('{"format": "recipelang.trace"}\n', "its first line does not say"),
        ('{"format": "recipelang.cassette", "version": 2}\n', "version 2, and this recipelang reads version 1"),
        ("language 1\n", "it.cassette:1 is no JSON"),
        ("[1]\n", "it.cassette:1 is no object"),
        ('{"format": "recipelang.cassette", "version": 1}\n{"kind": "call"}\n', "damaged cassette: KeyError"),
    ],
)
async def test_what_is_no_cassette_is_told_why(text: str, why: str) -> None:
    with pytest.raises(CassetteProblem, match=why):
        parse_cassette("it.cassette", text)


async def test_a_text_with_half_a_character_is_found_again() -> None:
    call = model_call(messages=(Message("user", "\ud83d?"),))
    assert (await replaying(await recorded({"*": "Jupiter"}, call)).complete(call)).text == "Jupiter"


async def test_the_lines_are_json_that_any_reader_takes() -> None:
    taken = io.StringIO()
    await outcome_of(recording(ScriptedBackend({"*": FULL}), Cassette(taken)), stream=True)
    lines = [json.loads(line, parse_constant=pytest.fail) for line in taken.getvalue().splitlines()]
    assert [line.get("kind", "head") for line in lines] == ["head", "call"]
