"""Scripted runs that are written down as data: what models say, and what must come of it; `conformance/README.md` tells how."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

import anyio

from page_fences import agrees
from recipelang.backends.scripted import After
from recipelang.backends.scripted import Outcome as Said
from recipelang.ir.plan import Plan
from recipelang.runtime.members import text_of
from recipelang.runtime.ports import BackendError, Event, FailureKind, HostFunction, Reply
from recipelang.runtime.values import Message, Request, TokenLogprob, Usage, to_json
from runs import QUESTION, Outcome, outcome_of

Told = str | dict[str, Any]  # Any: what TOML gives


class Run(TypedDict, total=False):
    """A run of the recipe `main`, and what is expected of it."""

    arguments: dict[str, Any]
    request: str
    messages: list[dict[str, Any]]
    seed: int
    replies: dict[str, Told | list[Told]]
    functions: dict[str, Told | list[Told]]
    expect: dict[str, Any]


async def must_come_out_as_it_says(plan: Plan, run: Run) -> None:
    assert run.keys() <= Run.__annotations__.keys()
    script = {key: [said(one) for one in listed(told)] for key, told in run.get("replies", {}).items()}
    functions = {name: giving(listed(told)) for name, told in run.get("functions", {}).items()}
    outcome = await outcome_of(
        plan,
        script,
        arguments=run.get("arguments"),
        request=requested(run),
        seed=run.get("seed", 0),
        functions=functions,
    )
    for what, expected in run["expect"].items():
        EXPECTATIONS[what](outcome, expected)
    assert not outcome.backend.open
    assert [event.kind for event in outcome.trace.events][-1] == "run_end"


def requested(run: Run) -> Request:
    user = {"role": "user", "content": run.get("request", QUESTION)}
    return Request(tuple(Message(said["role"], said["content"]) for said in run.get("messages", [user])))


# ------------------------------------------------------------------- replies


def listed(told: Told | list[Told]) -> list[Told]:
    return told if isinstance(told, list) else [told]


def said(told: Told) -> Said:
    """What a scripted backend does for a reply of the file."""
    rest: dict[str, Any] = {"text": told} if isinstance(told, str) else dict(told)
    after = rest.pop("after", 0)
    outcome = failing(**rest) if "error" in rest else replying(**rest)
    return After(after, outcome) if after else outcome


def failing(
    error: str,
    message: str = "it went wrong",
    status: int | None = None,
    retry_after: float | None = None,
    passes: bool = False,
    usage: tuple[int, int] | None = None,
) -> BackendError:
    told = None if usage is None else Usage(*usage)
    return BackendError(FailureKind(error), message, status, retry_after, passes, told)


def replying(
    text: str = "",
    finish: str = "stop",
    usage: tuple[int, int] | Literal[False] = (10, 5),
    logprobs: Sequence[Sequence[Any]] | None = None,
    tool_calls: Sequence[Mapping[str, Any]] = (),
) -> Reply:
    tokens = None if logprobs is None else tuple(TokenLogprob(*token) for token in logprobs)
    return Reply(text, finish, Usage(*usage) if usage else None, tokens, tuple(tool_calls))


def giving(told: Sequence[Told]) -> HostFunction:
    """A function of the host, which gives what is told, call by call; the last of it for all further calls."""
    calls = iter(range(len(told)))

    async def function(**arguments: object) -> Any:
        one = told[next(calls, len(told) - 1)]
        assert isinstance(one, dict), 'a function gives `{ gives = ... }` or fails with `{ error = "why" }`'
        with anyio.CancelScope(shield=one.get("stubborn", False)):
            await anyio.sleep(one.get("after", 0))
        if "error" in one:
            raise RuntimeError(one["error"])
        return arguments if one.get("echoes") else one["gives"]

    return function


# -------------------------------------------------------------- expectations


def expect_text(outcome: Outcome, text: str) -> None:
    assert outcome.failure is None, str(outcome.failure)
    assert outcome.text == text


def expect_value(outcome: Outcome, value: object) -> None:
    assert outcome.failure is None, str(outcome.failure)
    assert to_json(outcome.value) == value


def expect_failure(outcome: Outcome, kind: str) -> None:
    assert outcome.failure is not None, f"it gave {outcome.text}"
    assert outcome.failure.kind.value == kind, str(outcome.failure)


def expect_step(outcome: Outcome, step: str) -> None:
    assert outcome.failure is not None
    assert outcome.failure.step == step


def expect_model(outcome: Outcome, model: str) -> None:
    assert outcome.failure is not None
    assert outcome.failure.model == model


def expect_message(outcome: Outcome, part: str) -> None:
    assert outcome.failure is not None
    assert part in outcome.failure.message


def expect_best(outcome: Outcome, text: str) -> None:
    assert outcome.failure is not None
    assert to_json(outcome.failure.best) == text


def expect_sent(outcome: Outcome, calls: list[str]) -> None:
    assert [f"{call.model.name}/{call.role}" for call in outcome.backend.calls] == calls


def expect_prompts(outcome: Outcome, prompts: list[str]) -> None:
    sent = ["\n\n".join(f"{m.role}: {text_of(m)}" for m in call.messages) for call in outcome.backend.calls]
    assert len(sent) == len(prompts), sent
    for prompt, shown in zip(sent, prompts, strict=True):
        assert agrees(prompt, shown), f"{prompt}\n--- is not:\n{shown}"


def expect_given_up(outcome: Outcome, models: list[str]) -> None:
    assert sorted(call.model.name for call in outcome.backend.cancelled) == sorted(models)


def expect_spend(outcome: Outcome, figures: dict[str, Any]) -> None:
    known = {**outcome.spend.as_json(), "tokens": outcome.spend.tokens}
    assert {name: rounded(known[name]) for name in figures} == figures


def rounded(figure: object) -> object:
    return round(figure, 9) if isinstance(figure, float) else figure


def expect_events(outcome: Outcome, told: list[str]) -> None:
    rest = iter(outcome.trace.events)
    for line in told:
        assert any(is_like(event, line) for event in rest), f"no `{line}` there in:\n{as_lines(outcome.trace.events)}"


def expect_never(outcome: Outcome, told: list[str]) -> None:
    for line in told:
        assert not any(is_like(event, line) for event in outcome.trace.events), as_lines(outcome.trace.events)


def is_like(event: Event, line: str) -> bool:
    """Whether an event is as `2.5 quorum answers kept=2` says."""
    words = line.split(" ")
    at = float(words.pop(0)) if words[0][0].isdigit() else event.at
    kind, step, *fields = words
    given = dict(field.split("=", 1) for field in fields)
    return (
        math.isclose(event.at, at, abs_tol=1e-6)
        and (kind, step) == (event.kind, event.step or "-")
        and all(str(event.data.get(name)).replace(" ", "_") == value for name, value in given.items())
    )


def as_lines(events: Sequence[Event]) -> str:
    return "\n".join(f"{event.at:g} {event.kind} {event.step or '-'} {dict(event.data)}" for event in events)


EXPECTATIONS: dict[str, Callable[[Outcome, Any], None]] = {  # Any: what TOML gives
    "text": expect_text,
    "value": expect_value,
    "failure": expect_failure,
    "step": expect_step,
    "model": expect_model,
    "message": expect_message,
    "best": expect_best,
    "sent": expect_sent,
    "prompts": expect_prompts,
    "given_up": expect_given_up,
    "spend": expect_spend,
    "events": expect_events,
    "never": expect_never,
}
