"""`run_tests`: what a program of a model is worth, by running it against tests in a room of its own."""

from __future__ import annotations

from typing import TypedDict

from recipelang.hostfunctions.rooms import Ended, Isolation, RoomLimits, Rooms


class Verdict(TypedDict):
    """Whether the tests passed, and what was printed on the way."""

    passed: bool
    log: str


class RunTests:
    """The function `run_tests(program: text, cases: text) -> record { passed: bool, log: text }`.

    >>> Engine("std.generate_and_test", "models.recipe", functions={"run_tests": RunTests()})  # doctest: +SKIP

    The program is a module, and `cases` is Python that follows it: lines with `assert`, functions `test_...`, classes of
    `unittest`. Without cases the program is run by itself, and passes where it ends without an error.

    Each call runs in a process of its own, under `limits`, behind walls: with no network, no processes but its own, no
    files but Python, the system's libraries and an empty folder. `isolation="limits"` leaves the walls out, for a host
    that is walled off itself. Raises `NotIsolated` where this machine can't do it. `docs/host-functions.md` says what
    that does not keep out.
    """

    def __init__(self, limits: RoomLimits | None = None, *, isolation: Isolation = "walls") -> None:
        self._rooms = Rooms(limits or RoomLimits(), isolation)

    async def __call__(self, program: str, cases: str) -> Verdict:
        ended = await self._rooms.run(program, cases)
        return {"passed": ended.passed, "log": self._log(ended)}

    def _log(self, ended: Ended) -> str:
        """How it ended, where that is not plain, and what it printed; in this order, for a prompt may cut the end."""
        note = _note(ended, self._rooms.limits)
        return "\n".join(part for part in (note and f"[{note}]", ended.printed.strip("\n")) if part)


def _note(ended: Ended, limits: RoomLimits) -> str:
    """What the output does not say of how a program ended."""
    match ended.how.split():
        case []:
            return "it was stopped: it broke the room that it ran in"
        case ["time"]:
            return f"it was stopped: it ran for more than {limits.seconds:g} s"
        case ["signal", "SIGXCPU"]:
            return f"it was stopped: it computed for more than {limits.seconds:g} s"
        case ["output"]:
            return f"it was stopped: it printed more than {limits.output:,} bytes"
        case ["signal", name]:
            return f"it was ended by {name}"
        case ["exit", status] if not ended.passed and (status == "0" or not ended.printed):
            return f"it ended itself with status {status} before its tests were through"
        case _:
            return ""
