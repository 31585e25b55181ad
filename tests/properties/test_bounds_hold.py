"""Laws 4 to 7 over whole programs: whatever a recipe, a request and the models are, a run keeps what was promised.

The long run of the same is `python tests/campaign.py`; that the laws would find a fault is `test_planted_faults.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from certified_runs import LOOPS, drawn_case, held, lawful
from recipe_programs import drawn_program

WORLDS = 3
"""Runs of one program."""
EXAMPLES = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
numbers: st.SearchStrategy[Any] = st.data()  # Any: what Hypothesis draws from


@pytest.mark.parametrize("loop", LOOPS)
@EXAMPLES
@given(data=numbers)
def test_no_run_uses_more_than_its_certificate_promised(loop: str, data: st.DataObject) -> None:
    def pick(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    program = drawn_program(pick)
    assume(not program.invalid)
    for _ in range(WORLDS):
        held(drawn_case(pick, loop, program))


@EXAMPLES
@given(data=numbers)
def test_a_program_keeps_its_meaning_when_it_is_laid_out_compiled_again_and_saved(data: st.DataObject) -> None:
    program = drawn_program(lambda low, high: data.draw(st.integers(low, high)))
    assume(not program.invalid)
    lawful(program)
