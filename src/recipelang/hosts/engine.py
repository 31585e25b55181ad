"""The embedded engine: recipes made ready in a program of one's own, their backends open while it is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict

from recipelang.backends.opening import open_backends
from recipelang.hosts.binding import ArgumentProblem, bound_entry, find
from recipelang.hosts.functions import functions_for
from recipelang.hosts.recipes import recipes_in
from recipelang.hosts.requests import request_of
from recipelang.hosts.streaming import AnswerStream, streamed
from recipelang.ir.plan import Entry, Plan
from recipelang.runtime.interpreter import Interpreter, RunResult
from recipelang.runtime.ledger import NO_LIMITS, Limits
from recipelang.runtime.ports import Backend, Endpoints, HostFunction, Journal, Store, Tracer
from recipelang.runtime.purses import Purse, Purses
from recipelang.runtime.turns import Loop
from recipelang.runtime.values import NOTHING_MORE, Request
from recipelang.runtime.voice import CallListener, Listener

if TYPE_CHECKING:
    from recipelang.backends.cassettes import Cassette
    from recipelang.backends.cassettes.resuming import Kept
    from recipelang.backends.transport import HttpClient
    from recipelang.hosts.caching import Cache
    from recipelang.hosts.drawing import Draw
    from recipelang.hosts.tracing import Tracing


class EngineOptions(TypedDict, total=False):
    """What an engine may be given by name."""

    client: HttpClient | None
    backends: Mapping[str, Backend] | None
    endpoints: Endpoints | None
    functions: Mapping[str, HostFunction] | None
    environment: Mapping[str, str] | None
    record: str | os.PathLike[str] | None
    replay: str | os.PathLike[str] | None
    ledger: Purses | None
    store: Store | str | os.PathLike[str] | None
    tracing: Tracing | None
    cache: Cache | None


class RunOptions(TypedDict, total=False):
    """What a run may be given by name."""

    arguments: Mapping[str, Any] | None
    pool: Sequence[str] | None
    tools: Sequence[Mapping[str, Any]]
    max_latency: float | None
    quality: float | None
    metadata: Mapping[str, str] | None
    seed: int
    journal: Journal | None
    content: bool
    key: str
    run_id: str | None
    trace: Mapping[str, str]


class Engine:
    """Runs the recipes of a file, a text or a plan; `async with` opens its backends and closes them.

    >>> async def main():
    ...     async with Engine("std.confidence", "std.local_models") as engine:
    ...         result = await engine.run("confidence", messages=[{"role": "user", "content": "What is 6 x 7?"}])
    ...         print(result.text, result.spend.tokens)

    `recipes` are paths of files and names of standard recipes, which are used together, or one sealed plan or bundle, or one
    `Plan`. `client` is an
    `httpx2.AsyncClient` or `httpx.AsyncClient` of the host's own, which stays open. `backends` stand in for those that
    the plan declares. `endpoints` starts the models of this machine; by default those of `recipelang models`, which are
    fetched when the engine is opened. `functions` are the coroutine functions that the recipes `call`, by
    name; their signatures are held to what the recipes declare. `environment` is where secrets are read, by default that
    of the process.
    `record` is a file that takes down all traffic; `replay` is such a file, which then answers every call, so that no
    backend is opened and no secret read. `ledger` has a budget for each `key` that runs are made for: `MemoryPurses`,
    `SqlitePurses` in `recipelang.hosts.purses`, or one of the host's own. `tracing` makes spans of runs; `cache` answers
    equal calls by the same reply.

    Raises `CompileError` where a recipe has errors, and on opening `BackendProblem` where a secret is not set,
    `FunctionProblem` where a function is missing or is not as declared, `CassetteProblem` where there is nothing to replay.
    """

    def __init__(
        self,
        *recipes: str | os.PathLike[str] | Plan,
        client: HttpClient | None = None,
        backends: Mapping[str, Backend] | None = None,
        endpoints: Endpoints | None = None,
        functions: Mapping[str, HostFunction] | None = None,
        environment: Mapping[str, str] | None = None,
        record: str | os.PathLike[str] | None = None,
        replay: str | os.PathLike[str] | None = None,
        ledger: Purses | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        tracing: Tracing | None = None,
        cache: Cache | None = None,
    ) -> None:
        if record is not None and replay is not None:
            raise TypeError("an engine records or replays; it can't do both at once")
        if hasattr(client, "__enter__"):
            raise TypeError("the client of an engine is an `AsyncClient`, also of one that blocks")
        self.plan = recipes_in(*recipes)
        self._client = client
        self._given = backends
        self._endpoints = endpoints
        self._functions = functions or {}
        self._environment = os.environ if environment is None else environment
        self._record = record
        self._replay = replay
        self._ledger = ledger
        self._store = store
        self._tracing = tracing
        self.cache = cache
        self._cassette: Cassette | None = None
        self._opened_store: Store | None = None
        self._stack = AsyncExitStack()
        self._interpreter: Interpreter | None = None

    async def __aenter__(self) -> Self:
        if self._interpreter is not None:
            raise RuntimeError("the engine is open already")
        async with AsyncExitStack() as stack:
            backends, functions = await self._world(stack)
            if self._store is not None:
                from recipelang.hosts.resuming import kept_world  # deferred: most engines keep no runs
                from recipelang.hosts.stores import opened_store  # deferred: as above

                self._opened_store = stack.enter_context(opened_store(self._store))
                backends, functions = kept_world((dict(backends), dict(functions)), self.plan)
            self._interpreter = Interpreter(self.plan, backends, functions=functions)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._interpreter = None
        await self._stack.__aexit__(kind, error, traceback)

    @property
    def is_open(self) -> bool:
        return self._interpreter is not None

    async def run(
        self,
        recipe: str,
        messages: str | Sequence[Mapping[str, Any]],
        *,
        arguments: Mapping[str, Any] | None = None,
        pool: Sequence[str] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        max_latency: float | None = None,
        quality: float | None = None,
        metadata: Mapping[str, str] | None = None,
        seed: int = 0,
        journal: Journal | None = None,
        content: bool = False,
        key: str = "",
        run_id: str | None = None,
        trace: Mapping[str, str] = NOTHING_MORE,
    ) -> RunResult:
        """Answer a conversation by an exposed name, or by a recipe with `arguments`.

        `messages` are in OpenAI's form; a text is one message of the user. Models that a recipe takes and `arguments`
        leaves out come from `pool`, by default all models of the plan. `content` puts what was said into the trace. With a
        `run_id` the run is kept in the engine's `store`, so that `resume` can go on with it. `trace` is what it is a part of:
        the headers `traceparent` and `tracestate` of whoever asks, which go on to the models.

        Raises `RunFailure` where the run ended without an answer, `ArgumentProblem` and `RequestProblem` for what does
        not fit.
        """
        entry = self.entry(recipe, arguments, pool)
        request = request_of(messages, tools=tools, max_latency=max_latency, quality=quality, metadata=metadata)
        return await self.answer(
            entry, request, seed=seed, journal=journal, content=content, key=key, run_id=run_id, trace=trace
        )

    def stream(
        self,
        recipe: str,
        messages: str | Sequence[Mapping[str, Any]],
        *,
        arguments: Mapping[str, Any] | None = None,
        pool: Sequence[str] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        max_latency: float | None = None,
        quality: float | None = None,
        metadata: Mapping[str, str] | None = None,
        seed: int = 0,
        journal: Journal | None = None,
        content: bool = False,
        key: str = "",
        run_id: str | None = None,
        trace: Mapping[str, str] = NOTHING_MORE,
    ) -> AbstractAsyncContextManager[AnswerStream]:
        """The same as `run`, with the answer as it comes: from the moment on that nothing later can change it.

        >>> async def main():
        ...     async with Engine("team.recipe") as engine, engine.stream("team", "Why is the sky blue?") as answer:
        ...         async for piece in answer:
        ...             print(piece, end="")
        ...         print(answer.result.spend.tokens)
        """
        entry = self.entry(recipe, arguments, pool)
        request = request_of(messages, tools=tools, max_latency=max_latency, quality=quality, metadata=metadata)
        return streamed(
            lambda listener: self.answer(
                entry,
                request,
                seed=seed,
                journal=journal,
                content=content,
                listener=listener,
                key=key,
                run_id=run_id,
                trace=trace,
            )
        )

    async def answer(
        self,
        entry: Entry,
        request: Request,
        *,
        seed: int = 0,
        journal: Journal | None = None,
        content: bool = False,
        listener: Listener | None = None,
        call_listener: CallListener | None = None,
        most: Limits = NO_LIMITS,
        time: float | None = None,
        key: str = "",
        run_id: str | None = None,
        origin: Mapping[str, Any] = NOTHING_MORE,
        loop: Loop | None = None,
        trace: Mapping[str, str] = NOTHING_MORE,
    ) -> RunResult:
        """Answer a request by an entry that was bound before; raises `RunFailure`. `listener` hears it as it comes, and
        `call_listener` the calls of the client's tools.

        `most` and `time` (seconds) tighten what the run may use, inside its certificate; so does the budget that the
        engine's `ledger` has for `key`. With a `loop` it may be the next turn of a loop of the client's tools.
        """
        run = partial(
            self._run,
            entry,
            request,
            seed,
            journal=journal,
            content=content,
            listener=listener,
            call_listener=call_listener,
            most=most,
            time=time,
            key=key,
            loop=loop,
            trace=trace,
        )
        if run_id is None:
            return await run(purse=self._purse(key))
        from recipelang.hosts.resuming import Asked, begun, kept_run  # deferred: most runs are not kept

        asked = Asked(entry, request, seed, most, time, key, origin)
        kept = await begun(self._kept(), run_id, self.plan, asked)
        return await kept_run(kept, partial(run, purse=self._purse(key, kept, [])))

    async def resume(self, run_id: str, *, journal: Journal | None = None, content: bool = False) -> RunResult:
        """Go on with a run that was begun with that `run_id`, here or in a process that died.

        What was answered is not asked again. Times count anew. A run that has ended gives its answer, or its failure, once
        more. Raises `StoreProblem` where there is no such run, or where the recipes have changed since; `RunFailure`.
        """
        from recipelang.hosts.resuming import kept_run, taken_up  # deferred: most runs are not kept

        again = await taken_up(self._kept(), run_id, self.plan)
        asked = again.asked
        run = partial(
            self._run,
            asked.entry,
            asked.request,
            asked.seed,
            journal=journal,
            content=content,
            most=asked.most,
            time=asked.time,
            key=asked.key,
            purse=self._purse(asked.key, again.kept, again.draws),
            lost=again.lost,
        )
        return await kept_run(again.kept, run)

    def _kept(self) -> Store:
        self._opened_interpreter()
        if self._opened_store is None:
            raise RuntimeError("a run is kept in the engine's store: `Engine(..., store=...)`")
        return self._opened_store

    def _purse(self, key: str, kept: Kept | None = None, draws: Sequence[Draw] = ()) -> Purse | None:
        """What a run may draw from, where the engine has a ledger; a kept run goes on with what it has drawn."""
        if self._ledger is None:
            return None
        purse = self._ledger.of(key)
        if kept is None:
            return purse
        from recipelang.hosts.drawing import KeptPurse  # deferred: most runs are not kept

        return KeptPurse(purse, kept, list(draws))

    def _opened_interpreter(self) -> Interpreter:
        if self._interpreter is None:
            raise RuntimeError("the engine is not open: use it in an `async with` block")
        return self._interpreter

    async def _run(
        self,
        entry: Entry,
        request: Request,
        seed: int,
        *,
        key: str,
        content: bool = False,
        trace: Mapping[str, str] = NOTHING_MORE,
        **options: Any,
    ) -> RunResult:
        """One run by the interpreter, and whoever follows it; `options` (Any) are the interpreter's."""
        tracer: Tracer | None = None
        if self._tracing is not None:
            tracer, content = self._tracing.following(self.plan, entry, trace), content or self._tracing.content
        elif trace:
            from recipelang.hosts.tracing import PassedOn  # deferred: few runs are part of a trace

            tracer = PassedOn(trace)
        run = partial(
            self._opened_interpreter().run,
            entry,
            request,
            seed=seed,
            content=content,
            tracer=tracer,
            **options,
        )
        with nullcontext() if self.cache is None else self.cache.running(key):
            if self._cassette is None:
                return await run()
            from recipelang.hosts.recorded import recorded_run  # deferred: only who records needs it

            return await recorded_run(self._cassette, self.plan, entry, request, seed, run)

    def entry(
        self, recipe: str, arguments: Mapping[str, Any] | None = None, pool: Sequence[str] | None = None
    ) -> Entry:
        """What a run would be of, with its certificate; raises `ArgumentProblem`."""
        if recipe in self.plan.entries:
            if arguments:
                raise ArgumentProblem(f"`{recipe}` is exposed with its arguments, and takes no others")
            return self.plan.entries[recipe]
        return bound_entry(self.plan, recipe, arguments or {}, list(self.plan.models) if pool is None else pool)

    async def _world(self, stack: AsyncExitStack) -> tuple[Mapping[str, Backend], Mapping[str, HostFunction]]:
        """What the plan reaches: the backends and the functions of the host, with a cassette before them where there is one."""
        if self._replay is None and self._record is None:
            return await self._opened(stack), functions_for(self.plan, self._functions)
        from recipelang.backends.cassettes import Cassette, Replay  # deferred: most engines have no cassette
        from recipelang.hosts.recorded import recorded_world, replayed_world  # deferred: as above

        if self._replay is not None:
            return replayed_world(self.plan, Replay.of(self._replay))
        assert self._record is not None
        world = await self._opened(stack), functions_for(self.plan, self._functions)
        self._cassette = stack.enter_context(Cassette.opened(self._record, self._secrets()))
        return recorded_world(world, self._cassette)

    def _secrets(self) -> list[str]:
        keys = [backend.key.variable for backend in self.plan.backends.values() if backend.key is not None]
        return [self._environment[variable] for variable in keys if self._environment.get(variable)]

    async def _opened(self, stack: AsyncExitStack) -> dict[str, Backend]:
        backends = await self._backends(stack)
        return backends if self.cache is None else self.cache.before(backends, self.plan)

    async def _backends(self, stack: AsyncExitStack) -> dict[str, Backend]:
        if self._given is not None:
            return {find(self.plan.backends, name, "backend").name: its for name, its in self._given.items()}
        endpoints = self._endpoints
        if endpoints is None and any(backend.protocol == "local" for backend in self.plan.backends.values()):
            from recipelang.hosts.local import opened_models  # deferred: start-up cost

            endpoints = await stack.enter_async_context(opened_models(self.plan))
        opening = open_backends(self.plan, self._environment, endpoints=endpoints, client=self._client)
        return await stack.enter_async_context(opening)
