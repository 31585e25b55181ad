"""Recipes that ask of a model what it can't do."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import SOLVER
from recipelang.diagnostics.diagnostic import Code

_LAB = 'backend lab { kind = openai, url = "http://127.0.0.1:8000/v1" }\n'


def _model(*declared: str) -> str:
    given = "".join(f", {each}" for each in declared)
    return f'{_LAB}model small {{ backend = lab, id = "a", price = {{ input = $0, output = $0 }}{given} }}\n'


def _grader(*declared: str) -> str:
    given = "".join(f", {each}" for each in declared)
    return f'record grade {{ good: bool }}\nrole grader(draft: answer) -> grade {{ max_tokens = 100, prompt = "{{{{ draft }}}}"{given} }}\n'


_SURE = """recipe r(models: model[1..3]) -> answer {
  cascade a = solver(model = m) for m in models { accept = CONFIDENCE >= 0.8, fallback = last(tried) }
  return a
}
expose "team" = r([small])
"""
_GRADED = """recipe r(m: model) -> answer {
  ask a = solver(model = m)
  ask g = grader(a, model = m)
  ask b = solver(model = m) { when = not g.good }
  return b or a
}
expose "team" = r(small)
"""
_ASKED = """recipe r(m: model) -> answer {
  ask a = ROLE(model = m)
  return a
}
expose "team" = r(small)
"""

NO_LOGPROBS = Code(
    "E1001",
    "confidence of a model that gives none",
    "`confidence(a)` is read off log-probabilities. Of a model that is declared to give none every answer would count as "
    "unsure, whatever it says.",
    _model("logprobs = false") + SOLVER + _SURE.replace("CONFIDENCE", "confidence(it)"),
    _model("logprobs = false") + SOLVER + _SURE.replace("CONFIDENCE", "confidence(it, missing = 0)"),
)
NO_SCHEMA = Code(
    "E1002",
    "record of a model that keeps to no JSON Schema",
    "A role that returns a record or a plan sends its model a JSON Schema, and an endpoint that knows none refuses the call.",
    _model("json_schema = false") + SOLVER + _grader() + _GRADED,
    _model("json_schema = false") + SOLVER + _grader("json = prompted", "repair = 1") + _GRADED,
)
NOT_ABLE = Code(
    "E1003",
    "model without what its role needs",
    "A role says what its model must be able to do; a model that is declared not to be can't play it.",
    _model("vision = false")
    + "role looker() { max_tokens = 100, needs = [vision] }\n"
    + _ASKED.replace("ROLE", "looker"),
    _model("vision = true")
    + "role looker() { max_tokens = 100, needs = [vision] }\n"
    + _ASKED.replace("ROLE", "looker"),
)
TOO_LONG = Code(
    "E1004",
    "role that does not fit its model",
    "A model's `context` holds the prompt and the answer together; an endpoint refuses a call that asks for more.",
    _model("context = 2k") + "role writer() { max_tokens = 4k }\n" + _ASKED.replace("ROLE", "writer"),
    _model("context = 8k") + "role writer() { max_tokens = 4k }\n" + _ASKED.replace("ROLE", "writer"),
)
