"""The members of values: `answer.text`, `model.price.input`, `request.turns`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

from recipelang.ir.plan import Model, Plan, Price
from recipelang.ir.sizing import BYTES_PER_TOKEN, DEFAULT_MAX_TOKENS, FINISH_BYTES
from recipelang.runtime.confidence import confidence
from recipelang.runtime.operators import StepFailed
from recipelang.runtime.values import (
    Answer,
    Authored,
    Json,
    Message,
    RecordValue,
    Request,
    Said,
    Task,
    TaskPlan,
    Usage,
    Value,
    byte_length,
)

Reader = Callable[[Any], Value]  # Any: a reader is looked up by the type that it reads

_IMAGES = ("image_url", "image", "input_image")


class Members:
    """Reads members; the plan tells how much of an answer a prompt may show."""

    def __init__(self, plan: Plan) -> None:
        self._readers: dict[type, dict[str, Reader]] = {
            Answer: _answer_readers(plan),
            Model: _MODEL,
            Request: _REQUEST,
            Task: _TASK,
            TaskPlan: _PLAN,
            Usage: _USAGE,
            Price: _PRICE,
        }

    def named(self, name: str) -> dict[type, Reader]:
        """The readers of the members of that name, by the type that has one."""
        return {kind: readers[name] for kind, readers in self._readers.items() if name in readers}

    def of(self, value: Value, name: str) -> Value:
        return read(value, name, self.named(name))


def read(value: Value, name: str, readers: Mapping[type, Reader]) -> Value:
    """A member of a value. What is none has none for each member."""
    if type(value) is RecordValue and name in value.fields:
        return value.fields[name]
    reader = readers.get(type(value))
    if reader is not None:
        return reader(value)
    if value is None:
        return None
    raise StepFailed(f"a value of type {type(value).__name__.lower()} has no member `{name}`")


def shown_bytes(answer: Answer, plan: Plan) -> int:
    """How many bytes of an answer another prompt shows: as many as its completion tokens can make up."""
    if answer.max_tokens is not None:
        return BYTES_PER_TOKEN * answer.max_tokens
    role = plan.roles.get(answer.role)
    return BYTES_PER_TOKEN * (role.max_tokens if role is not None else DEFAULT_MAX_TOKENS)


def text_of(message: Message) -> str:
    """The text of a message, of its text parts where it has parts."""
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    texts = (part.get("text") for part in message.content)
    return "\n".join(text for text in texts if isinstance(text, str))


def images_of(message: Message) -> int:
    """How many image parts a message has."""
    if message.content is None or isinstance(message.content, str):
        return 0
    return sum(part.get("type") in _IMAGES for part in message.content)


def estimated_tokens(size: int) -> int:
    """About how many tokens so many bytes are."""
    return -(-size // 4)


def _answer_readers(plan: Plan) -> dict[str, Reader]:
    return {
        "text": lambda answer: Said.of(answer.text, shown_bytes(answer, plan)),
        "value": lambda answer: _value(answer.value, shown_bytes(answer, plan)),
        "valid": lambda answer: answer.valid,
        "model": lambda answer: answer.model,
        "role": lambda answer: Authored(answer.role),
        "confidence": lambda answer: confidence(answer.logprobs),
        "usage": lambda answer: answer.usage,
        "cost": lambda answer: answer.cost,
        "latency": lambda answer: answer.latency,
        "finish": lambda answer: Said.of(answer.finish, FINISH_BYTES),
        "tool_calls": lambda answer: len(answer.tool_calls),
    }


def _value(value: Json, limit: int) -> Value:
    """What a contract extracted, as text: JSON in one spelling for one value, so that votes can count it."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return Said.of(text, limit)


_MODEL: dict[str, Reader] = {
    "name": lambda model: Authored(model.name),
    "id": lambda model: Authored(model.id),
    "zone": lambda model: None if model.zone is None else Authored(model.zone),
    "rating": lambda model: model.rating,
    "context": lambda model: model.context,
    "logprobs": lambda model: model.logprobs,
    "json_schema": lambda model: model.json_schema,
    "tools": lambda model: model.tools,
    "vision": lambda model: model.vision,
    "seed": lambda model: model.seed,
    "price": lambda model: model.price,
}
_TASK: dict[str, Reader] = {
    "name": lambda task: task.name,
    "instruction": lambda task: task.instruction,
    "model": lambda task: task.model,
    "results": lambda task: task.results,
}
_PLAN: dict[str, Reader] = {
    "steps": lambda plan: len(plan.tasks),
    "text": lambda plan: plan.text if plan.limit is None else Said.of(plan.text, plan.limit),
}
_PRICE: dict[str, Reader] = {"input": lambda price: price.input, "output": lambda price: price.output}
_USAGE: dict[str, Reader] = {
    "prompt_tokens": lambda usage: usage.prompt_tokens,
    "completion_tokens": lambda usage: usage.completion_tokens,
    "total": lambda usage: usage.total,
}


def _last_user_text(request: Request) -> str:
    for message in reversed(request.messages):
        if message.role == "user":
            return text_of(message)
    return ""


def _conversation(request: Request) -> str:
    """The text of all messages, and what the calls of tools among them say."""
    texts = (text for message in request.messages for text in (text_of(message), _told(message)))
    return "\n\n".join(text for text in texts if text)


def _tool_results(request: Request) -> int:
    """What tools gave since the user last spoke."""
    behind = takewhile(lambda message: message.role != "user", reversed(request.messages))
    return sum(message.role == "tool" for message in behind)


def _told(message: Message) -> str:
    return json.dumps(message.extra, default=dict, ensure_ascii=False) if message.extra else ""


_REQUEST: dict[str, Reader] = {
    "text": _last_user_text,
    "conversation": _conversation,
    "tokens": lambda request: estimated_tokens(sum(byte_length(text_of(message)) for message in request.messages)),
    "turns": lambda request: sum(message.role == "user" for message in request.messages),
    "images": lambda request: sum(map(images_of, request.messages)),
    "tools": lambda request: len(request.tools),
    "tool_results": _tool_results,
    "format": lambda request: request.format,
    "max_cost": lambda request: request.max_cost,
    "max_latency": lambda request: request.max_latency,
    "quality": lambda request: request.quality,
    "metadata": lambda request: request.metadata,
}
