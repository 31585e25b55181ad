"""The heaviest steps that can run at once: the same whether a few are tried or a flow finds them."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from recipelang.validation.schedule import FEW, heaviest_antichain


def drawn(seed: int, size: int) -> tuple[dict[str, int], dict[str, frozenset[str]]]:
    """Weights of steps, some of them nothing, and the steps that each needs."""
    draw = random.Random(seed)
    weights = {f"s{number}": draw.randint(0, 5) for number in range(size)}
    needs: dict[str, frozenset[str]] = {}
    for name in weights:
        needs[name] = frozenset(earlier for earlier in needs if draw.random() < 0.3)
    return weights, needs


def related(needs: dict[str, frozenset[str]]) -> set[frozenset[str]]:
    before: dict[str, set[str]] = {}
    for name, needed in needs.items():
        before[name] = set(needed).union(*(before[earlier] for earlier in needed))
    return {frozenset((name, earlier)) for name, all_before in before.items() for earlier in all_before}


def by_all_subsets(weights: dict[str, int], pairs: set[frozenset[str]]) -> int:
    apart = (
        chosen
        for size in range(len(weights) + 1)
        for chosen in combinations(weights, size)
        if not any(frozenset(pair) in pairs for pair in combinations(chosen, 2))
    )
    return max(sum(weights[name] for name in chosen) for chosen in apart)


@pytest.mark.parametrize("size", [0, 1, 4, FEW, FEW + 5])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_heaviest_set_of_steps_of_which_none_comes_before_another(size: int, seed: int) -> None:
    weights, needs = drawn(seed, size)
    pairs = related(needs)
    weight, chosen = heaviest_antichain(weights, needs)
    assert weight == sum(weights[name] for name in chosen) == by_all_subsets(weights, pairs)
    assert all(weights[name] for name in chosen)
    assert not any(frozenset(pair) in pairs for pair in combinations(chosen, 2))


@pytest.mark.parametrize("weightless", [0, 1])
def test_of_a_chain_it_is_the_heaviest_step_however_long_the_chain(weightless: int) -> None:
    names = [f"s{number}" for number in range(20_000)]
    needs = {name: frozenset(names[max(0, place - 1) : place]) for place, name in enumerate(names)}
    weights = {name: 0 if weightless and place % 2 else 1 + place % 7 for place, name in enumerate(names)}
    assert heaviest_antichain(weights, needs) == (7, ("s6",))


def test_two_long_chains_side_by_side_are_as_heavy_as_the_heaviest_of_each() -> None:
    chains = [[f"{chain}{number}" for number in range(300)] for chain in "ab"]
    needs = {name: frozenset(chain[max(0, place - 1) : place]) for chain in chains for place, name in enumerate(chain)}
    weights = {name: 1 + place % 3 for chain in chains for place, name in enumerate(chain)}
    assert heaviest_antichain(weights, needs)[0] == 6
