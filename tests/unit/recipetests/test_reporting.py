"""Reports as a person sees them: each way for a test to fail has its own, and programs read the same in JSON and XML."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from syrupy.assertion import SnapshotAssertion

from recipelang.recipetests import coverage_of, run_tests
from recipelang.recipetests.reporting import FileResults, as_json, covered, difference, failure, junit, lines, summary
from recipelang.recipetests.writing import duration
from tested_recipes import GOOD_GRADE, block_of, compilation_of, result_of

SAID = 'reply solver = "Because."'
LONG = "The sky is blue because the air scatters short waves more than long ones. " * 5
PAGE = """
Jupiter is the largest planet.
Saturn is the next.
Then comes Uranus.
"""
FAILING: dict[str, tuple[str, ...]] = {
    "a figure": (SAID, GOOD_GRADE, "expect calls <= 1"),
    "money and time": ('reply solver = "Because." after 2500ms', GOOD_GRADE, "expect cost > $0.01 and time < 2s"),
    "a text": (SAID, GOOD_GRADE, 'expect result.text == "Because of the air."'),
    "a text on the left": (SAID, GOOD_GRADE, 'expect "Because!" == result.text'),
    "a text of several lines": (
        f'reply solver = """{PAGE}"""', GOOD_GRADE, f'expect result.text == """{PAGE.replace("next", "second")}"""',
    ),
    "a long text": (f'reply solver = "{LONG}"', GOOD_GRADE, 'expect contains(result.text, "moon")'),
    "a question about a step": (SAID, GOOD_GRADE, "expect failed(grade)"),
    "a question about a role": (SAID, "reply grader = error(503)", "expect ran(grader)"),
    "how often a role was asked": (SAID, GOOD_GRADE, "expect asked(solver, small) == 2"),
    "a choice of two": (SAID, GOOD_GRADE, 'expect calls > 5 or contains(result.text, "air")'),
    "several": (SAID, GOOD_GRADE, "expect calls > 5 and tokens < 10", "expect not ran(draft)"),
    "no value": ("reply solver = error(401)", GOOD_GRADE, 'expect failure == backend and prompt(grader) == "x"'),
    "another failure": ("reply solver = error(401)", GOOD_GRADE, "expect failure == quorum"),
    "a run that failed": ("reply solver = error(refused)", GOOD_GRADE, 'expect result.text == "Because."'),
    "a call without a reply": (SAID, "expect calls == 2"),
    "a reply that is used up": ("reply solver = error(503, times = 2)", GOOD_GRADE, "expect calls == 3"),
    "a fallback": (
        'reply solver = "Because."', "reply solver = error(400)", "reply grader = error(garbage)", "expect ran(reply)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FAILING)
def test_a_failure_is_told_with_what_did_not_hold_and_how_the_run_went(what: str, snapshot: SnapshotAssertion) -> None:
    result = result_of(*FAILING[what])
    assert not result.passed
    assert failure(result) == snapshot


def test_a_function_of_the_host_is_told_of(snapshot: SnapshotAssertion) -> None:
    result = result_of('reply look_up = error("no such page")', SAID, "expect ran(page)", run="with_page(m = small)")
    assert failure(result) == snapshot


def found(*blocks: str) -> FileResults:
    compilation = compilation_of(*blocks)
    results = run_tests(compilation)
    return FileResults("team.recipe", results, coverage_of(compilation, results))


BOTH = (
    block_of(SAID, GOOD_GRADE, "expect calls == 2", name="it answers"),
    block_of(SAID, GOOD_GRADE, "expect calls == 1", name="it answers <cheaply> & well"),
)


def test_a_file_has_a_line_for_each_test_and_its_coverage(snapshot: SnapshotAssertion) -> None:
    both = found(*BOTH)
    told = [*lines(both), summary([both]), covered(both.coverage)]
    assert "\n".join(told) == snapshot


def test_colours_are_only_colours() -> None:
    both = found(*BOTH)
    plain, coloured = failure(both.results[1]), failure(both.results[1], color=True)
    assert "\x1b[" not in plain
    assert "\x1b[1;31m" in coloured
    assert any("\x1b[32m" in line for line in lines(both, color=True))


def test_the_json_says_what_the_report_says(snapshot: SnapshotAssertion) -> None:
    both = found(*BOTH)
    document = as_json([both], both.coverage)
    assert json.loads(json.dumps(document)) == document
    assert document == snapshot


def test_the_xml_is_what_build_servers_read() -> None:
    root = ET.fromstring(junit([found(*BOTH)]))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    cases = root.findall("testsuite/testcase")
    assert [case.get("name") for case in cases] == ["it answers", "it answers <cheaply> & well"]
    (told,) = root.findall("testsuite/testcase/failure")
    assert told.get("message") == "calls == 1: calls is 2"
    assert "small as solver" in (told.text or "")


def test_the_xml_holds_texts_that_xml_can_not() -> None:
    said = r'reply solver = "a bell: \u0007"'
    root = ET.fromstring(junit([found(block_of(said, GOOD_GRADE, 'expect result.text == "x"'))]))
    assert root.get("failures") == "1"


@pytest.mark.parametrize(
    ("tests", "told"), [(BOTH[:1], "1 test: it passed"), (BOTH, "2 tests: 1 passed, 1 failed")]
)  # fmt: skip
def test_the_last_line_counts(tests: tuple[str, ...], told: str) -> None:
    assert summary([found(*tests)]) == told


def test_the_mark_stands_under_the_first_character_that_differs() -> None:
    wanted, got, mark = difference("Jupiter!", "Jupiter.").splitlines()
    assert wanted.index("!") == got.rindex(".") == mark.index("^")


def test_texts_that_differ_only_in_how_they_end_say_so() -> None:
    assert difference("a\nb", "a\nb\n").strip() == "they differ in how they end"


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0s"), (0.25, "250ms"), (2.5, "2.5s"), (90, "90s")])
def test_times_are_in_the_units_of_the_language(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
