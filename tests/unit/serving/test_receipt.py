"""The receipt against the books of the upstream: what it says was billed is what was billed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from served import serving
from upstream import STALL, Answer, Received, answered, completion, refused


class Billing:
    """An upstream that keeps books: each whole answer is billed, each in its own sum."""

    def __init__(self, *steps: Answer | None) -> None:
        self._left = list(steps)
        self.billed: list[tuple[str, int, int]] = []

    def __call__(self, request: Received) -> Answer:
        step = self._left.pop(0) if self._left else None
        if step is not None:
            return step
        model, prompt, completed = request.json["model"], 10 + len(self.billed), 3 + len(self.billed)
        self.billed.append((model, prompt, completed))
        usage = {"prompt_tokens": prompt, "completion_tokens": completed, "total_tokens": prompt + completed}
        return answered(completion("Jupiter.", usage=usage))

    @property
    def tokens(self) -> tuple[int, int]:
        return sum(prompt for _, prompt, _ in self.billed), sum(completed for *_, completed in self.billed)

    @property
    def cost(self) -> float:
        prices = {"small-1": (0.05, 0.2), "large-1": (2, 12)}
        return sum((prices[m][0] * prompt + prices[m][1] * completed) / 1e6 for m, prompt, completed in self.billed)


def ask(address: str, model: str, **fields: Any) -> httpx2.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "?"}], "recipelang": {"receipt": True}, **fields}
    return httpx2.post(f"{address}/v1/chat/completions", json=body, timeout=20)


@pytest.mark.parametrize(
    ("model", "steps", "unknown"),
    [
        ("vllm-sr/auto", (), 0),
        ("team/panel", (), 0),
        ("fixed", (refused(503, "busy", retry_after="0"), refused(500, "down", retry_after="0")), 2),
    ],
    ids=["one call", "a panel", "two retries"],
)
def test_its_sums_are_what_the_upstream_billed(
    tmp_path: Path, model: str, steps: tuple[Answer, ...], unknown: int
) -> None:
    books = Billing(*steps)
    with serving(tmp_path, books) as (address, _):
        answer = ask(address, model)
    told = answer.json()["recipelang"]
    assert (told["prompt_tokens"], told["completion_tokens"]) == books.tokens
    assert told["cost"] == pytest.approx(books.cost)
    usage = answer.json()["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == books.tokens
    assert float(answer.headers["x-recipelang-cost"]) == pytest.approx(books.cost, abs=1e-9)
    assert told["calls"] == len(told["model_calls"]) == len(books.billed) + len(steps)
    assert told["unknown"]["calls"] == told["wasted_calls"] == unknown
    assert sum(call["cost"] for call in told["model_calls"] if call["reported"]) == pytest.approx(told["cost"])


def test_what_was_given_up_stands_apart(tmp_path: Path) -> None:
    with serving(tmp_path, [STALL]) as (address, _):
        answer = ask(address, "fixed", recipelang={"receipt": True, "deadline": 0.1})
    assert answer.status_code == 504
    told = answer.json()["recipelang"]
    (call,) = told["model_calls"]
    assert (call["ended"], call["why"]) == ("cancelled", "timeout")
    assert (told["cost"], told["prompt_tokens"], told["unknown"]["calls"]) == (0, 0, 1)
    assert told["unknown"]["tokens_at_most"] > 0
    assert told["steps"][0]["failure"] == "timeout"


def test_what_a_cancelled_call_may_have_cost_is_never_told_as_less(tmp_path: Path) -> None:
    """A panel of two that loses one gives the other up: the upstream may have billed it, and nobody was told."""
    books = Billing(refused(500, "down"))
    with serving(tmp_path, books) as (address, _):
        told = ask(address, "team/panel").json()["recipelang"]
    billed = sum(books.tokens)
    known = told["prompt_tokens"] + told["completion_tokens"]
    assert known <= billed <= known + told["unknown"]["tokens_at_most"]
    assert told["cost"] <= books.cost + 1e-12 <= told["cost"] + told["unknown"]["cost_at_most"] + 1e-12
    assert told["steps"][0]["ended"] == "failed"
