"""Runs as traces of OpenTelemetry: the spans and what they say, the trace that they are a part of, and no content unless asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio
import pytest

from recipelang import (
    BackendError,
    Engine,
    Event,
    FailureKind,
    Reply,
    RunFailure,
    ScriptedBackend,
    Tracing,
    TracingProblem,
    Usage,
)
from recipelang.backends.scripted import After, Script
from recipelang.hosts.tracing import exported
from runs import plan_of
from upstream import Upstream

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

pytestmark = pytest.mark.anyio
RECIPES = """
role judge(answers: answer[]) { prompt = "Merge.\\n{{ answers }}" max_tokens = 80 temperature = 0.2 }
recipe panel() -> answer {
  fanout answers = speak(model = m) for m in [small, large] { quorum = 1, on_error = skip }
  ask final = judge(answers, model = large) { retries = 1 }
  return final
}
recipe main() -> answer { ask reply = speak(model = small) return reply }
contract planet { check = one_of(["Mars", "Venus"]), repair = 1 }
recipe held() -> answer {
  ask reply = speak(model = small, contract = planet)
  return reply
}
recipe borne() -> answer {
  ask extra = speak(model = large, contract = planet) { optional = true }
  ask reply = speak(model = small)
  return reply if extra == none else extra
}
"""
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
REPLY = Reply("Jupiter.", usage=Usage(11, 3), finish="length")
LATE: Script = {"small/speak": After(1, REPLY), "large/speak": After(60, "late"), "*": REPLY}


class Spans:
    """What was exported, by name."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def all(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def number(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


async def traced(
    script: Script, recipe: str = "main", *, content: bool = False, trace: Mapping[str, str] | None = None
) -> tuple[Spans, ScriptedBackend]:
    spans, backend = Spans(), ScriptedBackend(script)
    tracing = Tracing(content=content, provider=spans.provider)
    async with Engine(plan_of(RECIPES), backends={"lab": backend}, tracing=tracing) as engine:
        with suppress(RunFailure):
            await engine.run(recipe, "Which planet is the largest?", trace=trace or {})
    return spans, backend


@pytest.mark.virtual_time
async def test_a_run_is_a_span_with_its_steps_inside_and_their_calls_inside_those() -> None:
    spans, _ = await traced(LATE, "panel")
    run = spans.one("invoke_workflow panel")
    steps = [spans.one("step answers"), spans.one("step final"), spans.one("step return")]
    assert [parent(step) for step in steps] == [number(run)] * 3
    assert parent(run) is None
    calls = spans.named("chat small-1") + spans.named("chat large-1")
    assert sorted(map(parent, calls), key=str) == sorted([number(steps[0])] * 2 + [number(steps[1])], key=str)
    assert len({span.context.trace_id for span in spans.all if span.context}) == 1
    assert "quorum" in [event.name for event in steps[0].events]


async def test_a_call_says_what_was_asked_what_was_used_and_why_it_ended_by_the_conventions() -> None:
    spans, _ = await traced({"*": REPLY}, "panel")
    (call,) = [span for span in spans.named("chat large-1") if told(span)["recipelang.role"] == "judge"]
    assert call.kind is SpanKind.CLIENT
    said = told(call)
    assert {name: said[name] for name in said if not name.startswith("recipelang.")} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "large-1",
        "gen_ai.request.max_tokens": 80,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.seed": said["gen_ai.request.seed"],
        "gen_ai.response.finish_reasons": ("length",),
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 3,
        "server.address": "127.0.0.1",
        "server.port": 9,
    }
    assert (said["recipelang.step"], said["recipelang.model"], said["recipelang.attempt"]) == ("final", "large", 0)


async def test_a_run_says_what_it_used_in_all() -> None:
    spans, _ = await traced({"*": REPLY})
    said = told(spans.one("invoke_workflow main"))
    assert (said["gen_ai.operation.name"], said["gen_ai.agent.name"]) == ("invoke_workflow", "main")
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"], said["recipelang.calls"]) == (
        11,
        3,
        1,
    )
    assert said["recipelang.cost"] > 0


async def test_what_failed_is_an_error_with_its_kind_and_a_retry_is_a_call_of_its_own() -> None:
    down = BackendError(FailureKind.SERVER, "down", 500, may_pass=True)
    spans, _ = await traced({"judge": [down, down], "*": REPLY}, "panel")
    judged = [span for span in spans.all if told(span).get("recipelang.role") == "judge"]
    assert [(span.status.status_code, told(span)["error.type"], told(span)["recipelang.attempt"]) for span in judged] == [
        (StatusCode.ERROR, "server", 0), (StatusCode.ERROR, "server", 1)
    ]  # fmt: skip
    for name in ("step final", "invoke_workflow panel"):
        assert (spans.one(name).status.status_code, told(spans.one(name))["error.type"]) == (
            StatusCode.ERROR,
            "backend",
        )
    assert spans.one("step answers").status.status_code is StatusCode.UNSET


@pytest.mark.virtual_time
async def test_a_call_that_nobody_needs_any_more_is_no_error() -> None:
    spans, _ = await traced(LATE, "panel")
    (given_up,) = [span for span in spans.all if told(span).get("recipelang.cancelled")]
    assert told(given_up)["recipelang.cancelled"] == "not needed"
    assert given_up.status.status_code is StatusCode.UNSET


@pytest.mark.virtual_time
async def test_a_run_that_is_given_up_ends_all_its_spans() -> None:
    spans, backend = Spans(), ScriptedBackend({"*": After(60, "late")})
    async with Engine(plan_of(RECIPES), backends={"lab": backend}, tracing=Tracing(provider=spans.provider)) as engine:
        with anyio.move_on_after(1):
            await engine.run("panel", "Hello?")
    assert sorted(span.name for span in spans.all) == [
        "chat large-1",
        "chat small-1",
        "invoke_workflow panel",
        "step answers",
    ]
    assert told(spans.one("invoke_workflow panel"))["error.type"] == "cancelled"


async def test_the_run_belongs_to_the_trace_of_who_asks_and_each_model_hears_of_it() -> None:
    spans, backend = await traced({"*": REPLY}, trace=PARENT)
    run, (call,) = spans.one("invoke_workflow main"), backend.calls
    assert run.context is not None
    assert (f"{run.context.trace_id:032x}", f"{parent(run):016x}") == (TRACE, SPAN)
    assert call.headers == {
        "traceparent": f"00-{TRACE}-{number(spans.one('chat small-1')):016x}-01", "tracestate": "vendor=1"
    }  # fmt: skip


async def test_the_run_belongs_to_the_span_that_goes_on_where_it_is_made() -> None:
    spans, backend = Spans(), ScriptedBackend({"*": REPLY})
    async with Engine(plan_of(RECIPES), backends={"lab": backend}, tracing=Tracing(provider=spans.provider)) as engine:
        with spans.provider.get_tracer("host").start_as_current_span("request") as around:
            await engine.run("main", "Hello?")
    assert parent(spans.one("invoke_workflow main")) == around.get_span_context().span_id


@pytest.mark.parametrize("kind", ["run_start", "call_start", "run_end"])
async def test_a_journal_that_fails_costs_neither_the_run_nor_its_spans_anything(kind: str) -> None:
    class Failing:
        def record(self, event: Event) -> None:
            if event.kind == kind:
                raise OSError

    spans, backend = Spans(), ScriptedBackend({"*": REPLY})
    async with Engine(plan_of(RECIPES), backends={"lab": backend}, tracing=Tracing(provider=spans.provider)) as engine:
        result = await engine.run("main", "Hello?", journal=Failing())
    assert result.text == "Jupiter."
    assert [span.name for span in spans.all][-1] == "invoke_workflow main"


@pytest.mark.parametrize("content", [False, True])
async def test_what_was_said_is_told_only_on_demand(content: bool) -> None:
    spans, _ = await traced({"*": REPLY}, content=content)
    assert ("planet" in str([span.to_json() for span in spans.all])) == content
    assert ("Jupiter" in str([span.to_json() for span in spans.all])) == content
    if content:
        said = told(spans.one("chat small-1"))
        assert json.loads(said["gen_ai.input.messages"])[-1] == {
            "role": "user", "parts": [{"type": "text", "content": "Which planet is the largest?"}]
        }  # fmt: skip
        (answer,) = json.loads(said["gen_ai.output.messages"])
        assert (answer["parts"][0]["content"], answer["finish_reason"]) == ("Jupiter.", "length")


@pytest.mark.parametrize("content", [False, True])
async def test_an_answer_that_breaks_its_contract_is_quoted_only_on_demand(content: bool) -> None:
    for recipe, step in (("held", "reply"), ("borne", "extra")):
        spans, _ = await traced({"large": "Jupiter.", "*": "Saturn."}, recipe, content=content)
        assert [event.name for event in spans.one(f"step {step}").events] == ["repair"]
        assert ("is none of Mars, Venus" in str([span.to_json() for span in spans.all])) == content
    spans, _ = await traced({"*": "Saturn."}, "held", content=content)
    assert told(spans.one("invoke_workflow held"))["error.type"] == "contract"


@pytest.mark.parametrize("stream", [False, True])
async def test_without_spans_of_its_own_a_run_hands_the_trace_on_to_the_models_server(stream: bool) -> None:
    with Upstream() as upstream:
        plan = plan_of(RECIPES.replace("model = small", "model = near"), WORLD.format(url=upstream.url))
        async with Engine(plan) as engine:
            if stream:
                async with engine.stream("main", "Hello?", trace=PARENT) as answer:
                    assert [piece async for piece in answer]
            else:
                await engine.run("main", "Hello?", trace=PARENT)
    (request,) = upstream.requests
    assert {name: request.headers[name] for name in PARENT} == PARENT


WORLD = """
backend lab {{ kind = openai, url = "{url}" }}
model near {{ backend = lab, id = "near-1" }}
model small {{ backend = lab, id = "small-1" }}
model large {{ backend = lab, id = "large-1" }}
role speak() {{ max_tokens = 100 }}
"""


async def test_without_the_extra_whoever_asks_for_traces_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for package in ("opentelemetry", "opentelemetry.sdk"):  # the second for where another test has imported it
        monkeypatch.setitem(sys.modules, package, None)
    for asked in (Tracing, exported(False).__enter__):
        with pytest.raises(TracingProblem, match=r"pip install 'recipelang\[otel\]'"):
            asked()
