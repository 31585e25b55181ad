"""The built-in page, to try recipes and to look at the way that requests take, and what it asks the server for."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from recipelang.drawing.graph import graph_of
from recipelang.drawing.page import page
from recipelang.drawing.svg import svg
from recipelang.hosts.routing import route
from recipelang.serving.bodies import BodyLimits, ClientLeft, body_of, object_in
from recipelang.serving.chat import Chat
from recipelang.serving.keeping import Keeper
from recipelang.serving.keys import Key, Keys
from recipelang.serving.plain import for_key, json_answer, problem_answer
from recipelang.serving.problems import Problem

_RULES = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Pages:
    """`GET /ui`, the picture of each recipe, and the way of a request through one."""

    def __init__(self, keeper: Keeper, keys: Keys | None, limits: BodyLimits) -> None:
        self._keeper = keeper
        self._keys = keys
        self._limits = limits

    def routes(self) -> list[Route]:
        return [
            Route("/ui", self.page),
            Route("/ui/graph/{name:path}", self.graph),
            Route("/ui/route", self.way, methods=["POST"]),
        ]

    async def page(self, _: Request) -> Response:
        return HTMLResponse(page(), headers={"content-security-policy": _RULES, "x-content-type-options": "nosniff"})

    async def graph(self, request: Request) -> Response:
        """The recipe behind a name, as a picture."""

        def drawn(key: Key | None) -> Response:
            served = self._keeper.known.find(request.path_params["name"], key)
            return Response(svg(graph_of(served.engine.plan, served.entry.recipe)), media_type="image/svg+xml")

        return for_key(self._keys, request, drawn)

    async def way(self, request: Request) -> Response:
        """Which way a request of chat completions would take, and why: no model is called."""
        try:
            key = None if self._keys is None else self._keys.find(request.scope)
            body = await body_of(request.scope, request.receive, self._limits.size)
            asked = Chat().read(object_in(body, self._limits.depth), self._limits)
            served = self._keeper.known.find(asked.name, key)
        except ClientLeft:
            return Response(status_code=400)
        except Problem as problem:
            return problem_answer(problem, request.scope)
        looked = partial(route, served.engine.plan, served.entry, asked.request)
        return json_answer(200, asdict(await anyio.to_thread.run_sync(looked)), request.scope)
