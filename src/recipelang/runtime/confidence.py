"""How sure a model was, from the log-probabilities of the tokens it chose; knows nothing of answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipelang.runtime.values import TokenLogprob


def confidence(logprobs: Sequence[TokenLogprob] | None, measure: str = "hybrid") -> float | None:
    """A score from 0 to 1, or none where the tokens don't tell.

    >>> confidence([TokenLogprob("yes", 0.0, -50.0)])
    1.0
    """
    tokens = [token for token in logprobs or () if token.token and not math.isnan(token.logprob)]
    if not tokens:
        return None
    if measure == "logprob":
        return _mean_probability(tokens)
    if measure == "margin":
        return _mean_margin(tokens)
    margin = _mean_margin(tokens)
    likely = _mean_probability(tokens)
    return likely if margin is None else (likely + margin) / 2


def _mean_probability(tokens: Sequence[TokenLogprob]) -> float:
    """The geometric mean of the probabilities of the chosen tokens."""
    return math.exp(sum(min(0.0, token.logprob) for token in tokens) / len(tokens))


def _mean_margin(tokens: Sequence[TokenLogprob]) -> float | None:
    """The mean lead of the chosen token over the runner-up, where that is known; a token that trails it leads by 0."""
    leads = [
        max(0.0, _probability(token.logprob) - _probability(token.runner_up))
        for token in tokens
        if token.runner_up is not None and not math.isnan(token.runner_up)
    ]
    return sum(leads) / len(leads) if leads else None


def _probability(logprob: float) -> float:
    return math.exp(min(0.0, logprob))


def log_probability(probability: float) -> float:
    """The least logarithm that gives back no less than the probability: `accept = confidence(it) >= 0.72` takes 72%.

    >>> all(math.exp(log_probability(percent / 100)) >= percent / 100 for percent in range(101))
    True
    """
    if probability <= 0:
        return -math.inf
    found = math.log(probability)
    while math.exp(found) < probability:
        found = math.nextafter(found, math.inf)
    return found
