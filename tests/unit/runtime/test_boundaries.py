"""What a boundary keeps from a model or a function is refused at run time too, where no proof stood before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recipelang.backends.scripted import ScriptedBackend
from recipelang.hosts.binding import ArgumentProblem, bound_entry
from recipelang.hosts.engine import Engine
from recipelang.ir.expressions import FailExpression, ListExpression, ModelReference
from recipelang.ir.plan import CallArgument, Entry, Plan
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.values import Json, Message, Request
from recipelang.validation.graph import UnsoundPlan
from runs import Outcome, asking, every_backend, failed, plan_of

PROMISE = 'boundary private { when = contains(request.conversation, "internal"), allow = it.zone == local }\n'
INTERNAL = asking("an internal matter")
CALLS = {
    "a judge": """
role judge(answers: answer[..8]) { max_tokens = 50, prompt = "Which? {{ answers }}" }
recipe main(inside: model, away: model) -> answer {
  ask one   = speak(model = inside)
  ask reply = judge([one], model = away)
  return reply
}""",
    "a recipe inside": """
recipe inner(m: model) -> answer {
  ask reply = speak(model = m)
  return reply
}
recipe main(inside: model, away: model) -> answer {
  ask one   = speak(model = inside)
  run reply = inner(away if one.valid else inside)
  return reply
}""",
    "a model of a list": """
recipe main(inside: model, away: model) -> answer {
  fanout answers = speak(model = m) for m in [inside, away]
  return first(answers)
}""",
    "the last of a cascade": """
recipe main(inside: model, away: model) -> answer {
  cascade reply = speak(model = m) for m in [inside, away] { accept = it.model == away }
  return reply
}""",
    "a round": """
role revise(draft: answer) { max_tokens = 50, prompt = "Better: {{ draft }}" }
recipe main(inside: model, away: model) -> answer {
  ask    draft = speak(model = inside)
  repeat text  = revise(text, model = m) for m in [inside, away] { start = draft }
  return text
}""",
}


def unproved(plan: Plan, **models: str) -> Entry:
    """An entry that nobody has looked at, as a host might make one by hand."""
    return Entry("main", "main", tuple(CallArgument(name, ModelReference(model)) for name, model in models.items()))


async def outcome(plan: Plan, request: Request = INTERNAL, entry: Entry | None = None, **functions: object) -> Outcome:
    backend = ScriptedBackend({"*": "said"})
    interpreter = Interpreter(plan, every_backend(plan, backend), functions)  # type: ignore[arg-type]  # typed as hosts write them
    try:
        result = await interpreter.run(entry or unproved(plan, inside="small", away="large"), request)
    except RunFailure as ended:
        return failed(ended, backend)
    return Outcome(result.answer, None, result.trace, result.spend, backend)


@pytest.mark.anyio
@pytest.mark.parametrize("recipe", CALLS.values(), ids=CALLS)
async def test_a_call_past_a_boundary_is_refused_before_it_is_sent(recipe: str) -> None:
    ended = await outcome(plan_of(PROMISE + recipe))
    assert ended.failure is not None
    assert "the boundary `private` keeps the request from" in str(ended.failure)
    assert {call.model.name for call in ended.backend.calls} <= {"small"}
    assert any(event.kind == "call_refused" and event.data["model"] == "large" for event in ended.trace.events)


@pytest.mark.anyio
@pytest.mark.parametrize("recipe", CALLS.values(), ids=CALLS)
async def test_other_requests_reach_everybody(recipe: str) -> None:
    ended = await outcome(plan_of(PROMISE + recipe), asking("a public matter"))
    assert ended.failure is None
    assert "large" in {call.model.name for call in ended.backend.calls}


@pytest.mark.anyio
async def test_a_repair_is_refused_as_the_first_call_is() -> None:
    """The contract of a `return` is mended by the model that gave the answer, which a fallback may have brought."""
    plan = plan_of(
        PROMISE
        + """
contract letter { extract = r"ANSWER: ([A-D])", repair = 1 }
recipe main(inside: model, away: model) -> answer {
  ask reply = speak(model = away, contract = letter)
  return reply
}"""
    )
    ended = await outcome(plan)
    assert ended.failure is not None
    assert ended.failure.kind is RunFailureKind.BOUNDARY
    assert ended.backend.calls == []


@pytest.mark.anyio
async def test_images_and_tools_are_kept_back_with_the_text() -> None:
    plan = plan_of(
        "boundary pictures { when = request.images > 0 or request.tools > 0, allow = it.zone == local }\n"
        + CALLS["a judge"]
    )
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    for request in (
        Request((Message("user", [{"type": "text", "text": "what is it?"}, picture]),)),
        Request((Message("user", "what is it?"),), tools=({"type": "function", "function": {"name": "look"}},)),
    ):
        ended = await outcome(plan, request)
        assert ended.failure is not None
        assert {call.model.name for call in ended.backend.calls} == {"small"}


@pytest.mark.anyio
async def test_where_a_boundary_cannot_tell_it_holds() -> None:
    plan = plan_of(PROMISE + CALLS["a judge"])
    broken = plan.boundaries["private"]
    plan.boundaries["private"] = type(broken)("private", FailExpression(broken.when), broken.allow)
    ended = await outcome(plan, asking("a public matter"))
    assert ended.failure is not None
    assert {call.model.name for call in ended.backend.calls} == {"small"}


HOST = """
extern look_up(question: text) -> text { zone = far }
extern count(question: text) -> text { zone = local }
recipe main(inside: model) -> answer {
  call counted = count(request.text)
  call found   = look_up(request.text) { fallback = counted }
  ask  reply   = speak(model = inside) { when = found != "" }
  ask  other   = speak(model = inside)
  return reply or other
}"""


@pytest.mark.anyio
async def test_a_function_of_another_zone_is_not_given_the_request() -> None:
    given: list[str] = []

    async def look_up(question: str) -> Json:
        given.append(question)
        return "found"

    async def count(question: str) -> Json:
        return str(len(question))

    plan = plan_of(PROMISE + HOST)
    entry = unproved(plan, inside="small")
    ended = await outcome(plan, INTERNAL, entry, look_up=look_up, count=count)
    assert ended.failure is None
    assert given == []
    await outcome(plan, asking("a public matter"), entry, look_up=look_up, count=count)
    assert given == ["a public matter"]


@pytest.mark.parametrize("recipe", CALLS.values(), ids=CALLS)
def test_what_is_bound_at_run_time_is_proved_first(recipe: str) -> None:
    plan = plan_of(PROMISE + recipe)
    with pytest.raises(
        ArgumentProblem, match=r"`large` could see a request .* `private` .*, by way of \w+ → .* on large"
    ):
        bound_entry(plan, "main", {"inside": "small", "away": "large"}, [])
    assert bound_entry(plan, "main", {"inside": "small", "away": "small"}, []).certificate is not None


def test_models_of_the_pool_are_proved_as_well() -> None:
    plan = plan_of(
        PROMISE + "recipe main(models: model[1..3]) -> answer { ask a = speak(model = last(models)) return a }"
    )
    with pytest.raises(ArgumentProblem, match="`large` could see"):
        bound_entry(plan, "main", {}, ["small", "large"])
    entry = bound_entry(plan, "main", {}, ["large", "small"])
    assert entry.arguments == (
        CallArgument("models", ListExpression((ModelReference("large"), ModelReference("small")))),
    )


def test_a_plan_that_another_tool_made_is_proved_before_it_runs() -> None:
    plan = plan_of(PROMISE + CALLS["a judge"])
    leaking = replace(plan, entries={"main": unproved(plan, inside="small", away="large")})
    with pytest.raises(
        UnsoundPlan, match='entry "main": `large` could see .* `private` .*, by way of reply → judge on large'
    ):
        Engine(leaking)
    kept = replace(plan, entries={"main": unproved(plan, inside="small", away="small")})
    assert Engine(kept).plan.entries["main"].certificate is not None
