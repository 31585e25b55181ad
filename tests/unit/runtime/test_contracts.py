"""Contracts: what they take from a text, what they find wrong with it, and JSON that was nearly right."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipelang.ir.plan import Check, Contract, Extraction
from recipelang.ir.sizing import GREATEST_INTEGER
from recipelang.runtime.contracts import DEEPEST, LONGEST_TEXT, extract, parse_record
from recipelang.runtime.values import RecordValue, Said

LETTER = Contract("letter", Extraction("pattern", r"ANSWER:\s*([A-J])"))
PYTHON = Contract("program", Extraction("fence", "python"), Check("parses", ("python",)))
GRADE = json.dumps(
    {
        "type": "object",
        "properties": {"why": {"type": "string"}, "score": {"type": "number"}, "more": {}},
        "required": ["score"],
        "additionalProperties": False,
    }
)
INVOICE = Contract("invoice", schema=GRADE)


# ------------------------------------------------------------------- extracts


def test_the_whole_text_is_taken_without_the_blanks_around_it() -> None:
    assert extract(Contract("any"), "  Jupiter\n").value == "Jupiter"
    assert extract(Contract("any"), " \n ").problem == "the answer is empty"


def test_of_a_pattern_the_last_match_counts() -> None:
    assert extract(LETTER, "ANSWER: A. No: ANSWER:\nB").value == "B"


def test_a_pattern_without_a_group_takes_all_that_it_matches() -> None:
    assert extract(Contract("year", Extraction("pattern", r"\d{4}")), "in 1610 and 1979").value == "1979"


def test_where_nothing_matches_the_problem_says_what_was_wanted() -> None:
    found = extract(LETTER, "Jupiter")
    assert (found.value, found.valid) == (None, False)
    assert found.problem == r"nothing in it matches ANSWER:\s*([A-J])"


def test_a_group_that_takes_no_part_in_the_match_leaves_no_value() -> None:
    assert extract(Contract("odd", Extraction("pattern", "a|(b)")), "a").value is None


def test_a_pattern_takes_no_longer_on_a_text_that_is_made_to_be_slow() -> None:
    assert not extract(Contract("slow", Extraction("pattern", "(a+)+$")), "a" * 50_000 + "!").valid


def test_of_fences_the_last_in_the_language_counts() -> None:
    text = "```python\nx = 1\n```\n```js\ny\n```\n```Python\nx = 2\n```\nDone."
    assert extract(PYTHON, text).value == "x = 2"
    assert extract(Contract("any", Extraction("fence")), "```js\ny\n```").value == "y"


@pytest.mark.parametrize("text", ["x = 1", "```python\nx = 1", "```js\ny\n```", ""])
def test_a_fence_that_is_not_there_or_not_closed_is_a_problem(text: str) -> None:
    assert extract(PYTHON, text).problem == "it has no closed block that begins with ```python"


def test_a_text_that_is_too_long_is_not_looked_into() -> None:
    text = "ANSWER: A" + " " * LONGEST_TEXT
    assert extract(LETTER, text).problem == "the answer is longer than 1000000 characters"
    assert parse_record(GRADE, text, 10).problem == "the answer is longer than 1000000 characters"


# --------------------------------------------------------------------- checks


def test_a_program_must_parse() -> None:
    assert extract(PYTHON, "```python\nprint(1)\n```").valid
    assert extract(PYTHON, "```python\nprint(\n```").problem == "it is not python: '(' was never closed, line 1"


@pytest.mark.parametrize("program", ["(" * 5_000, "\x00", "x = " + "-" * 20_000 + "1", "'\\d'", "\ud800"])
def test_a_program_that_no_parser_likes_is_a_problem_or_none(program: str) -> None:
    extract(PYTHON, f"```python\n{program}\n```")  # raises nothing, and warns of nothing


@pytest.mark.parametrize(
    ("text", "valid"), [('{"a": 1}', True), ("{'a': 1}", False), ("NaN", False), ("[" * 9_999, False)]
)
def test_json_must_parse(text: str, valid: bool) -> None:
    assert extract(Contract("data", check=Check("parses", ("json",))), text).valid is valid


def test_a_check_by_pattern_is_about_all_of_the_value() -> None:
    year = Contract("year", check=Check("matches", (r"\d{4}",)))
    assert extract(year, "1979").valid
    assert extract(year, "in 1979").problem == r"`in 1979` does not match \d{4}"


def test_a_check_by_values_names_them() -> None:
    verdict = Contract("verdict", check=Check("one_of", ("yes", "no")))
    assert extract(verdict, "no").value == "no"
    found = extract(verdict, "perhaps " * 20)
    assert found.value is None
    assert found.problem == f"`{('perhaps ' * 20)[:60]}…` is none of yes, no"


# ----------------------------------------------------------------------- JSON


def test_json_that_is_right_is_taken_as_it_is() -> None:
    found = extract(INVOICE, '{"score": 1}')
    assert (found.value, found.valid, found.repaired) == ({"score": 1}, True, False)


@pytest.mark.parametrize(
    "text", ['```json\n{"score": 1}\n```', "{'score': 1}", '{"score": 1,}', 'Sure! {"score": 1} There.', '{"score": 1']
)
def test_json_that_is_nearly_right_is_mended_and_says_so(text: str) -> None:
    found = extract(INVOICE, text)
    assert (found.value, found.repaired) == ({"score": 1}, True)
    assert parse_record(GRADE, text, 10).repaired


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no json at all", "there is no JSON in it"),
        ("", "there is no JSON in it"),
        ('{"score": "high"}', 'score: "high" is not of type "number"'),
        ("{}", 'the whole: "score" is a required property'),
        ("[1]", 'the whole: [1] is not of type "object"'),
        ('{"score": 1e999}', "it has a number that is none, or too large"),
        ('{"\\ud800": 1}', "it has characters that no encoding can hold"),
        ('{"score": NaN}', "it has a number that is none, or too large"),
        (f'{{"score": {10**40}}}', "it has a number that is none, or too large"),
    ],
)
def test_json_that_is_wrong_says_where_and_why(text: str, problem: str) -> None:
    assert extract(INVOICE, text).problem == problem
    assert parse_record(GRADE, text, 10).problem == problem


@pytest.mark.parametrize("depth", [DEEPEST, 900, 100_000])
def test_json_that_is_nested_too_deeply_is_a_problem(depth: int) -> None:
    found = parse_record(GRADE, f'{{"score": 1, "more": {"[" * depth}{"]" * depth}}}', 10)
    assert found.value is None
    assert found.problem in ("it is nested too deeply", "there is no JSON in it")


def test_a_record_is_made_of_values_of_the_language() -> None:
    found = parse_record(GRADE, '{"why": "\\ud800", "score": 2.0, "more": [{"n": 1.5}, null]}', 10)
    assert isinstance(found.value, RecordValue)
    assert found.value.limit == 10
    why, score, more = (found.value.fields[name] for name in ("why", "score", "more"))
    assert isinstance(why, Said)
    assert why.limit == 10
    assert (score, type(score)) == (2, int)
    assert more == (RecordValue({"n": 1.5}), None)


def test_the_greatest_integer_is_one_still() -> None:
    assert parse_record(GRADE, f'{{"score": {GREATEST_INTEGER}}}', 10).problem is None


contracts = st.sampled_from((LETTER, PYTHON, INVOICE, Contract("any"), Contract("fence", Extraction("fence"))))
pieces = st.sampled_from(
    ("```", "python\n", "\n", "ANSWER: A", '{"score"', ": ", "1}", "[", "\ud800", "\x00", "{'", "1e999")
)


@given(contract=contracts, text=st.lists(pieces | st.text(max_size=5), max_size=12).map("".join))
def test_whatever_a_model_says_it_is_valid_or_has_a_problem(contract: Contract, text: str) -> None:
    found = extract(contract, text)
    assert found.valid is (found.problem is None)
    assert found.valid or found.value is None
    json.dumps(found.value)
