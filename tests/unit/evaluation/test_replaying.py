"""A backend of recorded answers: the very answer that was recorded, or none."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from model_calls import CALL, deltas_of, whole
from recipelang.evaluation.packs import Verdict, read_pack
from recipelang.evaluation.replaying import MALFORMED, ReplayBackend, concluded, drawn, said
from recipelang.hosts.engine import Engine
from recipelang.ir.plan import Model
from recipelang.runtime.confidence import confidence
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.ports import ModelCall, NotRecorded, Reply
from recipelang.runtime.values import Answer, Usage
from recorded_answers import ROWS, write_pack
from runs import plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

SMALL = Model("small", "lab", "small-1")
LARGE = Model("large", "lab", "large/1")


def asking(model: Model, sample: int = 0, *, logprobs: bool = False) -> ModelCall:
    return replace(CALL, model=model, sample=sample, logprobs=logprobs)


async def replied(backend: ReplayBackend, question: str, call: ModelCall) -> Reply:
    with backend.answering(question):
        return await backend.complete(call)


async def test_a_call_gets_what_was_recorded_with_its_usage_and_what_it_was_billed(tmp_path: Path) -> None:
    backend = ReplayBackend(read_pack(write_pack(tmp_path)))
    assert await replied(backend, "q1", asking(SMALL)) == Reply("A", usage=Usage(10, 2), cost=0.25)
    assert await replied(backend, "q1", asking(SMALL, 1)) == Reply("It is B.", usage=Usage(30, 3), cost=0.125)


async def test_a_call_takes_as_long_as_it_did_unless_nobody_waits(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path))
    began = anyio.current_time()
    await replied(ReplayBackend(pack), "q1", asking(SMALL))
    assert anyio.current_time() - began == pytest.approx(1.5)
    began = anyio.current_time()
    await replied(ReplayBackend(pack, in_time=False), "q1", asking(SMALL))
    assert anyio.current_time() == began


async def test_confidence_is_what_was_recorded_of_it(tmp_path: Path) -> None:
    backend = ReplayBackend(read_pack(write_pack(tmp_path)))
    measured = await replied(backend, "q1", asking(SMALL, logprobs=True))
    stated = await replied(backend, "q1", asking(SMALL, 1, logprobs=True))
    unknown = await replied(backend, "q1", asking(LARGE, logprobs=True))
    assert confidence(measured.logprobs) == math.exp(-0.5)
    assert confidence(stated.logprobs) == 0.8
    assert unknown.logprobs is None


async def test_no_answer_and_an_empty_answer_are_different_things(tmp_path: Path) -> None:
    backend = ReplayBackend(read_pack(write_pack(tmp_path)), says=concluded)
    empty = await replied(backend, "q2", asking(SMALL))
    none = await replied(backend, "q2", asking(LARGE))
    assert (empty.text, none.text) == ("ANSWER: ", "")
    assert (empty.finish, none.finish) == ("stop", MALFORMED)


@pytest.mark.parametrize(
    ("question", "call"),
    [
        ("q1", asking(SMALL, 2)),
        ("q2", asking(SMALL, 1)),
        ("q3", asking(SMALL)),
        ("q1", asking(Model("other", "lab", "other"))),
    ],
    ids=["sample", "sample of another question", "question", "model"],
)
async def test_what_was_not_recorded_is_an_error_and_never_another_answer(
    tmp_path: Path, question: str, call: ModelCall
) -> None:
    backend = ReplayBackend(read_pack(write_pack(tmp_path)))
    with pytest.raises(NotRecorded, match=f"no answer of `{call.model.id}` to `{question}`, sample {call.sample}"):
        await replied(backend, question, call)


async def test_a_call_outside_of_any_question_has_no_answer(tmp_path: Path) -> None:
    with pytest.raises(NotRecorded, match="outside of any question"):
        await ReplayBackend(read_pack(write_pack(tmp_path))).complete(CALL)


async def test_of_drawn_samples_there_is_one_a_question(tmp_path: Path) -> None:
    backend = ReplayBackend(read_pack(write_pack(tmp_path)), sample=drawn)
    first = await replied(backend, "q1", asking(SMALL))
    assert first == await replied(backend, "q1", asking(SMALL))
    with pytest.raises(NotRecorded, match="one drawn sample"):
        await replied(backend, "q1", asking(SMALL, 1))


async def test_a_streamed_reply_is_the_whole_one(tmp_path: Path) -> None:
    backend = ReplayBackend(read_pack(write_pack(tmp_path)))
    with backend.answering("q1"):
        assert whole(await deltas_of(backend, asking(SMALL))) == await backend.complete(asking(SMALL))


async def test_runs_side_by_side_each_keep_to_their_question(tmp_path: Path) -> None:
    """Also where the fan-out of a run makes tasks of its own."""
    backend = ReplayBackend(read_pack(write_pack(tmp_path)), says=concluded)
    plan = plan_of(PANEL, world="")
    graded: dict[str, Verdict] = {}

    async def work(engine: Engine, question: str) -> None:
        with backend.answering(question) as asked:
            result = await engine.run("main", question)
            assert isinstance(result.answer, Answer)
            graded[question] = backend.verdict(result.answer.model.id, result.answer.text)
            assert {row.question for row in asked.rows} == {question}
            assert len(asked.rows) == 2

    async with Engine(plan, backends={"lab": backend}) as engine, anyio.create_task_group() as group:
        for question in ("q1", "q2"):
            group.start_soon(work, engine, question)
    assert graded == {"q1": Verdict.WRONG, "q2": Verdict.UNGRADED}


async def test_no_fallback_stands_in_for_what_was_not_recorded(tmp_path: Path) -> None:
    backend = ReplayBackend(read_pack(write_pack(tmp_path, ROWS[:2])))
    async with Engine(plan_of(PANEL, world=""), backends={"lab": backend}) as engine:
        with backend.answering("q1"), pytest.raises(NotRecorded) as missing:
            await engine.run("main", "q1")
    assert not isinstance(missing.value, RunFailure)
    assert missing.value.__notes__ == ["raised by the backend of model `large`, called in step `votes[1]`"]


async def test_what_no_call_gave_is_not_graded(tmp_path: Path) -> None:
    backend = ReplayBackend(read_pack(write_pack(tmp_path)), says=said)
    with backend.answering("q1"):
        await backend.complete(asking(SMALL))
        with pytest.raises(NotRecorded, match="was never recorded"):
            backend.verdict("small-1", "B")


PANEL = """
backend lab { kind = openai, url = "http://127.0.0.1:1/v1" }
model small { backend = lab, id = "small-1" }
model large { backend = lab, id = "large/1" }

role respond() {}

recipe main(panel: model[2..4]) -> answer {
  fanout votes = respond(model = m) for m in panel { on_error = skip }
  return first(votes)
}
"""
