"""`recipelang serve`: recipes behind the APIs of models, on this machine, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus
from rich.console import Console

from recipelang.backends.opening import BackendProblem
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.lending import READY_MADE, Function, given
from recipelang.cli.listening import allow_files, listening, run_server, settle
from recipelang.cli.offering import Offer, offered
from recipelang.cli.progress import error_console, say
from recipelang.cli.pulling import pull
from recipelang.hosts.caching import Cache
from recipelang.hosts.engine import Engine, EngineOptions
from recipelang.hosts.local import local_models_in
from recipelang.hosts.state import MemoryState, state_at
from recipelang.hosts.tracing import Tracing, TracingProblem, exported
from recipelang.ir.plan import Plan
from recipelang.localmodels.server import TAKES, can_serve, local_models
from recipelang.localmodels.store import ModelStore
from recipelang.quick import replace
from recipelang.runtime.ports import StoreProblem

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from recipelang.serving.settings import Settings

LOOPBACK = "127.0.0.1"
NEEDS = "serving takes `pip install 'recipelang[serve]'`"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="a .recipe file or a standard recipe; none: all standard recipes"
    )
    parser.add_argument("--host", help=f"the address to listen at (default {LOOPBACK})")
    parser.add_argument("--port", type=_port, help="the port to listen at (default 8080; 0: any free one)")
    parser.add_argument(
        "--config", metavar="FILE", help="a TOML file with settings: keys, budgets, logs (docs/operations.md)"
    )
    parser.add_argument(
        "--with", action="append", default=[], dest="uses", metavar="FILE", help="a file to use as well: your models"
    )
    parser.add_argument(
        "--models", metavar="NAME,...", help="the models for recipes that are not exposed with their own (default: all)"
    )
    parser.add_argument(
        "--functions",
        action="append",
        default=[],
        metavar="MODULE[:NAME]",
        help="Python functions that recipes may call",
    )
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=sorted(READY_MADE),
        help="lend recipes a function that comes with this",
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r:.40} is no port")
    return int(text)


def run(arguments: argparse.Namespace) -> Exit:
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise Stop(Exit.INPUT_OUTPUT, NEEDS)
    console, store = error_console(), ModelStore()
    with suppress(KeyboardInterrupt):  # how a server is told to stop; it has ended what was under way
        _run(_Serving(arguments, store, console))
    say(console, "stopped")
    return Exit.FINE


class _Serving:
    """What is served, as the command line, the environment and the file of settings say now."""

    def __init__(self, arguments: argparse.Namespace, store: ModelStore, console: Console) -> None:
        self._arguments = arguments
        self.store = store
        self.console = console
        self.settings = self.look()

    def look(self) -> Settings:
        from recipelang.serving.settings import SettingsProblem, settings_in  # deferred: an extra

        arguments = self._arguments
        try:
            found = settings_in(None if arguments.config is None else Path(arguments.config), os.environ)
        except SettingsProblem as problem:
            raise Stop(Exit.USAGE, str(problem)) from problem
        return replace(
            found,
            recipes=tuple(arguments.files) or found.recipes,
            uses=(*found.uses, *arguments.uses),
            host=arguments.host or found.host,
            port=found.port if arguments.port is None else arguments.port,
        )

    def plans(self, settings: Settings) -> list[Plan]:
        offer = Offer(self.functions, self.store, self.console)
        return offered(settings.recipes, settings.uses, self._arguments.models, offer)

    def engine(self, plan: Plan, options: EngineOptions) -> Engine:
        lending = options.copy()
        lending["functions"] = self.functions(plan)
        return Engine(plan, **lending)

    def functions(self, plan: Plan) -> dict[str, Function]:
        """What is lent of the functions that a plan calls."""
        return given(plan, self._arguments.functions, self._arguments.allow)


def _run(serving: _Serving) -> None:
    console, store, settings = serving.console, serving.store, serving.settings
    plans = serving.plans(settings)
    models = [model for plan in plans for model in local_models_in(plan, plan.models)]
    if models and not can_serve():
        raise Stop(Exit.INPUT_OUTPUT, TAKES)
    for model in models:
        pull(store, model, console)
    listener = listening(settings.host, settings.port)
    if settings.log != "none":
        _log_to_stdout()
    try:
        anyio.run(_serve, serving, plans, listener, backend_options={"use_uvloop": find_spec("uvloop") is not None})
    except (BackendProblem, StoreProblem) as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


def _log_to_stdout() -> None:
    """One line of JSON for each request on standard output; what the server says of itself goes to standard error."""
    log = logging.getLogger("recipelang.requests")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


async def _serve(serving: _Serving, plans: Sequence[Plan], listener: socket.socket) -> None:
    from recipelang.serving import Keys, RequestLog, app  # deferred: an extra
    from recipelang.serving.origins import OwnPages  # deferred: an extra

    console, settings = serving.console, serving.settings
    state = None if settings.state is None else state_at(settings.state)
    keys = None if settings.keys is None else Keys(settings.keys, state=state)
    cache = None
    if settings.cache_seconds is not None:
        kept = MemoryState() if state is None else state
        cache = Cache(settings.cache_seconds, settings.cache_across_keys, kept)
    async with AsyncExitStack() as stack:
        models = await stack.enter_async_context(
            local_models(serving.store, lambda what: say(console, what, "dim") if what else None)
        )
        options: EngineOptions = {
            "endpoints": models,
            "ledger": None if keys is None else keys.purses,
            "cache": cache,
            "tracing": _tracing(settings, stack),
        }
        engines = [await stack.enter_async_context(serving.engine(plan, options)) for plan in plans]
        watchers = [] if settings.log == "none" else [RequestLog(content=settings.log == "content")]
        try:
            application = app(
                *engines,
                keys=keys,
                metrics=settings.metrics,
                watchers=watchers,
                state=state,
                tool_turns=settings.tool_turns,
            )
        except ValueError as problem:
            raise Stop(Exit.USAGE, str(problem)) from problem
        group = await stack.enter_async_context(anyio.create_task_group())
        if hasattr(signal, "SIGHUP"):
            await group.start(_reload_when_told, application, serving, options)
        settle()
        allow_files()
        guarded = OwnPages(application) if keys is None else application
        await run_server(guarded, listener, settings.patience, partial(_say_ready, plans, listener, serving))
        group.cancel_scope.cancel()


def _tracing(settings: Settings, stack: AsyncExitStack) -> Tracing | None:
    """Who makes spans, where they are wanted; what is left of them is sent in the end."""
    if settings.traces == "none":
        return None
    try:
        return stack.enter_context(exported(settings.traces == "content"))
    except TracingProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


async def _reload_when_told(
    application: Starlette, serving: _Serving, options: EngineOptions, *, task_status: TaskStatus[None]
) -> None:
    """On SIGHUP recipes and keys are read again; where they don't check, what is served stays."""
    with anyio.open_signal_receiver(signal.SIGHUP) as told:
        task_status.started()
        async for _ in told:
            try:
                await _reload(application, serving, options)
            except Exception as problem:  # noqa: BLE001 - whatever it is, it is told, and the server goes on as it was
                say(serving.console, f"not reloaded: {problem}", "red")
            else:
                say(serving.console, "reloaded")


async def _reload(application: Starlette, serving: _Serving, options: EngineOptions) -> None:
    from recipelang.serving import reload  # deferred: an extra

    state = application.state
    try:
        settings, plans = await anyio.to_thread.run_sync(_read_again, serving, state.keys is not None)
    except Exception:
        if state.metrics is not None:
            state.metrics.reloaded(False)
        raise
    await reload(application, *(serving.engine(plan, options) for plan in plans))
    if state.keys is not None:
        state.keys.replace(settings.keys)


def _read_again(serving: _Serving, has_keys: bool) -> tuple[Settings, list[Plan]]:
    settings = serving.look()
    if has_keys != (settings.keys is not None):
        raise Stop(Exit.USAGE, "a server with keys can't become one without, nor the other way round; start it anew")
    plans = serving.plans(settings)
    for model in [model for plan in plans for model in local_models_in(plan, plan.models)]:
        if not serving.store.has(model):
            raise Stop(Exit.USAGE, f"`recipelang models pull {model.name}` first")
    return settings, plans


def _say_ready(plans: Sequence[Plan], listener: socket.socket, serving: _Serving) -> None:
    console = serving.console
    host, port = listener.getsockname()[:2]
    for name in [name for plan in plans for name in plan.entries]:
        say(console, f"  {name}", "dim")
    address = f"[{host}]" if ":" in host else host
    if host not in (LOOPBACK, "::1") and serving.settings.keys is None:
        say(console, f"anyone who reaches {address} may use it, and there is no key", "yellow")
    say(console, f"ready at http://{address}:{port}/v1 with a page to try it at /ui (Ctrl-C stops)")
