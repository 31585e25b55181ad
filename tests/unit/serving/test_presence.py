"""A client that waits: its leaving ends the block, and what is to be done later is done beside it, once, or not at all."""

from __future__ import annotations

import anyio
import pytest

from recipelang.serving.presence import while_there

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Client:
    """Says nothing until it leaves."""

    def __init__(self, stays: float) -> None:
        self._stays = stays

    async def __call__(self) -> dict[str, str]:
        await anyio.sleep(self._stays)
        return {"type": "http.disconnect"}


async def test_a_block_ends_when_the_client_leaves_and_goes_on_behind_it() -> None:
    steps: list[str] = []
    async with while_there(Client(5)):
        steps.append("in")
        await anyio.sleep(100)
        steps.append("not cancelled")
    await anyio.sleep(1)  # what comes after it is not cancelled
    assert steps == ["in"]


async def test_a_block_that_is_done_does_not_wait_for_the_client() -> None:
    began = anyio.current_time()
    async with while_there(Client(100)):
        await anyio.sleep(1)
    assert anyio.current_time() - began < 2


async def test_a_failure_inside_is_raised_as_it_is() -> None:
    with pytest.raises((LookupError, ExceptionGroup)):
        async with while_there(Client(100)):
            raise LookupError


async def test_what_is_to_be_done_later_is_done_beside_the_block_unless_it_is_put_off_or_replaced() -> None:
    done: list[str] = []

    def noting(what: str):  # type: ignore[no-untyped-def]  # a coroutine function
        async def note() -> None:
            done.append(what)

        return note

    async with while_there(Client(100)) as there:
        there.after(1, noting("replaced"))
        there.after(2, noting("done"))
        await anyio.sleep(5)
        there.after(1, noting("put off"))
        there.put_off()
        await anyio.sleep(5)
        there.after(50, noting("too late"))
    await anyio.sleep(60)
    assert done == ["done"]
