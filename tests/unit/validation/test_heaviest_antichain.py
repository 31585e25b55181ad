"""The heaviest steps that can run at once: the same whether a few are tried or a flow finds them."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from recipelang.validation.graph import FEW, heaviest_antichain


def drawn(seed: int, size: int) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Weights of steps, and all the steps before each."""
    draw = random.Random(seed)
    weights = {f"s{number}": draw.randint(1, 5) for number in range(size)}
    before: dict[str, set[str]] = {}
    for name in weights:
        needed = [earlier for earlier in before if draw.random() < 0.3]
        before[name] = set(needed).union(*(before[earlier] for earlier in needed))
    return weights, before


def by_all_subsets(weights: dict[str, int], before: dict[str, set[str]]) -> int:
    related = {frozenset((name, earlier)) for name, all_before in before.items() for earlier in all_before}
    apart = (
        chosen
        for size in range(len(weights) + 1)
        for chosen in combinations(weights, size)
        if not any(frozenset(pair) in related for pair in combinations(chosen, 2))
    )
    return max(sum(weights[name] for name in chosen) for chosen in apart)


@pytest.mark.parametrize("size", [0, 1, 4, FEW, FEW + 1])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_heaviest_set_of_steps_of_which_none_comes_before_another(size: int, seed: int) -> None:
    weights, before = drawn(seed, size)
    weight, chosen = heaviest_antichain(weights, before)
    assert weight == sum(weights[name] for name in chosen) == by_all_subsets(weights, before)
    assert not any(one in before[other] for one in chosen for other in chosen)
