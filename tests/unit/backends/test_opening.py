"""The backends of a plan are opened with their secrets, or one error says what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from model_calls import CALL
from recipelang.backends.opening import BackendProblem, open_backends
from recipelang.ir.plan import Backend, Model, Plan, Secret
from upstream import Upstream

pytestmark = pytest.mark.anyio


def plan_of(*backends: Backend, used: int = 1) -> Plan:
    models = {f"m{n}": Model(f"m{n}", backend.name, "m") for n, backend in enumerate(backends[:used])}
    return Plan(backends={backend.name: backend for backend in backends}, models=models)


async def opened(plan: Plan, environment: dict[str, str], **options: Any) -> list[str]:
    async with open_backends(plan, environment, **options) as backends:
        return list(backends)


async def test_only_the_backends_that_models_name_are_opened_and_need_their_secrets() -> None:
    used, unused = (Backend(name, "openai", "http://127.0.0.1:1", Secret(name.upper())) for name in ("used", "unused"))
    assert await opened(plan_of(used, unused), {"USED": "k"}) == ["used"]


@pytest.mark.parametrize(
    ("backend", "environment", "problem"),
    [
        (
            Backend("lab", "openai", "http://127.0.0.1:1", Secret("LAB_KEY")),
            {"OTHER_KEY": "k"},
            "the environment variable LAB_KEY, the key of backend `lab`, is not set",
        ),
        (
            Backend("lab", "openai", "http://127.0.0.1:1", Secret("LAB_KEY")),
            {"LAB_KEY": "k\r\nx-admin: yes"},
            "LAB_KEY, the key of backend `lab`, has characters that no key has",
        ),
        (Backend("lab", "openai"), {}, "backend `lab` has no address"),
        (Backend("here", "local"), {}, "backend `here` is local, and there is nothing here that starts models"),
    ],
)
async def test_what_is_missing_is_one_error(backend: Backend, environment: dict[str, str], problem: str) -> None:
    with pytest.raises(BackendProblem) as caught:
        await opened(plan_of(backend), environment)
    assert str(caught.value) == problem


async def test_blanks_around_a_key_are_no_part_of_it() -> None:
    with Upstream() as upstream:
        plan = plan_of(Backend("lab", "openai", upstream.url, Secret("LAB_KEY")))
        async with open_backends(plan, {"LAB_KEY": " k\n"}) as backends:
            await backends["lab"].complete(CALL)
            assert "LAB_KEY" not in repr(backends)
    assert upstream.requests[0].headers["authorization"] == "Bearer k"
