"""The laws are sharp: each fault that is planted in the prover, the ledger or the interpreter breaks one."""

from __future__ import annotations

import pytest

from campaign import HUNTED_WORLDS, drawn_programs, found_after
from planted_faults import FAULTS, Fault
from recipe_programs import Program

PROGRAMS = 600
SEED = 3


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return drawn_programs(PROGRAMS, SEED)


@pytest.mark.slow
def test_without_a_fault_no_law_is_broken(programs: list[Program]) -> None:
    assert found_after(Fault("none", ()), programs, SEED) is None


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault, programs: list[Program]) -> None:
    found = found_after(fault, programs, SEED)
    assert found is not None, f"it was not found in {PROGRAMS * HUNTED_WORLDS} cases"
