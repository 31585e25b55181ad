"""A run as it goes: what a person sees of it, in a terminal wide or narrow, and where there is none."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from recipelang import compile_text
from recipelang.cli.progress import Progress, error_console, say, short_names
from recipelang.ir.plan import Plan
from recipelang.runtime.ports import Event

CALLED = {"call": 1, "model": "local_models.tiny"}
USED = {"prompt_tokens": 31, "completion_tokens": 1008, "latency": 0.52, "cost": 0.0}


@pytest.fixture(scope="module")
def plan() -> Plan:
    found = compile_text("use std.local_models").library
    assert found is not None
    return found


def shown(
    plan: Plan, *events: tuple[str, str, Mapping[str, Any]], width: int = 100
) -> list[str]:  # Any: an event's data
    said = io.StringIO()
    progress = Progress(Console(file=said, width=width, color_system=None), plan)
    for kind, step, data in events:
        progress.record(Event(0.0, kind, step, data))
    return said.getvalue().splitlines()


def test_a_call_that_ended_is_a_line_with_its_model_its_time_and_its_tokens(plan: Plan) -> None:
    events = [("call_start", "reply[0]", CALLED), ("call_end", "reply[0]", {**CALLED, **USED, "finish": "stop"})]
    assert shown(plan, *events) == ["✓ reply[0]  tiny  0.5 s  31 tokens in, 1,008 out"]


def test_an_answer_that_was_cut_off_and_one_that_has_its_price_are_told(plan: Plan) -> None:
    told = {**CALLED, **USED, "finish": "length", "cost": 0.0125}
    assert shown(plan, ("call_end", "reply", told))[0].endswith("1,008 out  $0.012500  cut off at its limit")


def test_the_columns_keep_to_the_longest_step_so_far(plan: Plan) -> None:
    failed = {**CALLED, "message": "can't connect"}
    lines = shown(plan, ("call_failed", "answers[0]", failed), ("call_failed", "final", failed))
    assert lines == ["✗ answers[0]  tiny  can't connect", "✗ final       tiny  can't connect"]


def test_what_was_not_accepted_says_by_how_much_or_why(plan: Plan) -> None:
    seen: dict[str, Any] = {"saw": 0.4567, "is": ">=", "than": 0.72}
    broken: dict[str, Any] = {"failure": "contract", "why": "tiny: `score` is 100, and must be at most 1"}
    refused: dict[str, Any] = {"failure": "backend", "why": "tiny: can't connect"}  # the call has said so already
    events = [("escalated", "a[0]", seen), ("escalated", "a[1]", broken), ("escalated", "a[2]", refused)]
    assert shown(plan, *events) == [
        "↑ a[0]  not accepted: 0.46, wanted >= 0.72",
        "↑ a[1]  not accepted: tiny: `score` is 100, and must be at most 1",
    ]


def test_a_fallback_does_not_name_its_step_twice(plan: Plan) -> None:
    lines = shown(plan, ("fallback_taken", "answers", {"why": "step `answers`: 1 of 3 answers, quorum 2"}))
    assert lines == ["! answers  fallback: 1 of 3 answers, quorum 2"]


@pytest.mark.parametrize("width", [60, 30])
def test_what_is_under_way_stays_on_one_line_of_a_narrow_terminal(plan: Plan, width: int) -> None:
    said = io.StringIO()
    console = Console(file=said, width=width, color_system=None)
    progress = Progress(console, plan)
    progress.starting("starting smollm2-135m")
    for call in (1, 2):
        step = f"evidence[{call}].thoughts[12]"
        progress.record(Event(0.0, "call_start", step, {**CALLED, "call": call}))
    console.print(progress)
    lines = said.getvalue().splitlines()
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    assert ("tiny 0.0 s" in lines[0]) == (width == 60)


def test_a_model_is_called_by_its_short_name_where_that_is_the_only_one(plan: Plan) -> None:
    model = plan.models["local_models.tiny"]
    several = replace(plan, models={"here.tiny": model, "there.tiny": model, "there.large": model})
    assert short_names(several) == {"here.tiny": "here.tiny", "there.tiny": "there.tiny", "there.large": "large"}


def test_where_there_is_no_terminal_lines_have_no_colour_and_do_not_wrap(capsys: pytest.CaptureFixture[str]) -> None:
    error_console().print("x" * 300, style="red", soft_wrap=True)
    assert capsys.readouterr().err == "x" * 300 + "\n"


def test_what_a_model_or_a_server_said_gives_the_terminal_no_orders(plan: Plan) -> None:
    failed = {**CALLED, "message": "\x1b]0;title\x07[red]no[/red] [/]\x9b2J :smile:"}
    assert shown(plan, ("call_failed", "a", failed)) == ["✗ a  tiny  ]0;title[red]no[/red] [/]2J :smile:"]


def test_lines_break_between_words_in_a_terminal_only() -> None:
    said = {terminal: io.StringIO() for terminal in (True, False)}
    for terminal, file in said.items():
        say(Console(file=file, width=10, force_terminal=terminal, color_system=None), "four words in all")
    assert said[True].getvalue() == "four words\nin all\n"
    assert said[False].getvalue() == "four words in all\n"
