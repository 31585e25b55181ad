"""The backend of tests does as its script says, and says what was asked of it."""

from __future__ import annotations

import anyio
import pytest

from model_calls import CALL, deltas_of, model_call, whole
from recipelang.backends.scripted import After, ScriptedBackend
from recipelang.runtime.ports import BackendError, FailureKind, Reply
from recipelang.runtime.values import Usage

pytestmark = pytest.mark.anyio


async def said(backend: ScriptedBackend, role: str = "solver") -> str:
    return (await backend.complete(model_call(role=role))).text


async def test_the_nearest_key_answers() -> None:
    script = {"small/judge": "model and role", "small": "model", "solver": "role", "*": "any"}
    for key in list(script):
        assert await said(ScriptedBackend(script), "judge" if key == "small/judge" else "solver") == script[key]
        del script[key]


async def test_a_list_is_gone_through_and_its_last_outcome_stays() -> None:
    backend = ScriptedBackend({"*": ["one", "two"]})
    assert [await said(backend) for _ in range(3)] == ["one", "two", "two"]
    assert backend.calls == [CALL] * 3


async def test_what_the_script_does_not_know_is_an_error_and_no_empty_answer() -> None:
    with pytest.raises(LookupError, match="the script has nothing for `small` as `solver`"):
        await said(ScriptedBackend({"large": "no"}))


async def test_failures_are_raised_each_as_a_new_one() -> None:
    down = BackendError(FailureKind.SERVER, "down", 503)
    backend = ScriptedBackend(lambda call: down)
    raised = []
    for _ in range(2):
        with pytest.raises(BackendError) as caught:
            await backend.complete(CALL)
        raised.append(caught.value)
    assert raised[0] == down
    assert raised[0] is not raised[1]


@pytest.mark.virtual_time
async def test_an_outcome_takes_its_time_and_giving_it_up_is_noted() -> None:
    backend = ScriptedBackend({"*": After(5, "late")})
    assert await said(backend) == "late"
    assert anyio.current_time() == 5
    with anyio.move_on_after(1):
        await backend.complete(CALL)
    assert backend.cancelled == [CALL]
    assert anyio.current_time() == 6


async def test_a_text_has_about_the_usage_that_a_provider_tells_and_streams_word_by_word() -> None:
    assert await ScriptedBackend({"*": "Jupiter."}).complete(CALL) == Reply("Jupiter.", usage=Usage(7, 2))
    deltas = await deltas_of(ScriptedBackend({"*": "the gas giant"}))
    assert whole(deltas).text == "the gas giant"
    assert len(deltas) == 4
