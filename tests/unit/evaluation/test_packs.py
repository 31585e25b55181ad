"""Packs of recorded answers: what a recipe may know of them, and what only a grader may."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from recipelang.evaluation.packs import PackProblem, Question, Row, Verdict, read_pack
from recorded_answers import MODELS, ROWS, Entry, write_pack


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


GOOD = {"q": "q1", "m": "small-1", "s": 0, "a": "A", "ok": 1}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**GOOD, "m": "other"}, "the model `other` is not in meta.json"),
        ({**GOOD, "ok": "yes"}, "`ok` is 1, 0 or null, not 'yes'"),
        ({"q": "q1", "m": "small-1", "s": 0}, "`ok` is 1, 0 or null, not ''"),
        ({"m": "small-1", "s": 0, "ok": 1}, "it has no `q` that can be read: None"),
        ({**GOOD, "s": "0"}, "it has no `s` that can be read: '0'"),
        ({**GOOD, "usd": "free"}, "it has no `usd` that can be read: 'free'"),
        ({**GOOD, "lat": True}, "it has no `lat` that can be read: True"),
        ({**GOOD, "s": 1}, "sample 1 of `small-1` to `q1` is there twice"),
    ],
)
def test_a_row_that_makes_no_pack_is_named(tmp_path: Path, row: Entry, message: str) -> None:
    rows = [{**GOOD, "s": 1}, row]
    with pytest.raises(PackProblem, match=rf"rows.jsonl.gz, line 2: {re.escape(message)}"):
        read_pack(write_pack(tmp_path, rows))


def test_the_questions_say_what_is_asked_and_answers_to_others_are_passed_over(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path, questions=[{"q": "q2", "kind": "open", "prompt": None}]))
    assert {question for question, _, _ in pack.rows} == {"q2"}
    assert set(pack.questions) == {"q2"}


def test_numbers_may_name_questions(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path, [{**GOOD, "q": 7}], [{"q": 7, "kind": "open"}]))
    assert pack.rows["7", "small-1", 0].question == "7"


def test_a_question_that_is_there_twice_and_a_file_that_breaks_off_are_told(tmp_path: Path) -> None:
    question = {"q": "q1", "kind": "open"}
    with pytest.raises(PackProblem, match=r"questions.jsonl.gz, line 2: the question `q1` is there twice"):
        read_pack(write_pack(tmp_path, questions=[question, question]))
    write_pack(tmp_path)
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(PackProblem, match=r"rows.jsonl.gz can't be read after line \d"):
        read_pack(tmp_path)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("[1]", "names no `models`"),
        ("{", "is no JSON"),
        ('{"models": {"a": {}}}', "how many `samples` there are of `a`"),
    ],
)
def test_what_a_pack_says_of_itself_must_be_there(tmp_path: Path, meta: str, message: str) -> None:
    write_pack(tmp_path)
    (tmp_path / "meta.json").write_text(meta, encoding="utf-8")
    with pytest.raises(PackProblem, match=message):
        read_pack(tmp_path)
