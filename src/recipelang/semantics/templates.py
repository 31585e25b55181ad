"""A role's prompt: from text with `{{ slots }}` to a template of the plan, checked against the role's parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from recipelang.diagnostics import Edit, Fix, Report
from recipelang.diagnostics.catalogue import calls, syntax
from recipelang.diagnostics.suggesting import nearest
from recipelang.ir.template import Part, Section, Slot, Template, Words
from recipelang.ir.types import ContractType, ModelType, NeverType, RequestType, Type, spelled
from recipelang.quick import dataclass, field
from recipelang.semantics import members
from recipelang.semantics.expressions import listed
from recipelang.semantics.typing import without_none
from recipelang.source import Span
from recipelang.syntax import nodes

MAX_SECTIONS = 20
"""Levels of `{% if %}` in one another."""
_TAG = re.compile(
    r"""\{\{\s*(?:\\?"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)')\s*\}\}|\{\{(?P<slot>[^{}]*)\}\}|\{%(?P<tag>[^{}%]*)%\}"""
)
_PATH = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_OPENING = re.compile(r"\{\{|\{%")


@dataclass(frozen=True, slots=True)
class _Token:
    """A tag (`words` is none) or the words between two."""

    words: str | None
    tag: str
    is_slot: bool
    span: Span


class _TooDeep(Exception):
    """Sections in one another, more than a reader can follow."""

    def __init__(self, span: Span) -> None:
        super().__init__("nested too deeply")
        self.span = span


@dataclass
class TemplateReader:
    """Reads one template. A mistake is reported once and its tag is left out."""

    parameters: Mapping[str, Type]
    report: Report
    used: set[str] = field(default_factory=set)
    depth: int = 0

    def read(self, text: nodes.Text) -> Template:
        try:
            return tuple(self._whole(_tokens(text, self.report)))
        except _TooDeep as problem:
            label = f"more than {MAX_SECTIONS} levels"
            help = "make it several roles, or several parameters"
            self.report(syntax.TOO_DEEP.at(problem.span, "this is nested too deeply", label=label, help=help))
            self.used.update(self.parameters)
            return ()

    def _whole(self, tokens: Iterator[_Token]) -> list[Part]:
        parts, closed_by = self._parts(tokens)
        while closed_by is not None:
            self._misplaced(closed_by)
            more, closed_by = self._parts(tokens)
            parts += more
        return parts

    def _parts(self, tokens: Iterator[_Token]) -> tuple[list[Part], _Token | None]:
        """The parts up to the end, or to the `else` or `endif` that closes them, which is given back."""
        parts: list[Part] = []
        for token in tokens:
            if token.words is not None:
                parts.append(Words(token.words))
            elif token.is_slot:
                path = self._path(token.tag, token.span, shown=True)
                parts += [Slot(path)] if path else []
            elif token.tag in ("else", "endif"):
                return parts, token
            elif token.tag.startswith("if "):
                parts += self._section(token, tokens)
            else:
                self._unknown_tag(token)
        return parts, None

    def _section(self, opening: _Token, tokens: Iterator[_Token]) -> list[Part]:
        if self.depth == MAX_SECTIONS:
            raise _TooDeep(opening.span)
        self.depth += 1
        path = self._path(opening.tag.removeprefix("if ").strip(), opening.span, shown=False)
        then, closing = self._parts(tokens)
        otherwise: list[Part] = []
        if closing is not None and closing.tag == "else":
            otherwise, closing = self._parts(tokens)
        self.depth -= 1
        if closing is None or closing.tag != "endif":
            self.report(
                calls.TEMPLATE.at(opening.span, "this `{% if %}` is never closed", help="end it with `{% endif %}`")
            )
        return [Section(path, tuple(then), tuple(otherwise))] if path else []

    def _path(self, text: str, span: Span, *, shown: bool) -> tuple[str, ...]:
        if not _PATH.fullmatch(text):
            self.report(
                calls.TEMPLATE.at(
                    span,
                    "a template takes a parameter's name, or that of one of its fields",
                    label="not a name",
                    help="compute it in the recipe, with `let`, and pass it to the role as a parameter",
                )
            )
            return ()
        first, *rest = text.split(".")
        if first not in self.parameters:
            self._unknown_variable(first, span)
            return ()
        self.used.add(first)
        type = self.parameters[first]
        for name in rest:
            if isinstance(type, NeverType):  # its own mistake has been told
                return ()
            known = members.of(without_none(type))
            if name not in known:
                near = nearest(name, known)
                self.report(
                    calls.TEMPLATE_VARIABLE.at(
                        span,
                        f"`{spelled(type)}` has no member `{name}`",
                        help=f"did you mean `{near}`?" if near else f"it has {listed(known)}" if known else "",
                    )
                )
                return ()
            type = known[name]
        if shown and isinstance(without_none(type), (ModelType, ContractType, RequestType)):
            self.report(
                calls.TEMPLATE.at(
                    span,
                    f"a `{spelled(type)}` can't be shown in a prompt",
                    help="models stay unnamed before other models; pass the text that is to be shown",
                )
            )
            return ()
        return (first, *rest)

    def _unknown_variable(self, name: str, span: Span) -> None:
        near = nearest(name, self.parameters)
        known = (
            f"it has {listed(self.parameters)}" if self.parameters else "it has none: add one, as in `role r(x: text)`"
        )
        text = span.text.replace(name, near, 1) if near else ""
        self.report(
            calls.TEMPLATE_VARIABLE.at(
                span,
                f"the role has no parameter `{name}`",
                label="a template sees its role's parameters and nothing else",
                help=f"did you mean `{near}`?" if near else known,
                fix=Fix(f"use `{near}`", (Edit(span, text),)) if near else None,
            )
        )

    def _misplaced(self, token: _Token) -> None:
        self.report(calls.TEMPLATE.at(token.span, f"this `{token.tag}` belongs to no `{{% if %}}`", help="remove it"))

    def _unknown_tag(self, token: _Token) -> None:
        self.report(
            calls.TEMPLATE.at(
                token.span,
                "there is no such tag",
                help="there are `{% if name %}`, `{% else %}` and `{% endif %}`; lists of answers are laid out by themselves",
            )
        )


def _tokens(text: nodes.Text, report: Report) -> Iterator[_Token]:
    """Words and tags in turn; `{{ "{{" }}` is the words in its quotes. Spans are found by reading the literal as it stands in the source beside its value."""
    written = list(_TAG.finditer(text.span.text))
    end = 0
    for number, match in enumerate(_TAG.finditer(text.value)):
        span = text.span
        if number < len(written):
            span = span.source.span(span.start + written[number].start(), span.start + written[number].end())
        yield from _words(text.value[end : match.start()], text, report)
        end = match.end()
        literal = match.group("double") or match.group("single")
        if literal is not None:
            yield _Token(literal, "", False, span)
            continue
        slot = match.group("slot")
        yield _Token(None, (slot if slot is not None else match.group("tag")).strip(), slot is not None, span)
    yield from _words(text.value[end:], text, report)


def _words(words: str, text: nodes.Text, report: Report) -> Iterator[_Token]:
    opening = _OPENING.search(words)
    if opening is not None:
        at = text.span.text.find(words[opening.start() : opening.start() + 12].split("\n", maxsplit=1)[0])
        span = text.span if at < 0 else text.span.source.span(text.span.start + at, text.span.start + at + 2)
        report(
            calls.TEMPLATE.at(
                span,
                f"this `{opening.group()}` is never closed",
                help=f"close it on the same line, with a parameter's name inside; for these two signs themselves write `{{{{ '{opening.group()}' }}}}`",
            )
        )
    if words:
        yield _Token(words, "", False, text.span)
