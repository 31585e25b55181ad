"""Forbids a Python process to reach anything but its own machine; knows nothing of tests."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import NoReturn

CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")
RESOLVING = ("socket.getaddrinfo", "socket.gethostbyname")


class LoopbackOnly:
    """A guard on this process. It cannot be taken down, as Python's audit hooks cannot, but `lifted` for a while."""

    def __init__(self, raising: type[BaseException]) -> None:
        """`raising` should be no `OSError` nor any `Exception`: what is under test would take it for a dead host."""
        self.lifted = False
        self._raising = raising
        sys.addaudithook(self._watch)

    def _watch(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.lifted:
            return
        if event in CONNECTING and not is_local(arguments[1]):
            self._refuse(f"connects to {arguments[1]}")
        if event in RESOLVING and not is_local(arguments[:1]):
            self._refuse(f"looks up {arguments[0]!r}")

    def _refuse(self, what: str) -> NoReturn:
        message = f"a test {what}: reach a fake or a server on 127.0.0.1, or mark the test `live`"
        raise self._raising(message)


def is_local(address: object) -> bool:
    """Whether a socket address `(host, port, ...)`, a Unix socket's path or no address at all stays on this machine."""
    if not isinstance(address, tuple):
        return True
    host = address[0].decode("ascii", "replace") if isinstance(address[0], bytes) else address[0]
    if not isinstance(host, str) or host in {"", "localhost"}:
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
