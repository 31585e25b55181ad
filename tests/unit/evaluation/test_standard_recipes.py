"""The standard recipes that select, on recorded answers of real models: they come to what their votes were recorded to come to."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from recipelang import Engine, compile_text
from recipelang.diagnostics.rendering import render
from recipelang.evaluation.packs import Verdict
from recipelang.evaluation.replaying import ReplayBackend, concluded
from recipelang.runtime.failures import RunFailure, RunFailureKind
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
