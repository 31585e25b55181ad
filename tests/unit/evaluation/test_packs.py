"""Packs of recorded answers: what a recipe may know of them, and what only a grader may."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from recipelang.evaluation.packs import PackProblem, Question, Row, Verdict, read_pack
from recorded_answers import MODELS, ROWS, write_pack


def test_rows_are_found_by_question_model_and_sample(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path))
    row = pack.rows["q1", "small-1", 0]
    assert (row.final, row.text, row.prompt_tokens, row.completion_tokens, row.cost) == ("A", None, 10, 2, 0.25)
    assert (row.latency, row.log_confidence, row.stated_confidence) == (1.5, -0.5, None)
    assert pack.models == list(MODELS)
    assert len(pack.rows) == len(ROWS)


def test_what_a_row_does_not_say_its_question_or_its_model_may(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path))
    assert pack.rows["q1", "small-1", 1].prompt_tokens == 30
    assert pack.rows["q1", "large/1", 0].cost == 0.5
    assert pack.rows["q2", "small-1", 0].cost is None


def test_a_judge_that_failed_has_not_said_no(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path))
    assert [pack.verdicts[place] for place in pack.rows] == [
        Verdict.WRONG,
        Verdict.RIGHT,
        Verdict.RIGHT,
        Verdict.UNGRADED,
        Verdict.WRONG,
    ]
    assert pack.graded_by == {("q2", "small-1", 0): "judge"}


def test_neither_a_question_nor_a_row_knows_what_is_right(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path))
    known = {field.name for kind in (Question, Row) for field in fields(kind)}
    assert known.isdisjoint({"ok", "gold", "verdict", "reference"})
    assert pack.questions["q1"].about == {"category": "planets", "in": 30}
    assert pack.references == {"q1": "B", "q2": ""}


def test_a_folder_that_is_no_pack_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PackProblem, match=r"it has no meta\.json"):
        read_pack(tmp_path)


def test_rows_of_a_model_that_nobody_declared_are_no_pack(tmp_path: Path) -> None:
    with pytest.raises(PackProblem, match="KeyError"):
        read_pack(write_pack(tmp_path, [{"q": "q1", "m": "other", "s": 0, "a": "A", "ok": 1}]))
