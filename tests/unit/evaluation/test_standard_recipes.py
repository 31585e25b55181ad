"""The standard recipes that select, on recorded answers of real models: they come to what their votes were recorded to come to."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from recipelang import Engine, compile_text
from recipelang.diagnostics.rendering import render
from recipelang.evaluation.ballots import Ballot
from recipelang.evaluation.items import in_first_half
from recipelang.evaluation.packs import Pack, Verdict
from recipelang.evaluation.panels import vote
from recipelang.evaluation.replaying import Plainly, ReplayBackend, concluded
from recipelang.evaluation.worlds import models_text, ratings_of, recipe_names
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.ports import Backend, BackendError, Delta, FailureKind, ModelCall, NotRecorded, Reply
from recipelang.runtime.values import Answer
from replayed import REPLAY, pack_called

pytestmark = [
    pytest.mark.skipif(not REPLAY, reason="needs recorded answers: RECIPELANG_REPLAY names their folder"),
    pytest.mark.slow,
]

ATTEMPTS = (3, 5, 10)
MODELS = ("claude-3-haiku-20240307", "gpt-4-turbo-2024-04-09")
LONG = " " * 40_000
"""Recorded prompts were long, and are not in the pack: the bound of a run is for a request of such a size."""


@pytest.mark.parametrize("model", MODELS)
def test_self_consistency_comes_to_the_vote_of_all_attempts_without_making_them_all(model: str) -> None:
    told = json.loads((Path(REPLAY) / "baselines" / "gpqa.json").read_text(encoding="utf-8"))
    wanted = told["self_consistency_first_k_samples"][model]
    pack = pack_called("gpqa")
    compilation = compile_text(
        f"""
        use std.self_consistency
        backend recorded {{ kind = openai, url = "http://127.0.0.1:1/v1" }}
        model thinker {{ backend = recorded, id = "{model}" }}
        contract letter {{ extract = r"ANSWER: (.+)" }}
        {" ".join(f'expose "{k}" = self_consistency(thinker, {k}, 1, letter)' for k in ATTEMPTS)}
        """
    )
    plan = compilation.plan
    assert plan is not None, render(compilation.diagnostics)
    backend = ReplayBackend(pack, says=concluded, in_time=False)

    async def voted(engine: Engine, attempts: int) -> tuple[int, int]:
        right = calls = 0
        for question in pack.questions:
            with backend.answering(question):
                try:
                    result = await engine.run(str(attempts), question + LONG)
                except RunFailure as failure:  # no attempt gave an answer that can be read
                    if failure.kind is not RunFailureKind.QUORUM:
                        raise
                    calls += attempts
                    continue
                right += backend.verdict(model, result.text) is Verdict.RIGHT
                calls += result.spend.calls
        return right, calls

    async def all_voted() -> None:
        async with Engine(plan, backends={"recorded": backend}) as engine:
            for attempts in ATTEMPTS:
                right, calls = await voted(engine, attempts)
                assert right == wanted[str(attempts)]["public"]["correct"]
                assert calls < attempts * len(pack.questions)

    anyio.run(all_voted)


def the_best_and_the_weakest(pack: Pack, size: int = 8) -> tuple[list[str], list[str]]:
    """A panel with one strong model, by its track record on the first half; and the questions of the second one that all answered."""
    records = ratings_of(pack, first=True)
    known = [m for m in pack.models if sum(place[1] == m for place in pack.rows) > 0.9 * len(pack.questions)]
    ranked = sorted(known, key=lambda model: -records[model])
    panel = [ranked[0], *ranked[1 - size :]]
    graded = [
        question
        for question in pack.questions
        if not in_first_half(question)
        and all(pack.verdicts.get((question, m, 0), Verdict.UNGRADED) is not Verdict.UNGRADED for m in panel)
    ]
    return panel, graded


@pytest.mark.parametrize(("name", "most"), [("mmlu_pro", 500), ("conf", 500), ("crux", 500), ("math_l5", 500)])
def test_weak_voters_do_not_lower_a_vote_that_their_track_record_weighs(name: str, most: int) -> None:
    pack = pack_called(name)
    panel, questions = the_best_and_the_weakest(pack)
    questions = questions[:most]
    names = recipe_names(pack.models)
    compilation = compile_text(
        f"""
        use std.ratings
        {models_text(pack, ratings_of(pack, first=True))}
        contract form {{ extract = r"(?s)ANSWER: (.*)" }}
        expose "weighed" = ratings([{", ".join(names[m] for m in panel)}], 8, form)
        """
    )
    plan = compilation.plan
    assert plan is not None, render(compilation.diagnostics)
    backend = ReplayBackend(pack, says=concluded, in_time=False)

    async def right() -> int:
        count = 0
        async with Engine(plan, backends={"recorded": backend}) as engine:
            for question in questions:
                with backend.answering(question):
                    try:
                        result = await engine.run("weighed", question + LONG)
                    except RunFailure:  # fewer than two gave an answer that can be read
                        continue
                    assert isinstance(result.answer, Answer)
                    count += backend.verdict(result.answer.model.id, result.text) is Verdict.RIGHT
        return count

    def vote_of(members: list[str]) -> int:
        rows = ((pack.rows[question, member, 0] for member in members) for question in questions)
        ballots = ([Ballot(row.final, pack.verdicts[row.place] is Verdict.RIGHT, None) for row in row] for row in rows)
        return sum(map(vote, ballots))

    weighed, alone, plain = anyio.run(right), vote_of(panel[:1]), vote_of(panel)
    assert plain < alone  # the trap
    assert weighed >= alone


def test_of_several_drafts_the_judges_choice_is_sent_and_a_judge_that_never_errs_finds_all_that_are_right() -> None:
    """The judge of `best_of_n` is none that was recorded: it is played, once by one who knows, once by one who fails."""
    model, drafts = "claude-3-haiku-20240307", 4
    pack = pack_called("gpqa")
    compilation = compile_text(
        f"""
        use std.best_of_n
        backend recorded {{ kind = openai, url = "http://127.0.0.1:1/v1" }}
        backend judging {{ kind = openai, url = "http://127.0.0.1:1/v1" }}
        model writer {{ backend = recorded, id = "{model}" }}
        model judge {{ backend = judging, id = "judge" }}
        contract letter {{ extract = r"ANSWER: (.+)" }}
        expose "best" = best_of_n([writer], judge, {drafts}, shape = letter)
        """
    )
    plan = compilation.plan
    assert plan is not None, render(compilation.diagnostics)
    backend = ReplayBackend(pack, says=concluded, in_time=False)
    possible = sum(
        any(pack.verdicts[question, model, number] is Verdict.RIGHT for number in range(drafts))
        for question in pack.questions
    )

    async def right(judge: Backend) -> int:
        count = 0
        async with Engine(plan, backends={"recorded": backend, "judging": judge}) as engine:
            for question in pack.questions:
                with backend.answering(question):
                    try:
                        result = await engine.run("best", question + LONG)
                    except RunFailure:  # no draft gave an answer that can be read
                        continue
                    count += backend.verdict(model, result.text) is Verdict.RIGHT
        return count

    assert anyio.run(right, Choosing(backend, model)) == possible
    assert 0 < anyio.run(right, Choosing(None, model)) < possible


class Choosing:
    """A judge that knows what is right, or one that always fails."""

    def __init__(self, knows: ReplayBackend | None, author: str) -> None:
        self._knows = knows
        self._author = author

    async def complete(self, call: ModelCall) -> Reply:
        if self._knows is None:
            raise BackendError(FailureKind.REFUSED, "the judge is away")
        drafts = re.findall(r"ANSWER: \S+(?: \S)?", str(call.messages[-1].content))
        best = next(
            (k for k, said in enumerate(drafts, 1) if self._knows.verdict(self._author, said) is Verdict.RIGHT), 1
        )
        return Reply(json.dumps({"comparison": "", "best": best}))

    def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        raise NotImplementedError


def test_scouts_that_agree_settle_it_and_the_fusion_that_would_write_is_not_made_up() -> None:
    pack = pack_called("mmlu_pro")
    one, other, large = "gemini-1.5-flash-002", "llama-3.1-70b-instruct", "gpt-4o-2024-05-13"
    compilation = compile_text(
        f"""
        use std.confidence_then_fusion
        backend recorded {{ kind = openai, url = "http://127.0.0.1:1/v1" }}
        model one {{ backend = recorded, id = "{one}" }}
        model other {{ backend = recorded, id = "{other}" }}
        model large {{ backend = recorded, id = "{large}" }}
        contract letter {{ extract = r"ANSWER: (.+)" }}
        expose "either" = confidence_then_fusion([one, other], [one, other, large], large, 1.0, letter)
        """
    )
    plan = compilation.plan
    assert plan is not None, render(compilation.diagnostics)
    backend = ReplayBackend(pack, says=concluded, in_time=False)

    async def replayed() -> tuple[int, int]:
        settled = beyond = 0
        async with Engine(plan, backends={"recorded": Plainly(backend, plan)}) as engine:
            for question in list(pack.questions)[:600]:
                rows = [pack.rows.get((question, model, 0)) for model in (one, other, large)]
                if None in rows:
                    continue
                said = [None if row is None else row.final for row in rows]
                with backend.answering(question):
                    if said[0] is not None and said[0] == said[1]:
                        result = await engine.run("either", question + LONG)
                        assert (result.text, result.spend.calls) == (f"ANSWER: {said[0]}", 2)
                        settled += 1
                        continue
                    with pytest.raises(NotRecorded, match="is shown more than the question"):
                        await engine.run("either", question + LONG)
                    beyond += 1
        return settled, beyond

    settled, beyond = anyio.run(replayed)
    assert settled > 250
    assert beyond > 50
