"""Engines that record and engines that replay: the same answer and the same story, with nobody to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from recipelang.backends.cassettes import CassetteProblem, read_cassette
from recipelang.backends.opening import BackendProblem
from recipelang.backends.scripted import After, Outcome, ScriptedBackend
from recipelang.hosts.engine import Engine
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ports import BackendError, FailureKind, NotRecorded
from recipelang.runtime.values import Json
from runs import QUESTION, plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

PLAN = plan_of(
    """
backend lab { kind = openai, url = "https://lab.example/v1", key = env("LAB_KEY") }
model small { backend = lab, id = "small-1", price = { input = $1, output = $2 } }
model large { backend = lab, id = "large-1", price = { input = $1, output = $2 } }
model third { backend = lab, id = "third-1", price = { input = $1, output = $2 } }

role speak() {}
role judge(answers: answer[]) { prompt = "Which of these? {{ answers }}" }
extern look_up(text: text) -> record { found: bool }

recipe team(panel: model[2..4], boss: model, patience: duration = 30s) -> answer {
  fanout answers = speak(model = m) for m in panel { quorum = 2, timeout = 10s, on_error = skip }
  call   known   = look_up(first(answers).text) { retries = 1, optional = true }
  ask    final   = judge(answers, model = boss) { retries = 2, when = known == none or not known.found }
  return final or first(answers)
}
expose "team" = team(panel = [small, large, third], boss = small)
""",
    world="",
)

BUSY = BackendError(FailureKind.SERVER, "HTTP 503", 503, may_pass=True)
SCRIPT: dict[str, Outcome | Sequence[Outcome]] = {
    "small/judge": [After(0.5, BUSY), After(1.5, "Jupiter.")],
    "small": After(3, "Jupiter"),
    "large": After(20, "Mars"),
    "third": After(2, "Saturn"),
}


async def look_up(text: str) -> Json:
    raise OSError("the library is closed")


async def taken_down(path: Path, **options: Any) -> RunResult:
    backends = {"lab": ScriptedBackend(SCRIPT)}
    async with Engine(PLAN, backends=backends, functions={"look_up": look_up}, record=path) as engine:
        return await engine.run("team", QUESTION, **options)


def story(result: RunResult) -> list[tuple[str, str, Mapping[str, Json]]]:
    """The trace without what is read from clocks."""
    clocks = {"latency", "seconds"}
    return [
        (event.kind, event.step, {name: value for name, value in event.data.items() if name not in clocks})
        for event in result.trace.events
    ]


async def test_a_replay_tells_the_same_story_and_opens_nothing(tmp_path: Path) -> None:
    first = await taken_down(tmp_path / "it.cassette", content=True)
    async with Engine(PLAN, replay=tmp_path / "it.cassette", environment={}) as engine:
        again = await engine.run("team", QUESTION, content=True)
    assert again.text == first.text == "Jupiter."
    assert story(again) == story(first)
    assert again.spend.seconds == pytest.approx(first.spend.seconds)


async def test_without_the_cassette_there_would_be_no_key(tmp_path: Path) -> None:
    with pytest.raises(BackendProblem, match="LAB_KEY"):
        await Engine(PLAN, functions={"look_up": look_up}, environment={}).__aenter__()


async def test_a_cassette_says_what_was_run_and_how_it_ended(tmp_path: Path) -> None:
    await taken_down(tmp_path / "it.cassette", seed=7)
    [run] = read_cassette(tmp_path / "it.cassette").runs
    assert (run.recipe, run.exposed, run.seed) == ("team", "team", 7)
    assert run.arguments == {"panel": ["small", "large", "third"], "boss": "small"}
    assert run.request == {"messages": [{"role": "user", "content": QUESTION}]}
    assert run.ending is not None
    assert (run.ending["status"], run.ending["text"], run.ending["spend"]["calls"]) == ("ok", "Jupiter.", 5)


async def test_a_run_with_another_seed_makes_other_calls(tmp_path: Path) -> None:
    await taken_down(tmp_path / "it.cassette", seed=7)
    async with Engine(PLAN, replay=tmp_path / "it.cassette") as engine:
        with pytest.raises(NotRecorded, match="the nearest recording differs in seed"):
            await engine.run("team", QUESTION, seed=8)


async def test_no_fallback_and_no_retry_covers_a_function_call_that_was_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "it.cassette"
    await taken_down(path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"function"' not in line), encoding="utf-8")
    async with Engine(PLAN, replay=path) as engine:
        with pytest.raises(NotRecorded, match="function `look_up` was not recorded"):
            await engine.run("team", QUESTION)


async def test_a_run_that_fails_fails_again_in_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "it.cassette"
    dead = {"lab": ScriptedBackend({"*": BUSY})}
    async with Engine(PLAN, backends=dead, functions={"look_up": look_up}, record=path) as engine:
        with pytest.raises(RunFailure) as first:
            await engine.run("team", QUESTION)
    async with Engine(PLAN, replay=path) as engine:
        with pytest.raises(RunFailure) as again:
            await engine.run("team", QUESTION)
    assert str(again.value) == str(first.value)
    [run] = read_cassette(path).runs
    assert run.ending is not None
    assert (run.ending["status"], run.ending["failure"]) == ("failed", "quorum")


async def test_an_answer_that_is_streamed_is_replayed_in_the_same_pieces(tmp_path: Path) -> None:
    path = tmp_path / "it.cassette"
    backends = {"lab": ScriptedBackend({**SCRIPT, "small/judge": "Jupiter, by far"})}
    heard = []
    recorder = Engine(PLAN, backends=backends, functions={"look_up": look_up}, record=path)
    async with recorder as engine, engine.stream("team", QUESTION) as answer:
        heard.append([piece async for piece in answer])
    async with Engine(PLAN, replay=path) as engine, engine.stream("team", QUESTION) as answer:
        heard.append([piece async for piece in answer])
    assert heard[0] == heard[1]


async def test_an_engine_does_not_record_what_it_replays() -> None:
    with pytest.raises(TypeError, match="can't do both"):
        Engine(PLAN, record="a", replay="b")


async def test_what_is_no_cassette_is_refused_when_the_engine_is_opened(tmp_path: Path) -> None:
    (tmp_path / "it.cassette").write_text("language 1\n", encoding="utf-8")
    with pytest.raises(CassetteProblem, match="is no JSON"):
        await Engine(PLAN, replay=tmp_path / "it.cassette").__aenter__()
