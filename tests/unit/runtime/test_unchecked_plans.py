"""Plans that no checker saw: what has no meaning fails the step as any failure does, and never the interpreter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recipelang.backends.scripted import After, ScriptedBackend
from recipelang.ir.expressions import (
    BinaryExpression,
    Constant,
    FailExpression,
    MemberExpression,
    ModelReference,
    Variable,
)
from recipelang.ir.plan import Ask, Let, Plan, Recipe, RoleCall
from recipelang.runtime.failures import RunFailureKind
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.scheduling import prepare_recipe
from runs import asking, every_backend, outcome_of, plan_of

CASCADE = """
recipe main() -> answer {
  cascade reply = speak(model = m) for m in [small, large] { accept = it.text == "yes", on_error = skip, fallback = last(tried) }
  return reply
}
"""
FANOUT = """
recipe main() -> int {
  fanout xs = speak(model = m) for m in [small, large] { keep = it.text == "yes", quorum = 1, on_error = skip }
  return size(xs)
}
"""
FAILS = FailExpression(Constant("no idea"))
ONLY_FOR_LARGE = BinaryExpression(  # has a meaning for the second only: texts and numbers have no sum
    ">", BinaryExpression("+", Constant(1), MemberExpression(Variable("it"), "text")), Constant(0)
)

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def changed(text: str, **changes: Any) -> Plan:  # Any: fields of a step
    """The plan of a recipe whose first step says something else."""
    plan = plan_of(text)
    recipe = plan.recipes["main"]
    steps = (replace(recipe.steps[0], **changes), *recipe.steps[1:])
    changed: dict[str, Recipe] = {**plan.recipes, "main": replace(recipe, steps=steps)}
    return replace(plan, recipes=changed)


async def test_an_accept_that_fails_makes_room_for_the_next_where_errors_are_skipped() -> None:
    outcome = await outcome_of(changed(CASCADE, accept=FAILS, fallback=None), {"*": "yes"})
    assert [event.data["failure"] for event in outcome.trace.of("escalated")] == ["failed", "failed"]
    assert outcome.failure is not None
    assert outcome.failure.kind is RunFailureKind.NOT_ACCEPTED
    assert outcome.failure.message == "none of 2 was accepted, 2 answered: no idea; no idea"


async def test_an_accept_that_fails_ends_the_cascade_where_they_are_not_and_what_it_saw_was_tried() -> None:
    outcome = await outcome_of(changed(CASCADE, accept=FAILS, on_error="fail"), {"*": "yes"})
    assert outcome.text == "yes"
    assert len(outcome.backend.calls) == 1
    assert outcome.trace.of("fallback_taken")[0].data["failure"] == "failed"


async def test_a_keep_that_has_no_meaning_drops_the_branch() -> None:
    outcome = await outcome_of(changed(FANOUT, keep=ONLY_FOR_LARGE), {"*": "yes"})
    assert outcome.failure is not None
    assert outcome.failure.kind is RunFailureKind.QUORUM
    assert "an expression has no meaning here" in outcome.failure.message


async def test_a_quorum_greater_than_the_list_fails_before_any_call() -> None:
    outcome = await outcome_of(changed(FANOUT, quorum=Constant(3)), {"*": "yes"})
    assert outcome.failure is not None
    assert outcome.failure.message == "0 of 2 answers, quorum 3"
    assert outcome.backend.calls == []


async def test_a_step_that_nobody_needs_any_more_is_cancelled_when_the_answer_is_there() -> None:
    plan = plan_of("recipe main() -> answer { ask reply = speak(model = large) return reply }")
    recipe = plan.recipes["main"]
    reply = recipe.steps[0]
    assert isinstance(reply, Ask)
    assert isinstance(reply.call, RoleCall)
    unread = replace(reply, name="unread", call=replace(reply.call, model=ModelReference("small")))
    plan = replace(plan, recipes={**plan.recipes, "main": replace(recipe, steps=(unread, *recipe.steps))})
    outcome = await outcome_of(plan, {"small": After(60, "a"), "large": After(2, "b")})
    assert (outcome.text, outcome.spend.seconds, outcome.spend.wasted_calls) == ("b", 2, 1)
    assert [call.model.name for call in outcome.backend.cancelled] == ["small"]
    assert outcome.trace.of("step_end", "unread")[0].data["status"] == "cancelled"


@pytest.mark.parametrize("name", ["samples", "parallel", "quorum"])
async def test_a_number_below_one_fails_the_step(name: str) -> None:
    outcome = await outcome_of(changed(FANOUT, **{name: Constant(0)}), {"*": "yes"})
    assert outcome.failure is not None
    assert outcome.failure.kind is RunFailureKind.FAILED
    assert outcome.failure.message == f"`{name}` is 0, and must be at least 1"


async def test_steps_that_wait_for_each_other_are_found_when_a_plan_is_made_ready() -> None:
    plan = plan_of("recipe main() -> text { let a = 'x' return a }".replace("'", '"'))
    recipe = plan.recipes["main"]
    first = recipe.steps[0]
    assert isinstance(first, Let)
    circular = replace(recipe, steps=(replace(first, value=Variable("a")), recipe.steps[1]))
    with pytest.raises(ValueError, match="steps of recipe `main` wait for each other"):
        prepare_recipe(circular, plan)
    with pytest.raises(ValueError, match="recipe `main` returns nothing"):
        prepare_recipe(replace(recipe, steps=recipe.steps[:1]), plan)


async def test_a_backend_that_was_not_given_is_found_when_a_plan_is_made_ready() -> None:
    plan = plan_of(CASCADE)
    with pytest.raises(ValueError, match="no backend was given for `lab`"):
        Interpreter(plan, {})
    with pytest.raises(LookupError, match="the plan has no entry `gone`"):
        await Interpreter(plan, every_backend(plan, ScriptedBackend({}))).run("gone", asking())
