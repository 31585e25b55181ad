"""Graders: what an answer comes to, and whether that is right."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from recipelang.evaluation.grading import choice, graded_by_tests, graded_plainly, number
from recipelang.evaluation.items import Item
from recipelang.evaluation.packs import Verdict


def graded(grader: str, text: str, **known: Any) -> bool:
    return graded_plainly(Item("1", [], grader, **known), text).verdict is Verdict.RIGHT


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("(b)", None),
        ("**Answer: (C)**", "C"),
        ("A is wrong, so the answer is D.", "D"),
        ("The correct answer is:\n\nB", "B"),
        ("B) because A is false", "B"),
        ("First I thought answer: A, but answer: B", "B"),
        (r"It follows that \boxed{E}", "E"),
        ("I can't say.", None),
        ("", None),
    ],
)
def test_a_choice_is_the_last_letter_that_is_given_as_the_answer(text: str, letter: str | None) -> None:
    assert choice(text) == letter


def test_a_block_in_the_language_that_is_wanted_comes_before_a_later_one_in_another() -> None:
    text = 'So:\n```json\n{"ok": 1}\n```\nAs in\n```python\nx = {}\n```'
    assert graded("schema", text, schema={"type": "object", "required": ["ok"]})


def test_what_is_no_number_that_can_be_computed_with_is_wrong_and_no_mistake() -> None:
    assert number("1e999999999") is None
    assert not graded("number", "Answer: 1e999999999", reference=1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("It is 1,024.", "1024"),
        ("6 x 7 = 42", "42"),
        ("Answer: -3.5e2 m", "-3.5E+2"),
        ("Answer: twelve of 20", "20"),
        ("none", None),
    ],
)
def test_a_number_is_the_last_one_of_what_the_answer_comes_to(text: str, value: str | None) -> None:
    found = number(text)
    assert (None if found is None else str(found)) == value


def test_numbers_are_compared_within_a_tolerance() -> None:
    assert graded("number", "Answer: 0.3333333", reference=1 / 3)
    assert not graded("number", "Answer: 0.33", reference=1 / 3)
    assert graded("number", "Answer: 0.33", reference=1 / 3, tolerance=0.01)
    assert not graded("number", "no idea", reference=1)


def test_exact_answers_are_compared_without_case_blanks_and_signs_around_them() -> None:
    assert graded("exact", "Answer:  the  SUN.", reference=["moon", "The Sun"])
    assert not graded("exact", "the sun and the moon", reference="the sun")


def test_a_schema_is_held_to_the_json_of_the_last_fence() -> None:
    schema = {"type": "object", "required": ["ok"]}
    assert graded("schema", 'Here:\n```json\n{"ok": 1}\n```\n', schema=schema)
    assert not graded("schema", "{}", schema=schema)
    assert not graded("schema", "ok", schema=schema)


def test_code_is_what_stands_in_the_last_fence() -> None:
    ran: list[tuple[str, str]] = []

    async def run_tests(program: str, cases: str) -> dict[str, Any]:
        ran.append((program, cases))
        return {"passed": False, "log": "1 != 2"}

    item = Item("1", [], "code", tests="assert f() == 2")
    grade = anyio.run(graded_by_tests, item, "So:\n```python\ndef f(): return 1\n```\nThat's it.", run_tests)
    assert (grade.verdict, grade.why) == (Verdict.WRONG, "1 != 2")
    assert ran == [("def f(): return 1\n", "assert f() == 2")]
