"""The pages and the picture that are written from the sources are what the sources say now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from recipelang.cli.main import VERBS
from recipelang.diagnostics.catalogue import all_codes
from recipelang.ir.functions import FUNCTIONS
from recipelang.resources import runnable_recipe_names

ROOT = Path(__file__).parent.parent


def test_the_written_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_code_and_each_function_is_on_its_page() -> None:
    errors = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    functions = (ROOT / "docs" / "functions.md").read_text(encoding="utf-8")
    assert [code for code in all_codes() if f"### {code}\n" not in errors] == []
    assert [name for name in FUNCTIONS if f"`{name}(" not in functions] == []


def test_each_standard_recipe_has_its_section() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    names = runnable_recipe_names()
    assert [name for name in names if f"## {name}\n\n<!-- {name} -->\n" not in page] == []


def test_each_verb_of_the_command_has_its_section() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"\n## {verb}: " not in page] == []
