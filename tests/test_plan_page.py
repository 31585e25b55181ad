"""The Python on the page about plans runs, on the plan that the page compiles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from recipelang.backends.scripted import ScriptedBackend
from recipelang.cli.main import main

PAGE = (Path(__file__).parent.parent / "docs" / "plan.md").read_text(encoding="utf-8")


def fence(kind: str) -> str:
    found = re.search(rf"^```{kind}[^\n]*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)


def test_a_host_loads_the_compiled_plan_and_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "team.recipe").write_text(fence("recipe"), encoding="utf-8")
    assert main(fence("console").removeprefix("$ recipelang ").split()) == 0

    names: dict[str, Any] = {"SCRIPTED": {"lab": ScriptedBackend({"*": "Jupiter"})}}  # Any: what the fence defines
    exec(fence("python").replace("Engine(plan)", "Engine(plan, backends=SCRIPTED)"), names)
    assert anyio.run(names["answered"], "Which planet is the largest?") == "Jupiter"
