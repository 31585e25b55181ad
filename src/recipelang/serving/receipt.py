"""The receipt of a run: what was called, why each step ended, what was billed, and what was given up unseen."""

from __future__ import annotations

from collections.abc import Iterable

from recipelang.ir.plan import Plan
from recipelang.quick import dataclass
from recipelang.runtime.ports import Event
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Json

_CALL_ENDS = {"call_end": "ok", "call_failed": "failed", "call_cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class Books:
    """The sums of a run. What the upstreams said that they bill stands apart from what they may have billed besides.

    A call that failed or was cancelled without a word about its usage may have cost anything up to what was set aside
    for it: that is in `unknown_…`, and a budget counts it. A whole reply that came without usage counts there too.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0  # dollars, functions of the host included
    unknown_calls: int = 0
    unknown_tokens: int = 0
    unknown_cost: float = 0.0
    wasted_calls: int = 0  # failed, or given up
    priced: bool = True  # whether all models that were called have a price
    unsaid_prompt: int = 0  # of whole replies that came without usage, at most; part of `unknown_tokens`
    unsaid_completion: int = 0
    cached_calls: int = 0  # answered by a reply that was known: no call of a model, and free

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


def books_of(events: Iterable[Event], plan: Plan) -> Books:
    """The sums over the calls of a run."""
    calls = prompt = completion = unknown_calls = unknown_tokens = wasted = unsaid_prompt = unsaid_completion = 0
    cached = 0
    cost = unknown_cost = 0.0
    priced = True
    for event in events:
        if event.kind == "host_call_start":
            cost += plan.externs[event.data["extern"]].cost
        if event.kind not in _CALL_ENDS:
            continue
        told = event.data
        if told.get("cached"):
            cached += 1
            continue
        calls += 1
        wasted += event.kind != "call_end"
        priced = priced and told["cost"] is not None
        if told["reported"]:
            prompt += told["prompt_tokens"]
            completion += told["completion_tokens"]
            cost += told["cost"] or 0.0
        else:
            unknown_calls += 1
            unknown_tokens += told["prompt_tokens"] + told["completion_tokens"]
            unknown_cost += told["cost"] or 0.0
            if event.kind == "call_end":
                unsaid_prompt += told["prompt_tokens"]
                unsaid_completion += told["completion_tokens"]
    return Books(
        calls,
        prompt,
        completion,
        cost,
        unknown_calls,
        unknown_tokens,
        unknown_cost,
        wasted,
        priced,
        unsaid_prompt,
        unsaid_completion,
        cached,
    )


def receipt_of(trace: Trace, books: Books, digests: dict[str, Json], seconds: float) -> dict[str, Json]:
    """The whole receipt as JSON; `docs/server.md` says what is in it."""
    return {
        **digests,
        "seed": trace.seed,
        "calls": books.calls,
        "prompt_tokens": books.prompt_tokens,
        "completion_tokens": books.completion_tokens,
        "cost": books.cost if books.priced else None,
        "unknown": {
            "calls": books.unknown_calls,
            "tokens_at_most": books.unknown_tokens,
            "cost_at_most": books.unknown_cost if books.priced else None,
        },
        "wasted_calls": books.wasted_calls,
        "cached_calls": books.cached_calls,
        "seconds": round(seconds, 6),
        "steps": _steps(trace.events),
        "model_calls": _calls(trace.events),
    }


def _steps(events: Iterable[Event]) -> list[dict[str, Json]]:
    """Each step that began, in that order, with how and why it ended."""
    steps: dict[str, dict[str, Json]] = {}
    for event in events:
        match event.kind:
            case "step_start":
                steps[event.step] = {
                    "step": event.step,
                    "kind": event.data["step_kind"],
                    "ended": None,
                    "began": event.at,
                }
            case "step_end" if event.step in steps:
                step = steps[event.step]
                step["ended"] = event.data["status"]
                step["seconds"] = round(event.at - step.pop("began"), 6)
                step |= {name: event.data[name] for name in ("failure", "why") if event.data.get(name) is not None}
            case "fallback_taken" if event.step in steps:
                steps[event.step] |= {"failure": event.data["failure"], "why": event.data["why"]}
            case "quorum" if event.step in steps:
                steps[event.step]["quorum"] = {name: event.data[name] for name in ("kept", "quorum", "pending")}
            case _:
                pass
    for step in steps.values():
        step.pop("began", None)
    return list(steps.values())


def _calls(events: Iterable[Event]) -> list[dict[str, Json]]:
    """Each call in the order in which they were sent, those that were not sent last."""
    calls: dict[int, dict[str, Json]] = {}
    unsent: list[dict[str, Json]] = []
    for event in events:
        told = event.data
        if event.kind == "call_start":
            calls[told["call"]] = {
                "call": told["call"],
                "step": event.step,
                "model": told["model"],
                "role": told["role"],
                "attempt": told["attempt"],
                "began": round(event.at, 6),
            }
        elif event.kind in _CALL_ENDS:
            call = calls[told["call"]]
            call["ended"] = _CALL_ENDS[event.kind]
            why = told.get("message") or told.get("why")
            if why is not None:
                call["why"] = why
            call["seconds"] = round(event.at - call["began"], 6)
            call |= {name: told[name] for name in ("prompt_tokens", "completion_tokens", "reported", "cost")}
            if told.get("cached"):
                call["cached"] = True
        elif event.kind == "call_refused":
            unsent.append(
                {
                    "step": event.step,
                    "model": told["model"],
                    "role": told["role"],
                    "ended": "refused",
                    "why": told["message"],
                }
            )
    return [*calls.values(), *unsent]
