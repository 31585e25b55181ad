"""What every test may count on: two event loops, virtual time, and a network that ends at this machine.

**Async tests** are marked `anyio` and run twice, on asyncio and on trio. Marked `virtual_time` as well, they run on
clocks that jump to the next deadline (our `VirtualTimeLoop`, trio's `MockClock`): an hour's timeout takes no time, and
`anyio.current_time()` tells exactly what passed. Each test gets a clock of its own. Under virtual time wait for no
thread and no real socket: a timeout comes before them.

**The network** ends at the loopback: a test that reaches further, or a Python process that it starts, fails. Only a
test marked `live` may ask the package index.

**Hypothesis** sets no deadline here, for a busy machine is no counterexample, and repeats itself under `CI`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from hypothesis import settings

from loopback_only import LoopbackOnly
from recipelang.recipetests.virtual_time import VirtualTimeLoop

BACKENDS = ("asyncio", "trio")
OFFLINE = Path(__file__).parent / "offline"

settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:  # Any: each backend's own options
    """The event loop that an async test runs on, read by anyio's plugin."""
    if request.node.get_closest_marker("virtual_time") is None:
        return request.param, {}
    if request.param == "trio":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture(scope="session")
def guard() -> LoopbackOnly:
    """The one guard of this process; its failure passes every `except Exception` of what is under test."""
    return LoopbackOnly(raising=pytest.fail.Exception)


@pytest.fixture(autouse=True)
def network_ends_here(
    request: pytest.FixtureRequest, guard: LoopbackOnly, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Guards each test and the Python processes that it starts, unless it is marked `live`."""
    guard.lifted = request.node.get_closest_marker("live") is not None
    if not guard.lifted:
        monkeypatch.setenv("PYTHONPATH", str(OFFLINE), prepend=os.pathsep)
    yield
    guard.lifted = True
