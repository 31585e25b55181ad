"""Runs the `test` blocks of a recipe: scripted models, virtual time, no network; and says what no test reached.

>>> from recipelang import compile_text
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

from recipelang.recipetests.coverage import Coverage, Reachable, coverage
from recipelang.recipetests.results import TestResult, Unmet
from recipelang.recipetests.running import run_tests

__all__ = ["Coverage", "Reachable", "TestResult", "Unmet", "coverage", "run_tests"]
