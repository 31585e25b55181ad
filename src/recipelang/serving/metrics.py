"""Metrics for Prometheus, on a registry of their own; nothing in them says what was asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from recipelang.serving.reports import Report

FORM = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
_ENDS = {"call_end": "ok", "call_failed": "failed", "call_cancelled": "cancelled"}


class Metrics:
    """A watcher that counts; `recipe` is the exposed name, and empty for requests that named none."""

    def __init__(self, in_flight: Callable[[], int]) -> None:
        self._counter, self._histogram = cache(Counter.labels), cache(Histogram.labels)  # to look is half of counting
        self._registry = own = CollectorRegistry()
        self._requests = Counter(
            "recipelang_requests", "requests that have ended", ["recipe", "path", "status"], registry=own
        )
        self._seconds = Histogram(
            "recipelang_request_seconds", "how long they took", ["recipe"], buckets=_SECONDS, registry=own
        )
        self._first = Histogram(
            "recipelang_first_word_seconds",
            "until a stream's first word",
            ["recipe"],
            buckets=_SECONDS,
            registry=own,
        )
        self._tokens = Counter("recipelang_tokens", "tokens billed", ["recipe", "kind"], registry=own)
        self._cost = Counter("recipelang_cost_dollars", "dollars billed", ["recipe"], registry=own)
        self._calls = Counter("recipelang_model_calls", "calls of models", ["model", "ended"], registry=own)
        self._reloads = Counter("recipelang_reloads", "reloads of recipes", ["ended"], registry=own)
        Gauge("recipelang_in_flight", "requests under way", registry=own).set_function(in_flight)

    def __call__(self, report: Report) -> None:
        recipe, books = report.model, report.books
        self._counter(self._requests, recipe, report.path, str(report.status)).inc()
        if not recipe:
            return
        self._histogram(self._seconds, recipe).observe(report.seconds)
        if report.first is not None:
            self._histogram(self._first, recipe).observe(report.first)
        self._counter(self._tokens, recipe, "prompt").inc(books.prompt_tokens)
        self._counter(self._tokens, recipe, "completion").inc(books.completion_tokens)
        self._counter(self._cost, recipe).inc(books.cost)
        models = {event.data["call"]: event.data["model"] for event in report.events if event.kind == "call_start"}
        for event in report.events:
            if event.kind in _ENDS:
                ended = "cached" if event.data.get("cached") else _ENDS[event.kind]
                self._counter(self._calls, models[event.data["call"]], ended).inc()

    def reloaded(self, fine: bool) -> None:
        self._reloads.labels("ok" if fine else "refused").inc()

    def page(self) -> bytes:
        return generate_latest(self._registry)
