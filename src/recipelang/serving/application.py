"""The ASGI app: its routes, and the engine behind them, which opens and closes with it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Unpack

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from recipelang.hosts.engine import Engine, EngineOptions
from recipelang.hosts.exposing import plans_to_serve, with_names
from recipelang.hosts.recipes import recipes_in
from recipelang.ir.plan import Plan
from recipelang.serving.answering import KEEP_ALIVE, Answering, request_number
from recipelang.serving.bodies import BodyLimits
from recipelang.serving.chat import Chat, told_problem
from recipelang.serving.conversation import Api, as_json
from recipelang.serving.menu import Menu
from recipelang.serving.messages import Messages
from recipelang.serving.problems import Problem, ProblemKind
from recipelang.serving.responses import Responses

DEFAULT_LIMITS = BodyLimits()


def app(
    *recipes: str | os.PathLike[str] | Plan | Engine,
    limits: BodyLimits = DEFAULT_LIMITS,
    keep_alive: float = KEEP_ALIVE,
    middleware: Sequence[Middleware] = (),
    **options: Unpack[EngineOptions],
) -> Starlette:
    """An ASGI app that answers by recipes: files and standard recipes, plans, and engines of one's own.

    A file that exposes names is served by them; the others are used together, and their recipes served by their own
    names over all the models there are. The engines are opened when the server starts or, where the app is mounted in another, with the first request; those that
    the host has opened stay its own. `options` are those of an `Engine`.

    Raises what `Engine` raises, and `ValueError` where there is nothing to serve.
    """
    keeper = Keeper(_engines(recipes, options))
    answering: dict[str, Api] = {
        "/v1/chat/completions": Chat(),
        "/v1/responses": Responses(),
        "/v1/messages": Messages(),
    }
    routes = [
        Route(path, Answering(api, keeper.menu, limits, keep_alive), methods=["POST"])
        for path, api in answering.items()
    ]
    models = Models(keeper.known)
    routes += [Route("/v1/models", models.all), Route("/v1/models/{name:path}", models.one)]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with keeper.opened():
            yield

    application = Starlette(routes=routes, lifespan=lifespan, middleware=middleware)
    application.add_exception_handler(404, _no_page)
    application.add_exception_handler(405, _no_page)
    application.state.keeper = keeper
    return application


def _engines(recipes: Sequence[str | os.PathLike[str] | Plan | Engine], options: EngineOptions) -> list[Engine]:
    """The host's own engines, and one for each plan that is served by itself."""
    engines = [recipe for recipe in recipes if isinstance(recipe, Engine)]
    if options and len(engines) == len(recipes):
        raise TypeError("an engine has its options already")
    plans = [recipe for recipe in recipes if isinstance(recipe, Plan)]
    paths = [os.fspath(recipe) for recipe in recipes if not isinstance(recipe, Engine | Plan)]
    plans += plans_to_serve(paths, lambda together: recipes_in(*together))
    return engines + [Engine(with_names(plan), **options) for plan in plans]


class Keeper:
    """Keeps the engines: opens them once, by whoever comes first, and closes those that it has opened."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.known = Menu(engines, int(time.time()))
        self._engines = engines
        self._opening = anyio.Lock()

    async def menu(self) -> Menu:
        """What is served, all engines open. Without a lifespan nobody says when to close them: they stay open."""
        if not all(engine.is_open for engine in self._engines):
            async with self._opening:
                for engine in self._engines:
                    if not engine.is_open:
                        await engine.__aenter__()
        return self.known

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for engine in self._engines:
                if not engine.is_open:
                    await stack.enter_async_context(engine)
            yield


class Models:
    """`GET /v1/models`: what is served, for clients of OpenAI's and of Anthropic's form alike."""

    def __init__(self, menu: Menu) -> None:
        self._menu = menu

    async def all(self, request: Request) -> Response:
        cards = [served.card for served in self._menu.names.values()]
        listed = {
            "object": "list",
            "data": cards,
            "has_more": False,
            "first_id": cards[0]["id"],
            "last_id": cards[-1]["id"],
        }
        return _json(200, listed, request.scope)

    async def one(self, request: Request) -> Response:
        try:
            return _json(200, self._menu.find(request.path_params["name"]).card, request.scope)
        except Problem as problem:
            return _json(problem.status, told_problem(problem, None), request.scope)


async def _no_page(request: Request, error: Exception) -> Response:
    """An address or a method that is not served."""
    status = getattr(error, "status_code", 404)
    wrong = "method" if status == 405 else "address"
    problem = Problem(
        status, ProblemKind.NOT_FOUND, f"there is no such {wrong}: {request.method} {request.url.path}", "not_found"
    )
    return _json(status, told_problem(problem, None), request.scope, getattr(error, "headers", None) or {})


def _json(status: int, value: object, scope: Scope, headers: dict[str, str] | None = None) -> Response:
    more = {**(headers or {}), "x-request-id": request_number(scope)}
    return Response(as_json(value), status, more, "application/json")
