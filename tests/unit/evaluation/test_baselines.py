"""The baselines of recorded answers, reproduced by recipes that the interpreter runs: every integer, and costs to nine decimals.

The recorded answers are no part of this project; the environment variable RECIPELANG_REPLAY names their folder.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from recipelang.evaluation.packs import Pack
from recipelang.evaluation.replaying import ReplayBackend, as_asked, concluded, drawn
from replayed import REPLAY, Score, Strategies, core, pack_called

pytestmark = [
    pytest.mark.skipif(not REPLAY, reason="needs recorded answers: RECIPELANG_REPLAY names their folder"),
    pytest.mark.slow,
]

Baseline = Mapping[str, Any]  # Any: a baseline's JSON

PARTS = [
    ("gpqa", "cross_model"),
    ("gpqa", "cross_model_A"),
    ("crux", ""),
    ("math_l5", ""),
    ("mmlu_pro", ""),
    *(("conf", part) for part in ("mmlu", "medmcqa", "triviaqa", "truthfulqa", "gsm8k", "all")),
    ("hle", "mcq_core"),
    ("hle", "judged_core"),
    ("bfcl", ""),
    ("swebench", ""),
    ("lcb", "v6"),
    ("lcb", "v5_all"),
]


def baseline(pack: str, part: str = "") -> Baseline:
    told = json.loads((Path(REPLAY) / "baselines" / f"{pack}.json").read_text(encoding="utf-8"))
    return dict(told[part] if part else told)


def questions_of(pack: Pack, part: str) -> list[str]:
    """The questions that a part is about."""
    wanted = {
        "mcq_core": ("kind", "mcq"),
        "all": None,
        **{p: ("ds", p) for n, p in PARTS if n == "conf" and p != "all"},
    }
    match wanted.get(part):
        case None:
            return list(pack.questions)
        case "kind", kind:
            return [id for id, question in pack.questions.items() if question.kind == kind]
        case _:
            return [id for id, question in pack.questions.items() if question.about.get("ds") == part]


def strategies(told: Baseline) -> Iterator[tuple[str, Baseline, str, dict[str, Any]]]:
    """Each strategy of a baseline: its name, its score, and the recipe that it is, with arguments."""
    for model, score in told["single"].items():
        yield f"single({model})", score, "single", {"model_of_choice": model}
    for k, voted in told.get("vote_topk", {}).items():
        yield f"vote_top{k}", voted, "vote", {"panel": voted["models"]}
    frontiers = ("agree_cascade", "conf_cascade", "format_fallback", "verified_chain")
    for entry in (entry for name in frontiers for entry in told.get(f"frontier_{name}", ())):
        recipe, arguments = parsed(entry["name"], told["pack"])
        yield entry["name"], entry["score"], recipe, arguments


def parsed(name: str, pack: str) -> tuple[str, dict[str, Any]]:
    """The recipe that a strategy's name stands for, and its arguments."""
    if found := re.fullmatch(r"single\((.*)\)", name):
        return "single", {"model_of_choice": found[1]}
    if found := re.fullmatch(r"agree\((.*),(.*)\)->(.*)", name):
        return "agree", {"one": found[1], "other": found[2], "referee": found[3]}
    if found := re.fullmatch(r"conf\((.*)>=(.*)\)->(.*)", name):
        threshold = float(found[2]) if pack == "hle" else math.exp(float(found[2]))
        return "sure", {"cheap": found[1], "strong": found[3], "threshold": threshold}
    if found := re.fullmatch(r"format_fallback\((.*)\)->(.*)", name):
        return "readable", {"cheap": found[1], "strong": found[2]}
    if found := re.fullmatch(r"verify\((.*)\)", name):
        chain = dict(zip(("one", "two", "three"), found[1].split("->"), strict=False))
        return ("verify_two" if len(chain) == 2 else "verify_three"), chain
    raise AssertionError(name)


def differing(
    world: Strategies, asked: list[str], wanted: Iterator[tuple[str, Baseline, str, dict[str, Any]]]
) -> list[str]:
    """The strategies whose score is not that of the baseline."""

    async def found() -> list[str]:
        wrong = []
        for name, told, recipe, arguments in wanted:
            score = await world.score(recipe, asked, **arguments)
            if score != Score.of(told["public"]):
                wrong.append(f"{name}: {score}, not {told['public']}")
        return wrong

    return anyio.run(found)


@pytest.mark.parametrize(("name", "part"), PARTS, ids=[f"{name} {part}".strip() for name, part in PARTS])
def test_a_baseline_is_reproduced_to_the_integer_and_to_nine_decimals(name: str, part: str) -> None:
    pack, told = pack_called(name), baseline(name, part)
    backend = ReplayBackend(pack, sample=as_asked if name == "hle" else drawn, says=concluded, in_time=False)
    graded_by = ("judge", "letter") if part == "judged_core" else ()
    asked = core(pack, backend, told["models"], questions_of(pack, part), priced=name == "hle", graded_by=graded_by)
    assert len(asked) == told["core_questions"]["public"]
    assert differing(Strategies(pack, backend), asked, strategies({**told, "pack": name})) == []


def test_the_first_samples_of_one_model_vote_as_they_did() -> None:
    pack, told = pack_called("gpqa"), baseline("gpqa")
    backend = ReplayBackend(pack, says=concluded, in_time=False)
    votes = [
        (f"{k} of {model}", score, "first_samples", {"thinker": model, "samples": int(k)})
        for model, scores in told["self_consistency_first_k_samples"].items()
        for k, score in scores.items()
        if k.isdigit()
    ]
    stops = [
        (f"stop at {z} of {model}", score, "stop_at", {"thinker": model, "votes": int(z)})
        for model, scores in told["quorum_stop_max10"].items()
        for z, score in scores.items()
    ]
    assert differing(Strategies(pack, backend), list(pack.questions), iter(votes + stops)) == []
