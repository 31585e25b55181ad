"""Runs the `test` blocks of a recipe: scripted models, virtual time, no network; and says what no test reached.

>>> from recipelang import compile_text
>>> from recipelang.recipetests import run_tests
>>> compilation = compile_text('''
... role solver() { }
... recipe team(m: model) -> answer {
...   ask a = solver(model = m)
...   return a
... }
... test "it answers" {
...   model small { }
...   run     = team(m = small)
...   request = "Why?"
...   reply solver = "Because."
...   expect result.text == "Because."
... }
... ''')
>>> [(result.name, result.passed) for result in run_tests(compilation)]
[('it answers', True)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recipelang.recipetests.coverage import Coverage, Reachable, coverage_of
    from recipelang.recipetests.results import TestResult, Unmet
    from recipelang.recipetests.running import run_tests

_HOMES = {
    "Coverage": "coverage",
    "Reachable": "coverage",
    "TestResult": "results",
    "Unmet": "results",
    "coverage_of": "coverage",
    "run_tests": "running",
}

__all__ = ["Coverage", "Reachable", "TestResult", "Unmet", "coverage_of", "run_tests"]


def __getattr__(name: str) -> Any:  # Any: each name's own type, which the imports above tell
    """Each public name is imported when it is first read: the loop in virtual time is of use without the rest."""
    if name not in _HOMES:
        raise AttributeError(f"module `recipelang.recipetests` has no attribute `{name}`")
    from importlib import import_module  # deferred: start-up cost

    return getattr(import_module(f"recipelang.recipetests.{_HOMES[name]}"), name)
