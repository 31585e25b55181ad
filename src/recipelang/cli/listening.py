"""The process that listens: its socket, its garbage, its files, and the server that runs an application until it is told to stop.

Knows nothing of recipes.
"""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from recipelang.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from starlette.types import ASGIApp

FILES = 65_536


def listening(host: str, port: int) -> socket.socket:
    """The socket, bound before anything is opened that would have to be closed again."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        raise Stop(Exit.INPUT_OUTPUT, f"can't listen at {host}:{port}: {why}") from problem


def settle() -> None:
    """Look for garbage seldom, and not among what is there to stay: a fifth of the CPU of a request went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def allow_files() -> None:
    """As many files as the system lets us have: each stream is two connections, and many a shell allows 1,024."""
    try:
        import resource  # deferred: not everywhere
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # a system may allow fewer than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def run_server(application: ASGIApp, listener: socket.socket, patience: int, ready: Callable[[], None]) -> None:
    """Serve until it is told to stop; `ready` is called when clients may come, and runs under way get `patience`, in seconds."""
    import uvicorn  # deferred: an extra

    class Server(uvicorn.Server):
        """Says when it is ready; told to stop it ends what is under way, and told again it cuts that off."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            for task in self.server_state.tasks if self.should_exit else ():
                task.cancel()
            self.should_exit = True

    cut_off = anyio.get_cancelled_exc_class()

    def tells(record: logging.LogRecord) -> bool:
        """Whether what the server says is about anything but a request that was cut off, as it was to be."""
        return record.exc_info is None or not isinstance(record.exc_info[1], cut_off)

    logging.getLogger("uvicorn.error").addFilter(tells)

    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=patience,
        server_header=False,
        proxy_headers=False,  # nobody looks where a request comes from
    )
    await anyio.lowlevel.checkpoint()  # here it ends where it was told to stop before it was ready
    await Server(config).serve([listener])
