"""What is no mistake, but should be looked at."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import ASK, LAB, SMALL, recipe
from recipelang.diagnostics.diagnostic import Code, Severity

_CALIBRATED = """\
# calibrated: long {} (0.25 to 0.35)
# from runs.jsonl@0123456789, n = 500, on 2026-11-24 for 36500 days; models none; rest 8af1c4d59f
band length = clamp(request.tokens / 1000) {{ short < 0.3 <= long }}
"""

NO_PRICE = Code(
    "W0701",
    "model without a price",
    "The cost of a recipe is unknown where a model may be asked whose price is.",
    LAB + 'model small { backend = lab, id = "qwen3-8b" }\n',
    LAB + SMALL,
    Severity.WARNING,
)
LAST_MESSAGE = Code(
    "W0703",
    "promise that looks at the last message only",
    "The whole conversation goes to the models, and `request.text` is only what the user said last: what was said before, "
    "and what tools gave, passes such a boundary unseen.",
    'boundary internal { when = contains(request.text, "internal"), allow = it.zone == local }\n',
    'boundary internal { when = contains(request.conversation, "internal"), allow = it.zone == local }\n',
    Severity.WARNING,
)
STALE = Code(
    "W0704",
    "calibrated for something else",
    "Numbers that were fitted to recorded runs are right for the recipe, the models and the data that they were fitted with. "
    "Where these have changed since, or the numbers are older than they were to be good for, they are only numbers.",
    _CALIBRATED.format("0.4"),
    _CALIBRATED.format("0.3"),
    Severity.WARNING,
)
UNUSED = Code(
    "W0702",
    "nothing reads it",
    "A step whose value nobody reads is left out of the plan, and does nothing; a parameter that nobody reads misleads.",
    recipe(ASK, "ask b = solver(model = m)", "return a"),
    recipe(ASK, "return a"),
    Severity.WARNING,
)
