"""What is published works: the wheel, built through the sdist and installed on its own, runs its command."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = [pytest.mark.live, pytest.mark.slow]


def run(*command: str | Path, cwd: Path) -> str:
    """The standard output of a command that knows nothing of this checkout; its whole output where it fails."""
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def uv(*arguments: str | Path, cwd: Path = ROOT) -> None:
    run(sys.executable, "-m", "uv", *arguments, "--quiet", cwd=cwd)


def data_files() -> set[str]:
    """The files that must come with the package, as paths in the checkout."""
    recipes = {path.relative_to(ROOT).as_posix() for path in (ROOT / "stdlib_recipes").rglob("*.recipe")}
    return {"grammar/recipe.lark", *recipes}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it and not from the checkout."""
    folder = tmp_path_factory.mktemp("built")
    uv("build", "--out-dir", folder)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with nothing in it but the wheel and what it depends on."""
    environment = tmp_path_factory.mktemp("fresh") / "env"
    uv("venv", "--python", sys.executable, environment)
    (wheel,) = built.glob("*.whl")
    uv("pip", "install", "--python", environment, wheel)
    return environment


def path_in(environment: Path, kind: str) -> Path:
    """The `scripts` or `purelib` folder of an environment."""
    return Path(sysconfig.get_path(kind, "venv", {"base": str(environment), "platbase": str(environment)}))


def command_of(environment: Path) -> Path:
    return path_in(environment, "scripts") / f"recipelang{sysconfig.get_config_var('EXE')}"


def test_the_sdist_carries_the_grammar_and_the_standard_recipes(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert data_files() | {"LICENSE", "README.md", "tests/conftest.py"} <= inside


def test_the_wheel_carries_them_inside_the_package_with_its_types(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {f"recipelang/_data/{name}" for name in data_files()} | {"recipelang/py.typed"} <= inside


def test_the_wheel_puts_nothing_beside_the_package(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    tops = {name.partition("/")[0].partition("-")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"recipelang"}


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert run(command_of(installed), "--version", cwd=tmp_path) == f"recipelang {version}\n"


@pytest.mark.parametrize("name", ["direct", "confidence", "self_verified", "ratings", "remom", "fusion"])
def test_the_installed_command_checks_the_standard_recipe(name: str, installed: Path, tmp_path: Path) -> None:
    recipe = path_in(installed, "purelib") / "recipelang" / "_data" / "stdlib_recipes" / f"{name}.recipe"
    run(command_of(installed), "check", recipe, cwd=tmp_path)


def test_the_installed_command_runs_the_tests_of_a_standard_recipe(installed: Path, tmp_path: Path) -> None:
    assert "all passed" in run(command_of(installed), "test", "std.fusion", cwd=tmp_path)


def test_the_installed_command_finds_the_standard_recipes_that_a_file_uses(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "team.recipe").write_text("use std.fusion\n", encoding="utf-8")
    run(command_of(installed), "check", "team.recipe", cwd=tmp_path)
