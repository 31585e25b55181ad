"""What a model is declared to be able to do, or not, shows in what it is sent."""

from __future__ import annotations

import json

import pytest

from answers import answer
from recipelang.runtime.failures import RunFailureKind
from recipelang.runtime.functions import IMPLEMENTATIONS
from recipelang.runtime.prompts import prompt_bound, request_bytes
from runs import asking, outcome_of, plan_of

GRADED = """
record grade { reason: text, good: bool }
role grader(draft: answer) -> grade { max_tokens = 60, PROMPTED, repair = 1, prompt = "Good? {{ draft }}" }
recipe main() -> answer {
  ask draft = speak(model = small)
  ask mark  = grader(draft, model = small)
  ask again = speak(model = large) { when = not mark.good }
  return again or draft
}
"""
GOOD = json.dumps({"reason": "so it is", "good": True})


@pytest.mark.anyio
async def test_a_role_that_is_prompted_shows_the_schema_and_sends_none() -> None:
    plan = plan_of(GRADED.replace("PROMPTED", "json = prompted"))
    outcome = await outcome_of(plan, {"speak": "Jupiter", "grader": GOOD})
    assert outcome.text == "Jupiter"
    call = outcome.backend.calls[1]
    assert call.schema is None
    shown = str(call.messages[-1].content)
    assert "Answer with JSON alone" in shown
    assert shown.endswith(plan.roles["grader"].schema or "none")


@pytest.mark.anyio
async def test_a_role_that_is_not_sends_it_and_shows_none() -> None:
    plan = plan_of(GRADED.replace("PROMPTED", "json = schema"))
    outcome = await outcome_of(plan, {"speak": "Jupiter", "grader": GOOD})
    call = outcome.backend.calls[1]
    assert call.schema == plan.roles["grader"].schema
    assert "JSON" not in str(call.messages[-1].content)


@pytest.mark.anyio
@pytest.mark.parametrize("said", [f"```json\n{GOOD}\n```", f"Here it is:\n\n{GOOD}", GOOD])
async def test_what_comes_back_is_read_as_models_write_it(said: str) -> None:
    plan = plan_of(GRADED.replace("PROMPTED", "json = prompted"))
    outcome = await outcome_of(plan, {"speak": "Jupiter", "grader": said})
    assert outcome.failure is None
    assert len(outcome.backend.calls) == 2


@pytest.mark.anyio
async def test_what_is_not_in_the_form_is_mended_once_and_then_fails() -> None:
    plan = plan_of(GRADED.replace("PROMPTED", "json = prompted"))
    outcome = await outcome_of(plan, {"speak": "Jupiter", "grader": ["good enough", GOOD]})
    assert outcome.failure is None
    outcome = await outcome_of(plan, {"speak": "Jupiter", "grader": "good enough"})
    assert outcome.failure is not None
    assert outcome.failure.kind is RunFailureKind.CONTRACT


@pytest.mark.anyio
async def test_the_certificate_counts_the_schema_that_is_shown() -> None:
    plan = plan_of(GRADED.replace("PROMPTED", "json = prompted"))
    certificate = plan.recipes["main"].certificate
    assert certificate is not None
    step = next(step for step in certificate.steps if step.step == "mark")
    outcome = await outcome_of(plan, {"speak": "J" * 400, "grader": ["x" * 480, GOOD]})
    used = sum(prompt_bound(call.messages, call.tools, call.schema) for call in outcome.backend.calls[1:3])
    assert used <= step.bound.prompt_tokens.at(request_bytes(asking()))


@pytest.mark.anyio
async def test_a_model_that_keeps_to_no_seed_is_sent_none() -> None:
    plan = plan_of(
        'model odd { backend = lab, id = "odd", price = { input = $1, output = $1 }, seed = false }\n'
        "recipe main() -> answer { ask a = speak(model = odd) ask b = speak(model = small) return a if a.valid else b }"
    )
    outcome = await outcome_of(plan, {"*": "Jupiter"})
    seeds = {call.model.name: call.seed for call in outcome.backend.calls}
    assert seeds["odd"] is None
    assert seeds["small"] is not None


@pytest.mark.anyio
async def test_log_probabilities_are_asked_for_unless_they_are_declared_not_to_be_there() -> None:
    plan = plan_of(
        'model silent { backend = lab, id = "s", price = { input = $1, output = $1 }, logprobs = false }\n'
        "recipe main() -> answer {\n"
        "  cascade reply = speak(model = m) for m in [silent, small] {\n"
        "    accept = confidence(it, missing = 0.1) > 0.9, fallback = best(tried, by = confidence(it, missing = 0.1))\n"
        "  }\n  return reply\n}"
    )
    outcome = await outcome_of(plan, {"*": "Jupiter"})
    assert {call.model.name: call.logprobs for call in outcome.backend.calls} == {"silent": False, "small": True}


def test_a_confidence_that_is_missing_is_what_the_author_says() -> None:
    confidence = IMPLEMENTATIONS["confidence"]
    assert confidence(answer("Jupiter")) == 0
    assert confidence(answer("Jupiter"), missing=0.4) == 0.4
    assert confidence(answer("Jupiter"), "logprob", None) == 0
