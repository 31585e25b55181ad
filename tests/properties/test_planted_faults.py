"""The laws are sharp: each fault that is planted in the prover, the ledger or the interpreter breaks one."""

from __future__ import annotations

import pytest

from campaign import HUNTED_WORLDS, found_after
from planted_faults import FAULTS, Fault

PROGRAMS = 5_000
"""At most: most faults show in the first hundred, and no further ones are drawn."""
SEED = 4


@pytest.mark.slow
def test_without_a_fault_no_law_is_broken() -> None:
    assert found_after(Fault("none", ()), 600, SEED) is None


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault) -> None:
    found = found_after(fault, PROGRAMS, SEED)
    assert found is not None, f"it was not found in {PROGRAMS * HUNTED_WORLDS} cases"
