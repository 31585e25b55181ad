"""Whatever stops a run from outside, it ends at once, its connections with it, and its trace tells how far it came."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from upstream import STALL, Upstream, answered, completion

COMMAND = [sys.executable, "-m", "recipelang.cli.main"]


@pytest.mark.parametrize(
    ("number", "status", "words"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_run_that_is_stopped_closes_its_connections_and_writes_its_trace(
    number: int, status: int, words: str, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.json"
    with Upstream([STALL]) as server:
        models = _models(tmp_path, server.url)
        command = [*COMMAND, "run", "direct", "--with", str(models), "--trace", str(trace), "q"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            server.wait_until(lambda upstream: bool(upstream.requests))
            running.send_signal(number)
            out, err = running.communicate(timeout=30)
        server.wait_until(lambda upstream: upstream.open == 0)
    assert (running.returncode, out) == (status, "")
    assert err.endswith(f"recipelang: {words}\n")
    events = json.loads(trace.read_text(encoding="utf-8"))["events"]
    assert [event["kind"] for event in events if event["kind"].startswith("call")] == ["call_start", "call_cancelled"]
    assert events[-1]["status"] == "cancelled"


def test_a_reader_that_leaves_is_no_mistake_of_ours(tmp_path: Path) -> None:
    with Upstream(answered(completion("one\n" * 100_000))) as server:
        models = _models(tmp_path, server.url)
        command = [*COMMAND, "run", "direct", "--with", str(models), "q"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            assert running.stdout.readline() == "one\n"
            running.stdout.close()
            told = running.stderr.read()
    assert running.returncode == 4
    assert "Error" not in told
    assert "our mistake" not in told


def test_an_answer_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with Upstream() as server, Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [*COMMAND, "run", "direct", "--with", str(_models(tmp_path, server.url)), "q"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.endswith("recipelang: standard output: no space left on device\n")


def _models(folder: Path, url: str) -> Path:
    path = folder / "models.recipe"
    path.write_text(
        f'backend lab {{ kind = openai, url = "{url}" }}\nmodel small {{ backend = lab, id = "small-1" }}\n',
        encoding="utf-8",
    )
    return path
