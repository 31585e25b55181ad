"""The language-neutral cases beside this file, on this interpreter; `README.md` says how they are written."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest

from recipelang.backends.scripted import After
from recipelang.backends.scripted import Outcome as Said
from recipelang.runtime.ports import BackendError, Event, FailureKind, Reply
from recipelang.runtime.values import TokenLogprob, Usage, to_json
from runs import QUESTION, Outcome, asking, outcome_of, plan_of

Told = str | dict[str, Any]  # Any: what TOML gives


class Case(TypedDict, total=False):
    name: str
    recipe: str
    arguments: dict[str, Any]
    request: str
    seed: int
    replies: dict[str, Told | list[Told]]
    expect: dict[str, Any]


def cases() -> Iterator[Any]:  # Any: a parameter of pytest
    for file in sorted(Path(__file__).parent.glob("*.toml")):
        for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]:
            yield pytest.param(case, id=f"{file.stem}: {case['name']}")


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("case", list(cases()))
async def test_the_case_comes_out_as_it_says(case: Case) -> None:
    assert case.keys() <= Case.__annotations__.keys()
    plan = plan_of(case["recipe"])
    script = {key: [said(one) for one in listed(told)] for key, told in case.get("replies", {}).items()}
    request, arguments = asking(case.get("request", QUESTION)), case.get("arguments")
    outcome = await outcome_of(plan, script, arguments=arguments, request=request, seed=case.get("seed", 0))
    for what, expected in case["expect"].items():
        EXPECTATIONS[what](outcome, expected)
    assert not outcome.backend.open
    assert [event.kind for event in outcome.trace.events][-1] == "run_end"


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
        assert any(is_like(event, line) for event in rest), f"no `{line}` there in:\n{shown(outcome.trace.events)}"


def expect_never(outcome: Outcome, told: list[str]) -> None:
    for line in told:
        assert not any(is_like(event, line) for event in outcome.trace.events), shown(outcome.trace.events)


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


def shown(events: Sequence[Event]) -> str:
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
    "given_up": expect_given_up,
    "spend": expect_spend,
    "events": expect_events,
    "never": expect_never,
}
