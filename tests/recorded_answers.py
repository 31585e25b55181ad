"""A small pack of recorded answers, made up for tests, in the form of the real ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Entry = Mapping[str, Any]  # Any: JSON

MODELS = {"small-1": {"samples": 2}, "large/1": {"samples": 1, "price_index": 0.5}}
QUESTIONS: list[Entry] = [
    {"q": "q1", "kind": "mcq", "gold": "B", "prompt": "Which planet is the largest?", "category": "planets", "in": 30},
    {"q": "q2", "kind": "open", "gold": "", "prompt": None},
]
ROWS: list[Entry] = [
    {"q": "q1", "m": "small-1", "s": 0, "a": "A", "ok": 0, "in": 10, "out": 2, "usd": 0.25, "lat": 1500, "lp": -0.5},
    {"q": "q1", "m": "small-1", "s": 1, "a": "B", "ok": 1, "out": 3, "usd": 0.125, "t": "It is B.", "conf": 0.8},
    {"q": "q1", "m": "large/1", "s": 0, "a": "B", "ok": 1},
    {"q": "q2", "m": "small-1", "s": 0, "a": "", "ok": None, "gr": "judge", "usd": None},
    {"q": "q2", "m": "large/1", "s": 0, "a": None, "ok": 0, "err": "ast_decoder:none"},
]


def write_pack(folder: Path, rows: Iterable[Entry] = ROWS, questions: Iterable[Entry] = QUESTIONS) -> Path:
    """Write the pack into a folder, which is given back."""
    (folder / "meta.json").write_text(json.dumps({"pack": "planets", "models": MODELS}), encoding="utf-8")
    for name, entries in (("questions", questions), ("rows", rows)):
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return folder
