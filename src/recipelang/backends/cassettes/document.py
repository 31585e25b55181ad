"""A cassette as a file: lines of JSON, one for each run and for each call; `docs/cassettes.md` says what stands in them.

Knows how calls and their outcomes are written and read, and nothing of who makes them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recipelang.quick import dataclass
from recipelang.runtime.ports import BackendError, FailureKind, ModelCall, Reply
from recipelang.runtime.trace import messages_as_json
from recipelang.runtime.values import Json, TokenLogprob, Usage, encodable

FORMAT = "recipelang.cassette"
VERSION = 1
HEAD: Mapping[str, Json] = {"format": FORMAT, "version": VERSION}


class CassetteProblem(Exception):
    """A file that is no cassette, or one that this version can't read; the message says where and why."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A call that was cancelled before it was answered, or even before it was sent: its time was up, or nobody needed it."""

    sent: bool = True
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Gave:
    """What a function of the host gave."""

    value: Json


@dataclass(frozen=True, slots=True)
class Raised:
    """What a function of the host raised: the name of the exception's class, and its message."""

    error: str
    message: str


Outcome = Reply | BackendError | Gave | Raised | GivenUp


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call and how it ended. `at` is when it was made, in seconds since the recording began."""

    number: int  # calls are counted from 1, in the order in which they were made
    asked: Mapping[str, Json]
    at: float
    seconds: float
    outcome: Outcome
    at_once: bool = False  # whether nothing else could go on meanwhile: nobody waited for anything
    pieces: tuple[tuple[float, str], ...] = ()  # of a reply that came in pieces: after how many seconds each came
    line: int = 0  # where it stands in the file


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that was about to be made: the most that it could use. No usage: it is of a function of the host."""

    number: int
    usage: Usage | None
    cost: float | None  # dollars; none: its model has no price
    line: int = 0


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run: what was asked of which recipe, and how it ended (none: it was broken off)."""

    number: int
    recipe: str
    exposed: str | None  # the name that the recipe is exposed by, where it was run by that
    arguments: Mapping[str, Json]
    request: Mapping[str, Json]
    seed: int
    ending: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """All that stands in a cassette, in the order in which it happened."""

    name: str
    calls: Sequence[RecordedCall]
    runs: Sequence[RecordedRun] = ()
    begun: Sequence[Begun] = ()  # where that was written down as well

    @property
    def in_flight(self) -> list[Begun]:
        """The calls of which nobody knows how they ended."""
        ended = {call.number for call in self.calls}
        return [call for call in self.begun if call.number not in ended]


# ------------------------------------------------------------------ writing


def asked_of(call: ModelCall) -> dict[str, Json]:
    """A call of a model as a cassette tells it, by which equal calls are known; what is not said is the default."""
    parameters = {
        "max_tokens": call.max_tokens,
        "temperature": call.temperature,
        "seed": call.seed,
        "logprobs": call.logprobs or None,
        "schema": None if call.schema is None else json.loads(call.schema),
        "strict": None if call.strict else False,
        "tools": list(call.tools) or None,
        **({"others": dict(call.others)} if call.others else {}),
    }
    return {
        "model": call.model.name,
        "id": call.model.id,
        "role": call.role,
        **({"sample": call.sample} if call.sample else {}),
        "messages": messages_as_json(call.messages),
        "parameters": {name: value for name, value in parameters.items() if value is not None},
    }


def asked_of_function(name: str, arguments: Mapping[str, Json]) -> dict[str, Json]:
    """The same for a call of a function of the host."""
    return {"function": name, "arguments": dict(arguments)}


def key_of(asked: Mapping[str, Json]) -> str:
    """The same text for equal calls, whether they were made or read."""
    return encodable(json.dumps(asked, default=_plain, ensure_ascii=False, sort_keys=True))


def line_of(entry: Mapping[str, Json]) -> str:
    """An entry as a line of the file."""
    return encodable(json.dumps(entry, default=_plain, ensure_ascii=False)) + "\n"


def call_as_json(call: RecordedCall) -> dict[str, Json]:
    pieces = {"pieces": [list(piece) for piece in call.pieces]} if call.pieces else {}
    at_once = {"at_once": True} if call.at_once else {}
    return {
        "kind": "call",
        "number": call.number,
        "at": call.at,
        "seconds": call.seconds,
        **at_once,
        **call.asked,
        **_outcome_as_json(call.outcome),
        **pieces,
    }


def begun_as_json(begun: Begun) -> dict[str, Json]:
    most = {**_usage(begun.usage), **({} if begun.cost is None else {"cost": begun.cost})}
    return {"kind": "began", "number": begun.number, "most": most}


def _plain(value: Any) -> Json:  # Any: whatever json can't write by itself
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _outcome_as_json(outcome: Outcome) -> dict[str, Json]:
    match outcome:
        case Reply():
            return {"reply": reply_as_json(outcome)}
        case BackendError():
            told = {
                "kind": outcome.kind.value,
                "message": outcome.message,
                "status": outcome.status,
                "retry_after": outcome.retry_after,
                "may_pass": outcome.may_pass or None,
                "sent": None if outcome.sent else False,
                **_usage(outcome.usage),
            }
            return {"failure": _said(told)}
        case Gave(value):
            return {"gave": value}
        case Raised(error, message):
            return {"raised": {"error": error, "message": message}}
        case GivenUp(sent, timed_out):
            return {"given_up": True, **({} if sent else {"sent": False}), **({"timed_out": True} if timed_out else {})}


def reply_as_json(reply: Reply) -> dict[str, Json]:
    """A reply, of which nothing is said that is the default."""
    told = {
        "text": reply.text,
        "finish": None if reply.finish == "stop" else reply.finish,
        **_usage(reply.usage),
        "cost": reply.cost,
        "logprobs": None if reply.logprobs is None else [_token_as_json(token) for token in reply.logprobs],
        "tool_calls": list(reply.tool_calls) or None,
        "cached": reply.cached or None,
    }
    return _said(told)


def _said(fields: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in fields.items() if value is not None}


def _usage(usage: Usage | None) -> dict[str, Json]:
    if usage is None:
        return {}
    reported = {} if usage.reported else {"reported": False}
    return {"usage": {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens, **reported}}


def _token_as_json(token: TokenLogprob) -> list[Json]:
    """`[token, logprob]`, then its runner-up and the likeliest tokens as far as they were told."""
    runner_up = None if token.runner_up is None else _number(token.runner_up)
    best = [[text, _number(logprob)] for text, logprob in token.best]
    told: list[Json] = [token.token, _number(token.logprob), runner_up, best]
    while told[-1] in (None, []):
        told.pop()
    return told


def _number(value: float) -> Json:
    """JSON has no infinity: it is written as a text."""
    return value if math.isfinite(value) else str(value)


# ------------------------------------------------------------------ reading


def read_cassette(path: str | os.PathLike[str]) -> Recorded:
    """What a file has recorded; raises `CassetteProblem`, and `OSError` where it can't be read.

    A run that was killed may have left half a line at the end: it is passed over, and what stands before it counts.
    """
    try:
        return parse_cassette(os.fspath(path), Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise CassetteProblem(f"{os.fspath(path)} is no cassette: it is not UTF-8") from error


def parse_cassette(name: str, text: str) -> Recorded:
    """What stands in a text; raises `CassetteProblem`."""
    *whole, rest = text.split("\n")
    entries = [_entry(name, number, line) for number, line in enumerate(whole, 1) if line.strip()]
    _check_head(name, entries[0] if entries else {})
    if _is_json(rest):
        entries.append(_entry(name, len(whole) + 1, rest))
    try:
        return _recorded(name, entries[1:])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CassetteProblem(f"{name} is a damaged cassette: {type(error).__name__}: {error}") from error


def _entry(name: str, number: int, line: str) -> dict[str, Json]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CassetteProblem(f"{name}:{number} is no JSON, and so this is no cassette: {error}") from error
    if not isinstance(entry, dict):
        raise CassetteProblem(f"{name}:{number} is no object, and so this is no cassette")
    return {**entry, "line": number}


def _is_json(rest: str) -> bool:
    try:
        return isinstance(json.loads(rest), dict)
    except ValueError:
        return False


def _check_head(name: str, head: Mapping[str, Json]) -> None:
    if head.get("format") != FORMAT:
        raise CassetteProblem(f'{name} is no cassette: its first line does not say {{"format": "{FORMAT}"}}')
    if head.get("version") != VERSION:
        raise CassetteProblem(
            f"{name} is a cassette of version {head.get('version')}, and this recipelang reads version {VERSION}"
        )


def _recorded(name: str, entries: Sequence[Mapping[str, Json]]) -> Recorded:
    endings = {entry["number"]: entry for entry in entries if entry["kind"] == "end"}
    runs = [_run(entry, endings.get(entry["number"])) for entry in entries if entry["kind"] == "run"]
    calls = sorted((_call(entry) for entry in entries if entry["kind"] == "call"), key=lambda call: call.number)
    begun = [_begun(entry) for entry in entries if entry["kind"] == "began"]
    return Recorded(name, calls, runs, begun)


def _begun(entry: Mapping[str, Json]) -> Begun:
    return Begun(entry["number"], _read_usage(entry["most"]), entry["most"].get("cost"), entry["line"])


def _run(entry: Mapping[str, Json], ending: Mapping[str, Json] | None) -> RecordedRun:
    return RecordedRun(
        entry["number"],
        entry["recipe"],
        entry.get("exposed"),
        entry.get("arguments", {}),
        entry["request"],
        entry.get("seed", 0),
        ending,
    )


_ASKED = ("model", "id", "role", "sample", "messages", "parameters", "function", "arguments")


def _call(entry: Mapping[str, Json]) -> RecordedCall:
    return RecordedCall(
        entry["number"],
        {name: entry[name] for name in _ASKED if name in entry},
        quantity(entry["at"]),
        quantity(entry["seconds"]),
        _outcome(entry),
        entry.get("at_once", False),
        tuple((after, text) for after, text in entry.get("pieces", ())),
        entry["line"],
    )


def _outcome(entry: Mapping[str, Json]) -> Outcome:
    if "reply" in entry:
        return reply_of_json(entry["reply"])
    if "failure" in entry:
        told = entry["failure"]
        usage = _read_usage(told)
        more = {name: told[name] for name in ("status", "retry_after", "may_pass", "sent") if name in told}
        return BackendError(FailureKind(told["kind"]), told["message"], usage=usage, **more)
    if "gave" in entry:
        return Gave(entry["gave"])
    if "raised" in entry:
        return Raised(entry["raised"]["error"], entry["raised"]["message"])
    if "given_up" in entry:
        return GivenUp(entry.get("sent", True), entry.get("timed_out", False))
    raise ValueError(f"line {entry['line']} does not say how its call ended")


def reply_of_json(told: Mapping[str, Json]) -> Reply:
    """The reply that was told so; raises what a damaged one makes Python raise."""
    logprobs = told.get("logprobs")
    return Reply(
        told["text"],
        told.get("finish", "stop"),
        _read_usage(told),
        None if logprobs is None else tuple(map(_token, logprobs)),
        tuple(told.get("tool_calls", ())),
        told.get("cost"),
        told.get("cached", False),
    )


def _read_usage(told: Mapping[str, Json]) -> Usage | None:
    usage = told.get("usage")
    if usage is None:
        return None
    return Usage(quantity(usage["prompt"]), quantity(usage["completion"]), usage.get("reported", True))


def quantity(told: Any) -> Any:
    """A number of seconds or tokens (Any: it may be damaged); raises `TypeError` and `ValueError` where it is none."""
    if not 0 <= told < math.inf:
        raise ValueError(f"{told!r:.40} is no quantity")
    return told


def _token(told: Sequence[Json]) -> TokenLogprob:
    token, logprob, runner_up, best = [*told, None, None][:4] if len(told) < 4 else told
    return TokenLogprob(
        token,
        float(logprob),
        None if runner_up is None else float(runner_up),
        tuple((text, float(value)) for text, value in best or ()),
    )
