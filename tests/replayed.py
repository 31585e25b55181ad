"""Where the real recorded answers are, for tests: they are no part of this project."""

from __future__ import annotations

import os
from pathlib import Path

from recipelang.evaluation.packs import Pack, read_pack

REPLAY = os.environ.get("RECIPELANG_REPLAY", "")
"""The folder with `packs/` and `baselines/`, where there is one."""


def pack_called(name: str) -> Pack:
    return read_pack(Path(REPLAY) / "packs" / name)
