"""Tests written in the language, for tests of how they are run."""

from __future__ import annotations

from recipelang.compilation import Compilation, compile_text
from recipelang.diagnostics.rendering import render
from recipelang.recipetests import TestResult, run_tests

TEAM = """\
role solver() {
  max_tokens = 1k
}

role grader(draft: answer) -> grade {
  prompt = "Grade this: {{ draft }}"
}

record grade { reason: text, score: score }

extern look_up(query: text) -> record { found: bool, page: text } { timeout = 5s }

## One draft, graded; where the grade is low a second one.
recipe team(m: model) -> answer {
  budget { calls = 8, time = 5m }
  ask    draft = solver(model = m) { retries = 2, timeout = 60s }
  ask    grade = grader(draft, model = m) { optional = true }
  choose reply {
    when grade != none and grade.score >= 0.5 => kept(draft)
    otherwise                                 => solver(model = m)
    fallback = draft
  }
  return reply
}

recipe kept(draft: answer) -> answer {
  return draft
}

recipe with_page(m: model) -> answer {
  call page  = look_up(request.text) { retries = 1, optional = true }
  choose reply {
    when page != none and page.found => solver(model = m)
    otherwise                        => fail("there is no such page")
  }
  return reply
}
"""
GOOD_GRADE = 'reply grader = { reason = "It is so.", score = 0.9 }'


def block_of(*lines: str, name: str = "it answers", run: str = "team(m = small)") -> str:
    """A test of the team, which a model `small` plays."""
    head = (f'test "{name}" {{', "  model small {}", f"  run     = {run}", '  request = "Why?"')
    return "\n".join([*head, *(f"  {line}" for line in lines), "}\n"])


def compilation_of(*tests: str, recipes: str = TEAM) -> Compilation:
    compilation = compile_text("\n".join([recipes, *tests]), "team.recipe")
    assert not compilation.diagnostics, render(compilation.diagnostics)
    return compilation


def results_of(*tests: str, recipes: str = TEAM) -> list[TestResult]:
    return run_tests(compilation_of(*tests, recipes=recipes))


def result_of(*lines: str, run: str = "team(m = small)", recipes: str = TEAM) -> TestResult:
    """The result of the one test with these lines."""
    return results_of(block_of(*lines, run=run), recipes=recipes)[0]
