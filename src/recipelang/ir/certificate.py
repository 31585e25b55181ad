"""The bound certificate: the most that a recipe can use, step by step, and the path that makes it up."""

from __future__ import annotations

from recipelang.ir.limits import Amount, Count
from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class Linear:
    """`constant + per_byte × bytes + per_image × images` of the request, which is not known when a recipe is compiled."""

    constant: Amount = 0.0
    per_byte: Amount = 0.0
    per_image: Amount = 0.0

    def at(self, request_bytes: int, images: int = 0) -> float:
        return self.constant + self.per_byte * request_bytes + self.per_image * images

    def __add__(self, other: Linear) -> Linear:
        return Linear(self.constant + other.constant, self.per_byte + other.per_byte, self.per_image + other.per_image)

    def times(self, factor: float) -> Linear:
        if not factor:
            return Linear()  # not infinity × 0
        return Linear(self.constant * factor, self.per_byte * factor, self.per_image * factor)

    def join(self, other: Linear) -> Linear:
        """The least line that is over both for every request."""
        return Linear(
            max(self.constant, other.constant),
            max(self.per_byte, other.per_byte),
            max(self.per_image, other.per_image),
        )


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a step, or a recipe, can use."""

    calls: Count = 0
    prompt_tokens: Linear = Linear()
    completion_tokens: Count = 0
    cost: Linear | None = Linear()  # dollars; none: a price is unknown
    seconds: Amount = 0.0
    parallel: Count = 0  # calls in flight at once


@dataclass(frozen=True, slots=True)
class StepBound:
    """`how` says how the bound of a step comes about: `3 × (panelist + 1 repair)`.

    `arms` are those of a `choose` that weighs them, each with the most that it can use; nothing for one that is not possible.
    """

    step: str
    kind: str
    bound: Bound
    how: str = ""
    inner: tuple[StepBound, ...] = ()
    arms: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class NestedBound:
    """A recipe inside with a budget of tokens or money of its own, and the most that one run of it can use."""

    recipe: str
    bound: Bound


@dataclass(frozen=True, slots=True)
class Certificate:
    """`total` is never passed. `critical_path` names the steps that take the longest one after the other: their times
    add up to `total.seconds`, unless the recipe's own deadline comes before."""

    total: Bound
    steps: tuple[StepBound, ...]
    critical_path: tuple[str, ...]
    parallel_steps: tuple[str, ...]  # the steps that make up `total.parallel`
    unpriced: tuple[str, ...] = ()  # models without a price, which leave `total.cost` unknown
    uncounted: tuple[str, ...] = ()  # models that may see the request's images and don't say what one counts at most
    nested: tuple[NestedBound, ...] = ()
