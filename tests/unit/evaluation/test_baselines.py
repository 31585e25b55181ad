"""The baselines of recorded answers, reproduced by recipes that the interpreter runs: every integer, and costs to nine decimals.

The recorded answers are no part of this project; the environment variable RECIPELANG_REPLAY names their folder.
"""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from recipelang.evaluation.baselines import checked
from replayed import REPLAY, pack_called

pytestmark = [
    pytest.mark.skipif(not REPLAY, reason="needs recorded answers: RECIPELANG_REPLAY names their folder"),
    pytest.mark.slow,
]

PACKS = ["gpqa", "crux", "math_l5", "mmlu_pro", "conf", "hle", "bfcl", "swebench", "lcb", "ratings"]
SETS = ["swebench", "lcb", "gpqa", "mmlu_pro", "math_l5", "crux", "hle"]


def problems(pack: str, baseline: str) -> list[str]:
    """What is not as the baseline tells it."""
    told = json.loads((Path(REPLAY) / "baselines" / f"{baseline}.json").read_text(encoding="utf-8"))
    looked_at, found = 0, []

    def tell(name: str, problem: str | None) -> None:
        nonlocal looked_at
        looked_at += 1
        if problem is not None:
            found.append(f"{name}: {problem}")

    anyio.run(checked, pack_called(pack), told, tell)
    assert looked_at
    return found


@pytest.mark.parametrize("name", PACKS)
def test_a_baseline_is_reproduced_to_the_integer_and_to_nine_decimals(name: str) -> None:
    assert problems(name, name) == []


@pytest.mark.parametrize("name", SETS)
def test_the_closed_and_the_hybrid_set_are_reproduced(name: str) -> None:
    assert problems(name, "sets") == []
