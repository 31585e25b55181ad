"""Records cassettes anew over the local models, with the question that each was recorded with: `python record.py NAME ...`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent


def record(name: str) -> int:
    cassette = FOLDER / f"{name}.cassette"
    run = json.loads(cassette.read_text(encoding="utf-8").splitlines()[1])
    metadata = [f"--metadata={key}={value}" for key, value in run["request"].get("metadata", {}).items()]
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as messages:
        json.dump(run["request"]["messages"], messages)
        messages.flush()
        command = [sys.executable, "-m", "recipelang.cli.main", "run", str(FOLDER / "patterns.recipe")]
        asked = ["--recipe", run["exposed"], "--messages", messages.name, *metadata, "--allow", "run_tests"]
        return subprocess.run([*command, *asked, "--record", str(cassette)], check=False).returncode


if __name__ == "__main__":
    sys.exit(max(map(record, sys.argv[1:]), default=0))
