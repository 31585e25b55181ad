"""Who may make a browser ask: where there are no keys, any page that its user looks at could spend their money."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from recipelang.serving.plain import problem_answer
from recipelang.serving.problems import Problem, ProblemKind

_FOREIGN = Problem(
    403,
    ProblemKind.PERMISSION,
    "pages of other sites may not ask this server, since it has no keys; `[keys]` in its settings, or a server in between",
    "foreign_page",
)


class OwnPages:
    """An ASGI app that answers no page but those that it has sent itself; programs, which send no such headers, always."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _asks(scope) and _is_foreign(scope):
            await problem_answer(_FOREIGN, scope)(scope, receive, send)
        else:
            await self._application(scope, receive, send)


def _asks(scope: Scope) -> bool:
    """Whether models may be called: by what is sent, or by our page, which asks what stands in its address."""
    return scope["method"] == "POST" or bool(scope["query_string"])


def _is_foreign(scope: Scope) -> bool:
    """Browsers say from where a request comes; older ones say it with those of another origin alone."""
    told: dict[bytes, bytes] = dict(scope["headers"])
    site, origin = told.get(b"sec-fetch-site"), told.get(b"origin")
    if site is not None:
        return site not in (b"same-origin", b"none")
    return origin is not None and origin.partition(b"://")[2] != told.get(b"host")
