"""What the sample programs of the catalogue share."""

from __future__ import annotations

SOLVER = "role solver() { max_tokens = 100 }\n"
LAB = 'backend lab { kind = openai, url = "http://127.0.0.1:8000/v1" }\n'
SMALL = 'model small { backend = lab, id = "qwen3-8b", price = { input = $0.05, output = $0.20 } }\n'


def recipe(*steps: str, parameters: str = "m: model", returns: str = "answer") -> str:
    """A recipe `r` with these steps, after the role `solver`."""
    lines = "".join(f"  {step}\n" for step in steps)
    return f"{SOLVER}recipe r({parameters}) -> {returns} {{\n{lines}}}\n"


ASK = "ask a = solver(model = m)"
FAN = "fanout xs = solver(model = m) for m in ms"
PANEL = "ms: model[2..8]"
