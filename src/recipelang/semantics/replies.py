"""The `reply` lines of a test: what a role or a function of the host says, from syntax to plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping

from recipelang.diagnostics import Edit, Fix
from recipelang.diagnostics.catalogue import testing as codes
from recipelang.diagnostics.suggesting import nearest
from recipelang.ir.types import RecordType, TextType, Type
from recipelang.quick import dataclass
from recipelang.semantics.attributes import Attributes, read_attributes
from recipelang.semantics.declarations import Declarer
from recipelang.semantics.expressions import listed
from recipelang.semantics.literals import NoLiteral, json_of
from recipelang.semantics.tested import CALL_FAILURES, Failing, Giving, Outcome, Saying, ScriptedReply
from recipelang.source import Span
from recipelang.syntax import nodes

MOST_TIMES = 1_000
WHAT_IT_TAKES = 'a text, a record or a list of literals, `answer("...")` or `error(429)`'


@dataclass(frozen=True, slots=True)
class Told:
    """An outcome, and for how many calls it stands."""

    outcome: Outcome
    times: int | None = None


@dataclass(frozen=True, slots=True)
class ReplyReader:
    """Reads the replies of one test. `roles` and `externs` are those that its run can call, with what each returns."""

    declarer: Declarer
    roles: Mapping[str, Type]
    externs: Mapping[str, Type]

    def read(self, node: nodes.Scripted, callee: str, model: str | None) -> ScriptedReply | None:
        """The reply; none where it has a mistake, which is reported."""
        delay = 0.0
        if node.delay is not None:
            found = Attributes("a reply", {"after": node.delay}, self.declarer.report).duration("after")
            if found is None:
                return None
            delay = found
        told = self._told(node.outcome, callee)
        return None if told is None else ScriptedReply(callee, model, told.outcome, delay, told.times, node.span)

    def _told(self, node: nodes.Expression, callee: str) -> Told | None:
        match node:
            case nodes.Call(nodes.Name("error")):
                return self._error(node, callee)
            case nodes.Call(nodes.Name("answer")) if callee not in self.externs:
                return self._answer(node, callee)
            case _ if callee in self.externs:
                return self._given(node, callee)
            case _:
                text = self._text(node, callee)
                return None if text is None else Told(Saying(text))

    # ------------------------------------------------------------ outcomes

    def _answer(self, node: nodes.Call, callee: str) -> Told | None:
        """`answer("text", confidence = 0.9, finish = "length", tokens = 12, times = 2)`."""
        first, given = self._arguments(node, ("confidence", "finish", "tokens", "times"))
        if first is None:
            self._wrong(node.span, "`answer` takes what is said", 'such as `answer("Jupiter", confidence = 90%)`')
            return None
        text = self._text(first, callee)
        confidence, finish = given.number("confidence", 0, 1), given.text("finish")
        tokens, times = given.integer("tokens", 0, 1_000_000), given.integer("times", 1, MOST_TIMES)
        if text is None:
            return None
        return Told(Saying(text, confidence, "stop" if finish is None else finish.value, tokens), times)

    def _error(self, node: nodes.Call, callee: str) -> Told | None:
        """`error(429, times = 3, retry_after = 2s)`, `error(timeout)`; of a function of the host `error("why")`."""
        first, given = self._arguments(node, ("retry_after", "times", "message"))
        times, wait, message = (
            given.integer("times", 1, MOST_TIMES),
            given.duration("retry_after"),
            given.text("message"),
        )
        said = "" if message is None else message.value
        if callee in self.externs:
            if isinstance(first, nodes.Text):
                return Told(Failing(message=first.value), times)
            self._wrong(node.span, "a function of the host fails for a reason", 'such as `error("no such file")`')
            return None
        match first:
            case nodes.Number(nodes.NumberKind.INT, value) if 300 <= value < 600:
                return Told(Failing(status=int(value), message=said, retry_after=wait), times)
            case nodes.Name(kind) if kind in CALL_FAILURES:
                return Told(Failing(kind=kind, message=said, retry_after=wait), times)
            case nodes.Name() as name:
                near = nearest(name.text, CALL_FAILURES)
                fix = Fix(f"use `{near}`", (Edit(name.span, near),)) if near else None
                help = (
                    f"did you mean `{near}`?"
                    if near
                    else f"it is a status such as 429, or one of {listed(CALL_FAILURES)}"
                )
                self.declarer.report(
                    codes.REPLY_VALUE.at(name.span, f"a call does not fail by `{name.text}`", help=help, fix=fix)
                )
            case _:
                kinds = listed(CALL_FAILURES)
                self._wrong(node.span, "`error` takes what goes wrong", f"a status such as 429, or one of {kinds}")
        return None

    def _given(self, node: nodes.Expression, callee: str) -> Told | None:
        self.declarer.elaborator.fitting(node, self.declarer.constants, self.externs[callee], f"what `{callee}` gives")
        value = self._json(node)
        return None if value is None else Told(Giving(value[0]))

    def _text(self, node: nodes.Expression, callee: str) -> str | None:
        """What the model sends: a text as it stands, a record or a list as JSON."""
        if isinstance(node, nodes.Text):
            return node.value
        if not isinstance(node, (nodes.RecordLiteral, nodes.ListLiteral)):
            self._wrong(node.span, "this is no reply", f"it takes {WHAT_IT_TAKES}")
            return None
        returns = self.roles.get(callee, TextType())
        if isinstance(node, nodes.RecordLiteral) and isinstance(returns, RecordType):
            declarer = self.declarer
            declarer.elaborator.fitting(node, declarer.constants, returns, f"what `{callee}` says")
        value = self._json(node)
        return None if value is None else json.dumps(value[0], ensure_ascii=False)

    # ------------------------------------------------------------- helpers

    def _json(self, node: nodes.Expression) -> tuple[object] | None:
        try:
            return (json_of(node),)
        except NoLiteral as problem:
            self._wrong(problem.node.span, "a reply is written down whole", f"it takes {WHAT_IT_TAKES}")
            return None

    def _arguments(self, node: nodes.Call, known: tuple[str, ...]) -> tuple[nodes.Expression | None, Attributes]:
        """The one argument without a name, and the others."""
        report, owner = self.declarer.report, f"`{node.callee.text}`"
        positional = [argument.value for argument in node.arguments if argument.name is None]
        for further in positional[1:]:
            self._wrong(
                further.span, f"{owner} takes one value, and settings by their names", f"such as `{known[0]} = ...`"
            )
        named = [
            nodes.Attribute(argument.name, argument.value, span=argument.span)
            for argument in node.arguments
            if argument.name is not None
        ]
        return (positional[0] if positional else None), read_attributes(owner, named, known, report)

    def _wrong(self, span: Span, message: str, label: str) -> None:
        self.declarer.report(codes.REPLY_VALUE.at(span, message, label=label))
