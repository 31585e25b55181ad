"""What keeps a recipe going when an endpoint does not, as it is declared on its backend, over HTTP."""

from __future__ import annotations

import pytest

from recipelang import compile_text
from recipelang.hosts.engine import Engine
from recipelang.ir.plan import Plan
from recipelang.runtime.failures import RunFailure
from runs import QUESTION
from upstream import STALL, Upstream, refused

pytestmark = pytest.mark.anyio


def plan_of(backend: str, recipe: str = "ask reply = speak(model = small)\n return reply") -> Plan:
    compilation = compile_text(
        f"""
        backend lab {{ kind = openai, {backend} }}
        model small {{ backend = lab, id = "small-1", price = {{ input = $0, output = $0 }} }}
        role speak() {{ max_tokens = 100 }}
        recipe main() -> answer {{
          budget {{ calls = 4 }}
          {recipe}
        }}
        """
    )
    assert compilation.plan is not None, [diagnostic.message for diagnostic in compilation.diagnostics]
    return compilation.plan


async def test_where_one_address_is_down_a_retry_goes_to_the_other() -> None:
    retrying = "ask reply = speak(model = small) { retries = 1 }\n return reply"
    with Upstream() as good, Upstream(refused(503, "loading")) as bad:
        plan = plan_of(f'urls = ["{bad.url}", "{good.url}"]', retrying)
        async with Engine(plan) as engine:
            for number in range(12):
                assert (await engine.run("main", f"{QUESTION} {number}")).text == "Jupiter."
    assert len(good.requests) == 12
    assert len(bad.requests) == 1


async def test_both_addresses_are_used_and_get_the_key_of_the_backend() -> None:
    with Upstream() as one, Upstream() as other:
        plan = plan_of(f'urls = ["{one.url}", "{other.url}/"], key = env("LAB_KEY")')
        async with Engine(plan, environment={"LAB_KEY": "sk-1"}) as engine:
            for number in range(20):
                await engine.run("main", f"{QUESTION} {number}")
    assert min(len(one.requests), len(other.requests)) > 0
    assert {r.headers["authorization"] for r in [*one.requests, *other.requests]} == {"Bearer sk-1"}


async def test_an_open_circuit_leaves_the_endpoint_alone_and_the_fallback_answers() -> None:
    with Upstream(refused(500, "oops")) as upstream:
        async with Engine(plan_of(f'url = "{upstream.url}", circuit = 2, cooldown = 1m')) as engine:
            messages, calls = [], []
            for _ in range(5):
                with pytest.raises(RunFailure) as raised:
                    await engine.run("main", QUESTION)
                messages.append(raised.value.message)
                assert raised.value.spend is not None
                calls.append(raised.value.spend.calls)
    assert len(upstream.requests) == 2
    assert calls == [1, 1, 0, 0, 0]
    assert messages[:2] == ["HTTP 500: oops"] * 2
    assert all(message.startswith("not called: `small` failed too often") for message in messages[2:])


async def test_an_endpoint_that_stalls_is_left_alone_as_one_that_fails() -> None:
    with Upstream([STALL]) as upstream:
        settings = f'url = "{upstream.url}", circuit = 2, cooldown = 1m, patience = 100ms'
        async with Engine(plan_of(settings)) as engine:
            messages = []
            for _ in range(4):
                with pytest.raises(RunFailure) as raised:
                    await engine.run("main", QUESTION)
                messages.append(raised.value.message)
    assert len(upstream.requests) == 2
    assert messages[:2] == ["nothing came for 0.1 s"] * 2
    assert all(message.startswith("not called: `small` failed too often") for message in messages[2:])


async def test_a_retry_after_a_stall_goes_to_the_other_address() -> None:
    retrying = "ask reply = speak(model = small) { retries = 1 }\n return reply"
    with Upstream() as good, Upstream([STALL]) as bad:
        plan = plan_of(f'urls = ["{bad.url}", "{good.url}"], patience = 500ms', retrying)
        async with Engine(plan) as engine:
            for number in range(6):
                assert (await engine.run("main", f"{QUESTION} {number}")).text == "Jupiter."
    assert len(bad.requests) == 1


async def test_a_call_that_is_given_up_while_it_waits_for_others_is_no_call() -> None:
    with Upstream([STALL]) as upstream:
        racing = "fanout xs = speak(model = small) for n in [1, 2, 3] { timeout = 300ms, on_error = skip }\n return first(xs)"
        async with Engine(plan_of(f'url = "{upstream.url}", parallel = 1', racing)) as engine:
            with pytest.raises(RunFailure) as raised:
                await engine.run("main", QUESTION)
    assert len(upstream.requests) == 1
    assert raised.value.trace is not None
    assert raised.value.spend is not None
    given_up = sorted((event.data["sent"], event.data["tokens"]) for event in raised.value.trace.of("call_cancelled"))
    assert [sent for sent, _ in given_up] == [False, False, True]
    assert [tokens for _, tokens in given_up[:2]] == [0, 0]
    assert (raised.value.spend.calls, raised.value.spend.tokens) == (1, given_up[2][1])


async def test_a_run_whose_endpoint_is_not_there_has_used_nothing() -> None:
    with Upstream() as upstream:
        pass
    async with Engine(plan_of(f'url = "{upstream.url}"')) as engine:
        with pytest.raises(RunFailure, match="can't connect") as raised:
            await engine.run("main", QUESTION)
    spend = raised.value.spend
    assert spend is not None
    assert (spend.calls, spend.tokens, spend.cost, spend.reported) == (0, 0, 0.0, True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (('urls = ["http://a/v1", "http://a/v1/"]',), "`urls` has the wrong value"),
        (("urls = []",), "`urls` has the wrong value"),
        (("urls = [1]",), "`urls` has the wrong value"),
        (('urls = "http://a/v1"',), "`urls` has the wrong value"),
        (('urls = ["http://a/v1", "ftp://b"]',), "this is not the address of an endpoint"),
        (('urls = ["http://a/v1", "http://me:secret@b/v1"]',), "this is not the address of an endpoint"),
        (('url = "http://a/v1"', 'urls = ["http://b/v1"]'), "`urls` has no place here: there is a `url`"),
        (('url = "http://a/v1"', "circuit = 0"), "`circuit` of a backend has the wrong value"),
        (('url = "http://a/v1"', "parallel = 0"), "`parallel` of a backend has the wrong value"),
        (('url = "http://a/v1"', "patience = 0s"), "`patience` of a backend has the wrong value"),
        (('url = "http://a/v1"', "patience = 30"), "`patience` of a backend has the wrong value"),
    ],
)
def test_a_setting_that_can_not_be_is_told(settings: tuple[str, ...], message: str) -> None:
    compilation = compile_text(f"backend lab {{ kind = openai, {', '.join(settings)} }}")
    assert [diagnostic.message for diagnostic in compilation.diagnostics] == [message]


def test_what_is_not_declared_is_not_there() -> None:
    lab = plan_of('url = "http://a/v1"').backends["lab"]
    assert (lab.replicas, lab.circuit, lab.parallel) == ((), 0, None)
