"""The ASGI app: its routes, and the engine behind them, which opens and closes with it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Unpack

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from recipelang.hosts.engine import Engine, EngineOptions
from recipelang.hosts.exposing import with_names
from recipelang.hosts.recipes import recipes_in
from recipelang.ir.plan import Plan
from recipelang.serving.answering import KEEP_ALIVE, Answering, House, request_number
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
    """An ASGI app that answers by recipes: files and standard recipes used together, a plan, or an engine of one's own.

    What a plan exposes is served by its names; where it exposes nothing, its recipes are, over all its models. The
    engine is opened when the server starts or, where the app is mounted in another, with the first request; one that
    the host has opened stays its own. `options` are those of an `Engine`.

    Raises what `Engine` raises, and `ValueError` where there is nothing to serve.
    """
    keeper = Keeper(_engine(recipes, options))
    answering: dict[str, Api] = {
        "/v1/chat/completions": Chat(),
        "/v1/responses": Responses(),
        "/v1/messages": Messages(),
    }
    routes = [
        Route(path, Answering(api, keeper.house, limits, keep_alive), methods=["POST"])
        for path, api in answering.items()
    ]
    models = Models(keeper.menu)
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


def _engine(recipes: Sequence[str | os.PathLike[str] | Plan | Engine], options: EngineOptions) -> Engine:
    if len(recipes) == 1 and isinstance(recipes[0], Engine):
        if options:
            raise TypeError("an engine has its options already")
        return recipes[0]
    plans = [recipe for recipe in recipes if not isinstance(recipe, Engine)]
    return Engine(with_names(recipes_in(*plans)), **options)


class Keeper:
    """Keeps the engine: opens it once, by whoever comes first, and closes it where it was the one who opened it."""

    def __init__(self, engine: Engine) -> None:
        if not engine.plan.entries:
            raise ValueError("there is nothing to serve: the recipes expose no name")
        self.menu = Menu(engine.plan, int(time.time()))
        self._house = House(engine, self.menu)
        self._opening = anyio.Lock()

    async def house(self) -> House:
        """What is served, its engine open. Without a lifespan nobody says when to close it: it stays open."""
        if not self._house.engine.is_open:
            async with self._opening:
                if not self._house.engine.is_open:
                    await self._house.engine.__aenter__()
        return self._house

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        if self._house.engine.is_open:
            yield
            return
        async with self._house.engine:
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
