"""What a recipe needs and its models are declared not to have is found, where it is needed and nowhere else."""

from __future__ import annotations

import pytest

from recipelang.compilation import compile_text
from recipelang.hosts.binding import ArgumentProblem, bound_entry
from recipelang.ir.plan import RoleCall
from recipelang.ir.reading import calls_of
from runs import plan_of

WORLD = """
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model plain { backend = lab, id = "a", price = { input = $0, output = $0 }, DECLARED }
model other { backend = lab, id = "b", price = { input = $0, output = $0 } }
record grade { good: bool }
role solver() { max_tokens = 100 }
role judge(answers: answer[..8]) { max_tokens = 100, prompt = "Which? {{ answers }}" }
role grader(draft: answer) -> grade { max_tokens = 100, prompt = "Good? {{ draft }}" }
role told(draft: answer) { max_tokens = 100, prompt = "{{ draft }} at {{ draft.confidence }}" }
"""


def codes(declared: str, recipe: str) -> list[str]:
    text = f"{WORLD.replace('DECLARED', declared)}\n{recipe}"
    return [d.code.id for d in compile_text(text).diagnostics if d.severity == "error"]


ASKED_AND_JUDGED = """
recipe main(models: model[1..3], chair: model) -> answer {
  fanout answers = solver(model = m) for m in models
  ask    verdict = judge(answers, model = chair)
  return verdict if confidence(best(answers, by = it.latency)) < 0.5 else first(answers)
}
expose "main" = main([MODELS], CHAIR)
"""


def judged(models: str, chair: str) -> list[str]:
    return codes("logprobs = false", ASKED_AND_JUDGED.replace("MODELS", models).replace("CHAIR", chair))


def test_only_those_whose_confidence_is_read_need_log_probabilities() -> None:
    assert judged("other", "plain") == []
    assert judged("plain", "other") == ["E1001"]


def test_nothing_is_said_of_what_nobody_declared() -> None:
    assert codes("rating = 1", ASKED_AND_JUDGED.replace("MODELS", "plain").replace("CHAIR", "plain")) == []
    assert codes("logprobs = true", ASKED_AND_JUDGED.replace("MODELS", "plain").replace("CHAIR", "plain")) == []


@pytest.mark.parametrize(
    "way",
    [
        "let same = a\n let c = confidence(same)",
        "run b = through(a)\n let c = confidence(b)",
        "let c = confidence(first([x for x in [a]]))",
        "repeat b = told(b, model = other) up to 2 times { start = a }\n let c = confidence(b)",
        "ask b = solver(model = other) { fallback = a }\n let c = confidence(b)",
        "run c = sureness(a)",
        "cascade b = solver(model = o) for o in [other] { fallback = a }\n let c = confidence(b)",
    ],
)
def test_an_answer_is_followed_to_where_its_confidence_is_read(way: str) -> None:
    recipe = f"""
recipe through(given: answer) -> answer {{ return given }}
recipe sureness(given: answer) -> score {{ return confidence(given) }}
recipe main(m: model) -> answer {{
  ask a = solver(model = m)
  {way}
  ask z = solver(model = other) {{ when = c < 0.5 }}
  return z or a
}}
expose "main" = main(plain)
"""
    assert codes("logprobs = false", recipe) == ["E1001"]


@pytest.mark.parametrize("missing", ["missing = 0", "missing = 0.5", "missing = stand_in"])
def test_where_something_stands_in_for_it_none_is_needed(missing: str) -> None:
    recipe = f"""
recipe main(m: model, stand_in: score? = 0.5) -> answer {{
  ask a = solver(model = m)
  ask b = solver(model = other) {{ when = confidence(a, {missing}) < 0.6 }}
  return b or a
}}
expose "main" = main(plain)
"""
    assert codes("logprobs = false", recipe) == []
    assert codes("logprobs = false", recipe.replace("main(plain)", "main(plain, none)")) == (
        ["E1001"] if "stand_in" in missing else []
    )


def test_a_confidence_that_may_be_none_is_its_authors_affair() -> None:
    recipe = """
recipe main(models: model[1..3]) -> answer {
  fanout answers = solver(model = m) for m in models
  return best(answers, by = it.confidence)
}
expose "main" = main([plain, other])
"""
    assert codes("logprobs = false", recipe) == []


def test_only_the_calls_whose_confidence_is_read_ask_for_log_probabilities() -> None:
    recipe = ASKED_AND_JUDGED.replace("MODELS", "other").replace("CHAIR", "other")
    plan = compile_text(WORLD.replace("DECLARED", "rating = 1") + recipe).plan
    assert plan is not None
    calls = [call for step in plan.recipes["main"].steps for call in calls_of(step)]
    asking = {call.role: call.logprobs for call in calls if isinstance(call, RoleCall)}
    assert asking == {"solver": True, "judge": False}


def test_a_prompt_that_shows_a_confidence_asks_for_it() -> None:
    plan = plan_of(
        'role told(draft: answer) { max_tokens = 9, prompt = "{{ draft }} at {{ draft.confidence }}" }\n'
        "recipe main() -> answer { ask a = speak(model = small) ask b = told(a, model = large) return b }"
    )
    calls = [call for step in plan.recipes["main"].steps for call in calls_of(step)]
    assert {call.role: call.logprobs for call in calls if isinstance(call, RoleCall)} == {"speak": True, "told": False}


@pytest.mark.parametrize(
    ("attributes", "context", "found"),
    [
        ("max_tokens = 4k", "4k", ["E1004"]),
        ("max_tokens = 3999", "4k", []),
        ('max_tokens = 3k, prompt = "' + "word " * 1700 + '"', "4k", ["E1004"]),
        ('max_tokens = 3k, prompt = "' + "word " * 1500 + '"', "4k", []),
    ],
)
def test_a_role_must_fit_the_context_of_its_model(attributes: str, context: str, found: list[str]) -> None:
    recipe = f"""
role writer() {{ {attributes} }}
recipe main(m: model) -> answer {{ ask a = writer(model = m) return a }}
expose "main" = main(plain)
"""
    assert codes(f"context = {context}", recipe) == found


def test_a_call_that_sets_its_own_limit_is_held_to_that() -> None:
    recipe = """
role writer() { max_tokens = 8k }
recipe main(m: model, n: int(1..9000)) -> answer { ask a = writer(model = m, max_tokens = n) return a }
expose "main" = main(plain, N)
"""
    assert codes("context = 4k", recipe.replace("N)", "100)")) == []
    assert codes("context = 4k", recipe.replace("N)", "5000)")) == ["E1004"]


def test_a_filter_keeps_those_that_can() -> None:
    recipe = """
role looker() { max_tokens = 100, needs = [vision] }
recipe main(models: model[1..3]) -> answer {
  fanout answers = looker(model = m) for m in [m for m in models if FILTER] { fallback = [] }
  ask    spare   = solver(model = first(models))
  return first(answers) if size(answers) > 0 else spare
}
expose "main" = main([plain, other])
"""
    assert codes("vision = false", recipe.replace("FILTER", "m.vision != false")) == []
    assert codes("vision = false", recipe.replace("FILTER", "m.vision == true")) == []
    assert codes("vision = false", recipe.replace("FILTER", "m.seed != false")) == ["E1003"]


def test_what_is_bound_at_run_time_is_looked_at_too() -> None:
    text = (
        WORLD.replace("DECLARED", "json_schema = false")
        + """
recipe main(m: model) -> answer {
  ask a = solver(model = m)
  ask g = grader(a, model = m)
  ask b = solver(model = m) { when = not g.good }
  return b or a
}"""
    )
    plan = compile_text(text).plan
    assert plan is not None
    with pytest.raises(
        ArgumentProblem, match=r"`plain` keeps to no JSON Schema.* by way of g → grader on plain; .*prompted"
    ):
        bound_entry(plan, "main", {"m": "plain"}, [])
    assert bound_entry(plan, "main", {"m": "other"}, []).certificate is not None
