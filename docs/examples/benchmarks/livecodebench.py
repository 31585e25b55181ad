"""What LiveCodeBench needs of the host: programs are tried out on the examples of their question, each in a room of its own.

recipelang serve sets.recipe --functions livecodebench
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from functools import cache

from recipelang import RunTests
from recipelang.evaluation.grading import code


@dataclass(frozen=True)
class Case:
    """What a program is given, and what it must give: `stdin` text for text, `call` arguments as Python writes them, `json` as lines."""

    kind: str
    given: str
    wanted: str


async def passes(question: str, by: str, said: str) -> bool:
    """Whether the program in an answer does what the examples of the question show; `by` is only for who measures."""
    cases = examples(question)
    if not cases:
        raise ValueError("the question shows no examples that can be tried out")
    return await holds(code(said), cases)


async def holds(program: str, cases: list[Case]) -> bool:
    """Whether a program does what all the cases say."""
    told = [astuple(case) for case in cases]
    verdict = await _run_tests()("", f"PROGRAM, CASES = {program!r}, {told!r}\n{_TRYING_OUT}")
    return verdict["passed"]


@cache
def _run_tests() -> RunTests:
    return RunTests()


_SAMPLES = re.compile(
    r"^#*\s*sample\s+input(?:\s+\d+)?:?[ ]*\n+(?P<given>.*?)\n+"
    r"#*\s*sample\s+output(?:\s+\d+)?:?[ ]*\n+(?P<wanted>.*?)(?:\n\s*\n|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_CALLS = re.compile(r"^Input: *(?P<given>.+)\n+Output: *(?P<wanted>.+)$", re.MULTILINE)


def examples(question: str) -> list[Case]:
    """The examples that a question shows, as AtCoder and Codeforces, or as LeetCode prints them.

    >>> examples("Add.\\n\\nSample Input 1\\n\\n1 2\\n\\nSample Output 1\\n\\n3\\n\\nSo it is.")
    [Case(kind='stdin', given='1 2', wanted='3')]
    >>> examples("Example 1:\\n\\nInput: a = 1, b = [2]\\nOutput: 3\\n")
    [Case(kind='call', given='a = 1, b = [2]', wanted='3')]
    """
    plain = question.replace("```", "")
    samples = [Case("stdin", found["given"].strip("\n"), found["wanted"]) for found in _SAMPLES.finditer(plain)]
    return samples or [Case("call", found["given"], found["wanted"]) for found in _CALLS.finditer(plain)]


_TRYING_OUT = """
import ast, contextlib, inspect, io, json, sys

def printed(given):
    sys.stdin, out = io.TextIOWrapper(io.BytesIO(given.encode())), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        exec(compile(PROGRAM, "program.py", "exec"), {"__name__": "__main__"})
    return out.getvalue().split()

def solved(*given, **named):
    names = {"__name__": "program"}
    exec("from typing import *\\nfrom collections import *\\nimport math", names)
    before = set(names)
    exec(compile(PROGRAM, "program.py", "exec"), names)
    own = [value for name, value in names.items() if name not in before and callable(value)]
    if "Solution" in names:
        whole = names["Solution"]()
        own = [getattr(whole, name) for name in vars(type(whole)) if not name.startswith("_")]
    return [value for value in own if not inspect.isclass(value)][-1](*given, **named)

for kind, given, wanted in CASES:
    if kind == "stdin":
        got, wanted = printed(given), wanted.split()
    elif kind == "json":
        got, wanted = solved(*map(json.loads, given.splitlines())), json.loads(wanted)
    else:
        call = ast.parse(f"f({given})", mode="eval").body
        got = solved(*map(ast.literal_eval, call.args), **{k.arg: ast.literal_eval(k.value) for k in call.keywords})
        wanted = ast.literal_eval(wanted.replace("true", "True").replace("false", "False").replace("null", "None"))
    assert got == wanted, f"given {given!r:.200}, it gives {got!r:.200}, and {wanted!r:.200} is wanted"
"""
