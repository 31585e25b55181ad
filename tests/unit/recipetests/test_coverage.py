"""Coverage names every step, arm and fallback that no test reached, with its place."""

from __future__ import annotations

from recipelang.compilation import compile_text
from recipelang.recipetests import coverage_of, run_tests
from recipelang.recipetests.coverage import merged
from tested_recipes import GOOD_GRADE, TEAM, block_of, compilation_of

SAID = 'reply solver = "Because."'
GOOD = block_of(SAID, GOOD_GRADE, "expect calls == 2", name="good")
BAD = block_of(SAID, "reply grader = error(503)", "expect failed(grade)", name="bad")
WORSE = block_of(
    'reply solver = "one"',
    "reply solver = error(400)",
    "reply grader = error(503)",
    "expect fell_back(reply)",
    name="worse",
)


def missed(*tests: str) -> list[str]:
    compilation = compilation_of(*tests)
    found = coverage_of(compilation, run_tests(compilation))
    return [f"{part.span.position.line}: {part.title}" for part in found.missed if "with_page" not in part.recipe]


def test_what_no_test_reached_is_named_with_its_line() -> None:
    assert missed(GOOD) == [
        "17: the failure of team.grade",
        "20: the arm 2 of team.reply",
        "21: the fallback of team.reply",
    ]


def test_more_tests_reach_more() -> None:
    assert missed(GOOD, BAD) == ["21: the fallback of team.reply"]
    assert missed(GOOD, BAD, WORSE) == []


def test_a_recipe_that_no_test_runs_is_missed_as_a_whole() -> None:
    compilation = compilation_of(GOOD)
    found = coverage_of(compilation, run_tests(compilation))
    assert [part.step for part in found.parts if part.recipe == "with_page" and not part.reached] == [
        "page", "page", "reply", "reply", "reply", "return",
    ]  # fmt: skip


def test_a_skipped_step_was_not_reached() -> None:
    recipes = """
        role solver() { max_tokens = 100 }
        recipe team(m: model) -> answer {
          ask draft = solver(model = m)
          ask more  = solver(model = m) { when = draft.finish == "length" }
          return more or draft
        }
    """
    compilation = compilation_of(block_of(SAID, "expect skipped(more)"), recipes=recipes)
    assert [part.title for part in coverage_of(compilation, run_tests(compilation)).missed] == ["team.more"]


def test_of_files_that_are_used_only_what_a_test_runs_counts() -> None:
    head = f'use "./team.recipe"\n{GOOD}'
    compilation = compile_text(head, "tests.recipe", {"team.recipe": TEAM})
    found = coverage_of(compilation, run_tests(compilation))
    assert {part.recipe for part in found.parts} == {"team", "team.kept"}


def test_a_part_that_two_files_reach_counts_once() -> None:
    one, other = compilation_of(GOOD), compilation_of(BAD)
    alone = [coverage_of(each, run_tests(each)) for each in (one, other)]
    assert len(merged(alone).parts) == len(alone[0].parts)
    assert merged(alone).reached > max(each.reached for each in alone)


def test_of_nothing_all_was_reached() -> None:
    assert merged([]).percent == 100
