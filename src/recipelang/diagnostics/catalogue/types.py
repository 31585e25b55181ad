"""Mistakes with types: values that don't fit where they stand."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import ASK, FAN, PANEL, recipe
from recipelang.diagnostics.diagnostic import Code

JUDGE = 'record grade { score: score }\nrole judge(text: text) -> grade { prompt = "{{ text }}" }\n'

MISMATCH = Code(
    "E0301",
    "wrong type",
    "Nothing is turned into another type in silence: an answer is not its text, a number is not a condition.",
    JUDGE + recipe(ASK, "ask g = judge(a, model = m)", "return a if g.score > 0.5 else a"),
    JUDGE + recipe(ASK, "ask g = judge(a.text, model = m)", "return a if g.score > 0.5 else a"),
)
MAYBE_NONE = Code(
    "E0302",
    "value that may be none",
    "A value of type `T?` may be none. Say what happens then: `x or y`, or a test `x != none`.",
    recipe(ASK + " { optional = true }", "return a"),
    recipe(ASK, "return a"),
)
LIST_LENGTH = Code(
    "E0303",
    "list that may have the wrong length",
    "The bounds on a list's length are what makes a cost known; a list that may be shorter or longer does not fit.",
    "recipe pair(ms: model[..2]) -> answer {\n  cascade a = solver(model = m) for m in ms\n  return a\n}\n"
    + recipe("run a = pair(ms)", "return a", parameters=PANEL),
    "recipe pair(ms: model[..2]) -> answer {\n  cascade a = solver(model = m) for m in ms\n  return a\n}\n"
    + recipe("run a = pair(take(ms, 2))", "return a", parameters=PANEL),
)
OUT_OF_RANGE = Code(
    "E0304",
    "number out of range",
    "A number must lie within the bounds of the type that is wanted.",
    recipe(
        FAN + " { samples = 0 }",
        "return first(xs) if size(xs) > 0 else fail_safe",
        parameters=PANEL + ", fail_safe: answer",
    ),
    recipe(
        FAN + " { samples = 2 }",
        "return first(xs) if size(xs) > 0 else fail_safe",
        parameters=PANEL + ", fail_safe: answer",
    ),
)
MIXED_LIST = Code(
    "E0305",
    "list of different types",
    "The items of a list have one type.",
    recipe(ASK, 'let xs = [1, "two"]', "return a if size(xs) > 1 else a"),
    recipe(ASK, "let xs = [1, 2]", "return a if size(xs) > 1 else a"),
)
MISSING_FIELD = Code(
    "E0306",
    "field missing",
    "A record has all of its fields, except those that may be none.",
    "record pair { one: answer, other: answer }\n" + recipe(ASK, "return { one = a }", returns="pair"),
    "record pair { one: answer, other: answer }\n" + recipe(ASK, "return { one = a, other = a }", returns="pair"),
)
BAD_OPERATION = Code(
    "E0307",
    "operation without a meaning",
    "Operators take numbers, durations, amounts, texts or lists of the same kind.",
    recipe(ASK, "return a if a.latency > 5 else a"),
    recipe(ASK, "return a if a.latency > 5s else a"),
)
MAY_BE_EMPTY = Code(
    "E0308",
    "list that may be empty",
    "`first`, `best`, a vote and the like need an item. Show that there is one, by a quorum, a type or a guard; in a "
    "`fallback` they may stand as they are, since a failure there has an owner.",
    recipe("return first(given)", parameters="given: answer[..4]"),
    recipe("return first(given)", parameters="given: answer[1..4]"),
)
ATTRIBUTE_VALUE = Code(
    "E0309",
    "wrong value for an attribute",
    "An attribute takes a literal of its own kind: a time with a unit, an amount with `$`, one of some words.",
    recipe(ASK + " { timeout = 30 }", "return a"),
    recipe(ASK + " { timeout = 30s }", "return a"),
)
TYPE_ARGUMENTS = Code(
    "E0310",
    "wrong type arguments",
    "`int(1..16)` and `contract(0..2)` have bounds, `enum(a, b)` has cases, lists have bounds in brackets.",
    recipe(FAN, "return first(xs)", parameters="ms: model(1..3)"),
    recipe(FAN, "return first(xs)", parameters="ms: model[1..3]"),
)
EMPTY_RANGE = Code(
    "E0311",
    "empty range",
    "A range goes from its least to its greatest number.",
    recipe(FAN + " { quorum = 2 }", "return first(xs)", parameters="ms: model[8..2]"),
    recipe(FAN + " { quorum = 2 }", "return first(xs)", parameters="ms: model[2..8]"),
)
EMPTY_RECORD = Code(
    "E0312",
    "record without fields",
    "A record holds at least one value.",
    "record nothing { }\n",
    "record something { text: text }\n",
)
RECORD_CIRCLE = Code(
    "E0313",
    "record inside itself",
    "A value has a bounded size, so a record can't contain itself.",
    "record tree { left: tree, name: text }\n",
    "record tree { left: text, name: text }\n",
)
BAD_PATTERN = Code(
    "E0314",
    "pattern that is not understood",
    "Patterns meet what models say. They are RE2's, which take time in proportion to the text, whatever it is: "
    "look-around and back-references, with which a pattern can run for ever, are not among them.",
    'contract letter { extract = r"(?=A)([A-J])" }\n',
    'contract letter { extract = r"ANSWER:\\s*([A-J])" }\n',
)
NO_SCHEMA = Code(
    "E0315",
    "not a JSON Schema",
    "A role that returns a record, or a contract with a schema, holds the model to a JSON Schema. An answer or a model "
    "can't be told in JSON.",
    'record pair { one: answer }\nrole judge() -> pair { prompt = "Choose." }\n',
    'record pair { one: text }\nrole judge() -> pair { prompt = "Choose." }\n',
)
ROLE_RETURNS = Code(
    "E0316",
    "role that returns neither an answer nor a record",
    "A model's reply is an answer, or JSON in the form of a record.",
    'role judge() -> score { prompt = "Grade it." }\n',
    'record grade { score: score }\nrole judge() -> grade { prompt = "Grade it." }\n',
)
