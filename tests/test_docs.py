"""The Python in README and docs does what the page shows: every `python` fence is executed as a program of its own.

- Each runs in a process and a folder of its own, where the files are that the page has shown so far: `recipe file=NAME`,
  `python file=NAME`, `json file=NAME` and so on.
- `http://127.0.0.1:8000` in a page is a real server on loopback, which answers `Jupiter.` to everything, in a stream
  where one is asked for, as the record where one is asked for. Nothing reaches further.
- A `text` fence right below is what the program prints, standard error included; `...` stands for any text. Without
  one, it must only succeed. `exit=1` is how it ends instead.
- `python live` needs the package index or a real model, and runs with the live tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from page_fences import FENCES, Fence, agrees, fences_of, put_files_of
from upstream import Answer, Received, Upstream, answered, completion, replying

PLACEHOLDER = "127.0.0.1:8000"
ENVIRONMENT = {"LAB_KEY": "sk-of-the-lab"}
PROGRAMS = [fence for fence in FENCES if fence.kind == "python"]
LIVE = [fence for fence in PROGRAMS if "live" in fence.words]


def answering(request: Received) -> Answer:
    schema = request.json.get("response_format", {}).get("json_schema", {}).get("schema")
    return replying()(request) if schema is None else answered(completion(json.dumps(_example(schema))))


def _example(schema: dict[str, object]) -> object:
    """The least value that a schema allows."""
    properties = schema.get("properties")
    if isinstance(properties, dict):
        return {name: _example(its) for name, its in properties.items()}
    return {"string": "yes", "number": 1, "integer": 1, "boolean": True, "array": []}.get(str(schema.get("type")))


def shown_below(fence: Fence) -> str | None:
    """The `text` fence right below, with nothing but blank lines and one line of words between."""
    following = [other for other in fences_of(fence.page) if other.line > fence.line]
    end = fence.line + fence.text.count("\n") + 2
    if following and following[0].kind == "text" and following[0].line <= end + 3:
        return following[0].text
    return None


def run(fence: Fence, folder: Path, address: str) -> None:
    put_files_of(fence, folder, PLACEHOLDER, address)
    program = folder / (fence.file or "program.py")
    program.write_text(fence.text.replace(PLACEHOLDER, address), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program.name], cwd=folder, env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == int(fence.said("exit") or 0), done.stdout
    shown = shown_below(fence)
    if shown is not None:
        printed = done.stdout.replace(address, PLACEHOLDER)
        assert agrees(printed, shown), f"{printed}--- is not what is shown:\n{shown}"


@pytest.mark.parametrize("fence", [f for f in PROGRAMS if f not in LIVE], ids=lambda fence: fence.place)
def test_a_program_on_a_page_does_what_the_page_shows(fence: Fence, tmp_path: Path) -> None:
    with Upstream(answering) as upstream:
        run(fence, tmp_path, upstream.origin.removeprefix("http://"))


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("fence", LIVE, ids=lambda fence: fence.place)
def test_a_program_that_needs_a_real_model_works(fence: Fence, tmp_path: Path) -> None:
    run(fence, tmp_path, PLACEHOLDER)
