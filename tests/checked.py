"""What the checker says of short programs: the codes of its messages, or the types that it gives."""

from __future__ import annotations

from recipelang.compilation import Compilation, compile_text
from recipelang.ir.types import spelled

ROLES = "role solver() { max_tokens = 100 }\n"
MODELS = (
    'backend lab { kind = openai, url = "http://127.0.0.1:8000/v1" }\n'
    'model small { backend = lab, id = "a", price = { input = $1, output = $1 }, rating = 1000, zone = near }\n'
    'model large { backend = lab, id = "b", price = { input = $2, output = $2 }, rating = 1400, zone = far }\n'
)
EVERYTHING = "m: model, ms: model[2..4], xs: answer[..4], ys: answer[1..4], n: int(1..8), k: int, s: score, t: text?"


def codes(text: str, **files: str) -> list[str]:
    """The codes of all messages; `files` go by their names without `.recipe`."""
    return [diagnostic.code.id for diagnostic in compiled(text, **files).diagnostics]


def compiled(text: str, **files: str) -> Compilation:
    return compile_text(text, "root.recipe", {f"{name}.recipe": body for name, body in files.items()})


def errors(text: str, **files: str) -> list[str]:
    return [code for code in codes(text, **files) if code.startswith("E")]


def recipe(*steps: str, parameters: str = EVERYTHING, returns: str = "answer", more: str = "") -> str:
    """A recipe with these steps, which returns what one model says unless they hold a `return`."""
    body = "".join(f"  {step}\n" for step in steps)
    if not any(step.startswith("return") for step in steps):
        body += "  ask reply = solver(model = m)\n  return reply\n"
    return f"{ROLES}{more}recipe tried_out({parameters}) -> {returns} {{\n{body}}}\n"


def of_expression(expression: str, parameters: str = EVERYTHING, more: str = "") -> list[str]:
    """The errors of an expression over the parameters."""
    return errors(recipe(f"let value = {expression}", parameters=parameters, more=more))


def type_of(expression: str, parameters: str = EVERYTHING) -> str:
    """The type of an expression over the parameters, as an author would write it."""
    reading = ("ask reply = solver(model = m)", "return reply if size([value]) > 0 else reply")
    text = recipe(f"let value = {expression}", *reading, parameters=parameters)
    plan = compiled(text).plan
    assert plan is not None, codes(text)
    return next(spelled(step.type) for step in plan.recipes["tried_out"].steps if step.name == "value")
