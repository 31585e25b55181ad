"""Mistakes with bounds: circles, lists without an end, quorums out of reach, budgets that don't hold."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import ASK, FAN, LAB, PANEL, SOLVER, recipe
from recipelang.diagnostics.diagnostic import Code

OVER_BUDGET = Code(
    "E0501",
    "worst case over budget",
    "A recipe whose worst case breaks its own budget is refused before it runs. The sum shows where the worst case "
    "comes from: retries, repairs and branches that are cancelled later all count.",
    SOLVER + "recipe r(ms: model[2..8]) -> answer {\n  budget { calls = 4 }\n"
    "  fanout xs = solver(model = m) for m in ms { quorum = 2 }\n  return first(xs)\n}\n",
    SOLVER + "recipe r(ms: model[2..8]) -> answer {\n  budget { calls = 8 }\n"
    "  fanout xs = solver(model = m) for m in ms { quorum = 2 }\n  return first(xs)\n}\n",
)
UNKNOWN_PRICE = Code(
    "E0502",
    "budget of money with an unknown price",
    "A budget of money holds only where every model that may be asked has a price.",
    LAB + 'model small { backend = lab, id = "a" }\n' + SOLVER + "recipe r() -> answer {\n  budget { cost = $1 }\n"
    "  ask a = solver(model = small)\n  return a\n}\n",
    LAB
    + 'model small { backend = lab, id = "a", price = { input = $1, output = $1 } }\n'
    + SOLVER
    + "recipe r() -> answer {\n  budget { cost = $1 }\n  ask a = solver(model = small)\n  return a\n}\n",
)
STEP_CIRCLE = Code(
    "E0503",
    "steps that wait for each other",
    "A step starts when all that it names is there; steps in a circle would never start.",
    recipe("let b = c + 1", "let c = b + 1", ASK, "return a if b > c else a"),
    recipe("let b = 1", "let c = b + 1", ASK, "return a if b > c else a"),
)
RECURSION = Code(
    "E0504",
    "recipe that calls itself",
    "Without recursion every recipe has a known worst case.",
    "recipe r(m: model) -> answer {\n  run a = r(m)\n  return a\n}\n",
    recipe(ASK, "return a"),
)
SIGNAL_CIRCLE = Code(
    "E0507",
    "signals that read each other",
    "A signal or a boundary is computed from what it names; those in a circle would have no value.",
    "signal a: bool = not b\nsignal b: bool = not a\n",
    "signal a: bool = not b\nsignal b: bool = request.turns > 1\n",
)
UNBOUNDED = Code(
    "E0505",
    "no bound",
    "A list that a step goes through or a prompt shows, and the number of rounds or samples, have a greatest value that the "
    "compiler knows.",
    recipe(FAN + " { on_error = skip }", "return first(xs)", parameters="ms: model[]"),
    recipe(FAN + " { on_error = skip }", "return first(xs)", parameters="ms: model[1..8]"),
)
QUORUM = Code(
    "E0506",
    "quorum out of reach",
    "A quorum greater than the number of branches can never be met.",
    recipe(FAN + " { quorum = 9 }", "return first(xs)", parameters=PANEL),
    recipe(FAN + " { quorum = 2 }", "return first(xs)", parameters=PANEL),
)
