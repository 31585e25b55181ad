"""The same run on asyncio and on trio: with one seed and one script, the same answer, calls and spend."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from recipelang.backends.scripted import After, Script
from recipelang.backends.scripted import Outcome as Said
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.runtime.ports import BackendError, FailureKind
from runs import Outcome, outcome_of, plan_of

PLAN = plan_of(
    """
    recipe main() -> text {
      fanout xs = team(m) for m in [small, large, third] { samples = 4, parallel = 3, quorum = 2, grace = 1s, on_error = skip, fallback = [] }
      cascade first_try = speak(model = m) for m in [small, large] { accept = it.text == "yes", on_error = skip, timeout = 6s, fallback = none }
      ask final = judge(xs, first_try, model = large) { timeout = 4s, optional = true }
      return final.text if final != none else "nothing"
    }
    recipe team(m: model) -> answer {
      ask said  = speak(model = m) { retries = 2, timeout = 7s }
      ask again = judge([said], none, model = m) { timeout = 5s, fallback = said }
      return again
    }
    role judge(xs: answer[], more: answer?) { max_tokens = 50, prompt = "Judge: {{ xs }} {{ more }}" }
    """
)
LOOPS: tuple[tuple[str, Any], ...] = (  # Any: each loop's own options
    ("asyncio", lambda: {"loop_factory": VirtualTimeLoop}),
    ("trio", lambda: {"clock": trio.testing.MockClock(autojump_threshold=0)}),
)
words = st.sampled_from(("yes", "no", "perhaps"))
busy = BackendError(FailureKind.RATE_LIMIT, "busy", may_pass=True)
gone = BackendError(FailureKind.REQUEST, "gone")


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """No two replies come at the very same moment, and none at that of a timeout: loops settle such ties differently."""
    script: dict[str, list[Said]] = {}
    for number, model in enumerate(("small", "large", "third"), 1):
        told = draw(
            st.lists(st.tuples(st.integers(0, 90), words | st.sampled_from((busy, gone))), min_size=1, max_size=6)
        )
        script[model] = [
            After(tenths / 10 + number * 0.0137 + place * 0.00071, outcome)
            for place, (tenths, outcome) in enumerate(told, 1)
        ]
    return script


def outcome_on(loop: str, options: Any, script: Script, seed: int) -> Outcome:
    return anyio.run(partial(outcome_of, PLAN, script, seed=seed), backend=loop, backend_options=options())


@settings(max_examples=50)
@given(script=scripts(), seed=st.integers(0, 2**31 - 1))
def test_a_run_comes_out_the_same_on_asyncio_and_on_trio(script: Script, seed: int) -> None:
    one, other = (outcome_on(loop, options, script, seed) for loop, options in LOOPS)
    assert one.text == other.text
    assert sent(one) == sent(other)
    assert figures(one) == figures(other)


def sent(outcome: Outcome) -> list[tuple[float, str, object]]:
    """The calls that were made, and when."""
    return sorted((round(event.at, 6), event.step, event.data["model"]) for event in outcome.trace.of("call_start"))


def figures(outcome: Outcome) -> tuple[int, int, float]:
    return outcome.spend.tokens, outcome.spend.wasted_calls, round(outcome.spend.seconds, 6)
