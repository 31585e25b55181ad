"""Where a certificate breaks a budget, said so that the author sees the sum."""

from __future__ import annotations

import math
from collections.abc import Callable

from recipelang.ir.amounts import dollars
from recipelang.ir.certificate import Bound, Certificate, StepBound
from recipelang.ir.plan import Budget
from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class Breach:
    """One dimension of a budget that the worst case passes. `lines` are the sum, a step a line."""

    dimension: str
    limit: str
    worst: str
    lines: tuple[str, ...]
    help: str
    unknown_price: bool = False

    def message(self, recipe: str) -> str:
        if self.unknown_price:
            return f"what `{recipe}` costs is unknown, so its budget of {self.limit} proves nothing"
        return f"`{recipe}` may use {self.worst}, its budget is {self.limit}"

    @property
    def label(self) -> str:
        return "a price is missing" if self.unknown_price else f"the worst case is {self.worst}"


def endless_step(certificate: Certificate) -> str | None:
    """The step whose prompt has no bound, as it shows a list that has no greatest length."""
    return next((step.step for step in certificate.steps if math.isinf(step.bound.prompt_tokens.constant)), None)


def breaches(certificate: Certificate, budget: Budget) -> list[Breach]:
    """The dimensions in which the certificate passes the budget, for a request of `budget.request` bytes."""
    found = [_calls(certificate, budget), _tokens(certificate, budget), _cost(certificate, budget)]
    found += [_time(certificate, budget), _parallel(certificate, budget)]
    return [breach for breach in found if breach is not None]


def _calls(certificate: Certificate, budget: Budget) -> Breach | None:
    if budget.calls is None or certificate.total.calls <= budget.calls:
        return None
    lines = _sum(
        certificate.steps, lambda bound: f"{bound.calls}", f"{certificate.total.calls} calls, budget {budget.calls}"
    )
    help = "give the lists a smaller greatest length, take fewer samples, retries or repairs, or raise `calls`"
    return Breach("calls", _many(budget.calls, "call"), _many(certificate.total.calls, "call"), lines, help)


def tokens_of(bound: Bound, request: int) -> int:
    """Prompt and completion tokens for a request of so many bytes."""
    return math.ceil(bound.prompt_tokens.at(request)) + bound.completion_tokens


def _tokens(certificate: Certificate, budget: Budget) -> Breach | None:
    worst = tokens_of(certificate.total, budget.request)
    if budget.tokens is None or worst <= budget.tokens:
        return None
    lines = _sum(
        certificate.steps,
        lambda bound: f"{tokens_of(bound, budget.request)}",
        f"{worst} tokens for a request of {budget.request} bytes, budget {budget.tokens}",
    )
    return Breach(
        "tokens",
        f"{budget.tokens} tokens",
        f"{worst} tokens",
        lines,
        "lower `max_tokens` of the roles, ask fewer models, or raise `tokens`",
    )


def _cost(certificate: Certificate, budget: Budget) -> Breach | None:
    if budget.cost is None:
        return None
    if certificate.total.cost is None:
        names = ", ".join(f"`{name}`" if name != "any model" else name for name in certificate.unpriced)
        if certificate.unpriced == ("any model",):
            return None  # nothing is declared yet: the budget is held against the models of each entry
        return Breach(
            "cost",
            dollars(budget.cost),
            "",
            (f"no price: {names}",),
            "give it `price = { input = $..., output = $... }`",
            True,
        )
    worst = certificate.total.cost.at(budget.request)
    if worst <= budget.cost + 1e-9:
        return None

    def shown(bound: Bound) -> str:
        return "?" if bound.cost is None else f"${bound.cost.at(budget.request):.4f}"

    lines = _sum(
        certificate.steps, shown, f"${worst:.4f} for a request of {budget.request} bytes, budget {dollars(budget.cost)}"
    )
    return Breach(
        "cost",
        dollars(budget.cost),
        f"${worst:.4f}",
        lines,
        "lower `max_tokens`, ask cheaper or fewer models, or raise `cost`",
    )


def _time(certificate: Certificate, budget: Budget) -> Breach | None:
    if budget.time is None or certificate.total.seconds <= budget.time:
        return None
    by_name = {step.step: step for step in certificate.steps}
    path = tuple(by_name[name] for name in certificate.critical_path if name in by_name)
    total = f"{certificate.total.seconds:g}s along the critical path, budget {budget.time:g}s"
    lines = _sum(path, lambda bound: f"{bound.seconds:g}s", total)
    return Breach(
        "time",
        f"{budget.time:g}s",
        f"{certificate.total.seconds:g}s",
        lines,
        "shorten the timeouts on this path, or raise `time`",
    )


def _parallel(certificate: Certificate, budget: Budget) -> Breach | None:
    if budget.parallel is None or certificate.total.parallel <= budget.parallel:
        return None
    by_name = {step.step: step for step in certificate.steps}
    at_once = tuple(by_name[name] for name in certificate.parallel_steps if name in by_name)
    total = f"{certificate.total.parallel} calls at once, budget {budget.parallel}"
    lines = _sum(at_once, lambda bound: f"{bound.parallel}", total)
    return Breach(
        "parallel",
        f"{budget.parallel} at once",
        f"{certificate.total.parallel} calls at once",
        lines,
        "give the fan-out a `parallel`, or raise that of the budget",
    )


def _sum(steps: tuple[StepBound, ...], shown: Callable[[Bound], str], total: str) -> tuple[str, ...]:
    """`answers   up to 8 × panelist   8`, a step a line, and the total."""
    rows = [(step.step, step.how.replace("`", ""), shown(step.bound)) for step in steps]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    return (*lines, f"= {total}")


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
