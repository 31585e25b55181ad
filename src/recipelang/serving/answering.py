"""One endpoint of one protocol: from a request's bytes to an answer's, whole or as it comes; a client that leaves ends its run."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
from starlette.types import Receive, Scope, Send

from recipelang.backends.opening import BackendProblem
from recipelang.hosts.caching import seed_of
from recipelang.hosts.loops import Looped, Loops, TooManyTurns, Turn
from recipelang.quick import dataclass, field, replace
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ledger import Spend
from recipelang.runtime.ports import CallPiece, Event, StoreProblem
from recipelang.runtime.trace import Trace, event_as_json, without_content
from recipelang.runtime.values import Json
from recipelang.runtime.voice import CallListener, Listener
from recipelang.serving.bodies import BodyLimits, ClientLeft, body_of, object_in
from recipelang.serving.conversation import Api, Asked, Told, new_id, tool_calls_of
from recipelang.serving.headers import Headers, figures, parents_in, request_number
from recipelang.serving.keeping import Shift
from recipelang.serving.keys import Key, Keys
from recipelang.serving.menu import Served
from recipelang.serving.presence import Presence, while_there
from recipelang.serving.problems import OUR_MISTAKE, Problem, ProblemKind, problem_of, refused
from recipelang.serving.receipt import Books, books_of, receipt_of
from recipelang.serving.reports import LEFT, Report, Watcher

KEEP_ALIVE = 10.0
"""Seconds without a word before the commit point after which a stream says that it is still there."""

_log = logging.getLogger("recipelang.serving")
_EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class Answering:
    """An ASGI endpoint. `shift` gives what is served now, its engines open; one request sees one of them to its end.

    `watchers` hear of each request when it has ended, however it did.
    """

    def __init__(
        self,
        api: Api,
        shift: Callable[[], Awaitable[Shift]],
        limits: BodyLimits,
        loops: Loops,
        keep_alive: float = KEEP_ALIVE,
        keys: Keys | None = None,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._api = api
        self._shift = shift
        self._limits = limits
        self._loops = loops
        self._keep_alive = keep_alive
        self._keys = keys
        self._watchers = watchers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        talk = _Talk(self._api, send, request_number(scope), self._loops, began_at=time.perf_counter())
        talk.parents = parents_in(scope)
        try:
            await self._admitted(scope, receive, talk)
        finally:
            if self._watchers:
                report = talk.report(scope["path"])
                for watcher in self._watchers:
                    try:
                        watcher(report)
                    except Exception:  # noqa: BLE001 - one of the host's own: the answer has been given
                        _log.exception("a watcher failed for request %s", talk.number)

    async def _admitted(self, scope: Scope, receive: Receive, talk: _Talk) -> None:
        """Who may ask is answered; the while, the request counts as one of its key's."""
        if self._keys is None:
            await self._answer(scope, receive, talk)
            return
        try:
            talk.key = self._keys.find(scope)
            async with self._keys.admitted(talk.key):
                await self._answer(scope, receive, talk)
        except Problem as problem:
            await talk.refuse(problem)
        except StoreProblem as problem:
            await talk.refuse(_without_state(problem))

    async def _answer(self, scope: Scope, receive: Receive, talk: _Talk) -> None:
        """From the request to the end of its answer."""
        try:
            body = await body_of(scope, receive, self._limits.size)
            asked = self._api.read(object_in(body, self._limits.depth), self._limits)
            shift = await self._shift()
            talk.begin(asked, shift.menu.find(asked.name, talk.key))
            _must_fit(asked, talk.served)
        except ClientLeft:
            pass
        except Problem as problem:
            await talk.refuse(problem)
        except BackendProblem as problem:
            await talk.refuse(Problem(503, ProblemKind.OVERLOADED, str(problem), "not_ready"))
        except Exception:  # noqa: BLE001 - as below
            _log.exception("request %s could not be read, and should have been", talk.number)
            await talk.refuse(OUR_MISTAKE)
        else:
            with shift:
                await self._while_there(receive, talk, self._streamed if asked.stream else self._whole)

    async def _while_there(
        self, receive: Receive, talk: _Talk, answer: Callable[[_Talk, Presence], Awaitable[None]]
    ) -> None:
        """Answer; when the client goes away, everything that works for it is cancelled."""

        async with while_there(receive) as there:
            try:
                await answer(talk, there)
            except Problem as problem:
                await talk.fail(problem, None, None)
            except RunFailure as failure:
                await talk.fail(problem_of(failure), failure.trace, failure.spend)
            except StoreProblem as problem:
                await talk.fail(_without_state(problem), None, None)
            except OSError:  # the client is gone, and its server says so where others say nothing
                pass
            except Exception:  # noqa: BLE001 - whatever it is, the client is told that it is ours, and the log the rest
                _log.exception("request %s failed, and should not have", talk.number)
                await talk.fail(OUR_MISTAKE, None, None)

    async def _whole(self, talk: _Talk, there: Presence) -> None:
        await talk.answer(await talk.run())

    async def _streamed(self, talk: _Talk, there: Presence) -> None:
        """Comments until the first word; from then on pieces as they come."""
        pulse = _Pulse(talk, self._keep_alive, there)
        talk.pulse = pulse if talk.asked.dials.progress else None
        try:
            result = await talk.run(pulse.say, pulse.call)
        except Exception:
            await pulse.stop()
            raise
        await pulse.stop()
        await talk.end(result)


@dataclass(slots=True)
class _Talk:
    """One answer on its way to one client."""

    api: Api
    send: Send
    number: str
    loops: Loops
    asked: Asked = field(init=False)
    served: Served = field(init=False)
    speaker: Any = None  # Any: a `Speaker`, once the answer is known to be streamed
    began: bool = False  # whether the response has
    spoke: bool = False  # whether a part of the answer was sent
    key: Key | None = None
    began_at: float = 0.0
    books: Books = field(default_factory=Books)  # once the run has ended
    parents: Mapping[str, str] = field(default_factory=dict)  # the headers that say of what trace it is a part
    first: float | None = None  # seconds until the first part of the answer
    status: int = LEFT  # until its end is told
    code: str | None = None  # of an error
    text: str | None = None  # of the whole answer
    events: list[Event] = field(default_factory=list)
    pulse: _Pulse | None = None
    turn: Turn | None = None  # of a loop of tools, once the run has begun

    def record(self, event: Event) -> None:
        """What happens in the run, as its journal."""
        self.events.append(event)
        if self.pulse is not None:
            self.pulse.record(event)

    def report(self, path: str) -> Report:
        known = hasattr(self, "served")
        return Report(
            self.number,
            path,
            "" if self.key is None else self.key.name,
            self.served.entry.name if known else "",
            self.speaker is not None,
            self.status,
            self.code,
            time.perf_counter() - self.began_at,
            self.first,
            self.books if self.books.calls or not known else books_of(self.events, self.served.engine.plan),
            self.events,
            self.asked.request if known else None,
            self.text,
            self.parents["traceparent"].split("-")[1] if self.parents else None,
        )

    def begin(self, asked: Asked, served: Served) -> None:
        if served.engine.cache is not None and not asked.is_seeded:
            asked = replace(asked, seed=seed_of(asked.request))
        self.asked, self.served = asked, served
        if asked.stream:
            self.speaker = self.api.speaker(asked, served.fingerprint)

    async def run(self, listener: Listener | None = None, call_listener: CallListener | None = None) -> RunResult:
        """The answer; where the client has tools, it is a turn of the loop in which it carries them out."""
        asked, engine, key = self.asked, self.served.engine, "" if self.key is None else self.key.name

        async def run(turn: Turn | None = None) -> RunResult:
            self.turn = turn
            return await engine.answer(
                self.served.entry,
                asked.request,
                seed=asked.seed if turn is None else turn.seed,
                journal=self,
                listener=listener,
                call_listener=call_listener,
                most=asked.dials.most,
                time=asked.dials.time,
                key=key,
                loop=turn,
                trace=self.parents,
            )

        if not asked.request.tools:
            return await run()
        loop = Looped(engine.plan, self.served.digest, asked.request, key, asked.seed)
        try:
            return await self.loops.answer(run, loop)
        except TooManyTurns as problem:
            raise refused(str(problem), "messages", "too_many_turns") from None

    def call_number(self, place: int) -> str:
        """What the client is to know a call of one of its tools by."""
        return new_id("call_") if self.turn is None else self.turn.call_number(place)

    # ------------------------------------------------------------ whole answers

    async def answer(self, result: RunResult) -> None:
        told = self._told(result)
        await self._respond(200, self.api.whole(self.asked, told), figures(told.books, result.spend))

    async def refuse(
        self, problem: Problem, receipt: Mapping[str, Json] | None = None, more: Headers | None = None
    ) -> None:
        headers = [*(more or ()), (b"x-should-retry", b"true" if problem.may_pass else b"false")]
        if problem.retry_after is not None:
            headers.append((b"retry-after", b"%d" % max(1, round(problem.retry_after))))
        self.code = problem.code
        await self._respond(problem.status, self.api.problem(problem, self.number, receipt), headers)

    async def _respond(self, status: int, body: bytes, more: Headers) -> None:
        length = (b"content-length", b"%d" % len(body))
        headers = [(b"content-type", b"application/json"), length, *self._headers(), *more]
        self.began = True
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})
        self.status = status

    # ------------------------------------------------------------ streams

    async def start(self) -> None:
        """The head of a stream, once."""
        if not self.began:
            headers = [*_EVENT_STREAM, *self._headers()]
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})
            self.began = True

    async def stream(self, data: bytes, *, more: bool = True) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    async def end(self, result: RunResult) -> None:
        """What comes after the last piece; before it the opening, where there was no piece."""
        await self.start()
        opening = b"" if self.spoke else self.speaker.opening()
        await self.stream(opening + self.speaker.ending(self._told(result)), more=False)
        self.status = 200

    async def fail(self, problem: Problem, trace: Trace | None, spend: Spend | None) -> None:
        """An error with its own status where nothing was sent yet; else the honest end of the stream."""
        books = None if trace is None or spend is None else books_of(trace.events, self.served.engine.plan)
        receipt = None
        if books is not None and trace is not None and spend is not None and self.asked.dials.receipt:
            receipt = receipt_of(trace, books, self._digests(), spend.seconds)
        if not self.began:
            more = [] if books is None or spend is None else figures(books, spend)
            await self.refuse(problem, receipt, more)
        elif self.speaker is not None:
            opening = b"" if self.spoke else self.speaker.opening()
            self.code = problem.code
            await self.stream(opening + self.speaker.broken(problem, receipt), more=False)
            self.status = 200

    # ------------------------------------------------------------ what is told

    def _told(self, result: RunResult) -> Told:
        books = self.books = books_of(result.trace.events, self.served.engine.plan)
        receipt = None
        if self.asked.dials.receipt:
            receipt = receipt_of(result.trace, books, self._digests(), result.spend.seconds)
        self.text = result.text
        return Told(result, books, receipt, self.served.fingerprint, tool_calls_of(result, self.call_number))

    def _digests(self) -> dict[str, Json]:
        unheeded = self.served.unheeded(self.asked.request.wishes)
        return {
            "request_id": self.number,
            "model": self.served.entry.name,
            "recipe": self.served.entry.recipe,
            "digest": self.served.digest,
            "plan": self.served.plan_digest,
            **({"not_applied": list(unheeded)} if unheeded else {}),
            **({} if self.turn is None else {"turn": {"number": self.turn.number, "resumed": self.turn.is_resumed}}),
        }

    def _headers(self) -> Headers:
        number = self.number.encode()
        headers = [(b"x-request-id", number), (b"request-id", number)]
        if hasattr(self, "served"):
            headers.append((b"x-recipelang-digest", self.served.digest.encode()))
            unheeded = self.served.unheeded(self.asked.request.wishes)
            if unheeded:
                headers.append((b"x-recipelang-not-applied", ", ".join(unheeded).encode()))
        return headers


class _Pulse:
    """What a stream says before the commit point: that it is there, and on request what happens.

    A stream begins with its first word, comment or not: until then a failure still has an HTTP status of its own.
    """

    def __init__(self, talk: _Talk, interval: float, there: Presence) -> None:
        self._talk = talk
        self._interval = interval
        self._there = there
        self._events: list[Event] = []
        self._is_over = False
        self._quiet = anyio.Lock(fast_acquire=True)  # held while a comment is sent
        there.after(interval, self._beat)

    def record(self, event: Event) -> None:
        if not self._events:
            self._there.after(0, self._beat)
        self._events.append(event)

    async def _beat(self) -> None:
        with suppress(OSError):  # of a client that is gone; the run hears of it where it waits for that
            await self._tell(b": keep-alive\n\n")
        if not self._is_over:
            self._there.after(self._interval, self._beat)

    async def say(self, text: str) -> None:
        """A piece of the answer."""
        talk = self._talk
        if talk.spoke:
            await talk.send({"type": "http.response.body", "body": talk.speaker.piece(text), "more_body": True})
        else:
            await self._begin(partial(talk.speaker.piece, text))

    async def call(self, piece: CallPiece) -> None:
        """A piece of a call of one of the client's tools."""
        talk = self._talk
        told = partial(talk.speaker.call, piece, talk.call_number(piece.place))
        if talk.spoke:
            await talk.stream(told())
        else:
            await self._begin(told)

    async def _begin(self, first: Callable[[], bytes]) -> None:
        """The first piece, with what stands before it: the pulse ends."""
        talk = self._talk
        await self.stop()
        talk.spoke = True
        talk.first = time.perf_counter() - talk.began_at
        await talk.start()
        await talk.stream(talk.speaker.opening() + first())

    async def stop(self) -> None:
        """No more comments; those that are still to be told are."""
        if not self._is_over:
            self._there.put_off()
            await self._tell()
            self._is_over = True

    async def _tell(self, otherwise: bytes = b"") -> None:
        """What happened, or else that it is still there."""
        async with self._quiet:
            told = self._comments() or otherwise
            if told and not self._is_over:
                await self._talk.start()
                await self._talk.stream(told)

    def _comments(self) -> bytes:
        events, self._events = self._events, []
        return b"".join(b": recipelang " + _line(event) + b"\n\n" for event in events)


def _line(event: Event) -> bytes:
    return json.dumps(event_as_json(without_content(event)), separators=(",", ":")).encode()


def _without_state(problem: StoreProblem) -> Problem:
    """What is told where what the processes share can't be read: nobody is let in uncounted."""
    _log.error("the shared state can't be used: %s", problem)
    return Problem(
        503, ProblemKind.OVERLOADED, "the server can't reach its state", "not_ready", None, 1.0, may_pass=True
    )


def _must_fit(asked: Asked, served: Served) -> None:
    """What this recipe could not heed is refused."""
    if asked.dials.quality is not None and not served.reads_quality:
        raise refused(
            f"`{asked.name}` always does its best: it reads no `quality`, and would not heed it", "recipelang.quality"
        )
    if asked.request.tools and not served.takes_tools:
        raise refused(
            f"`{asked.name}` has no role that passes the conversation on, and so none that could call `tools`", "tools"
        )
