"""A `choose` with `by` takes the best of the arms that apply, by what is said of them or else by what is proved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checked import MODELS, errors
from recipelang.backends.scripted import ScriptedBackend
from recipelang.comparing.difference import difference
from recipelang.hosts.binding import bound_entry
from recipelang.hosts.routing import route
from recipelang.ir.plan import Plan
from recipelang.runtime.admission import Worst
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ledger import Limits
from recipelang.runtime.values import Request
from runs import Outcome, asking, every_backend, outcome_of, plan_of

THRIFTY = """
recipe main(worth: money = $0.01) -> answer {
  choose reply {
    when contains(request.text, "what") => speak(model = small) { quality = 0.5 if contains(request.text, "prove") else 0.9 }
    otherwise                           => speak(model = large) { quality = 0.95, cost = $0.003 }
    by = expected_quality(it) - (expected_cost(it) or $1) / worth
  }
  return reply
}
"""


async def taken(plan: Plan, request: Request, **arguments: object) -> Outcome:
    return await outcome_of(plan, lambda call: call.model.name, arguments=arguments, request=request)


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("question", "worth", "model"),
    [
        ("what is it", 0.01, "small"),  # 0.9 and little, against 0.95 less 0.3
        ("prove what it is", 0.01, "large"),  # 0.5, against 0.65
        ("prove what it is", 0.004, "small"),  # 0.5, against 0.2
        ("prove it", 0.001, "large"),  # the other does not apply
    ],
)
async def test_the_arm_with_the_greatest_worth_is_taken_and_route_says_the_same(
    question: str, worth: float, model: str
) -> None:
    plan = plan_of(THRIFTY)
    outcome = await taken(plan, asking(question), worth=worth)
    assert outcome.text == model
    choice = route(plan, bound_entry(plan, "main", {"worth": worth}, []), asking(question)).choices[0]
    assert choice.taken is not None
    (arm,) = (event.data["arm"] for event in outcome.trace.of("arm_taken"))
    assert choice.taken.number - 1 == arm
    weighed = {event.data["arm"]: event.data for event in outcome.trace.of("arm_weighed")}
    for seen in choice.arms:
        if seen.by is not None:
            told = weighed[seen.number - 1]
            assert told["by"] == seen.by
            assert [told[each.name] for each in seen.expected] == [each.value for each in seen.expected]


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_what_is_not_said_is_what_the_certificate_proves_for_this_request() -> None:
    text = """
    recipe main(models: model[2]) -> answer {
      choose reply {
        when true => speak(model = first(models))
        otherwise => speak(model = last(models))
        by        = -1 * ((expected_cost(it) or $1) / $1)
      }
      return reply
    }
    """
    plan = plan_of(text)
    request = asking("why? " * 50)
    outcome = await taken(plan, request, models=["large", "small"])
    assert outcome.text == "small"
    entry = bound_entry(plan, "main", {"models": ["large", "small"]}, [])
    assert entry.certificate is not None
    arms = next(step.arms for step in entry.certificate.steps if step.step == "reply")
    weighed = [event.data for event in outcome.trace.of("arm_weighed")]
    assert [data["cost"] for data in weighed] == [Worst.of(bound, request).cost for bound in arms]
    assert [data["time"] for data in weighed] == [bound.seconds for bound in arms]
    assert [data["quality"] for data in weighed] == [0.0, 0.0]
    assert weighed[0]["cost"] > weighed[1]["cost"]


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_plan_without_a_certificate_promises_no_cost() -> None:
    plan = plan_of(THRIFTY)
    entry = replace(bound_entry(plan, "main", {}, []), certificate=None)
    backend = ScriptedBackend(lambda call: call.model.name)
    result = await Interpreter(plan, every_backend(plan, backend)).run(entry, asking("what is it"))
    assert result.text == "large"
    assert next(event.data["cost"] for event in result.trace.of("arm_weighed")) is None


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_recipe_reads_what_the_caller_lets_it_cost() -> None:
    text = """
    recipe main() -> answer {
      choose reply {
        when (expected_cost(it) or $1) <= (request.max_cost or $1) => speak(model = large) { cost = $0.002 }
        otherwise                                                  => speak(model = small)
      }
      return reply
    }
    """
    plan = plan_of(text)
    backend = ScriptedBackend(lambda call: call.model.name)
    interpreter, entry = Interpreter(plan, every_backend(plan, backend)), bound_entry(plan, "main", {}, [])
    assert (await interpreter.run(entry, asking())).text == "large"
    assert (await interpreter.run(entry, asking(), most=Limits(cost=0.001))).text == "small"


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_failing_arm_is_taken_where_no_other_applies_whatever_it_is_compared_by() -> None:
    text = """
    recipe main() -> answer {
      choose reply {
        when contains(request.text, "a") => speak(model = small)
        when contains(request.text, "b") => speak(model = large)
        otherwise                        => fail("neither")
        by                               = request.max_cost
      }
      return reply
    }
    """
    plan = plan_of(text)
    assert (await taken(plan, asking("a b"))).text == "small"  # all are absent: the first
    assert (await taken(plan, asking("b"))).text == "large"
    outcome = await taken(plan, asking("c"))
    assert "neither" in str(outcome.failure)
    choice = route(plan, bound_entry(plan, "main", {}, []), asking("c")).choices[0]
    assert choice.taken is not None
    assert choice.taken.calls == 'fail("neither")'


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_the_evidence_of_a_first_answer_decides_whether_a_second_is_worth_it() -> None:
    text = """
    recipe main() -> answer {
      ask first = speak(model = small)
      choose reply {
        when contains(first.text, "sure") => keep(first) { quality = 0.9 }
        otherwise                         => speak(model = large) { quality = 0.8, cost = $0.001 }
        by = expected_quality(it) - (expected_cost(it) or $1) / $0.01
      }
      return reply
    }
    recipe keep(draft: answer) -> answer {
      return draft
    }
    """
    plan = plan_of(text)
    sure = await outcome_of(plan, lambda call: f"{call.model.name}, sure")
    assert sure.text == "small, sure"
    doubting = await outcome_of(plan, lambda call: call.model.name)
    assert doubting.text == "large"
    route_of = route(plan, bound_entry(plan, "main", {}, []), asking())
    assert route_of.choices[0].taken is None  # it hangs on what the first says


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_what_an_arm_that_does_not_apply_would_bring_is_not_asked() -> None:
    text = """
    recipe main() -> answer {
      ask first = speak(model = small) { when = contains(request.text, "ask") }
      choose reply {
        when first != none and expected_quality(it) > 0.2 => keep(first) { quality = clamp(confidence(first) + 0.5) }
        otherwise                                         => speak(model = large) { quality = 0.4 }
        by = expected_quality(it)
      }
      return reply
    }
    recipe keep(draft: answer) -> answer {
      return draft
    }
    """
    plan = plan_of(text)
    assert (await outcome_of(plan, lambda call: call.model.name, request=asking("ask it"))).text == "small"
    assert (await outcome_of(plan, lambda call: call.model.name, request=asking("no"))).text == "large"
    arms = route(plan, bound_entry(plan, "main", {}, []), asking("no")).choices
    assert all(choice.taken is None for choice in arms)  # whether the first is asked is found in a run


def test_a_condition_says_nothing_of_the_arms_that_it_is_weighed_against() -> None:
    guarded = """
    {models}
    boundary kept {{ when = request.turns > 9, allow = it.zone == near }}
    recipe guarded() -> answer {{
      choose reply {{
        when kept => solver(model = small)
        otherwise => solver(model = large)
        {by}
      }}
      return reply
    }}
    role solver() {{ max_tokens = 100 }}
    expose "g" = guarded()
    """
    assert errors(guarded.format(models=MODELS, by="")) == []
    assert errors(guarded.format(models=MODELS, by="by = expected_quality(it)")) == ["E0901"]


@pytest.mark.parametrize(
    ("arm", "by", "code"),
    [
        ("speak(model = small) { quality = 1.5 }", "expected_quality(it)", "E0301"),
        ("speak(model = small) { cost = 3s }", "expected_quality(it)", "E0301"),
        ("speak(model = small) { qualty = 0.5 }", "expected_quality(it)", "E0207"),
        ("speak(model = small)", "it", "E0301"),
        ("speak(model = small)", "expected_cost(small)", "E0301"),
        ('fail("no") { quality = 0.5 }', "", "E0407"),
    ],
)
def test_what_is_said_of_an_arm_and_what_it_is_compared_by_are_typed(arm: str, by: str, code: str) -> None:
    text = f"""
    {MODELS}
    recipe main() -> answer {{
      choose reply {{
        when request.turns > 1 => speak(model = small)
        otherwise => {arm}
        {f"by = {by}" if by else ""}
      }}
      return reply
    }}
    role speak() {{ max_tokens = 100 }}
    """
    assert errors(text) == [code]


def test_another_estimate_is_a_difference_of_two_plans() -> None:
    before, after = plan_of(THRIFTY), plan_of(THRIFTY.replace("0.95", "0.97"))
    assert "0.97" in str(difference(before, after).changes)
