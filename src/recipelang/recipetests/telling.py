"""The events of a run that matter to who wonders why a test failed, a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from recipelang.ir.amounts import dollars
from recipelang.recipetests.writing import duration, quoted, shortened
from recipelang.runtime.ledger import Spend
from recipelang.runtime.ports import Event
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Json

Data = Mapping[str, Json]


def told(trace: Trace) -> Iterator[str]:
    """What happened, in order: when, in which step, what."""
    started = {event.data["call"]: event.data for event in trace.of("call_start")}
    lines = [(event, _what(event, started)) for event in trace.events]
    kept = [(duration(event.at), event.step, what) for event, what in lines if what]
    widths = [max((len(line[column]) for line in kept), default=0) for column in (0, 1)]
    for at, step, what in kept:
        yield f"{at:>{widths[0]}}  {step:<{widths[1]}}  {what}".rstrip()


def used(spend: Spend) -> str:
    """`5 calls, 1523 tokens, $0.0046, 2s`."""
    cost = "cost unknown" if spend.cost is None else dollars(spend.cost)
    calls = "1 call" if spend.calls == 1 else f"{spend.calls} calls"
    return f"{calls}, {spend.tokens} tokens, {cost}, {duration(spend.seconds)}"


def _what(event: Event, started: Mapping[int, Data]) -> str:
    data = {**event.data, "why": str(event.data.get("why", "")).removeprefix(f"step `{event.step}`: ")}
    if event.kind in ("call_end", "call_failed", "call_cancelled"):
        call = started[data["call"]]
        return f"{call['model']} as {call['role'].rpartition('.')[2]}: {_CALLS[event.kind](data)}"
    return _TOLD[event.kind](data) if event.kind in _TOLD else ""


def _ended(data: Data) -> str:
    match data["status"]:
        case "skipped":
            return "skipped: `when` does not hold"
        case "none":
            return f"gives none: {data['why']}"
        case "failed":
            return f"failed: {data['why']}"
        case _:
            return ""


def _verdict(word: str) -> Callable[[Data], str]:
    def verdict(data: Data) -> str:
        if "saw" in data:
            return f"{word}: {data['saw']} {data['is']} {data['than']} {_holds(word)}"
        return f"{word}: {data['why']}" if data["why"] else word

    return verdict


def _holds(word: str) -> str:
    return "holds" if word in ("accepted", "it is enough") else "does not hold"


_CALLS: dict[str, Callable[[Data], str]] = {
    "call_end": lambda data: _said(data.get("text", "")) + _finish(data["finish"]),
    "call_failed": lambda data: (
        "no reply is written down" if data["failure"] == "broken" else f"failed: {data['message']}"
    ),
    "call_cancelled": lambda data: f"given up: {data['why']}",
}
_TOLD: dict[str, Callable[[Data], str]] = {
    "call_refused": lambda data: f"{data['model']} as {data['role'].rpartition('.')[2]}: {data['message']}",
    "retry": lambda data: f"asks {data['model']} again after {duration(data['delay'])}",
    "repair": lambda data: f"asks for a repair: {data['problem']}",
    "dropped": lambda data: "" if data.get("failure") == "backend" else _verdict("dropped")(data),  # its call told it
    "quorum": lambda data: f"the quorum of {data['quorum']} is in",
    "accepted": _verdict("accepted"),
    "escalated": _verdict("escalated"),
    "until_met": _verdict("it is enough"),
    "arm_taken": lambda data: f"takes arm {data['arm'] + 1}: {data['calls']}",
    "fallback_taken": lambda data: f"takes its fallback: {data['why']}",
    "host_call_end": lambda data: f"{data['extern']} gave what it promises",
    "host_call_failed": lambda data: f"{data['extern']} failed: {data['why']}",
    "host_call_cancelled": lambda data: f"{data['extern']} is not needed any more",
    "task_lost": lambda data: f"lost: {data['why']}",
    "step_end": _ended,
}


def _said(text: str) -> str:
    """What a model said, on one line: a text as a literal, JSON as it is."""
    return shortened(" ".join(text.split())) if text.lstrip().startswith(("{", "[")) else quoted(text)


def _finish(finish: str) -> str:
    return "" if finish == "stop" else f" ({finish})"
