"""Runs as traces of OpenTelemetry: a span for the run, for each step and for each call of a model, by the GenAI conventions.

Follows what a run tells of itself, and says to each model's server what trace its call is a part of. It knows nothing of
where spans are sent: that is the host's affair, or, for the server, that of the environment (`OTEL_…`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from recipelang.ir.plan import Entry, Model, Plan
from recipelang.quick import dataclass, field
from recipelang.runtime.ports import Event, ModelCall, Tracer
from recipelang.runtime.values import Json

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.trace import Tracer as OtelTracer

NAME = "recipelang"
_STEP_ENDS_WELL = ("ok", "skipped", "fallback", "none")
_TOLD = frozenset(
    [
        "accepted",
        "arm_taken",
        "calls_lost",
        "committed",
        "dropped",
        "escalated",
        "fallback_taken",
        "gauge",
        "hedged",
        "host_retry",
        "journal_failed",
        "json_repaired",
        "kept",
        "overrun",
        "quorum",
        "repair",
        "retry",
        "signal",
        "task_end",
        "task_lost",
        "task_start",
        "until_met",
        "until_unmet",
    ]
)
"""Events that are told on the span of their step."""
_QUOTING = frozenset(["contract", "failed", "not_accepted", "plan", "quorum"])
"""Failures whose reasons may quote what was said."""
_OTHERS = {
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "stop": "gen_ai.request.stop_sequences",
}


class TracingProblem(Exception):
    """Traces are asked for, and what makes them is not installed."""


@dataclass(frozen=True, slots=True)
class PassedOn:
    """Hands on to the models what trace a run is a part of, and makes no spans of its own."""

    parents: Mapping[str, str]

    def record(self, event: Event) -> None:
        return None

    def headers(self, number: int, call: ModelCall) -> Mapping[str, str]:
        return self.parents


class Tracing:
    """Makes spans of runs: those of an `Engine(..., tracing=Tracing())`.

    They go to `provider`, by default the one that the host has set for OpenTelemetry, and belong to the trace that goes on
    where the run is made, or to the one that the run is given as its `trace`. `content` puts what was said into them.

    Raises `TracingProblem` where the extra `otel` is not installed.
    """

    def __init__(self, *, content: bool = False, provider: TracerProvider | None = None) -> None:
        _must_have("opentelemetry")
        from opentelemetry import trace  # deferred: an extra

        self.content = content
        self._tracer = trace.get_tracer(NAME, tracer_provider=provider)

    def following(self, plan: Plan, entry: Entry, parents: Mapping[str, str]) -> Tracer:
        """Who follows a run."""
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # deferred: an extra

        parent = TraceContextTextMapPropagator().extract(parents) if parents else None
        return _Spans(self._tracer, plan, entry, parent, self.content)


def _must_have(*packages: str) -> None:
    try:
        there = all(find_spec(package) is not None for package in packages)
    except ModuleNotFoundError:  # not even what they are parts of
        there = False
    if not there:
        raise TracingProblem("traces take `pip install 'recipelang[otel]'`")


@contextmanager
def exported(content: bool) -> Iterator[Tracing]:
    """Tracing whose spans are sent by OTLP, to where OpenTelemetry's own variables say; what is left is sent in the end.

    Raises `TracingProblem`.
    """
    _must_have("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # deferred: an extra
    from opentelemetry.sdk.resources import Resource  # deferred: an extra
    from opentelemetry.sdk.trace import TracerProvider  # deferred: an extra
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # deferred: an extra

    named = "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "") or "OTEL_SERVICE_NAME" in os.environ
    provider = TracerProvider(resource=Resource.create({} if named else {"service.name": NAME}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield Tracing(content=content, provider=provider)
    finally:
        provider.shutdown()


@dataclass(slots=True)
class _Spans:
    """The spans of one run: those that are open, by the path of their step and by the number of their call."""

    tracer: OtelTracer
    plan: Plan
    entry: Entry
    parent: Context | None
    content: bool
    steps: dict[str, Span] = field(default_factory=dict)  # the run's own has an empty path
    calls: dict[int, Span] = field(default_factory=dict)

    def record(self, event: Event) -> None:
        if event.kind != "run_start" and "" not in self.steps:
            return  # the run has ended; what is said of it later has no place any more
        if not self.content and _may_quote(event):
            event = _unquoted(event)
        match event.kind:
            case "run_start":
                self._begin_run(event)
            case "run_end":
                self._end_run(event)
            case "step_start":
                told = {"recipelang.step": event.step, "recipelang.step.kind": event.data["step_kind"]}
                self.steps[event.step] = self._opened(f"step {event.step}", event.step, told)
            case "step_end" if event.step in self.steps:
                self._end_step(event)
            case "call_start":
                self._begin_call(event)
            case "call_end" | "call_failed" | "call_cancelled":
                self._end_call(event)
            case "host_call_start" | "host_call_end" | "host_call_failed" | "host_call_cancelled" | "call_refused":
                self._around(event.step).add_event(event.kind, _plain(event.data))
            case kind if kind in _TOLD:
                self._around(event.step).add_event(kind, _plain(event.data))
            case _:
                pass

    def headers(self, number: int, call: ModelCall) -> Mapping[str, str]:
        from opentelemetry.trace import set_span_in_context  # deferred: an extra
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # deferred: an extra

        span = self.calls[number]
        if span.is_recording():
            span.set_attributes(_asked(call))
        told: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(told, set_span_in_context(span))
        return told

    # ---------------------------------------------------------------- the run

    def _begin_run(self, event: Event) -> None:
        told = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.agent.name": self.entry.name,
            "recipelang.recipe": event.data["recipe"],
            "recipelang.seed": event.data["seed"],
        }
        name = f"invoke_workflow {self.entry.name}"
        self.steps[""] = self.tracer.start_span(name, self.parent, attributes=told)

    def _end_run(self, event: Event) -> None:
        run, told = self.steps.pop(""), event.data
        for span in (*self.calls.values(), *self.steps.values()):  # none, unless a run is cut off
            span.end()
        run.set_attributes(
            _known(
                {
                    "gen_ai.usage.input_tokens": told["prompt_tokens"],
                    "gen_ai.usage.output_tokens": told["completion_tokens"],
                    "recipelang.calls": told["calls"],
                    "recipelang.cost": told["cost"],
                    "recipelang.wasted_calls": told["wasted_calls"],
                    "recipelang.status": told["status"],
                }
            )
        )
        if told["status"] != "ok":
            _failed(run, told.get("failure") or told["status"], told.get("why"))
        run.end()

    # -------------------------------------------------------------- the steps

    def _end_step(self, event: Event) -> None:
        span, told = self.steps.pop(event.step), event.data
        span.set_attribute("recipelang.step.status", told["status"])
        if told["status"] not in _STEP_ENDS_WELL:
            _failed(span, told.get("failure") or told["status"], told.get("why"))
        span.end()

    def _around(self, path: str) -> Span:
        """The innermost open span around a path: `a[1].b[2]`, `a[1].b`, `a[1]`, `a`, the run."""
        while path and path not in self.steps:
            path = _outer(path)
        return self.steps[path]

    def _opened(self, name: str, path: str, told: Mapping[str, Json], *, outside: bool = False) -> Span:
        from opentelemetry.trace import SpanKind, set_span_in_context  # deferred: an extra

        around = set_span_in_context(self._around(path if outside else _outer(path)))
        return self.tracer.start_span(name, around, SpanKind.CLIENT if outside else SpanKind.INTERNAL, _known(told))

    # -------------------------------------------------------------- the calls

    def _begin_call(self, event: Event) -> None:
        model = self.plan.models[event.data["model"]]
        told = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": model.id,
            **_provider(self.plan, model),
            "recipelang.step": event.step,
            "recipelang.model": model.name,
            "recipelang.role": event.data["role"],
            "recipelang.sample": event.data["sample"],
            "recipelang.attempt": event.data["attempt"],
            "gen_ai.input.messages": _messages(event.data.get("messages")),
        }
        self.calls[event.data["call"]] = self._opened(f"chat {model.id}", event.step, told, outside=True)

    def _end_call(self, event: Event) -> None:
        span, told = self.calls.pop(event.data["call"]), event.data
        if span.is_recording():
            span.set_attributes(
                _known(
                    {
                        "gen_ai.usage.input_tokens": told["prompt_tokens"],
                        "gen_ai.usage.output_tokens": told["completion_tokens"],
                        "recipelang.usage.reported": told["reported"],
                        "recipelang.cost": told["cost"],
                        "recipelang.cached": told.get("cached"),
                        "gen_ai.response.finish_reasons": [told["finish"]] if "finish" in told else None,
                        "gen_ai.output.messages": _answer(told),
                        "http.response.status_code": told.get("status"),
                    }
                )
            )
        if event.kind == "call_failed":
            _failed(span, told["failure"], told["message"])
        elif event.kind == "call_cancelled":
            span.set_attribute("recipelang.cancelled", told["why"])
            if told["why"] == "timeout":
                _failed(span, "timeout", None)
        span.end()


def _may_quote(event: Event) -> bool:
    """Whether its reason may have words of an answer in it: one that is not as it should be is quoted."""
    told = event.data
    return event.kind in ("repair", "task_lost") or told.get("failure") in _QUOTING or told.get("status") == "none"


def _unquoted(event: Event) -> Event:
    told = {name: value for name, value in event.data.items() if name not in ("why", "problem")}
    return Event(event.at, event.kind, event.step, told)


def _outer(path: str) -> str:
    return path[: max(path.rfind("."), path.rfind("["), 0)]


def _asked(call: ModelCall) -> dict[str, Json]:
    """What a call asks for besides its messages."""
    told = {
        "gen_ai.request.max_tokens": call.max_tokens,
        "gen_ai.request.temperature": call.temperature,
        "gen_ai.request.seed": call.seed,
        "gen_ai.output.type": None if call.schema is None else "json",
        **{named: call.others.get(name) for name, named in _OTHERS.items()},
    }
    return _known(told)


def _provider(plan: Plan, model: Model) -> dict[str, Json]:
    """Who is asked, as far as that is known: any server may speak OpenAI's protocol."""
    backend = plan.backends[model.backend]
    if backend.url is None:
        return {"gen_ai.provider.name": backend.protocol}
    address = urlsplit(backend.url)
    port = address.port or (443 if address.scheme == "https" else 80)
    return {"gen_ai.provider.name": backend.protocol, "server.address": address.hostname, "server.port": port}


def _messages(messages: Json) -> str | None:
    """A conversation in the form that the conventions have for it."""
    if messages is None:
        return None
    return json.dumps([{"role": one["role"], "parts": _parts(one["content"])} for one in messages], ensure_ascii=False)


def _answer(told: Mapping[str, Json]) -> str | None:
    if "text" not in told:
        return None
    said = {"role": "assistant", "parts": _parts(told["text"]), "finish_reason": told["finish"]}
    return json.dumps([said], ensure_ascii=False)


def _parts(content: Json) -> list[Json]:
    texts = [content] if isinstance(content, str) else [part.get("text") for part in content or ()]
    return [{"type": "text", "content": text} for text in texts if isinstance(text, str)]


def _failed(span: Span, kind: str, why: Json) -> None:
    from opentelemetry.trace import Status, StatusCode  # deferred: an extra

    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, None if why is None else str(why)))


def _known(told: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in told.items() if value is not None}


def _plain(data: Mapping[str, Json]) -> dict[str, Json]:
    """What an event says, as attributes: plain values as they are, others as JSON."""
    return {
        name: value
        if isinstance(value, (str, bool, int, float))
        else json.dumps(value, default=str, ensure_ascii=False)
        for name, value in data.items()
        if value is not None
    }
