"""Mistakes with names: unknown, doubled, reserved, missing."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import ASK, FAN, LAB, PANEL, SMALL, SOLVER, recipe
from recipelang.diagnostics.diagnostic import Code

UNKNOWN_NAME = Code(
    "E0201",
    "unknown name",
    "Every name stands for a declaration, a parameter, a step or a loop's item. One that stands for nothing is a typing "
    "mistake, or a `use` line is missing.",
    recipe("ask a = slover(model = m)", "return a"),
    recipe(ASK, "return a"),
)
UNKNOWN_CASE = Code(
    "E0202",
    "unknown case of an enum",
    "An enum has the cases that its type lists, and no others.",
    recipe(ASK, "let c = confidence(a, logprobs)", "return a if c > 0.5 else a"),
    recipe(ASK, "let c = confidence(a, logprob)", "return a if c > 0.5 else a"),
)
AMBIGUOUS = Code(
    "E0203",
    "ambiguous name",
    "Two of the files that this one uses declare the name, so that it is not clear which is meant. A declaration of "
    "this file always comes first.",
    'use "./one.recipe"\nuse "./two.recipe"\n'
    "recipe r(m: model) -> answer {\n  ask a = shared(model = m)\n  return a\n}\n",
    'use "./one.recipe"\nrecipe r(m: model) -> answer {\n  ask a = shared(model = m)\n  return a\n}\n',
    files=tuple((name, "role shared() { max_tokens = 100 }\n") for name in ("one.recipe", "two.recipe")),
)
NOT_HERE = Code(
    "E0204",
    "name without a meaning here",
    "`it` is the item at hand in `accept`, `keep`, `by` and the like; `tried` are the answers so far in the fallback of "
    "a cascade. Elsewhere they stand for nothing.",
    recipe(ASK, "return it"),
    recipe(ASK, "return a"),
)
DUPLICATE = Code(
    "E0205",
    "name declared twice",
    "A name means one thing in a file, and one thing in a recipe, so that a reader never has to ask which.",
    SOLVER + SOLVER + "recipe r(m: model) -> answer {\n  ask a = solver(model = m)\n  return a\n}\n",
    recipe(ASK, "return a"),
)
DUPLICATE_ATTRIBUTE = Code(
    "E0206",
    "attribute given twice",
    "Of two values for one attribute, one would be ignored in silence.",
    "role solver() {\n  temperature = 0\n  temperature = 1\n}\n"
    "recipe r(m: model) -> answer {\n  ask a = solver(model = m)\n  return a\n}\n",
    "role solver() {\n  temperature = 0\n}\n"
    "recipe r(m: model) -> answer {\n  ask a = solver(model = m)\n  return a\n}\n",
)
UNKNOWN_ATTRIBUTE = Code(
    "E0207",
    "unknown attribute",
    "An attribute that means nothing would be ignored in silence, and its author would think that it works.",
    recipe(FAN + " { qorum = 2 }", "return first(xs)", parameters=PANEL),
    recipe(FAN + " { quorum = 2 }", "return first(xs)", parameters=PANEL),
)
MISSING_ATTRIBUTE = Code(
    "E0208",
    "attribute missing",
    "What is declared here can't work without it.",
    LAB + "model small { backend = lab, price = { input = $0, output = $0 } }\n",
    LAB + SMALL,
)
UNKNOWN_MEMBER = Code(
    "E0209",
    "unknown member",
    "Values have the members of their type: an answer has `text`, `value`, `confidence` and more, a record its fields.",
    recipe(ASK, "let t = a.txt", "return a if size([t]) > 0 else a"),
    recipe(ASK, "let t = a.text", "return a if size([t]) > 0 else a"),
)
UNKNOWN_FUNCTION = Code(
    "E0210",
    "unknown function",
    "Expressions call built-in functions; `docs/functions.md` lists them.",
    recipe(FAN + " { quorum = 2 }", "return bset(xs, by = it.latency)", parameters=PANEL),
    recipe(FAN + " { quorum = 2 }", "return best(xs, by = it.latency)", parameters=PANEL),
)
UNKNOWN_TYPE = Code(
    "E0211",
    "unknown type",
    "A type is one of the language's own, or a record.",
    recipe(ASK, "return a", parameters="m: modle"),
    recipe(ASK, "return a", parameters="m: model"),
)
RESERVED = Code(
    "E0212",
    "reserved name",
    "Some names have a meaning of their own everywhere: `request`, `it`, `tried`, `fail`; and a role's call may always "
    "set `model`, `temperature`, `max_tokens` and `contract`.",
    recipe("ask request = solver(model = m)", "return request"),
    recipe(ASK, "return a"),
)
PRIVATE = Code(
    "E0215",
    "private to another file",
    "A declaration marked `private` is its file's own affair, which may change without notice.",
    'use "./parts.recipe"\n' + SOLVER + "recipe r(m: model) -> answer {\n  ask a = inner(model = m)\n  return a\n}\n",
    'use "./parts.recipe"\n' + SOLVER + "recipe r(m: model) -> answer {\n  ask a = outer(model = m)\n  return a\n}\n",
    files=(("parts.recipe", "private role inner() { max_tokens = 100 }\nrole outer() { max_tokens = 100 }\n"),),
)
NO_RETURN = Code(
    "E0213",
    "recipe without a return",
    "A recipe gives one value, the one that its `return` names.",
    recipe(ASK),
    recipe(ASK, "return a"),
)
TWO_RETURNS = Code(
    "E0214",
    "recipe with two returns",
    "The order in a file means nothing, so that it would not be clear which of two returns is meant.",
    recipe(ASK, "return a", "return a"),
    recipe(ASK, "return a"),
)
