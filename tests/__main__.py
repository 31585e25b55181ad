"""Runs all tests on a machine that has but Python: `python3 tests`, with pytest's arguments after it if any.

It makes an environment of its own in the checkout, `.venv-tests`, installs what pyproject.toml names, and hands over
to pytest. Contributors, the README and CI run the tests by this one command. Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-tests" / f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST = (3, 11)


def main(arguments: list[str]) -> int:
    """Prepares the environment and runs pytest in it; the exit code is pytest's, or that of the step that failed."""
    if sys.version_info < OLDEST:
        sys.exit(f"recipelang needs Python 3.11 or later, and this is {sys.version.split()[0]}: try `python3.11 tests`")
    print(f"preparing {ENVIRONMENT.relative_to(ROOT)} ...", flush=True)
    os.environ.setdefault("UV_SYSTEM_CERTS", "true")  # for the tests that build and install, too
    try:
        prepare()
    except subprocess.CalledProcessError as failure:
        return failure.returncode
    return subprocess.call([program("python"), "-m", "pytest", *arguments], cwd=ROOT)


def prepare() -> None:
    """Makes the environment where there is none yet, and brings it up to date with pyproject.toml."""
    if not Path(program("uv")).exists():
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        subprocess.check_call([program("python"), "-m", "pip", "install", "--quiet", "uv>=0.9,<1"])
    subprocess.check_call(
        [program("uv"), "pip", "install", "--quiet", "--editable", ".[local,fast,serve,signals]", "--group", "dev"],
        cwd=ROOT,
        env={**os.environ, "VIRTUAL_ENV": str(ENVIRONMENT)},
    )


def program(name: str) -> str:
    """The path of a program in the environment."""
    places = {"base": str(ENVIRONMENT), "platbase": str(ENVIRONMENT)}
    return str(Path(sysconfig.get_path("scripts", "venv", places)) / (name + sysconfig.get_config_var("EXE")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
