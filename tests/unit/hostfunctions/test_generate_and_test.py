"""The standard recipe `generate_and_test` with programs that are really run; the models are scripted."""

from __future__ import annotations

import pytest

from recipelang import Engine, ScriptedBackend
from recipelang.hostfunctions.rooms import NotIsolated
from recipelang.hostfunctions.testing import RunTests
from recipelang.runtime.interpreter import RunResult

CASES = "def test_small():\n    assert double(4) == 8\n\ndef test_none():\n    assert double(0) == 0\n"
MODELS = """
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model small { backend = lab, id = "small-1", price = { input = $1, output = $2 } }
"""


def program(body: str) -> str:
    return f"```python\ndef double(n):\n    {body}\n```"


async def result_of(backend: ScriptedBackend, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    try:
        run_tests = RunTests()
    except NotIsolated as problem:
        pytest.skip(str(problem))
    models = tmp_path_factory.mktemp("models") / "models.recipe"
    models.write_text(MODELS, encoding="utf-8")
    functions = {"run_tests": run_tests}
    async with Engine("std.generate_and_test", models, backends={"lab": backend}, functions=functions) as engine:
        return await engine.run("generate_and_test", "Write double(n).", metadata={"tests": CASES}, content=True)


@pytest.mark.anyio
async def test_what_the_tests_said_goes_into_the_next_prompt(tmp_path_factory: pytest.TempPathFactory) -> None:
    replies = [program("return n + 2"), program("return n * n"), program("return 2 * n")]
    backend = ScriptedBackend({"*": replies})
    result = await result_of(backend, tmp_path_factory)
    assert result.text == program("return 2 * n")
    _, first, second = (str(call.messages[-1].content) for call in backend.calls)
    assert "assert 6 == 8" in first
    assert "assert 2 == 0" in first
    assert "2 of the tests failed" in first
    assert "assert 16 == 8" in second
    verdicts = [event.data["value"]["passed"] for event in result.trace.of("host_call_end")]
    assert verdicts == [False, False, True]


@pytest.mark.anyio
async def test_a_program_that_never_passes_is_given_as_it_is(tmp_path_factory: pytest.TempPathFactory) -> None:
    backend = ScriptedBackend({"*": program("return n + 2")})
    result = await result_of(backend, tmp_path_factory)
    assert result.text == program("return n + 2")
    assert len(backend.calls) == 4
