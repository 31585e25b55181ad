"""What conftest.py promises to every test holds."""

from __future__ import annotations

import socket
import subprocess
import sys

import anyio
import pytest
import trio.lowlevel

from loopback_only import LoopbackOnly, is_local

OUTSIDE = ("192.0.2.1", 80)  # an address that documentation may use, and nobody has


@pytest.mark.anyio
async def test_an_async_test_runs_on_both_event_loops(anyio_backend_name: str) -> None:
    assert trio.lowlevel.in_trio_run() == (anyio_backend_name == "trio")


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("run", ["first", "second"])
async def test_an_hour_passes_at_once_in_virtual_time_and_exactly(run: str) -> None:
    started = anyio.current_time()
    assert started == 0.0  # each test has a clock of its own
    with anyio.move_on_after(3600) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert anyio.current_time() == 3600.0


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_sleepers_wake_in_order_in_virtual_time() -> None:
    woken = []

    async def sleeper(seconds: float) -> None:
        await anyio.sleep(seconds)
        woken.append((seconds, anyio.current_time()))

    async with anyio.create_task_group() as group:
        for seconds in (30.0, 0.1, 7.0):
            group.start_soon(sleeper, seconds)
    assert woken == [(0.1, 0.1), (7.0, 7.0), (30.0, 30.0)]


def test_a_test_that_reaches_the_network_fails() -> None:
    with socket.socket() as client, pytest.raises(pytest.fail.Exception, match="a test connects to"):
        client.connect(OUTSIDE)


def test_a_test_that_looks_up_a_host_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="a test looks up 'example.com'"):
        socket.getaddrinfo("example.com", 80)


@pytest.mark.anyio
async def test_an_async_test_that_reaches_the_network_fails() -> None:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - trio hands a group of it on
        await anyio.connect_tcp("example.com", 80)
    assert not isinstance(caught.value, Exception)


def test_a_test_may_reach_a_server_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_a_process_that_a_test_starts_cannot_reach_the_network() -> None:
    program = f"import socket; socket.socket().connect({OUTSIDE})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a test connects to" in done.stderr


@pytest.mark.parametrize(
    "address",
    [
        ("127.0.0.1", 80),
        ("127.9.9.9", 80),
        ("::1", 80, 0, 0),
        ("localhost", 80),
        (b"127.0.0.1",),
        (None,),
        "/tmp/s",
        None,
    ],
)
def test_loopback_addresses_and_unix_sockets_are_local(address: object) -> None:
    assert is_local(address)


@pytest.mark.parametrize(
    "address",
    [OUTSIDE, ("10.0.0.1", 80), ("fe80::1%eth0", 80, 0, 2), ("0.0.0.0", 80), ("example.com",), (b"localhost.com",)],
)
def test_all_other_addresses_and_names_are_not(address: object) -> None:
    assert not is_local(address)


@pytest.mark.live
def test_a_live_test_may_reach_further(guard: LoopbackOnly) -> None:
    assert guard.lifted
