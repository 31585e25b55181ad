"""Mistakes in `test` blocks."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import ASK, recipe
from recipelang.diagnostics.diagnostic import Code


def _test(*lines: str) -> str:
    """A recipe, and a test of it with these lines."""
    inside = "".join(f"  {line}\n" for line in lines)
    return recipe(ASK, "return a") + f'test "it answers" {{\n  model small {{ }}\n{inside}}}\n'


RUN, REQUEST = "run = r(m = small)", 'request = "Why?"'
REPLY, EXPECT = 'reply solver = "Because."', 'expect result.text == "Because."'

INCOMPLETE = Code(
    "E0801",
    "test that is not complete",
    "A test says what is run, what is asked, and what it expects of the run; one that expects nothing can't fail.",
    _test(RUN, REQUEST, REPLY),
    _test(RUN, REQUEST, REPLY, EXPECT),
)
NOT_A_RUN = Code(
    "E0802",
    "nothing that a test can run",
    "A test runs a recipe with its arguments, or a name that the file exposes.",
    _test("run = solver(model = small)", REQUEST, REPLY, EXPECT),
    _test(RUN, REQUEST, REPLY, EXPECT),
)
NEVER_ASKED = Code(
    "E0803",
    "reply that nothing asks for",
    "A reply is what a role, or a function of the host, gives that the tested recipe calls; any other is never used.",
    _test(RUN, REQUEST, 'reply slover = "Because."', EXPECT),
    _test(RUN, REQUEST, REPLY, EXPECT),
)
REPLY_VALUE = Code(
    "E0804",
    "reply that is not understood",
    "A reply is written down whole: a text, a record or a list of literals, `answer(...)` or `error(...)`.",
    _test(RUN, REQUEST, "reply solver = error(overloaded)", EXPECT),
    _test(RUN, REQUEST, "reply solver = error(429)", "expect failure == backend"),
)
OBSERVATION = Code(
    "E0805",
    "question about what is not in the run",
    "`ran(step)`, `asked(role)` and the like ask about the steps and the roles of the tested recipe and of those it runs.",
    _test(RUN, REQUEST, REPLY, "expect ran(b)"),
    _test(RUN, REQUEST, REPLY, "expect ran(a)"),
)
