"""Mistakes with promises about data."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import LAB, SOLVER
from recipelang.diagnostics.diagnostic import Code

_MODELS = """
model house { backend = lab, id = "a", price = { input = $0, output = $0 }, zone = local }
model cloud { backend = lab, id = "b", price = { input = $1, output = $1 }, zone = far }
boundary private { when = contains(request.conversation, "internal"), allow = it.zone == local }
"""
_WRONG = """recipe r(small: model, big: model) -> answer {
  choose a { when request.turns > 3 => solver(model = big) otherwise => solver(model = small) }
  return a
}
expose "team" = r(house, cloud)
"""

LEAK = Code(
    "E0901",
    "request that may reach a model behind a boundary",
    "While a boundary holds for a request, only the models that it allows may see any of it. Every call that an exposed "
    "recipe can make then is looked at: judges, fallbacks, repairs and recipes inside included.",
    LAB + _MODELS + SOLVER + _WRONG,
    LAB + _MODELS + SOLVER + _WRONG.replace("when request.turns > 3", "when not private and request.turns > 3"),
)
