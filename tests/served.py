"""Really running servers for tests: the app in uvicorn, in a thread of its own, over a scripted upstream, and the command `serve`."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import uvicorn
from starlette.types import ASGIApp

from recipelang.serving import app
from upstream import PATIENCE, Script, Upstream, replying

TEAM = """
use std.direct
use std.fusion
use std.confidence

backend lab {{ kind = openai, url = "{url}" }}
model small {{ backend = lab, id = "small-1", context = 32k, price = {{ input = $0.05, output = $0.20 }}, rating = 900 }}
model large {{ backend = lab, id = "large-1", context = 32k, price = {{ input = $2, output = $12 }}, rating = 1400 }}

role keen() {{ temperature = 0.9 max_tokens = 100 }}
recipe fixed(who: model) -> answer {{
  ask reply = keen(model = who) {{ retries = 2, timeout = 20s }}
  return reply
}}
recipe fallen(first_choice: model, second: model) -> answer {{
  ask spare = keen(model = second)
  ask reply = keen(model = first_choice) {{ fallback = spare }}
  return reply
}}
role summer() {{ max_tokens = 50 prompt = "Sum it up." }}
recipe summed(who: model) -> answer {{
  ask reply = summer(model = who)
  return reply
}}
signal hurried: bool = keywords(["quickly", "at once"])
recipe routed(who: model, other: model) -> answer {{
  choose reply {{
    when hurried => direct(who)
    otherwise    => direct(other)
  }}
  return reply
}}

## One model, under a name with a slash.
expose "vllm-sr/auto" = direct(small)
expose "team/panel" = fusion(panel = [small, large], judge_model = large)
expose "team/sure" = confidence(candidates = [small, large])
expose "fixed" = fixed(small)
expose "fallen" = fallen(small, large)
expose "summed" = summed(small)
expose "routed" = routed(small, large)
"""


@contextmanager
def running(application: ASGIApp, **config: Any) -> Iterator[str]:  # Any: uvicorn's settings
    """The address of a server that serves while the block lasts."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error", **config))
    ready = threading.Event()
    started = server.startup

    async def startup(sockets: Any = None) -> None:
        await started(sockets)
        ready.set()

    server.startup = startup  # type: ignore[method-assign] # the only way to be told
    thread = threading.Thread(target=server.run, name="served", daemon=True)
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextmanager
def serving_process(
    *arguments: object,
    shell: Sequence[str] = (),
    **options: Any,  # Any: those of a process
) -> Iterator[tuple[subprocess.Popen[str], IO[str], str]]:
    """`recipelang serve` in a process of its own, what it says besides, and its address. It ends with the block at the latest."""
    command = [*shell, sys.executable, "-m", "recipelang.cli.main", "serve", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options) as server:
        assert server.stderr is not None
        try:
            ready = next((line for line in server.stderr if line.startswith("ready at")), "")
            (address,) = re.findall(r"http://\S+", ready)
            yield server, server.stderr, address
        finally:
            server.terminate()
            try:
                server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()


def team_file(folder: Path, upstream: Upstream) -> Path:
    """The recipes above over an upstream."""
    file = folder / "team.recipe"
    file.write_text(TEAM.format(url=upstream.url), encoding="utf-8")
    return file


@contextmanager
def serving(folder: Path, script: Script | None = None, **options: Any) -> Iterator[tuple[str, Upstream]]:
    """The team behind a server, with its upstream."""
    with Upstream(replying() if script is None else script) as upstream, ExitStack() as stack:
        yield stack.enter_context(running(app(team_file(folder, upstream), **options))), upstream
