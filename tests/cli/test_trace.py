"""The verb `trace`: a run as one page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recipelang.cli.main import main


def test_a_recorded_run_becomes_one_page(tmp_path: Path) -> None:
    trace, page = tmp_path / "run.json", tmp_path / "run.html"
    trace.write_text(json.dumps({"format": "recipelang.trace", "version": 1, "entry": "team", "events": []}))
    assert main(["trace", "view", str(trace), "-o", str(page)]) == 0
    assert '"entry": "team"' in page.read_text("utf-8")


@pytest.mark.parametrize("text", [None, "{", "[]", '{"format": "else"}'])
def test_what_is_no_trace_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None) -> None:
    file = tmp_path / "run.json"
    if text is not None:
        file.write_text(text)
    assert main(["trace", "view", str(file)]) == 4
    assert str(file) in capsys.readouterr().err
