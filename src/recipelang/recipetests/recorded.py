"""A recorded run as a `test` block: the same replies and failures after the same times, and the same outcome expected."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from recipelang.backends.cassettes.document import Gave, GivenUp, Raised, Recorded, RecordedCall, RecordedRun
from recipelang.ir.plan import Model, Plan
from recipelang.ir.types import (
    AnswerType,
    ContractType,
    DurationType,
    EnumType,
    ListType,
    ModelType,
    MoneyType,
    OptionalType,
    RecordType,
    TextType,
    Type,
)
from recipelang.runtime.confidence import confidence
from recipelang.runtime.ports import BackendError, Reply
from recipelang.runtime.values import Json

NEVER = '"" after 1h'
"""What a call is told that was given up: it waits in the test as it did, until nobody needs it any more."""
_PLAIN = frozenset(("messages", "max_latency", "quality", "metadata", "format"))
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


class NoTest(Exception):
    """A run that can't be told as a test; the message says why."""


def written_test(name: str, run: RecordedRun, played: Recorded, plan: Plan, visible: Collection[str]) -> str:
    """The block, not laid out yet; raises `NoTest`. `played` are the calls as they go in virtual time, `visible` the
    names that the file of the test knows."""
    lines = [
        *_models(run, played, plan, visible),
        f"run = {_call(run, plan)}",
        *_request(run),
        *(f"reply {line}" for call in played.calls for line in _reply(call, plan)),
        f"expect {' and '.join(_expectations(run, played, plan))}",
    ]
    return "\n".join([f"test {text(name)} {{", *lines, "}"]) + "\n"


def _models(run: RecordedRun, played: Recorded, plan: Plan, visible: Collection[str]) -> Iterator[str]:
    """The models that the file of the test does not have: those that were called or are named in an argument."""
    if run.exposed is not None:
        return
    parameters = {parameter.name: parameter.type for parameter in plan.recipes[run.recipe].parameters}
    given = (model for name, value in run.arguments.items() for model in _named(value, parameters[name]))
    called = (call.asked["model"] for call in played.calls if "model" in call.asked)
    for model in dict.fromkeys([*given, *called]):
        if _bare(model) not in visible:
            yield _model(plan.models[model])


def _named(value: Json, type: Type) -> Iterator[str]:
    match type:
        case ModelType() if isinstance(value, str):
            yield value
        case OptionalType(item):
            yield from _named(value, item)
        case ListType(item) if isinstance(value, list):
            for one in value:
                yield from _named(one, item)


_TOLD_OF_MODELS = ("rating", "context", "logprobs", "json_schema", "tools", "vision", "seed")
"""Attributes of a model that are numbers or yes or no, and count in a test."""


def _model(model: Model) -> str:
    told = {name: literal(value) for name in _TOLD_OF_MODELS if (value := getattr(model, name)) is not None}
    if model.price is not None:
        told["price"] = f"{{ input = ${_number(model.price.input)}, output = ${_number(model.price.output)} }}"
    if model.zone is not None:
        told["zone"] = model.zone
    return f"model {_bare(model.name)} {{ {', '.join(f'{name} = {value}' for name, value in told.items())} }}"


def _call(run: RecordedRun, plan: Plan) -> str:
    if run.exposed is not None:
        return text(run.exposed)
    types = {parameter.name: parameter.type for parameter in plan.recipes[run.recipe].parameters}
    arguments = (f"{name} = {literal(value, types[name])}" for name, value in run.arguments.items())
    return f"{_bare(run.recipe)}({', '.join(arguments)})"


# -------------------------------------------------------------- the request


def _request(run: RecordedRun) -> Iterator[str]:
    request = run.request
    more = sorted(request.keys() - _PLAIN)
    if more:
        raise NoTest(f"it asked for {', '.join(more)}, which a test can't say")
    yield f"request = {_conversation(request['messages'])}"
    if "format" in request:
        yield f"format = {_bare(request['format'])}"
    if "max_latency" in request:
        yield f"max_latency = {time(request['max_latency'])}"
    if "quality" in request:
        yield f"quality = {request['quality']:g}"
    if "metadata" in request:
        yield f"metadata = {_record(request['metadata'], {})}"
    if run.seed:
        yield f"seed = {run.seed}"


def _conversation(messages: Sequence[Mapping[str, Json]]) -> str:
    for message in messages:
        if not isinstance(message["content"], str) or message.keys() - {"role", "content"}:
            raise NoTest("its conversation has more in it than texts, which a test can't say")
    if len(messages) == 1 and messages[0]["role"] == "user":
        return text(messages[0]["content"])
    said = (f"{{ role = {message['role']}, content = {text(message['content'])} }}" for message in messages)
    return f"[{', '.join(said)}]"


# ---------------------------------------------------------------- the replies


def _reply(call: RecordedCall, plan: Plan) -> Iterator[str]:
    asked = call.asked
    after = f" after {time(call.seconds)}" if call.seconds else ""
    if "function" in asked:
        yield f"{_bare(asked['function'])} = {_given(call, plan)}{after}"
        return
    who = f"{_bare(asked['role'])} on {_bare(asked['model'])}"
    match call.outcome:
        case Reply() as reply:
            yield f"{who} = {_said(reply)}{after}"
        case BackendError() as error:
            wait = "" if error.retry_after is None else f", retry_after = {time(error.retry_after)}"
            yield f"{who} = error({error.status or error.kind.value}{wait}){after}"
        case _:
            yield f"{who} = {NEVER}"


def _said(reply: Reply) -> str:
    if reply.tool_calls:
        raise NoTest("a model called a tool of the client, which a reply of a test can't say")
    more = {
        "confidence": None if (sure := confidence(reply.logprobs)) is None else _number(round(sure, 6)),
        "finish": None if reply.finish == "stop" else text(reply.finish),
        "tokens": None if reply.usage is None else str(reply.usage.completion_tokens),
    }
    told = [f"{name} = {value}" for name, value in more.items() if value is not None]
    return f"answer({', '.join([text(reply.text), *told])})" if told else text(reply.text)


def _given(call: RecordedCall, plan: Plan) -> str:
    match call.outcome:
        case Gave(value):
            return literal(value, plan.externs[call.asked["function"]].returns)
        case Raised(message=message):
            return f"error({text(message)})"
        case GivenUp():
            raise NoTest(f"`{_bare(call.asked['function'])}` was given up, which a reply of a test can't say")
        case _:
            raise AssertionError("a function of the host gives or raises")


# ------------------------------------------------------------- what is expected


def _expectations(run: RecordedRun, played: Recorded, plan: Plan) -> Iterator[str]:
    ending = run.ending or {}
    if ending.get("status") == "failed":
        yield f"failure == {ending['failure']}"
    else:
        match plan.recipes[run.recipe].returns:
            case AnswerType():
                yield f"result.text == {text(ending['text'])}"
            case TextType():
                yield f"result == {text(ending['text'])}"
            case _:
                pass
    yield f"calls == {sum('model' in call.asked for call in played.calls)}"


# ------------------------------------------------------------------- literals


def literal(value: Json, type: Type | None = None) -> str:
    """Plain data as it is written in a recipe, where a value of that type is wanted."""
    match type, value:
        case _, None:
            return "none"
        case OptionalType(item), _:
            return literal(value, item)
        case ((ModelType() | ContractType()), str()):
            return _bare(value)
        case EnumType(), str():
            return value
        case MoneyType(), (int() | float()):
            return f"${_number(value)}"
        case DurationType(), (int() | float()):
            return time(value)
        case ListType(item), list():
            return f"[{', '.join(literal(one, item) for one in value)}]"
        case RecordType(fields=fields), dict():
            return _record(value, {field.name: field.type for field in fields})
        case _, bool():
            return "true" if value else "false"
        case _, (int() | float()):
            return _number(value)
        case _, str():
            return text(value)
        case _, list():
            return f"[{', '.join(map(literal, value))}]"
        case _:
            return _record(value, {})


def _record(value: Mapping[str, Json], types: Mapping[str, Type]) -> str:
    odd = next((name for name in value if not _NAME.fullmatch(name)), None)
    if odd is not None:
        raise NoTest(f"`{odd}` can't be the name of a field")
    return "{ " + ", ".join(f"{name} = {literal(its, types.get(name))}" for name, its in value.items()) + " }"


def text(value: str) -> str:
    r"""A text on one line, with what can't be seen escaped.

    >>> text('a "b"\n\x00')
    '"a \\"b\\"\\n\\u{0}"'
    """
    escaped = json.dumps(value, ensure_ascii=False)
    return re.sub(r"\\u([0-9a-f]{4})|\\([bf])", _escape, escaped)


def _escape(found: re.Match[str]) -> str:
    code = found[1] or {"b": "8", "f": "c"}[found[2]]
    return f"\\u{{{code.lstrip('0') or '0'}}}"


def time(seconds: float) -> str:
    """
    >>> time(0.0205), time(2), time(3600.25)
    ('20.5ms', '2s', '3600.25s')
    """
    return f"{_number(round(seconds * 1000, 6))}ms" if seconds < 1 else f"{_number(seconds)}s"


def _number(value: float) -> str:
    """As the language spells numbers: with no exponent."""
    if isinstance(value, int) or float(value).is_integer():
        return str(int(value))
    return f"{value:.12f}".rstrip("0")


def _bare(name: str) -> str:
    """A name without that of its file."""
    return name.rpartition(".")[2]
