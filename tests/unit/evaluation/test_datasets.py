"""Data sets: what is wrong with a line is said before anything is asked, with its number and what would be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recipelang.evaluation.datasets import read_items
from recipelang.evaluation.items import DataProblem

GOOD = {"prompt": "?", "reference": "x", "grader": "exact"}


def written(tmp_path: Path, *lines: Any) -> Path:  # Any: JSON, or what stands for it
    file = tmp_path / "data.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "it is no JSON: "),
        ("[1, 2]", "it is no object"),
        ("[" * 100_000, "it is nested too deeply"),
        ({"prompt": "?", "reference": 1}, "names no grader"),
        (
            {**GOOD, "grader": "vibes"},
            "there is no grader 'vibes'; there are exact, choice, number, code, schema, judge",
        ),
        ({**GOOD, "grader": ["exact"]}, r"there is no grader \['exact'\]"),
        ({"prompt": "?", "grader": "exact"}, "the grader `exact` needs `reference`$"),
        ({"prompt": "?", "grader": "exact", "refernce": 1}, "needs `reference`; is `refernce` meant?"),
        ({"prompt": "?", "grader": "code"}, "needs `tests`"),
        ({**GOOD, "messages": []}, "either a `prompt` or `messages`"),
        ({"grader": "exact"}, "either a `prompt` or `messages`"),
        ({**GOOD, "prompt": 3}, "`prompt` is a text, not 3"),
        ({**GOOD, "prompt": " "}, "its `prompt` is empty"),
        ({**GOOD, "system": 3}, "`system` is a text, not 3"),
        ({"messages": [], "grader": "exact", "reference": "x"}, "at least one message"),
        ({"messages": "hi", "grader": "exact", "reference": "x"}, "`messages` is a list, not 'hi'"),
        (
            {"messages": [{"role": "dog", "content": "?"}], "grader": "exact", "reference": 1},
            r"messages\[0\].role is 'dog'",
        ),
        ({**GOOD, "id": {"a": 1}}, "`id` is a text or a whole number"),
        ({**GOOD, "id": True}, "`id` is a text or a whole number"),
        ({**GOOD, "reference": []}, "`reference` is an empty list"),
        ({**GOOD, "reference": "..."}, "`reference` is a text or a number, or a list of these, not '...'"),
        ({**GOOD, "reference": {"a": 1}}, "`reference` is a text or a number"),
        ({**GOOD, "grader": "choice", "reference": 7}, "`reference` is one letter from A to Z, not 7"),
        ({**GOOD, "grader": "choice", "reference": "BC"}, "`reference` is one letter"),
        ({**GOOD, "grader": "number", "reference": "many"}, "`reference` is a number, not 'many'"),
        ({**GOOD, "grader": "number", "reference": True}, "`reference` is a number, not True"),
        ({**GOOD, "grader": "number", "reference": 1, "tolerance": -1}, "`tolerance` is a number from 0 on, not -1"),
        ({**GOOD, "grader": "number", "reference": 1, "tolerance": "x"}, "`tolerance` is a number"),
        ({"prompt": "?", "grader": "code", "tests": ["a"]}, "`tests` is Python, as a text"),
        ({"prompt": "?", "grader": "code", "tests": "assert ("}, "`tests` is no Python: "),
        ({"prompt": "?", "grader": "schema", "schema": 3}, "`schema` is no JSON Schema: "),
        ({"prompt": "?", "grader": "schema", "schema": {"type": "nope"}}, "`schema` is no JSON Schema: "),
        ({**GOOD, "grader": "judge", "reference": ["x"]}, "`reference` is a text that a judge can compare with"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: Any, message: str) -> None:
    with pytest.raises(DataProblem, match=rf"data.jsonl, line 2: .*{message}"):
        read_items(written(tmp_path, "", line))


def test_other_fields_are_what_an_item_is_about(tmp_path: Path) -> None:
    line = {"id": "x", "prompt": "?", "reference": 1, "level": 3, "system": "Be brief."}
    [item] = read_items(written(tmp_path, line), "number")
    assert (item.slice("level"), item.slice("topic"), item.question) == ("3", "(none)", "?")
    assert [message["role"] for message in item.messages] == ["system", "user"]


def test_questions_with_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="line 3: line 1 has the id '2' as well"):
        read_items(written(tmp_path, {**GOOD, "id": 2}, {**GOOD, "id": "y"}, {**GOOD, "id": "2"}))


def test_a_line_ends_where_it_is_broken_and_not_at_what_is_a_line_break_elsewhere(tmp_path: Path) -> None:
    file = written(tmp_path, json.dumps({**GOOD, "prompt": "one\u2028two\x85three"}, ensure_ascii=False))
    assert read_items(file)[0].question == "one\u2028two\x85three"


def test_a_byte_order_mark_is_no_part_of_the_first_line_and_what_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n")
    assert len(read_items(file)) == 1
    file.write_bytes(b'{"prompt": "\xff"}')
    with pytest.raises(DataProblem, match=r"data.jsonl is no text in UTF-8: .* at byte 12"):
        read_items(file)


def test_a_file_without_questions_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="has no questions"):
        read_items(written(tmp_path, "", " "))
