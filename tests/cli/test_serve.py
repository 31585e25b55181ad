"""The verb `serve`: ready on stderr, an answer, and a polite end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from recipelang.cli.main import main
from served import team_file
from upstream import Upstream

ASKED = {"model": "vllm-sr/auto", "messages": [{"role": "user", "content": "?"}]}


@pytest.mark.parametrize("stopped_by", [signal.SIGINT, signal.SIGTERM])
def test_it_says_when_it_is_ready_answers_and_stops_when_it_is_told_to(tmp_path: Path, stopped_by: int) -> None:
    with Upstream() as upstream:
        command = [
            sys.executable,
            "-m",
            "recipelang.cli.main",
            "serve",
            str(team_file(tmp_path, upstream)),
            "--port",
            "0",
        ]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            ready = next(line for line in server.stderr if line.startswith("ready at"))
            (address,) = re.findall(r"http://\S+", ready)
            answer = httpx2.post(f"{address}/chat/completions", json=ASKED)
            server.send_signal(stopped_by)
            assert server.wait(20) == 0
            assert server.stderr.read() == "stopped\n"
    assert answer.json()["choices"][0]["message"]["content"] == "Jupiter."


def test_a_port_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Upstream() as upstream, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(team_file(tmp_path, upstream)), "--port", str(port)]) == 4
    assert f"can't listen at 127.0.0.1:{port}: address already in use" in capsys.readouterr().err


def test_recipes_without_models_that_would_do_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.recipe").write_text(
        'backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }\n'
        'model one { backend = lab, id = "one", price = { input = $0, output = $0 } }\n'
    )
    assert main(["serve", "fusion", "--with", str(tmp_path / "one.recipe")]) == 2
    assert "no recipe can do with" in capsys.readouterr().err
