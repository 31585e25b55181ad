"""A pack of made-up answers in which the right numbers are known, and recipes that choose by them."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

EASY, HARD = "Name", "Prove"
RATES = {("small", EASY): 0.9, ("small", HARD): 0.3, ("large", EASY): 0.95, ("large", HARD): 0.9}
"""How often a model is right, by the first word of the question."""
COSTS = {"small": 0.001, "large": 0.01}

CHOOSING = """\
language 1

role respond() { max_tokens = 1k }  # this comment stays

signal hard: bool = contains(request.text, "Prove")

# Which model is worth it.
recipe choosing(small: model, large: model, worth: money = $0.05) -> answer {
  choose reply {
    when true => alone(small) { quality = clamp(0.5 - 0.1 * hard), cost = $0.1 }
    otherwise => alone(large) { quality = 0.5, cost = $0.1 }  # and this one
    by = expected_quality(it) - (expected_cost(it) or $1) / worth
  }
  return reply
}

recipe alone(one: model) -> answer {
  ask reply = respond(model = one)
  return reply
}
"""

CASCADED = """\
language 1

role respond() { max_tokens = 1k }

## Asks the first, and the next where it is unsure.
recipe cascaded(ladder: model[2..3], threshold: score = 0.1) -> answer {
  cascade reply = respond(model = m) for m in ladder {
    accept   = confidence(it) >= threshold
    fallback = last(tried)
  }
  return reply
}
"""


def chance(*parts: object) -> float:
    """A number from 0 to 1 that is the same for ever."""
    return int(sha256(repr(parts).encode()).hexdigest()[:8], 16) / 2**32


def write_runs(folder: Path, n: int = 260) -> Path:
    """A pack of two models; the small one is more confident, from 0.6 on, where it is right."""
    folder.mkdir(exist_ok=True)
    (folder / "meta.json").write_text(
        json.dumps({"pack": "made_up", "models": {"small": {"samples": 1}, "large": {"samples": 1}}}), encoding="utf-8"
    )
    questions, rows = [], []
    for number in range(n):
        kind = HARD if chance(number, "kind") < 0.5 else EASY
        questions.append({"q": f"q{number}", "kind": "open", "gold": "A", "prompt": f"{kind} number {number}."})
        for model, cost in COSTS.items():
            right = chance(number, model) < RATES[model, kind]
            sure = 0.6 + 0.3 * chance(number, "sure") if right else 0.5 * chance(number, "sure")
            rows.append(
                {"q": f"q{number}", "m": model, "s": 0, "a": "A" if right else "B", "ok": int(right), "usd": cost}
                | {"lat": 500 if model == "small" else 2000, "conf": sure}
            )
    for name, entries in (("questions", questions), ("rows", rows)):
        text = "".join(json.dumps(entry) + "\n" for entry in entries)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder
