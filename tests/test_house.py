"""The house stands as its plan says: lint, types, layers, start-up cost, examples in docstrings, one test command."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "recipelang"
MODULES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = Path(sys.executable).parent

HTTP_CLIENTS = {"httptools", "httpx", "httpx2"}
THIRD_PARTY = HTTP_CLIENTS | {"anyio", "jsonschema_rs", "lark", "networkx", "pydantic", "re2", "rich"}


def must_succeed(*command: str | Path) -> None:
    """Runs a tool on the checkout; where it finds fault, its own report is the failure."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def imported_by(*arguments: str | Path) -> set[str]:
    """The full names of the modules that a Python process with these arguments imports from start to end."""
    command = (sys.executable, "-X", "importtime", *arguments)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def name_of(module: Path) -> str:
    parts = module.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_the_linter_finds_nothing() -> None:
    must_succeed(PROGRAMS / "ruff", "check", "--quiet")


def test_the_code_is_formatted() -> None:
    must_succeed(PROGRAMS / "ruff", "format", "--check", "--quiet")


@pytest.mark.slow
def test_the_types_are_complete_and_hold() -> None:
    must_succeed(PROGRAMS / "mypy")


def test_each_room_knows_only_whom_it_may() -> None:
    must_succeed(PROGRAMS / "lint-imports", "--no-logo")


def test_a_dataclass_is_declared_in_no_time() -> None:
    """Ours are those of `recipelang.quick`; the room of programs is a program of its own."""
    theirs = {"dataclass", "field", "replace"}
    exempt = {PACKAGE / "quick.py", PACKAGE / "hostfunctions" / "room.py"}
    found = [
        f"{name_of(module)}: {alias.name}"
        for module in MODULES
        if module not in exempt
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        for alias in node.names
        if alias.name in theirs
    ]
    assert not found, f"import these from recipelang.quick: {', '.join(found)}"


def test_importing_the_package_imports_no_library() -> None:
    assert not packages(imported_by("-c", "import recipelang")) & THIRD_PARTY


def test_importing_the_runtime_imports_no_language_and_no_http_client() -> None:
    modules = imported_by("-c", "import recipelang.runtime")
    assert not packages(modules) & {"lark", "networkx", *HTTP_CLIENTS}
    assert not modules & {"recipelang.syntax", "recipelang.semantics"}


def test_checking_a_file_imports_neither_the_http_client_nor_networkx() -> None:
    recipe = ROOT / "stdlib_recipes" / "direct.recipe"
    modules = imported_by(PROGRAMS / "recipelang", "check", recipe)
    assert not packages(modules) & {"networkx", *HTTP_CLIENTS}


def test_an_engine_of_a_bundle_imports_no_language_and_no_networkx(tmp_path: Path) -> None:
    bundle = tmp_path / "a.bundle"
    must_succeed(PROGRAMS / "recipelang", "bundle", "std.fusion", "-o", bundle)
    modules = imported_by("-c", f"from recipelang import Engine; Engine({str(bundle)!r})")
    assert not packages(modules) & {"lark", "networkx"}
    assert not {module for module in modules if module.startswith(("recipelang.syntax", "recipelang.semantics"))}


def deferred_imports(module: Path) -> Iterator[int]:
    """The lines of the imports inside functions."""
    for function in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (node.lineno for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_an_import_inside_a_function_says_why(module: Path) -> None:
    lines = module.read_text(encoding="utf-8").splitlines()
    silent = [line for line in deferred_imports(module) if "deferred:" not in lines[line - 1] + lines[line - 2]]
    assert not silent, f"{module.relative_to(ROOT)}: add `# deferred: ...` on or above lines {silent}"


@pytest.mark.parametrize(
    "module", [path for path in MODULES if ">>> " in path.read_text(encoding="utf-8")], ids=name_of
)
def test_the_examples_in_docstrings_run(module: Path) -> None:
    assert doctest.testmod(importlib.import_module(name_of(module))).failed == 0


@pytest.mark.parametrize("place", ["README.md", "CONTRIBUTING.md", ".ci/run", "justfile"])
def test_the_tests_are_run_by_one_command_everywhere(place: str) -> None:
    assert "python3 tests" in (ROOT / place).read_text(encoding="utf-8")
