"""The last look at an answer: what the client asked of its length, its end and its form holds wherever it came from."""

from __future__ import annotations

import json

from recipelang.ir.commitment import demands_nothing
from recipelang.quick import replace
from recipelang.runtime.calling import unmet
from recipelang.runtime.contracts import extract
from recipelang.runtime.values import Answer, Request, Value, Wishes, to_json


def text_of_answer(value: Value) -> str:
    """What was said, or else its JSON."""
    match value:
        case Answer(text=text) | (str() as text):
            return str(text)
        case other:
            return json.dumps(to_json(other), ensure_ascii=False)


def finished(value: Value, request: Request) -> Value:
    """The answer, cut where the client said that it ends, in the form that was asked for; raises `RunFailure`."""
    if isinstance(value, Answer):
        if value.tool_calls:  # a call of the client's tools is no answer yet
            return value
        value = _cut(value, request.wishes)
    return value if demands_nothing(request.format) else _formed(value, request)


def _cut(answer: Answer, wishes: Wishes) -> Answer:
    """A fallback was asked for nothing: it ends where the client said, in proportion to the tokens that it has."""
    text = answer.text
    for stop in wishes.stop:
        text = text.partition(stop)[0]
    if text != answer.text:
        return replace(answer, text=text, finish="stop")
    most, used = wishes.max_tokens, answer.usage.completion_tokens
    if most is None or answer.max_tokens is None or answer.max_tokens <= most or used <= most:
        return answer
    return replace(answer, text=text[: len(text) * most // used], finish="length")


def _formed(value: Value, request: Request) -> Value:
    """JSON comes bare, whatever a model put around it."""
    contract, text = request.format, text_of_answer(value)
    found = extract(contract, text)
    if found.problem is not None:
        raise unmet("return", contract, value, found.problem)
    if isinstance(value, Answer):
        bare = json.dumps(found.value, ensure_ascii=False) if found.repaired else text.strip()
        return replace(value, text=bare, value=found.value, valid=True)
    return value
