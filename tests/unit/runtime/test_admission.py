"""Admission: what a request may use at most, by its size, its images and the models that may see it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from recipelang.backends.scripted import ScriptedBackend
from recipelang.hosts.binding import bound_entry
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ledger import Limits, Spend
from recipelang.runtime.ports import Reply
from recipelang.runtime.prompts import prompt_bound
from recipelang.runtime.values import Json, Message, Request, Usage
from runs import asking, every_backend, plan_of

IMAGE: Mapping[str, Json] = {"type": "image_url", "image_url": {"url": "data:,"}}
SOUND: Mapping[str, Json] = {"type": "input_audio", "input_audio": {}}
WORLD = """
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model seer   { backend = lab, id = "a", price = { input = $1, output = $2 }, image_tokens = 1600 }
model blind  { backend = lab, id = "b", price = { input = $1, output = $2 } }
model greek  { backend = lab, id = "c", price = { input = $1, output = $2 }, tokens_per_byte = 1.5 }
model thinker { backend = lab, id = "d", price = { input = $1, output = $2 }, reasoning_tokens = 400 }
role speak() { max_tokens = 100 }
"""


def seeing(*parts: Mapping[str, Json]) -> Request:
    return Request((Message("user", ({"type": "text", "text": "What is this?"}, *parts)),))


async def spent(
    model: str, request: Request, reply: Reply | None = None, budget: str = "tokens = 9k, request = 100"
) -> Spend:
    plan = plan_of(
        f"recipe main() -> answer {{ budget {{ {budget} }} ask a = speak(model = {model}) return a }}", WORLD
    )
    interpreter = Interpreter(plan, every_backend(plan, ScriptedBackend({"*": reply or Reply("yes")})))
    return (await interpreter.run(bound_entry(plan, "main", {}, []), request)).spend


@pytest.mark.anyio
async def test_an_image_counts_as_much_as_its_model_says_it_may() -> None:
    without, with_two = await spent("seer", seeing()), await spent("seer", seeing(IMAGE, IMAGE))
    assert with_two.prompt_tokens - without.prompt_tokens == 2 * 1_600
    assert without.reported is False


@pytest.mark.anyio
async def test_images_are_refused_where_the_budget_counts_tokens_and_a_model_does_not_say() -> None:
    with pytest.raises(RunFailure, match="`image_tokens`.* is not declared for `blind`, and the budget is in") as ended:
        await spent("blind", seeing(IMAGE))
    assert ended.value.kind is RunFailureKind.REQUEST_UNBOUNDED
    assert (await spent("blind", seeing(IMAGE), budget="calls = 1")).calls == 1


@pytest.mark.anyio
async def test_other_media_have_no_bound_whatever_a_model_says() -> None:
    with pytest.raises(RunFailure, match="media other than images"):
        await spent("seer", seeing(SOUND))


@pytest.mark.anyio
async def test_images_can_make_a_request_too_large() -> None:
    with pytest.raises(RunFailure, match="may need .* tokens, and its budget is 9000") as ended:
        await spent("seer", seeing(*[IMAGE] * 6))
    assert ended.value.kind is RunFailureKind.REQUEST_TOO_LARGE


@pytest.mark.anyio
async def test_a_tokenizer_that_is_not_byte_level_is_counted_by_its_factor() -> None:
    plain, greek = await spent("blind", asking()), await spent("greek", asking())
    assert greek.prompt_tokens == int(plain.prompt_tokens * 1.5)


@pytest.mark.anyio
async def test_what_a_model_thinks_besides_its_answer_is_counted() -> None:
    assert (await spent("blind", asking())).completion_tokens == 100
    assert (await spent("thinker", asking())).completion_tokens == 500


@pytest.mark.anyio
@pytest.mark.parametrize("usage", [Usage(0, 0), Usage(0, 5), Usage(7, 0), Usage(-1, 5), Usage(7, -5)])
async def test_where_a_provider_tells_what_cannot_be_the_upper_bound_stands(usage: Usage) -> None:
    spend = await spent("blind", asking(), Reply("yes", usage=usage))
    assert (spend.prompt_tokens, spend.completion_tokens) == (prompt_bound(asking().messages), 100)
    assert spend.reported is False


@pytest.mark.anyio
async def test_a_recipe_inside_must_hold_the_request_in_its_own_budget_as_well() -> None:
    plan = plan_of(
        """
        recipe main() -> answer { run a = inner() return a }
        recipe inner() -> answer { budget { tokens = 400, request = 100 } ask a = speak(model = small) return a }
        """
    )
    backend = ScriptedBackend({"*": "yes"})
    interpreter = Interpreter(plan, every_backend(plan, backend))
    entry = bound_entry(plan, "main", {}, [])
    assert (await interpreter.run(entry, asking("x" * 50))).text == "yes"
    with pytest.raises(RunFailure, match="for which `inner` may need .* tokens, and its budget is 400") as ended:
        await interpreter.run(entry, asking("x" * 500))
    assert ended.value.kind is RunFailureKind.REQUEST_TOO_LARGE
    assert len(backend.calls) == 1


@pytest.mark.anyio
async def test_a_host_that_counts_tokens_refuses_what_has_no_bound() -> None:
    plan = plan_of("recipe main() -> answer { ask a = speak(model = blind) return a }", WORLD)
    interpreter = Interpreter(plan, every_backend(plan, ScriptedBackend({"*": "yes"})))
    with pytest.raises(RunFailure, match="`image_tokens`"):
        await interpreter.run(bound_entry(plan, "main", {}, []), seeing(IMAGE), most=Limits(tokens=10**6))
