"""Answers that are whole at once: JSON, with the number of the request, for those whom their key lets in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from recipelang.runtime.values import Json
from recipelang.serving.conversation import as_json
from recipelang.serving.headers import request_number
from recipelang.serving.keys import Key, Keys
from recipelang.serving.openai_terms import told_problem
from recipelang.serving.problems import Problem


def json_answer(status: int, value: object, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    more = {**(headers or {}), "x-request-id": request_number(scope)}
    return Response(as_json(value), status, more, "application/json")


def problem_answer(problem: Problem, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    return json_answer(problem.status, told_problem(problem, None), scope, headers)


def for_key(
    keys: Keys | None, request: Request, what: Callable[[Key | None], Response | Mapping[str, Json]]
) -> Response:
    """What there is for the key of a request, or why there is nothing."""
    try:
        told = what(None if keys is None else keys.find(request.scope))
    except Problem as problem:
        return problem_answer(problem, request.scope)
    return told if isinstance(told, Response) else json_answer(200, told, request.scope)
