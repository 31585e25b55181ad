"""Recorded runs as tests: what comes of it is checked, run, and passes; what a test can't say is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipelang.backends.cassettes import read_cassette
from recipelang.backends.scripted import After, Outcome, ScriptedBackend
from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import render
from recipelang.hosts.engine import Engine
from recipelang.hosts.recorded import played_again
from recipelang.ir.types import (
    DurationType,
    EnumType,
    FieldType,
    ListType,
    MoneyType,
    OptionalType,
    RecordType,
    TextType,
)
from recipelang.recipetests.recorded import NoTest, literal, text, time, written_test
from recipelang.recipetests.running import run_tests
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.ports import BackendError, FailureKind, Reply
from recipelang.runtime.values import Json
from recipelang.syntax.building import text_value

RECIPE = """
backend lab { kind = openai, url = "http://127.0.0.1:1/v1" }
model small { backend = lab, id = "small-1", price = { input = $1, output = $2 } }
model large { backend = lab, id = "large-1", price = { input = $1, output = $2 } }

role speak() {}

extern look_up(word: text) -> record { kind: enum(planet, star), moons: int, names: text[] }

recipe team(panel: model[2..4], patience: duration = 30s, most: money = $1, tone: enum(dry, warm) = dry) -> answer {
  fanout answers = speak(model = m) for m in panel { quorum = 1, timeout = 20s, on_error = skip }
  call   known   = look_up(first(answers).text) { optional = true, when = patience > 1s and most > $0 and tone == warm }
  return first(answers) if known == none else last(answers)
}
"""


def recorded(folder: Path, script: Mapping[str, Outcome | Sequence[Outcome]], **asked: Any) -> str:
    """The test of one run of `team`."""
    path = folder / "it.cassette"
    compilation = compile_text(RECIPE)
    assert compilation.plan is not None, render(compilation.diagnostics)
    plan = compilation.plan
    backends = {"lab": ScriptedBackend(script)}

    async def look_up(word: str) -> Json:
        if word != "Jupiter":
            raise KeyError(word)
        return {"kind": "planet", "moons": 95, "names": ["Jove", 'the "big" one']}

    async def run() -> None:
        asked.setdefault("messages", "Which planet is the largest?")
        asked["arguments"] = {"panel": ["small", "large"], **asked.get("arguments", {})}
        async with Engine(plan, backends=backends, functions={"look_up": look_up}, record=path) as engine:
            try:
                await engine.run("team", **asked)
            except RunFailure:
                return

    loop = {"loop_factory": VirtualTimeLoop}
    anyio.run(run, backend_options=loop)
    taken = read_cassette(path)
    played = anyio.run(played_again, plan, taken.runs[0], taken, backend_options=loop)
    return written_test("it goes as it went", taken.runs[0], played, plan, {"small", "large"})


def assert_passes(block: str) -> None:
    compilation = compile_text(f"{RECIPE}\n{block}")
    assert not compilation.diagnostics, render(compilation.diagnostics)
    [result] = run_tests(compilation)
    assert result.passed, (result.problems, result.unmet)


JUPITER: dict[str, Outcome | Sequence[Outcome]] = {"small": After(1, "Jupiter"), "large": After(60, "Saturn")}
WARM = {"patience": 2.5, "most": 0.25, "tone": "warm"}


def test_arguments_are_written_as_their_types_are(tmp_path: Path) -> None:
    block = recorded(tmp_path, JUPITER, arguments=WARM)
    assert "run = team(panel = [small, large], patience = 2.5s, most = $0.25, tone = warm)\n" in block
    assert_passes(block)


def test_what_a_function_of_the_host_gave_it_gives(tmp_path: Path) -> None:
    block = recorded(tmp_path, JUPITER, arguments=WARM)
    assert 'reply look_up = { kind = planet, moons = 95, names = ["Jove", "the \\"big\\" one"] }' in block
    assert_passes(block)


def test_what_a_function_of_the_host_raised_it_raises(tmp_path: Path) -> None:
    block = recorded(tmp_path, {"*": After(1, "Mars")}, arguments=WARM)
    assert """reply look_up = error("'Mars'")""" in block
    assert_passes(block)


def test_a_call_that_was_given_up_is_given_up(tmp_path: Path) -> None:
    block = recorded(tmp_path, JUPITER)
    assert 'reply speak on large = "" after 1h\n' in block
    assert_passes(block)


def test_a_run_that_failed_is_expected_to_fail(tmp_path: Path) -> None:
    refused = BackendError(FailureKind.REFUSED, "connection refused", may_pass=True)
    block = recorded(
        tmp_path, {"small": After(1, refused), "large": After(0.5, BackendError(FailureKind.SERVER, "x", 503))}
    )
    assert "reply speak on small = error(refused) after 1s\n" in block
    assert "reply speak on large = error(503) after 500ms\n" in block
    assert "expect failure == quorum and calls == 2\n" in block
    assert_passes(block)


def test_what_else_was_asked_is_asked(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?\nAnd how?"}]
    block = recorded(tmp_path, JUPITER, messages=messages, metadata={"tenant": "lab"}, max_latency=5, seed=7)
    assert (
        'request = [{ role = system, content = "Be brief." }, { role = user, content = "Why?\\nAnd how?" }]\n' in block
    )
    assert 'max_latency = 5s\nmetadata = { tenant = "lab" }\nseed = 7\n' in block
    assert_passes(block)


IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("script", "asked", "why"),
    [
        (JUPITER, {"messages": [{"role": "user", "content": IMAGE}]}, "more in it than texts"),
        (JUPITER, {"tools": [{"type": "function", "function": {"name": "f"}}]}, "it asked for tools"),
        (JUPITER, {"metadata": {"Tenant-Id": "lab"}}, "`Tenant-Id` can't be the name of a field"),
        ({"*": After(1, Reply("", "tool_calls", tool_calls=(CALL,)))}, {}, "called a tool of the client"),
    ],
    ids=["image", "tools", "odd name", "tool call"],
)
def test_what_a_test_can_not_say_is_refused(
    tmp_path: Path, script: Mapping[str, Outcome | Sequence[Outcome]], asked: dict[str, Any], why: str
) -> None:
    with pytest.raises(NoTest, match=why):
        recorded(tmp_path, script, **asked)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_is_read_as_it_was(value: str) -> None:
    written = text(value)
    assert "\n" not in written
    assert text_value(written) == value


@pytest.mark.parametrize(
    ("value", "type", "written"),
    [
        (1e-7, None, "0.0000001"),
        (0.1, MoneyType(), "$0.1"),
        (3, MoneyType(), "$3"),
        (0.25, DurationType(), "250ms"),
        (None, OptionalType(TextType()), "none"),
        ("dry", OptionalType(EnumType(("dry", "warm"))), "dry"),
        ([True, False], None, "[true, false]"),
        ([{"wait": 2}], ListType(RecordType("r", (FieldType("wait", DurationType()),))), "[{ wait = 2s }]"),
        ({"a": {"b": [1, "x"]}}, None, '{ a = { b = [1, "x"] } }'),
    ],
)
def test_plain_data_is_written_as_an_author_would(value: Json, type: Any, written: str) -> None:
    assert literal(value, type) == written


def test_times_have_no_exponent() -> None:
    assert [time(0.000001), time(90.5)] == ["0.001ms", "90.5s"]
