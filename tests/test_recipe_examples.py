"""The recipes and the commands in README and docs do what they show: every `recipe` and `console` fence is executed.

- A `recipe` fence compiles, and is laid out as `recipelang fmt` does it. Codes in its info string (`recipe E0501`) are
  what it gives instead, and nothing besides.
- `recipe file=team.recipe` puts it into the page's folder, where later fences of the page may `use` it or run it.
- A `console` fence runs each line after `$ ` in that folder, with no network, and compares what is printed, standard
  error included; `...` stands for any text, and a command with nothing below it must only succeed. `exit=1` is the
  status of the fence's last command. `console live` reaches the package index or a real model, and starts in a fresh
  copy of the checkout, with the page's files in it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from page_fences import FENCES, ROOT, Fence, agrees, files_up_to, put_files_of
from recipelang import compile_text
from recipelang.formatting.proving import formatted
from recipelang.source import Source

WRITTEN = ("errors.md",)  # shows what a person might write, by `docs/generate.py`


@dataclass(frozen=True)
class Command:
    """A line after `$ `, what is shown below it, and how it must end."""

    line: str
    shown: str
    status: int


def commands_of(fence: Fence) -> list[Command]:
    parts = re.split(r"^\$ ", fence.text, flags=re.MULTILINE)[1:]
    last = int(fence.said("exit") or 0)
    commands = []
    for number, part in enumerate(parts, 1):
        line, _, shown = part.partition("\n")
        while line.endswith("\\"):
            more, _, shown = shown.partition("\n")
            line = line[:-1] + more
        commands.append(Command(line, shown.strip("\n"), last if number == len(parts) else 0))
    return commands


def run(command: Command, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": path, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "120"}
    done = subprocess.run(
        command.line, shell=True, cwd=folder, env={**os.environ, **settings}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == command.status, f"$ {command.line}\n{done.stdout}exit status {done.returncode}"
    if command.shown:
        assert agrees(done.stdout, command.shown), (
            f"$ {command.line}\n{done.stdout}--- is not what is shown:\n{command.shown}"
        )


RECIPES = [fence for fence in FENCES if fence.kind == "recipe"]
CONSOLES = [fence for fence in FENCES if fence.kind == "console"]
OFFLINE = [fence for fence in CONSOLES if "live" not in fence.words]
LIVE = [fence for fence in CONSOLES if "live" in fence.words]


@pytest.mark.parametrize("fence", RECIPES, ids=lambda fence: fence.place)
def test_a_recipe_on_a_page_means_what_the_page_says(fence: Fence) -> None:
    found = compile_text(fence.text, fence.file or "page.recipe", files_up_to(fence)).diagnostics
    codes = {diagnostic.code.id for diagnostic in found}
    if not fence.codes:
        codes = {code for code in codes if code.startswith("E")}
    assert codes == fence.codes, "\n".join(f"{d.span}: {d.code.id} {d.message}" for d in found)


@pytest.mark.parametrize("fence", [f for f in RECIPES if f.page.name not in WRITTEN], ids=lambda fence: fence.place)
def test_a_recipe_on_a_page_is_in_the_one_layout(fence: Fence) -> None:
    assert formatted(Source("page.recipe", fence.text), lambda _: None) in (fence.text, None)  # none: it can't be read


@pytest.mark.parametrize("fence", OFFLINE, ids=lambda fence: fence.place)
def test_a_command_on_a_page_prints_what_the_page_shows(fence: Fence, tmp_path: Path) -> None:
    put_files_of(fence, tmp_path)
    for command in commands_of(fence):
        run(command, tmp_path)


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("fence", LIVE, ids=lambda fence: fence.place)
def test_a_command_that_needs_a_model_or_the_index_works_in_a_fresh_copy(fence: Fence, tmp_path: Path) -> None:
    copy = tmp_path / "recipelang"
    left_out = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", "node_modules")
    shutil.copytree(ROOT, copy, ignore=left_out)
    for name, text in files_up_to(fence).items():
        (copy / name).write_text(text, encoding="utf-8")
    for command in commands_of(fence):
        run(command, copy)


def test_every_command_line_of_a_page_is_one_that_is_run() -> None:
    """A fence of commands with another name (`sh`, `bash`) would be run by nobody."""
    others = [fence.place for fence in FENCES if fence.kind in ("sh", "bash", "shell", "zsh")]
    assert not others, f"write them as `console`, each command after `$ `: {others}"


def test_dots_stand_for_any_text_and_nothing_else_does() -> None:
    assert agrees("a\nb  \nc\n", "a\n...\nc")
    assert not agrees("a\nb\n", "a\nc")
