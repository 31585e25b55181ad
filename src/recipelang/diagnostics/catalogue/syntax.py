"""Mistakes with the form of a file."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import ASK, LAB, SOLVER, recipe
from recipelang.diagnostics.diagnostic import Code

EXPECTED = Code(
    "E0101",
    "something else was expected",
    "The text stops making sense here; the message names what may stand in this place.",
    "role solver() { max_tokens : 100 }\n",
    "role solver() { max_tokens = 100 }\n",
)
UNCLOSED = Code(
    "E0102",
    "never closed",
    "Every bracket and every text that is opened is closed again.",
    "role solver() { max_tokens = 100\n",
    SOLVER,
)
STRAY = Code(
    "E0103",
    "bracket that closes nothing",
    "A closing bracket belongs to one that was opened before it.",
    SOLVER + "}\n",
    SOLVER,
)
UNKNOWN_KEYWORD = Code(
    "E0104",
    "unknown declaration or step",
    "A file is made of declarations, a recipe of a budget and steps; each begins with a word of its own.",
    "recpie r(m: model) -> answer {\n  return m\n}\n",
    recipe(ASK, "return a"),
)
FOREIGN = Code(
    "E0105",
    "spelling of another language",
    "The language has one spelling for each thing: `and`, `or`, `not`, `true`, `false`, `none`, and `#` for comments.",
    recipe(ASK, "return a if a.valid && request.turns > 1 else a"),
    recipe(ASK, "return a if a.valid and request.turns > 1 else a"),
)
BAD_NUMBER = Code(
    "E0106",
    "number that is not understood",
    "Numbers may carry a unit, of which there are few.",
    recipe(ASK + " { timeout = 30sec }", "return a"),
    recipe(ASK + " { timeout = 30s }", "return a"),
)
QUOTES = Code(
    "E0107",
    "other quotation marks",
    "Texts stand between straight double quotation marks.",
    LAB + "model small { backend = lab, id = 'qwen3-8b', price = { input = $0, output = $0 } }\n",
    LAB + 'model small { backend = lab, id = "qwen3-8b", price = { input = $0, output = $0 } }\n',
)
NAME_CASE = Code(
    "E0108",
    "name with capital letters",
    "Names are in `snake_case`, so that nobody has to remember which is spelled how.",
    "role Solver() { max_tokens = 100 }\n",
    SOLVER,
)
STRANGE_CHARACTER = Code(
    "E0109",
    "character without a meaning",
    "Outside of texts and comments there are letters, digits, brackets and operators.",
    SOLVER + "@\n",
    SOLVER,
)
CHAINED = Code(
    "E0110",
    "chained comparison",
    "`a < b < c` means different things in different languages, so that here it means nothing.",
    recipe(ASK, "return a if 1 < request.turns < 5 else a"),
    recipe(ASK, "return a if 1 < request.turns and request.turns < 5 else a"),
)
TOO_DEEP = Code(
    "E0111",
    "nested too deeply",
    "A part of an expression may have a name of its own, given by `let`; nobody can read a hundred levels.",
    recipe(ASK, "return a if " + "not " * 120 + "a.valid else a"),
    recipe(ASK, "return a if not a.valid else a"),
)
TOO_MANY = Code(
    "E0112",
    "too many mistakes",
    "After fifty mistakes of form the rest is only counted: the file is probably not a recipe.",
    "".join(f"role r{n} {{ }}\n" for n in range(60)),
    SOLVER,
)
