"""Answers, models and requests for tests that look at values."""

from __future__ import annotations

from recipelang.ir.plan import Model, Plan, Price
from recipelang.runtime.values import Answer, Json, TokenLogprob, Usage

SMALL = Model("small", "lab", "small-1", price=Price(1, 2), rating=900)
LARGE = Model("large", "lab", "large-1", price=Price(10, 20), rating=1400)
FREE = Model("free", "lab", "free-1")  # neither priced nor rated

PLAN = Plan(models={model.name: model for model in (SMALL, LARGE, FREE)})


def answer(
    text: str = "Jupiter",
    *,
    value: Json = None,
    model: Model = SMALL,
    logprobs: tuple[TokenLogprob, ...] | None = None,
    max_tokens: int | None = 100,
    finish: str = "stop",
) -> Answer:
    """What a model said; ten tokens for the prompt, five for the answer."""
    return Answer(text, value, True, model, "speak", Usage(10, 5), 2e-5, 0.5, finish, logprobs, max_tokens=max_tokens)
