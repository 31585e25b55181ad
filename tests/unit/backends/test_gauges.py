"""How models do: what vLLM says of itself, what a host sees, and how expressions read either."""

from __future__ import annotations

import anyio
import pytest

from model_calls import CALL
from recipelang import compile_text
from recipelang.backends.replicas import Replicas
from recipelang.backends.scripted import After, ScriptedBackend
from recipelang.backends.vllm import Seen, seen_in
from recipelang.hosts.engine import Engine
from recipelang.ir.plan import Backend, Plan
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.ports import BackendError, FailureKind
from runs import QUESTION
from upstream import Answer, Received, Upstream, http, refused, replying

pytestmark = pytest.mark.anyio

METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="small-1"} 3.0
vllm:num_requests_waiting{engine="0",model_name="small-1"} 40.0
vllm:num_requests_running{model_name="other"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="small-1"} 0.75
vllm:gpu_cache_usage_perc{model_name="other"} 0.5
vllm:prompt_tokens_total{model_name="small-1"} 1.2e+06
process_cpu_seconds_total 12.5
"""


def test_what_vllm_says_is_understood() -> None:
    assert seen_in(METRICS) == {"small-1": Seen(43.0, 0.75), "other": Seen(1.0, 0.5)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "vllm:num_requests_running{} nan",
        "vllm:num_requests_running",
        "vllm:num_requests_running{a=} -3",
        "\0" * 9,
    ],
)
def test_what_is_no_metric_says_nothing(text: str) -> None:
    assert seen_in(text) == {}


@pytest.mark.virtual_time
async def test_a_host_sees_what_it_has_in_flight_and_how_long_answers_take() -> None:
    lab = Replicas(Backend("lab", "openai", "u"), [("u", ScriptedBackend({"*": [After(2, "a"), After(4, "b")]}))])
    assert lab.gauge("latency", CALL.model) is None
    async with anyio.create_task_group() as group:
        group.start_soon(lab.complete, CALL)
        await anyio.sleep(1)
        assert lab.gauge("load", CALL.model) == 1
    assert lab.gauge("load", CALL.model) == 0
    assert lab.gauge("latency", CALL.model) == 2
    await lab.complete(CALL)
    assert lab.gauge("latency", CALL.model) == pytest.approx(2.4)
    assert lab.gauge("kv_cache", CALL.model) is None


@pytest.mark.virtual_time
async def test_a_model_is_healthy_while_one_of_its_addresses_lets_calls_through() -> None:
    down = ScriptedBackend({"*": BackendError(FailureKind.REFUSED, "down", may_pass=True)})
    lab = Replicas(Backend("lab", "openai", "u", circuit=1), [("u", down)])
    assert lab.gauge("healthy", CALL.model) is True
    with pytest.raises(BackendError):
        await lab.complete(CALL)
    assert lab.gauge("healthy", CALL.model) is False
    await anyio.sleep(10)
    assert lab.gauge("healthy", CALL.model) is True


def plan_of(settings: str, condition: str) -> Plan:
    compilation = compile_text(
        f"""
        backend lab {{ kind = openai, {settings} }}
        model small {{ backend = lab, id = "small-1", price = {{ input = $0, output = $0 }} }}
        role speak() {{ max_tokens = 100 }}
        recipe main() -> answer {{
          budget {{ calls = 1 }}
          choose reply {{
            when {condition} and {condition} => speak(model = small)
            otherwise => fail("not now")
          }}
          return reply
        }}
        """
    )
    assert compilation.plan is not None, [diagnostic.message for diagnostic in compilation.diagnostics]
    return compilation.plan


def with_metrics(request: Received) -> Answer:
    return http(200, METRICS.encode(), type="text/plain") if request.method == "GET" else replying()(request)


async def test_a_recipe_sees_what_its_server_says_and_no_key_goes_there() -> None:
    with Upstream(with_metrics) as upstream:
        settings = f'url = "{upstream.url}", load = vllm, key = env("LAB_KEY")'
        async with Engine(plan_of(settings, "(load(small) or 0) < 40"), environment={"LAB_KEY": "sk-1"}) as engine:
            trace = None
            await anyio.to_thread.run_sync(upstream.wait_until, lambda server: len(server.requests) > 0)
            with anyio.fail_after(5):
                while True:  # until what was sent has been read
                    try:
                        await engine.run("main", QUESTION)
                    except RunFailure as ended:
                        trace = ended.trace
                        break
    assert trace is not None
    gauges = [event.data for event in trace.events if event.kind == "gauge"]
    assert [dict(data) for data in gauges] == [{"gauge": "load", "model": "small", "value": 43.0}]
    looks = [request for request in upstream.requests if request.method == "GET"]
    assert {request.path for request in looks} == {"/metrics"}
    assert not any("authorization" in request.headers for request in looks)
    assert upstream.open == 0


async def test_a_server_without_metrics_is_one_of_which_nothing_is_known() -> None:
    def without(request: Received) -> Answer:
        return refused(404, "no such page") if request.method == "GET" else replying()(request)

    with Upstream(without) as upstream:
        plan = plan_of(f'url = "{upstream.url}", load = vllm', "kv_cache(small) == none")
        async with Engine(plan) as engine:
            assert (await engine.run("main", QUESTION)).text == "Jupiter."


async def test_a_recipe_that_asks_for_latency_is_told_it_with_nothing_declared() -> None:
    with Upstream() as upstream:
        async with Engine(plan_of(f'url = "{upstream.url}"', "latency(small) == none")) as engine:
            assert (await engine.run("main", QUESTION)).text == "Jupiter."
            with pytest.raises(RunFailure):
                await engine.run("main", QUESTION)


async def test_where_nobody_watches_a_model_is_healthy() -> None:
    plan = plan_of('url = "http://127.0.0.1:9/v1"', "healthy(small)")
    async with Engine(plan, backends={"lab": ScriptedBackend({"*": "Jupiter."})}) as engine:
        result = await engine.run("main", QUESTION)
    assert result.text == "Jupiter."
    assert [e.data["value"] for e in result.trace.events if e.kind == "gauge"] == [True]


async def test_a_failure_while_servers_are_watched_is_raised_as_it_is() -> None:
    with Upstream(with_metrics) as upstream:
        plan = plan_of(f'url = "{upstream.url}", load = vllm', "not healthy(small)")
        with pytest.raises(RunFailure):
            async with Engine(plan) as engine:
                await engine.run("main", QUESTION)
