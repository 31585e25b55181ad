"""A function of the host is tried again only while its step has time."""

from __future__ import annotations

import anyio
import pytest

from recipelang.backends.scripted import ScriptedBackend
from recipelang.hosts.binding import bound_entry
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.values import Json
from runs import asking, every_backend, plan_of

PLAN = plan_of(
    """
    extern look_up(what: text) -> text { timeout = 2s }
    recipe main() -> text {
      call found = look_up(request.text) { retries = 3, timeout = 4s }
      return found
    }
    """
)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_retry_that_would_come_too_late_is_not_waited_for() -> None:
    async def look_up(**arguments: Json) -> Json:
        await anyio.sleep(1.6)
        raise OSError("no such shelf")

    functions = dict.fromkeys(PLAN.externs, look_up)
    interpreter = Interpreter(PLAN, every_backend(PLAN, ScriptedBackend({})), functions)
    with pytest.raises(RunFailure, match="the host's function `look_up` failed: OSError: no such shelf") as raised:
        await interpreter.run(bound_entry(PLAN, "main", {}, []), asking())
    failure = raised.value
    assert (failure.kind, failure.step) == (RunFailureKind.HOST, "found")
    assert failure.trace is not None
    assert failure.spend is not None
    assert failure.spend.seconds == pytest.approx(1.6 + 0.5 + 1.6)  # and 0.5 more would be past the four seconds
    assert len(failure.trace.of("host_retry")) == 1
