"""A backend over a pack: a call for a question, a model and a sample gets what was recorded there, or ends the run."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256

import anyio

from recipelang.evaluation.grading import Grade
from recipelang.evaluation.items import Item
from recipelang.evaluation.packs import Pack, Row, Verdict
from recipelang.ir.plan import Plan
from recipelang.quick import dataclass, field
from recipelang.runtime.confidence import log_probability
from recipelang.runtime.ports import Delta, ModelCall, NotRecorded, Reply
from recipelang.runtime.values import TokenLogprob, Usage

SampleRule = Callable[[str, int, int], int]
"""Which recorded sample a call gets: from the question, how many the model has, and which of equal calls this is."""
Saying = Callable[[Row], str]
"""What a model is taken to have said."""

MALFORMED = "malformed"
"""How a reply ended whose form could not be read: what a recipe sees as `answer.finish`."""


def as_asked(_question: str, _samples: int, asked: int) -> int:
    """The first of equal calls gets the first sample, the second the second."""
    return asked


def drawn(question: str, samples: int, asked: int) -> int:
    """One sample for each question, drawn by its name; there is no second one."""
    if asked:
        raise NotRecorded(f"the question `{question}` has one drawn sample for each model, and another was asked for")
    return int(sha256(f"pick|{question}".encode()).hexdigest()[:8], 16) % samples


def said(row: Row) -> str:
    """Its own words where they are recorded, else its final answer; nothing where it gave none."""
    return row.text if row.text is not None else row.final or ""


def concluded(row: Row) -> str:
    """`ANSWER: ` and its final answer, which may be an empty text; nothing at all where it gave none."""
    return "" if row.final is None else f"ANSWER: {row.final}"


SAMPLES: dict[str, SampleRule] = {"asked": as_asked, "drawn": drawn}
SAYINGS: dict[str, Saying] = {"final": concluded, "words": said}
"""The rules by the names that a person has for them."""


def rated(row: Row) -> str:
    """Its ratings, as a record of a role would be said."""
    return json.dumps({"ratings": row.ratings})


@dataclass(slots=True)
class Asking:
    """A question while a recipe works on it, and the rows that its calls have got."""

    question: str
    rows: list[Row] = field(default_factory=list)


_ASKING: ContextVar[Asking] = ContextVar("recipelang.evaluation.asking")  # each run has its own, all its tasks included


class Plainly:
    """What a plan is answered by: the backend, but for roles that are shown more than the question.

    What a model would write with the answers of others before it was never recorded, and its own answer to the question is
    none in its place.
    """

    def __init__(self, backend: ReplayBackend, plan: Plan) -> None:
        self._backend = backend
        self._shown = {name for name, role in plan.roles.items() if role.parameters}

    async def complete(self, call: ModelCall) -> Reply:
        self._hold(call)
        return await self._backend.complete(call)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        self._hold(call)
        async for delta in self._backend.stream(call):
            yield delta

    def _hold(self, call: ModelCall) -> None:
        if call.role in self._shown:
            raise NotRecorded(
                f"`{call.role}` is shown more than the question, and what `{call.model.id}` would write then was not recorded"
            )


class ReplayBackend:
    """Answers from a pack. A model is known by its id in the plan, which is its name in the pack.

    `in_time`: whether a call takes as long as it did, on the clock of the event loop; on one that jumps, that takes none.
    """

    def __init__(self, pack: Pack, *, sample: SampleRule = as_asked, says: Saying = said, in_time: bool = True) -> None:
        self._pack = pack
        self._sample = sample
        self._says = says
        self._in_time = in_time

    @contextmanager
    def answering(self, question: str) -> Iterator[Asking]:
        """The calls that are made inside are about this question; those of other tasks are not."""
        asking = Asking(question)
        token = _ASKING.set(asking)
        try:
            yield asking
        finally:
            _ASKING.reset(token)

    async def complete(self, call: ModelCall) -> Reply:
        asking = self._asking()
        if any(message.role == "assistant" for message in call.messages):
            raise NotRecorded(
                f"`{call.role}` asks `{call.model.id}` to mend an answer to `{asking.question}`, and repairs were not "
                "recorded: a contract with `repair = 0` can be replayed"
            )
        row = self._row(asking.question, call)
        asking.rows.append(row)
        await anyio.sleep(row.latency if self._in_time and row.latency is not None else 0)  # others run meanwhile
        return self._reply(row, call)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        reply = await self.complete(call)
        yield Delta(reply.text)
        yield Delta(reply=reply)

    def verdict(self, model: str, text: str) -> Verdict:
        """How what a model said to the question at hand was graded; raises `NotRecorded` where no call was answered so.

        For graders, and for functions of the host that stand for a perfect verifier: a recipe never sees it.
        """
        return self.graded(model, text)[0]

    def graded(self, model: str, text: str) -> tuple[Verdict, str | None]:
        """The same, and what the answer comes to."""
        asking = self._asking()
        rows = [row for row in asking.rows if row.model == model and self._says(row) == text]
        verdicts = {self._pack.verdicts[row.place] for row in rows}
        if len(verdicts) != 1:
            known = "was graded in different ways" if verdicts else "was never recorded"
            raise NotRecorded(f"what `{model}` is said to have answered to `{asking.question}` {known}: {text!r:.80}")
        return verdicts.pop(), rows[0].final

    async def is_right(self, *, by: str, said: str, **_others: object) -> bool:
        """A perfect verifier, which only a measurement has: a function of the host, of whatever name."""
        return self.verdict(by, said) is Verdict.RIGHT

    def paid(self) -> float | None:
        """What all calls about the question at hand were recorded to cost, those that were given up included; none where that is
        unknown."""
        costs = [row.cost for row in self._asking().rows]
        known = [cost for cost in costs if cost is not None]
        return math.fsum(known) if len(known) == len(costs) else None

    def dearest(self, question: str, models: Iterable[str]) -> float:
        """The most that one call of one of these models cost on a question; infinite where that was not recorded."""
        rows = [
            row
            for model in models
            for sample in range(self._pack.samples.get(model, 0))
            if (row := self._pack.rows.get((question, model, sample))) is not None
        ]
        return max((math.inf if row.cost is None else row.cost for row in rows), default=0.0)

    def _asking(self) -> Asking:
        asking = _ASKING.get(None)
        if asking is None:
            raise NotRecorded("a call was made outside of any question")
        return asking

    def recorded(self, question: str, model: str, asked: int = 0) -> Row | None:
        """The row that a call would get, or none."""
        samples = self._pack.samples.get(model)
        return (
            None if samples is None else self._pack.rows.get((question, model, self._sample(question, samples, asked)))
        )

    def _row(self, question: str, call: ModelCall) -> Row:
        row = self.recorded(question, call.model.id, call.sample)
        if row is None:
            raise NotRecorded(
                f"the pack `{self._pack.name}` has no answer of `{call.model.id}` to `{question}`, sample {call.sample}"
            )
        return row

    def _reply(self, row: Row, call: ModelCall) -> Reply:
        text = self._says(row)
        return Reply(
            text,
            MALFORMED if row.malformed else "stop",
            _usage(row),
            _logprobs(row, text) if call.logprobs else None,
            cost=row.cost,
        )


class RecordedGrades:
    """Grades by what was recorded of the very answer."""

    def __init__(self, backend: ReplayBackend) -> None:
        self._backend = backend

    async def __call__(self, item: Item, text: str, authors: frozenset[str]) -> Grade:
        if len(authors) != 1:
            return Grade(Verdict.UNGRADED, "the recipe gives no answer of a model")
        [author] = authors
        verdict, came_to = self._backend.graded(author, text)
        return Grade(verdict, said=came_to)


def _usage(row: Row) -> Usage | None:
    """What is recorded; what is not known of a call of which something is counts as nothing."""
    known = (row.prompt_tokens, row.completion_tokens)
    if known == (None, None):
        return None
    return Usage(row.prompt_tokens or 0, row.completion_tokens or 0, reported=None not in known)


def _logprobs(row: Row, text: str) -> tuple[TokenLogprob, ...] | None:
    """How sure the model was as the log-probability of its one token, which every measure of confidence reads."""
    if row.log_confidence is not None:
        return (TokenLogprob(text or " ", row.log_confidence),)
    if row.stated_confidence is not None:
        return (TokenLogprob(text or " ", log_probability(row.stated_confidence)),)
    return None
