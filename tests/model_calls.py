"""Calls of a model as the interpreter makes them, and what a backend makes of one: its reply or its failure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from recipelang.ir.plan import Model
from recipelang.runtime.ports import Backend, BackendError, Delta, Departure, ModelCall, Reply
from recipelang.runtime.values import Message

CALL = ModelCall(Model("small", "lab", "small-1"), "solver", (Message("user", "Which planet is the largest?"),), 100)


def model_call(**changes: Any) -> ModelCall:  # Any: the fields of a call
    """`CALL` with some of it changed; a call of its own."""
    return replace(CALL, **{"departure": Departure(), **changes})


async def deltas_of(backend: Backend, call: ModelCall = CALL) -> list[Delta]:
    """All that a streamed reply brings; raises `BackendError`."""
    found = []
    async with aclosing(backend.stream(call)) as deltas:
        async for delta in deltas:
            found.append(delta)  # noqa: PERF401 - what came before a failure is not lost on a reader of a trace
    return found


async def outcome_of(backend: Backend, *, stream: bool, call: ModelCall = CALL) -> Reply | BackendError:
    """How a call ends, whichever way it was asked for."""
    try:
        if not stream:
            return await backend.complete(call)
        return whole(await deltas_of(backend, call))
    except BackendError as error:
        return error


def whole(deltas: Sequence[Delta]) -> Reply:
    """The reply at the end of a stream, which is what its pieces say."""
    reply = deltas[-1].reply
    assert reply is not None
    assert "".join(delta.text for delta in deltas) == reply.text
    return reply
