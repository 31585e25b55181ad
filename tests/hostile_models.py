"""Models and functions of a host that aim at a bound: slow, dear, failing, lying; and what they know of a run."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import anyio

from recipe_programs import FAR, SECRET, Pick
from recipelang.runtime.members import text_of
from recipelang.runtime.ports import BackendError, Delta, FailureKind, ModelCall, Reply
from recipelang.runtime.prompts import prompt_bound
from recipelang.runtime.values import Json, Message, Request, TokenLogprob, Usage

_Drawn = TypeVar("_Drawn")
Temper = Literal["any", "slow", "dear", "liar"]
TEMPERS: tuple[Temper, ...] = ("any", "slow", "dear", "liar")
DELAYS: tuple[float, ...] = (0.0, 0.3, 5.0, 29.0, 89.5, 119.0, 400.0)
TEXTS = (
    "ANSWER: A",
    "ANSWER: B, because",
    "no form at all",
    "",
    "```python\nprint(1)\n```",
    '{"reason": "it is so", "score": 0.4}',
    '{"reason": "cut off',
    "ß" * 3_000,
    "İ" * 2_000,
    "x" * 20_000,
    "\ud800 alone",
)
LONG = "€" * 12_000


@dataclass
class Sent:
    """One call as a backend saw it: what it may have billed at most, and what it said that it billed; whether it left at all."""

    call: ModelCall
    most: Usage
    told: Usage | None = None
    left: bool = True


@dataclass
class World:
    """All that a run reaches, in one mood. `steady`: of ten calls, how many are answered at all."""

    pick: Pick
    temper: Temper
    steady: int
    in_flight: int = 0
    peak: int = 0
    sent: list[Sent] = field(default_factory=list)
    probes: int = 0

    # --------------------------------------------------------------- models

    async def complete(self, call: ModelCall) -> Reply:
        most = Usage(
            prompt_bound(call.messages, call.tools, call.schema, call.model),
            call.max_tokens + call.model.reasoning_tokens,
        )
        sent = Sent(call, most)
        self.sent.append(sent)
        with self._counted():
            await anyio.sleep(self._delay())
            outcome = self._outcome(call, most)
        sent.told = outcome.usage
        if isinstance(outcome, BackendError):
            sent.left = outcome.sent
            raise outcome
        return outcome

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        reply = await self.complete(call)
        yield Delta(reply.text)
        yield Delta(reply=reply)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def _delay(self) -> float:
        if self.temper == "dear":
            return float(self.pick(0, 1))
        delays = DELAYS[-3:] if self.temper == "slow" else DELAYS
        return self._one_of(*delays)

    def _outcome(self, call: ModelCall, most: Usage) -> Reply | BackendError:
        fails = self.pick(1, 10) > self.steady
        if self.temper == "dear":
            full = Usage(most.prompt_tokens, most.completion_tokens)
            again = BackendError(FailureKind.SERVER, "again", 500, 0.0, True, full)
            return again if fails else Reply(self._longest(call), "f" * 200, full)
        return self._failure(most) if fails else self._reply(call, most)

    def _longest(self, call: ModelCall) -> str:
        """As much as can be said, in the form that is asked for or, where that takes a repair, not in it."""
        schema = {} if call.schema is None else json.loads(call.schema)
        properties = schema.get("properties", {})
        if "tasks" in properties:
            return json.dumps(_chain(properties["tasks"]), ensure_ascii=False)
        if "score" in properties:
            score = self._one_of(0.25, 1, 7)
            return json.dumps({"reason": LONG, "score": score}, ensure_ascii=False)
        return self._one_of(LONG, f"ANSWER: A {LONG}")

    def _reply(self, call: ModelCall, most: Usage) -> Reply:
        logprobs = (TokenLogprob("a", self._one_of(-0.01, -5.0), -6.0),)
        said = self._longest(call) if self.pick(0, 1) else self._one_of(*TEXTS)
        return Reply(said, self._one_of("stop", "length", "f" * 5_000), self._usage(most), logprobs)

    def _failure(self, most: Usage) -> BackendError:
        kind = self._one_of(*FailureKind)
        after = self._one_of(None, 0.0, 1.0, 60.0, 1e9, -3.0)
        may_pass, usage = self.pick(0, 9) < 7, self._usage(most)
        return BackendError(
            kind, "out of sorts", 500, after, may_pass, usage, sent=usage is not None or self.pick(0, 3) > 0
        )

    def _usage(self, most: Usage) -> Usage | None:
        """None, all that there can be, less, or what can't be; of a liar, far more as well."""
        honest = (
            None,
            Usage(most.prompt_tokens, most.completion_tokens),
            Usage(1 + most.prompt_tokens // 4, 1 + most.completion_tokens // 2),
            Usage(-5, 10**9),
            Usage(10**9, -5),
            Usage(0, 0),
        )
        return self._one_of(*honest, *([Usage(10**6, 10**6)] if self.temper == "liar" else []))

    def _one_of(self, *options: _Drawn) -> _Drawn:
        return options[self.pick(0, len(options) - 1)]

    # ------------------------------------------------------------ functions

    async def probe(self, *_: Json, program: str) -> Json:
        """The host's function: it fails, takes its time, or gives what it promises, or something else."""
        self.probes += 1
        await anyio.sleep(self._one_of(0.0, 0.4, 0.9, 30.0))
        if self.pick(1, 10) > self.steady:
            raise RuntimeError("the host is out of sorts")
        return self._one_of({"passed": True, "log": LONG}, {"passed": False, "log": ""}, {"passed": "yes"}, "nothing")

    def functions(self) -> Mapping[str, Callable[..., Json]]:
        return {"probe": self.probe}

    # -------------------------------------------------------- what it knows

    def billed(self, sent: Sent) -> Usage:
        """What a call may have been billed at most, as far as its provider can be believed."""
        told = sent.told
        if told is None or told.prompt_tokens <= 0 or told.completion_tokens < 0:
            return sent.most
        return told

    def leaked(self, request: Request) -> list[ModelCall]:
        """The calls to models that must not see the request."""
        secret = SECRET in text_of(request.messages[-1])
        return [sent.call for sent in self.sent if secret and sent.call.model.name == FAR]


def _chain(tasks: Json) -> Json:
    """The longest plan that the schema allows: each task needs all those before it."""
    workers = tasks["items"]["properties"]["worker"]["enum"]
    names = [f"t{number}" for number in range(tasks["maxItems"])]
    return {
        "tasks": [
            {"name": name, "needs": names[:place], "worker": workers[-1], "instruction": "é" * 1_500}
            for place, name in enumerate(names)
        ]
    }


def drawn_request(pick: Pick) -> Request:
    """A conversation, short or long, with a secret, with images."""
    words = ("Which planet is the largest?", "", "İ" * 800, f"a {SECRET} thing")[(0, 2, 3, 1, 2, 3)[pick(0, 5)]]
    turns = (1, 1, 2)[pick(0, 2)]
    messages = [Message("user" if place % 2 == 0 else "assistant", words) for place in range(2 * turns - 1)]
    if pick(0, 7) == 7:
        image = {"type": "image_url", "image_url": {"url": "data:,"}}
        messages[-1] = Message("user", ({"type": "text", "text": words}, image))
    return Request(tuple(messages), metadata={"who": "b" * 700} if pick(0, 2) == 2 else {})
