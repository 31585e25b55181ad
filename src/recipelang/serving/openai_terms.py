"""What chat completions and responses ask and tell in the same words: the form of an answer, who asks, odds, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipelang.ir.plan import Contract
from recipelang.runtime.values import Json
from recipelang.serving.bodies import Fields
from recipelang.serving.conversation import Asked, Told, any_object, form_of
from recipelang.serving.problems import Problem, ProblemKind

_TYPES = {
    ProblemKind.REQUEST: "invalid_request_error",
    ProblemKind.KEY: "authentication_error",
    ProblemKind.PERMISSION: "permission_error",
    ProblemKind.NOT_FOUND: "invalid_request_error",
    ProblemKind.TOO_LARGE: "invalid_request_error",
    ProblemKind.TIMEOUT: "timeout_error",
    ProblemKind.RATE_LIMIT: "rate_limit_error",
    ProblemKind.OVERLOADED: "server_error",
    ProblemKind.BUDGET: "insufficient_quota",
    ProblemKind.SERVER: "server_error",
}


def told_problem(problem: Problem, receipt: Mapping[str, Json] | None) -> dict[str, Json]:
    """An error in OpenAI's form."""
    error: dict[str, Json] = {
        "message": problem.message,
        "type": _TYPES[problem.kind],
        "param": problem.param,
        "code": problem.code,
    }
    return {"error": error} if receipt is None else {"error": error, "recipelang": receipt}


def form_in(form: Fields, *, inside: str | None = None) -> tuple[tuple[Contract, bool] | None, dict[str, Json]]:
    """The form that is demanded of an answer, and how it is told again; `inside`: where the schema has an object of its own."""
    kind = form.one_of("type", ("text", "json_object", "json_schema"))
    found: tuple[Contract, bool] | None = None
    told: dict[str, Json] = {"type": kind or "text"}
    if kind == "json_object":
        found = any_object()
    elif kind == "json_schema":
        its = form if inside is None else form.inner(inside)
        name, description, strict = its.text("name"), its.text("description"), its.flag("strict")
        schema = its.take("schema")
        found = form_of(schema, strict, its.place_of("schema"))
        told |= {"name": name, "description": description, "strict": strict, "schema": schema}
        its.end()
    form.end()
    return found, told


def user_in(fields: Fields) -> str | None:
    """Who asks, by the newer name or the older one: recipes read it, and nobody else is told."""
    older, newer = fields.text("user"), fields.text("safety_identifier")
    fields.hints("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention")
    return newer or older


def choice_in(fields: Fields, known: Sequence[str]) -> Json:
    """Which tools are to be called, in the form of chat completions; responses name one without an object of its own."""
    choice = fields.take("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function":
        function = choice.get("function", choice)
        named = function.get("name") if isinstance(function, dict) else None
        if named in known:
            return {"type": "function", "function": {"name": named}}
    if isinstance(choice, dict) and choice.get("type") in ("allowed_tools", "custom"):
        fields.refuse("tool_choice", f"`{choice['type']}` is not to be had: send only the functions that may be called")
    if choice is not None and choice not in ("none", "auto", "required"):
        fields.refuse("tool_choice", "is neither none, auto, required nor one of the `tools`")
    return choice


def logprobs_of(asked: Asked, told: Told | None) -> list[dict[str, Json]] | None:
    """The log-probabilities of an answer's tokens, as far as they were asked for and are known."""
    wishes = asked.request.wishes
    if told is None or told.logprobs is None or not wishes.logprobs:
        return None
    top = wishes.others.get("top_logprobs", 0)
    return [
        {**_odds(token.token, token.logprob), "top_logprobs": [_odds(*other) for other in token.best[:top]]}
        for token in told.logprobs
    ]


def _odds(token: str, logprob: float) -> dict[str, Json]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}
