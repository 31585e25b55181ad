"""From the JSON of a chat completion to a reply; what is not as the protocol says is a failure, never a guess."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from recipelang.backends.refusals import excerpt, told_instead
from recipelang.runtime.ports import BackendError, FailureKind, Reply
from recipelang.runtime.values import Json, TokenLogprob, Usage, encodable


def parsed(body: bytes) -> dict[str, Any]:
    """The object in a body; raises `BackendError`."""
    try:
        value = json.loads(body)
    except RecursionError:
        raise garbage("its JSON is nested too deeply") from None
    except ValueError:
        text = excerpt(body).lower()
        if text.startswith(("<!doctype", "<html")):
            raise garbage("it is an HTML page: is the address that of the API?") from None
        raise garbage("its JSON is broken or cut short" if text else "it is empty", may_pass=True) from None
    if not isinstance(value, dict):
        raise garbage("it is no object")
    if value.get("error"):
        raise told_instead(value["error"])
    return value


def reply_of(value: Mapping[str, Any]) -> Reply:
    """The reply in a whole chat completion; raises `BackendError`."""
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise garbage("it has no choices")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise garbage("its choice has no message")
    text = message.get("content") or ""
    if not isinstance(text, str):
        raise garbage("its content is no text")
    calls = message.get("tool_calls") or ()
    if not isinstance(calls, (list, tuple)) or not all(isinstance(call, dict) for call in calls):
        raise garbage("its tool calls are no objects")
    logprobs = choices[0].get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    return settled(text, choices[0].get("finish_reason"), usage_of(value.get("usage")), tokens, tuple(calls))


def settled(
    text: str, finish: Json, usage: Usage | None, tokens: Json, tool_calls: tuple[Mapping[str, Json], ...]
) -> Reply:
    """A reply from its parts; raises `BackendError` where it was filtered or says nothing."""
    if finish == "content_filter":
        raise BackendError(FailureKind.FILTERED, "the provider's content filter stopped the answer", usage=usage)
    if not text and not tool_calls:
        if finish == "length":
            raise BackendError(FailureKind.GARBAGE, "all its tokens were used up before it said anything", usage=usage)
        raise BackendError(FailureKind.GARBAGE, "the answer is empty", usage=usage, may_pass=True)
    known = finish if isinstance(finish, str) else "stop"
    return Reply(encodable(text), known, usage, logprobs_of(tokens), tool_calls)


def usage_of(told: Json) -> Usage | None:
    """The tokens billed; none where the provider did not say. Where a total is told, what is beyond the prompt is completion."""
    if not isinstance(told, dict):
        return None
    prompt, completion = _count(told.get("prompt_tokens")), _count(told.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    total = _count(told.get("total_tokens"))
    return Usage(prompt, completion if total is None else max(completion, total - prompt))


def logprobs_of(tokens: Json) -> tuple[TokenLogprob, ...] | None:
    """The tokens with their log-probabilities; the token that only ends the answer, which has no bytes, is left out."""
    if not isinstance(tokens, Sequence) or isinstance(tokens, str):
        return None
    found = [
        TokenLogprob(token["token"], float(token["logprob"]), _runner_up(token))
        for token in tokens
        if isinstance(token, dict)
        and isinstance(token.get("token"), str)
        and _is_number(token.get("logprob"))
        and token.get("bytes") != []
    ]
    return tuple(found) or None


def garbage(what: str, *, may_pass: bool = False) -> BackendError:
    """The failure of a reply that is not what the protocol says."""
    return BackendError(FailureKind.GARBAGE, f"the reply can't be read: {what}", may_pass=may_pass)


def _runner_up(token: Mapping[str, Any]) -> float | None:
    others = token.get("top_logprobs")
    if not isinstance(others, list):
        return None
    return max(
        (
            float(other["logprob"])
            for other in others
            if isinstance(other, dict) and other.get("token") != token["token"] and _is_number(other.get("logprob"))
        ),
        default=None,
    )


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
