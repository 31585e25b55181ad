"""The ASGI app: its routes, and the engine behind them, which opens and closes with it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Unpack

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from recipelang.hosts.engine import Engine, EngineOptions
from recipelang.hosts.exposing import plans_to_serve, with_names
from recipelang.hosts.loops import MOST_TURNS, Loops
from recipelang.hosts.recipes import recipes_in
from recipelang.hosts.state import MemoryState
from recipelang.ir.plan import Plan
from recipelang.runtime.ports import State
from recipelang.runtime.values import Json
from recipelang.serving.answering import KEEP_ALIVE, Answering
from recipelang.serving.bodies import BodyLimits
from recipelang.serving.chat import Chat
from recipelang.serving.conversation import Api
from recipelang.serving.keeping import Keeper
from recipelang.serving.keys import Key, Keys
from recipelang.serving.messages import Messages
from recipelang.serving.metrics import FORM, Metrics
from recipelang.serving.pages import Pages
from recipelang.serving.plain import for_key, problem_answer
from recipelang.serving.problems import Problem, ProblemKind
from recipelang.serving.reports import Watcher
from recipelang.serving.responses import Responses

DEFAULT_LIMITS = BodyLimits()


def app(
    *recipes: str | os.PathLike[str] | Plan | Engine,
    limits: BodyLimits = DEFAULT_LIMITS,
    keep_alive: float = KEEP_ALIVE,
    middleware: Sequence[Middleware] = (),
    keys: Keys | None = None,
    metrics: bool = False,
    watchers: Sequence[Watcher] = (),
    state: State | None = None,
    tool_turns: int = MOST_TURNS,
    **options: Unpack[EngineOptions],
) -> Starlette:
    """An ASGI app that answers by recipes: files and standard recipes, plans, and engines of one's own.

    A file that exposes names is served by them; the others are used together, and their recipes served by their own
    names over all the models there are. The engines are opened when the server starts or, where the app is mounted in another, with the first request; those that
    the host has opened stay its own. `options` are those of an `Engine`. With `keys` only they are answered; `metrics` adds `GET /metrics`;
    `watchers` hear of each request when it has ended. A loop of the client's tools may have `tool_turns` turns; what it goes on with
    is kept in memory, or in a `state` that several replicas share.

    Raises what `Engine` raises, and `ValueError` where there is nothing to serve.
    """
    keeper = Keeper(_engines(recipes, options, keys))
    counted = Metrics(keeper.in_flight) if metrics else None
    hearing: list[Watcher] = [*watchers, *([] if counted is None else [counted])]
    loops = Loops(MemoryState() if state is None else state, turns=tool_turns)
    answering: dict[str, Api] = {
        "/v1/chat/completions": Chat(),
        "/v1/responses": Responses(),
        "/v1/messages": Messages(),
    }
    endpoints = {
        path: Answering(api, keeper.shift, limits, loops, keep_alive, keys, hearing) for path, api in answering.items()
    }
    routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items()]
    models = Models(keeper, keys)
    routes += Pages(keeper, keys, limits).routes()
    routes += Health(keeper, counted).routes()
    routes += [Route("/v1/models", models.all), Route("/v1/models/{name:path}", models.one)]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with keeper.opened(), _leased(keys):
            yield

    application = _App(endpoints, routes=routes, lifespan=lifespan, middleware=middleware)
    application.add_exception_handler(404, _no_page)
    application.add_exception_handler(405, _no_page)
    application.state.keeper, application.state.keys, application.state.metrics = keeper, keys, counted
    return application


def _engines(
    recipes: Sequence[str | os.PathLike[str] | Plan | Engine], options: EngineOptions, keys: Keys | None
) -> list[Engine]:
    """The host's own engines, and one for each plan that is served by itself, with the budgets of the keys."""
    engines = [recipe for recipe in recipes if isinstance(recipe, Engine)]
    if options and len(engines) == len(recipes):
        raise TypeError("an engine has its options already")
    if keys is not None and "ledger" not in options:
        options = {**options, "ledger": keys.purses}
    plans = [recipe for recipe in recipes if isinstance(recipe, Plan)]
    paths = [os.fspath(recipe) for recipe in recipes if not isinstance(recipe, Engine | Plan)]
    plans += plans_to_serve(paths, lambda together: recipes_in(*together))
    return engines + [Engine(with_names(plan), **options) for plan in plans]


class _App(Starlette):
    """What asks for an answer goes to its endpoint at once, unless the host has middleware that is to see it first."""

    def __init__(self, endpoints: Mapping[str, ASGIApp], **options: Any) -> None:  # Any: those of Starlette
        super().__init__(**options)
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = None
        if scope["type"] == "http" and scope["method"] == "POST" and not self.user_middleware:
            endpoint = self._endpoints.get(scope["path"])
        await (super().__call__ if endpoint is None else endpoint)(scope, receive, send)


@asynccontextmanager
async def _leased(keys: Keys | None) -> AsyncIterator[None]:
    """The while, other processes hear that this one lives, where they share what their keys have under way."""
    if keys is None or not keys.is_shared:
        yield
        return
    async with anyio.create_task_group() as group:
        group.start_soon(keys.lease)
        yield
        group.cancel_scope.cancel()


class Models:
    """`GET /v1/models`: what is served, for clients of OpenAI's and of Anthropic's form alike."""

    def __init__(self, keeper: Keeper, keys: Keys | None) -> None:
        self._keeper = keeper
        self._keys = keys

    async def all(self, request: Request) -> Response:
        return for_key(self._keys, request, self._list)

    async def one(self, request: Request) -> Response:
        name = request.path_params["name"]
        return for_key(self._keys, request, lambda key: self._keeper.known.find(name, key).card)

    def _list(self, key: Key | None) -> dict[str, Json]:
        cards = [served.card for served in self._keeper.known.known_to(key).values()]
        ends = {"first_id": cards[0]["id"], "last_id": cards[-1]["id"]} if cards else {}
        return {"object": "list", "data": cards, "has_more": False, **ends}


class Health:
    """Whether the process lives, whether it can answer, and its metrics; none of it needs a key."""

    def __init__(self, keeper: Keeper, metrics: Metrics | None) -> None:
        self._keeper = keeper
        self._metrics = metrics

    def routes(self) -> list[Route]:
        routes = [Route("/healthz", self.alive), Route("/readyz", self.ready)]
        return routes if self._metrics is None else [*routes, Route("/metrics", self.metrics)]

    async def alive(self, request: Request) -> Response:
        return Response("alive\n", media_type="text/plain")

    async def ready(self, request: Request) -> Response:
        if self._keeper.is_ready:
            return Response("ready\n", media_type="text/plain")
        return Response("not ready: its engines are not open\n", 503, media_type="text/plain")

    async def metrics(self, request: Request) -> Response:
        assert self._metrics is not None
        return Response(self._metrics.page(), headers={"content-type": FORM})


async def reload(
    application: Starlette, *recipes: str | os.PathLike[str] | Plan | Engine, **options: Unpack[EngineOptions]
) -> None:
    """Let an `app` serve other recipes from now on, with no request dropped.

    Raises what `app` raises, and what opening the engines raises; then the app serves what it did.
    """
    state = application.state
    try:
        await state.keeper.replace(_engines(recipes, options, state.keys))
    except Exception:
        if state.metrics is not None:
            state.metrics.reloaded(False)
        raise
    if state.metrics is not None:
        state.metrics.reloaded(True)


async def _no_page(request: Request, error: Exception) -> Response:
    """An address or a method that is not served."""
    status = getattr(error, "status_code", 404)
    wrong = "method" if status == 405 else "address"
    problem = Problem(
        status, ProblemKind.NOT_FOUND, f"there is no such {wrong}: {request.method} {request.url.path}", "not_found"
    )
    return problem_answer(problem, request.scope, getattr(error, "headers", None))
