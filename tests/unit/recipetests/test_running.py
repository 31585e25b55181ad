"""A test passes where all it expects holds; every other way in which it can end has a reason that the result tells."""

from __future__ import annotations

import math

import pytest

from recipelang.compilation import compile_text
from recipelang.recipetests import run_tests
from recipelang.runtime.confidence import confidence
from recipelang.runtime.failures import RunFailureKind
from recipelang.runtime.ports import FailureKind
from recipelang.runtime.values import TokenLogprob
from recipelang.semantics.tested import CALL_FAILURES, RUN_FAILURES
from tested_recipes import GOOD_GRADE, TEAM, block_of, compilation_of, result_of, results_of

SAID = 'reply solver = "Because."'


def holds(*lines: str, run: str = "team(m = small)") -> bool:
    return result_of(*lines, run=run).passed


def test_a_test_whose_expectations_hold_passes() -> None:
    result = result_of(SAID, GOOD_GRADE, 'expect result.text == "Because."', "expect calls == 2")
    assert (result.passed, result.problems, result.unmet) == (True, (), ())


@pytest.mark.parametrize(
    "expectation",
    [
        'result.text == "Why not?"', "calls < 2", "cost > $0", "time > 0s", "tokens == 0", "parallel > 1", "wasted > 0",
        "failure == quorum", "failure != none", "not ran(draft)", "skipped(draft)", "fell_back(reply)", "failed(grade)",
        "asked(solver) == 2", 'contains(prompt(grader), "moon")', "ran(team.draft) and calls == 3",
    ],
)  # fmt: skip
def test_an_expectation_that_does_not_hold_fails_its_test(expectation: str) -> None:
    result = result_of(SAID, GOOD_GRADE, f"expect {expectation}")
    assert len(result.unmet) == 1
    assert not result.problems


def test_the_parts_that_and_joins_fail_each_for_itself() -> None:
    result = result_of(SAID, GOOD_GRADE, "expect calls == 1 and cost == $0 and ran(draft) and time > 1h")
    assert [unmet.span.text for unmet in result.unmet] == ["calls == 1", "time > 1h"]


def test_what_one_part_shows_holds_for_those_behind_it() -> None:
    assert holds(SAID, GOOD_GRADE, "expect result.cost != none and result.cost <= $1")


def test_an_expectation_may_read_the_request() -> None:
    assert holds(SAID, GOOD_GRADE, 'expect request.text != "" and (request.metadata["x"] or "-") == "-"')


def test_what_the_caller_lets_it_cost_is_read_and_kept() -> None:
    told = """
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model small { backend = lab, id = "s", price = { input = $1, output = $2 } }
model large { backend = lab, id = "l", price = { input = $10, output = $20 } }
role speak() { max_tokens = 100 }
recipe main() -> answer {
  choose reply {
    when (request.max_cost or $1) < $0.001 => speak(model = small)
    otherwise                              => speak(model = large)
  }
  return reply
}
test "it is read" {
  run      = main()
  request  = "Hi"
  max_cost = $0.0009
  reply speak on small = "Hello"
  expect request.max_cost == $0.0009 and result.model.name == "small" and cost <= $0.0009
}
test "and kept" {
  run      = main()
  request  = "Hi"
  max_cost = $0.0011
  expect failure == budget and calls == 0
}
test "and free where nobody says" {
  run     = main()
  request = "Hi"
  reply speak on large = "Hello"
  expect request.max_cost == none and cost > $0
}
"""
    assert [result.passed for result in run_tests(compile_text(told))] == [True, True, True]


def test_a_delay_takes_virtual_time_only() -> None:
    result = result_of('reply solver = "Because." after 50s', GOOD_GRADE, "expect time == 50s")
    assert result.passed
    assert result.wall < 5


def test_a_step_runs_out_of_its_time_in_no_time() -> None:
    result = result_of('reply solver = "Because." after 1h', GOOD_GRADE, "expect failure == timeout and time == 1m")
    assert result.passed
    assert result.wall < 5


def test_lines_of_one_role_answer_one_call_after_another_and_the_last_one_all_further() -> None:
    low = 'reply grader = { reason = "No.", score = 0 }'
    assert holds('reply solver = "one"', 'reply solver = "two"', low, 'expect result.text == "two"')
    assert holds('reply solver = "one"', low, 'expect result.text == "one" and asked(solver) == 2')


def test_a_counted_line_gives_way_to_the_next_and_the_last_of_them_to_none() -> None:
    assert holds("reply solver = error(503, times = 2)", SAID, GOOD_GRADE, "expect asked(solver) == 3 and wasted == 2")
    result = result_of("reply solver = error(503, times = 2)", GOOD_GRADE, "expect calls == 3")
    assert [problem.label for problem in result.problems] == ["this is used up"]


def test_a_line_on_a_model_goes_before_one_for_any_until_it_is_used_up() -> None:
    lines = ('reply solver on small = answer("one", times = 1)', SAID, 'reply grader = { reason = "", score = 0 }')
    assert holds(*lines, 'expect result.text == "Because." and asked(solver) == 2')


def test_a_reply_that_nothing_asked_for_fails_its_test() -> None:
    result = result_of(SAID, 'reply solver on small = "It is small."', GOOD_GRADE, "expect calls == 2")
    assert [(problem.message, problem.span.text) for problem in result.problems] == [
        ("nothing asked for this reply", SAID)
    ]


def test_a_run_that_broke_off_as_expected_may_leave_replies_over() -> None:
    assert holds("reply solver = error(401)", GOOD_GRADE, "expect failure == backend")


def test_a_call_without_a_reply_is_an_error_of_the_test_even_where_failures_are_forgiven() -> None:
    result = result_of(SAID, "expect calls == 2")
    assert [problem.message for problem in result.problems] == [
        "`grader` was asked on `small`, and no `reply` says what it answers"
    ]
    assert not result.unmet


def test_a_function_without_a_reply_is_an_error_of_the_test_even_where_failures_are_forgiven() -> None:
    result = result_of(SAID, "expect failure == failed", run="with_page(m = small)")
    assert [problem.message for problem in result.problems] == [
        "`look_up` was called, and no `reply` says what it answers"
    ]


def test_a_run_that_fails_fails_its_test() -> None:
    result = result_of("reply solver = error(401)", GOOD_GRADE, "expect calls == 1")
    assert [problem.message for problem in result.problems] == ["the run ended without an answer"]


def test_a_failure_that_is_expected_is_none() -> None:
    assert holds("reply solver = error(401)", GOOD_GRADE, "expect failure == backend and failed(draft)")


def test_an_expectation_over_a_result_that_is_not_there_does_not_hold() -> None:
    lines = ("reply solver = error(401)", GOOD_GRADE, 'expect failure == backend and contains(result.text, "x")')
    assert [unmet.why for unmet in result_of(*lines).unmet] == ["there is no result: the run failed"]


def test_a_prompt_that_was_never_made_is_told_so() -> None:
    lines = ("reply solver = error(401)", GOOD_GRADE, 'expect failure == backend and contains(prompt(grader), "x")')
    assert [unmet.why for unmet in result_of(*lines).unmet] == ["there is no `prompt(grader)`: it was never asked"]


@pytest.mark.parametrize("kind", CALL_FAILURES)
def test_every_kind_of_a_calls_failure_can_be_scripted(kind: str) -> None:
    result = result_of(f"reply solver = error({kind})", GOOD_GRADE, "expect failure == backend")
    assert result.passed
    assert {event.data["failure"] for event in result.trace.of("call_failed")} == {kind}


@pytest.mark.parametrize(("status", "asked"), [(429, 3), (503, 3), (400, 1), (401, 1)])
def test_a_status_is_retried_as_that_of_an_endpoint_is(status: int, asked: int) -> None:
    assert holds(
        f"reply solver = error({status})", GOOD_GRADE, f"expect failure == backend and asked(solver) == {asked}"
    )


def test_a_provider_may_ask_to_be_left_alone() -> None:
    assert holds("reply solver = error(429, retry_after = 7s)", SAID, GOOD_GRADE, "expect time == 7s")


def test_an_answer_has_the_usage_and_the_ending_that_are_written_down() -> None:
    said = 'reply solver = answer("Because.", finish = "length", tokens = 12)'
    expected = 'expect result.usage.completion_tokens == 12 and result.finish == "length"'
    assert holds(said, GOOD_GRADE, expected)


def test_a_function_gives_what_is_written_down_after_its_delay() -> None:
    page = 'reply look_up = { found = true, page = "..." } after 3s'
    assert holds(page, SAID, "expect time == 3s and asked(look_up) == 1", run="with_page(m = small)")


def test_a_function_that_raises_is_called_again_and_then_given_up() -> None:
    lines = ('reply look_up = error("no such page")', SAID)
    expected = "expect failure == failed and asked(look_up) == 2 and failed(page)"
    assert holds(*lines, expected, run="with_page(m = small)")


def test_a_test_has_its_own_models_before_those_of_the_file() -> None:
    file = 'backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }\nmodel small { backend = lab, id = "x", price = { input = $1, output = $1 } }\n'
    test = block_of(SAID, GOOD_GRADE, 'expect cost == $0 and result.model.id == "small"')
    assert results_of(test, recipes=TEAM + file)[0].passed


def test_a_test_may_use_the_models_of_the_file_and_reaches_none_of_them() -> None:
    file = 'backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }\nmodel far { backend = lab, id = "x", price = { input = $1, output = $1 } }\n'
    test = block_of(SAID, GOOD_GRADE, 'expect cost > $0 and result.model.id == "x"', run="team(m = far)")
    assert results_of(test, recipes=TEAM + file)[0].passed


def test_a_test_may_run_what_the_file_exposes() -> None:
    lab = 'backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }\n'
    far = 'model far { backend = lab, id = "x", price = { input = $1, output = $1 } }\n'
    test = block_of(SAID, GOOD_GRADE, 'expect result.model.name == "far" and ran(draft)', run='"team/auto"')
    assert results_of(test, recipes=f'{TEAM}{lab}{far}expose "team/auto" = team(m = far)\n')[0].passed


def test_a_boundary_holds_in_a_test_as_it_does_in_a_run() -> None:
    boundary = 'boundary inside { when = contains(request.conversation, "Why"), allow = it.zone == near }\n'
    test = block_of("expect failure == boundary and calls == 0")
    assert results_of(test, recipes=TEAM + boundary)[0].passed


def test_a_planned_team_is_played_like_any_other() -> None:
    recipes = """
        role planner(workers: model[1..2], most: int(1..2)) -> plan(workers, most) { prompt = "{{ workers }} {{ most }}" }
        role worker(instruction: text) { prompt = "{{ instruction }}" }
        recipe team(m: model) -> answer {
          ask     plan = planner([m], 2, model = m)
          perform work = worker(t.instruction, model = t.model) for t in plan
          return last(work)
        }
    """
    task = '{ name = "look", worker = "small", needs = [], instruction = "Look." }'
    lines = (f"reply planner = {{ tasks = [{task}] }}", 'reply worker = "Seen."', 'expect result.text == "Seen."')
    assert result_of(*lines, 'expect contains(prompt(worker), "Look.")', recipes=recipes).passed


def test_an_expectation_may_name_what_the_run_does_not_need() -> None:
    letter = 'contract letter { extract = r"ANSWER: ([A-J])" }\n'
    test = block_of(SAID, GOOD_GRADE, "expect not matches(result, letter) and result.model != other")
    test = test.replace("  model small {}", "  model small {}\n  model other {}")
    assert results_of(test, recipes=TEAM + letter)[0].passed


def test_tests_know_nothing_of_each_other() -> None:
    one = block_of('reply solver = "one"', GOOD_GRADE, 'expect result.text == "one"', name="one")
    other = block_of(SAID, GOOD_GRADE, 'expect result.text == "Because."', name="other")
    assert [result.passed for result in results_of(one, other)] == [True, True]


def test_the_same_test_gives_the_same_events_each_time() -> None:
    compilation = compilation_of(
        block_of("reply solver = error(503, times = 2)", SAID, GOOD_GRADE, "expect calls == 4")
    )
    one, other = run_tests(compilation)[0], run_tests(compilation)[0]
    assert one.trace.as_json() == other.trace.as_json()


def test_only_the_tests_that_are_asked_for_run() -> None:
    blocks = [block_of(SAID, GOOD_GRADE, "expect calls == 2", name=name) for name in ("a red one", "a blue one")]
    assert [result.name for result in run_tests(compilation_of(*blocks), "BLUE")] == ["a blue one"]


def test_a_source_with_errors_has_no_tests_to_run() -> None:
    with pytest.raises(ValueError, match="errors"):
        run_tests(compile_text('test "x" {}'))


def test_a_plan_has_no_tests_in_it() -> None:
    with_tests, without = compilation_of(block_of(SAID, GOOD_GRADE, "expect calls == 2")), compilation_of()
    assert with_tests.plan == without.plan
    assert with_tests.library == without.library


def test_the_language_names_every_kind_of_failure_that_there_is() -> None:
    assert set(RUN_FAILURES) == {kind.value for kind in RunFailureKind}
    assert set(CALL_FAILURES) == {kind.value for kind in FailureKind}


@pytest.mark.parametrize("measure", ["logprob", "margin", "hybrid"])
@pytest.mark.parametrize("percent", [0, 1, 60, 72, 100])
def test_a_confidence_is_that_of_the_answer_in_every_measure(measure: str, percent: int) -> None:
    recipe = f"""
        role solver() {{ max_tokens = 100 }}
        recipe sure(m: model) -> answer {{
          cascade a = solver(model = c) for c in [m] {{ accept = confidence(it, {measure}) >= {percent}% }}
          return a
        }}
    """
    said = f'reply solver = answer("Because.", confidence = {percent}%)'
    result = result_of(said, "expect calls == 1", run="sure(m = small)", recipes=recipe)
    assert result.passed, result.failure


def test_a_confidence_is_told_only_where_it_is_asked_for() -> None:
    said = 'reply solver = answer("Because.", confidence = 90%)'
    assert holds(said, GOOD_GRADE, "expect result.confidence == none")
    assert confidence([TokenLogprob("x", math.log(0.9), -math.inf)]) == pytest.approx(0.9)
