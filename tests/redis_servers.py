"""Redis for tests: a real server where this machine has one, and one that only does as it does."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import fakeredis
import pytest


@contextmanager
def fake_redis() -> Iterator[str]:
    """The address of a server in this process that speaks Redis's protocol and runs its scripts."""
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def real_redis() -> Iterator[str]:
    """The address of `redis-server`, or of `valkey-server`; skips the test where this machine has neither."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("there is no redis-server here")
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        given = ("--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--save", "")
        with subprocess.Popen([program, *given], stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                told = []
                for line in server.stdout:
                    told.append(line)
                    if "Ready to accept connections" in line:
                        break
                else:
                    raise AssertionError("".join(told))
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                server.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
