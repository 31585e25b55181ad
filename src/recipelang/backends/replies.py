"""From the JSON of a chat completion to a reply; what is not as the protocol says is a failure, never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recipelang.backends.documents import from_bytes
from recipelang.backends.refusals import excerpt, told_instead
from recipelang.quick import dataclass
from recipelang.runtime.ports import BackendError, FailureKind, Reply
from recipelang.runtime.values import Json, TokenLogprob, Usage, encodable

MOST_TOKENS = 10**12
"""Tokens of one call beyond which a provider's count is not believed."""


def parsed(body: bytes) -> dict[str, Any]:
    """The object in a body; raises `BackendError`."""
    try:
        value = from_bytes(body)
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
    text = text_in(message.get("content"))
    logprobs = choices[0].get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    parts = Parts(
        text, text_in(message.get("refusal")), choices[0].get("finish_reason"), usage_of(value.get("usage")), tokens
    )
    return settled(parts, tuple(calls_in(message.get("tool_calls"))))


@dataclass(slots=True)
class Parts:
    """What a reply is made of, as it was told."""

    text: str = ""
    refusal: str = ""
    finish: Json = None
    usage: Usage | None = None
    tokens: Json = None


def settled(parts: Parts, tool_calls: tuple[Mapping[str, Json], ...]) -> Reply:
    """A reply from its parts; raises `BackendError` where it was filtered or says nothing."""
    text, finish, usage = parts.text, parts.finish, parts.usage
    if finish == "content_filter":
        raise BackendError(FailureKind.FILTERED, "the provider's content filter stopped the answer", usage=usage)
    if not text and not tool_calls:
        if parts.refusal:
            said = encodable(parts.refusal)
            raise BackendError(FailureKind.FILTERED, f"the model refused to answer: {said}", usage=usage)
        if finish == "length":
            raise BackendError(FailureKind.GARBAGE, "all its tokens were used up before it said anything", usage=usage)
        raise BackendError(FailureKind.GARBAGE, "the answer is empty", usage=usage, may_pass=True)
    known = finish if isinstance(finish, str) else "stop"
    return Reply(encodable(text), known, usage, logprobs_of(parts.tokens), tool_calls)


def text_in(content: Json) -> str:
    """The text of a content: a text, nothing, or parts, of which those that are text count; raises `BackendError`."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise garbage("its content is no text")
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise garbage("its content is no text")
    return "".join(texts)


def calls_in(told: Json) -> list[dict[str, Json]]:
    """The calls of tools in a reply, or pieces of calls: objects, and so is the function of each, its name a text; raises `BackendError`."""
    calls = told or []
    if not isinstance(calls, list) or not all(map(_may_be_call, calls)):
        raise garbage("its tool calls are no objects")
    return calls


def _may_be_call(one: Json) -> bool:
    function = one.get("function") if isinstance(one, dict) else ""
    return function is None or (isinstance(function, dict) and isinstance(function.get("name"), str | None))


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
    """The tokens with their log-probabilities; the token that only ends the answer, which has no bytes, is left out.

    None where any of them can't be read: how sure a model was is not told by the rest.
    """
    if not isinstance(tokens, Sequence) or isinstance(tokens, str):
        return None
    found = []
    for token in tokens:
        logprob = _number(token.get("logprob")) if isinstance(token, dict) else None
        if logprob is None or not isinstance(token.get("token"), str):
            return None
        if token.get("bytes") != []:
            found.append(TokenLogprob(token["token"], logprob, _runner_up(token), _best(token)))
    return tuple(found) or None


def garbage(what: str, *, may_pass: bool = False) -> BackendError:
    """The failure of a reply that is not what the protocol says."""
    return BackendError(FailureKind.GARBAGE, f"the reply can't be read: {what}", may_pass=may_pass)


def _runner_up(token: Mapping[str, Any]) -> float | None:
    others = token.get("top_logprobs")
    if not isinstance(others, list):
        return None
    leads = [_number(o.get("logprob")) for o in others if isinstance(o, dict) and o.get("token") != token["token"]]
    return max((lead for lead in leads if lead is not None), default=None)


def _best(token: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """The likeliest tokens in the place of this one, those that can be read."""
    others = token.get("top_logprobs")
    if not isinstance(others, list):
        return ()
    told = ((o.get("token"), _number(o.get("logprob"))) for o in others if isinstance(o, dict))
    return tuple((name, lead) for name, lead in told if isinstance(name, str) and lead is not None)


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def _number(value: Json) -> float | None:
    """A number as a float, where it is one; JSON has integers that no float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
