"""Servers of this machine's models: started when a model is first called, stopped with the run."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from recipelang.localmodels.catalogue import find_model
from recipelang.localmodels.store import ModelStore
from recipelang.runtime.ports import BackendError, Endpoint, FailureKind

START_TIMEOUT = 120.0
"""Seconds that a server may take to load its model."""
_LONGEST_LINE = 10_000

Watcher = Callable[[str], None]
"""Told what is being started, in words; and told nothing, an empty text, when that is over."""
TAKES = "models of this machine take `pip install 'recipelang[local]'`"


def can_serve() -> bool:
    """Whether the server is installed here."""
    return find_spec("xllamacpp") is not None


class LocalModels:
    """Starts the server of each model when it is first asked for; the model must have been fetched."""

    def __init__(self, store: ModelStore, watcher: Watcher = lambda _: None) -> None:
        self._store = store
        self._watcher = watcher
        self._processes: list[Process] = []
        self._endpoints: dict[str, Endpoint] = {}
        self._starting: dict[str, anyio.Lock] = {}

    async def endpoint(self, model: str) -> Endpoint:
        """Where the model is reached; raises `BackendError`. Of several who ask at once, one starts it."""
        async with self._starting.setdefault(model, anyio.Lock()):
            if model not in self._endpoints:
                self._endpoints[model] = await self._started(model)
            return self._endpoints[model]

    async def _started(self, model: str) -> Endpoint:
        path = self._path(model)
        if not can_serve():
            raise BackendError(FailureKind.REFUSED, TAKES, sent=False)
        self._watcher(f"starting {model}")
        key = secrets.token_urlsafe(24)
        process = await anyio.open_process(
            [sys.executable, "-m", "recipelang.localmodels.serve"],
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is for the run, which then stops its servers
        )
        self._processes.append(process)
        known = find_model(model)
        system = known.system if known is not None else None
        settings = json.dumps({"path": str(path), "id": model, "key": key, "system": system})
        try:
            return Endpoint(f"{await _address(process, settings, model)}/v1", key)
        except BaseException:
            if process.returncode is None:
                process.kill()
            raise
        finally:
            self._watcher("")

    def _path(self, model: str) -> Path:
        known = find_model(model)
        path = Path(model) if known is None else self._store.path(known)
        if not path.is_file():
            hint = f": `recipelang models pull {known.name}` fetches it" if known is not None else ""
            raise BackendError(FailureKind.REFUSED, f"there is no model `{model}` on this machine{hint}", sent=False)
        return path

    async def stop(self) -> None:
        """Stop all servers."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
        for process in self._processes:
            await process.aclose()


@asynccontextmanager
async def local_models(store: ModelStore, watcher: Watcher = lambda _: None) -> AsyncIterator[LocalModels]:
    """The models of this machine, whose servers stop when the block is left, however that happens."""
    models = LocalModels(store, watcher)
    try:
        yield models
    finally:
        with anyio.CancelScope(shield=True):
            await models.stop()


async def _address(process: Process, settings: str, model: str) -> str:
    """Hand a server its settings and wait until it says where it listens; raises `BackendError`."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        await process.stdin.send(f"{settings}\n".encode())
        with anyio.fail_after(START_TIMEOUT):
            line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", _LONGEST_LINE)
    except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.DelimiterNotFound) as error:
        raise BackendError(FailureKind.REFUSED, f"the server of `{model}` did not start", sent=False) from error
    except TimeoutError as error:
        message = f"the server of `{model}` did not start within {START_TIMEOUT:g} s"
        raise BackendError(FailureKind.TIMEOUT, message, sent=False) from error
    told = json.loads(line)
    if "url" not in told:
        raise BackendError(
            FailureKind.REFUSED, f"the server of `{model}` did not start: {told.get('error')}", sent=False
        )
    return str(told["url"])
