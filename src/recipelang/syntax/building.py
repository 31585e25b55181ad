"""From a parse tree to the nodes of the syntax tree; knows the grammar's rules by name and nothing else."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import Any, cast

from recipelang.quick import replace
from recipelang.source import Source, Span
from recipelang.syntax import nodes
from recipelang.syntax.lalr import Token, Tree

MAX_DEPTH = 100
_ESCAPE = re.compile(r"\\(u\{([0-9a-fA-F]{1,6})\}|.)", re.DOTALL)
_SCALE = {"k": 1_000, "M": 1_000_000, "ms": 0.001, "s": 1, "m": 60, "h": 3600}
_NUMBER = re.compile(r"(\$?)([0-9]+(?:\.[0-9]+)?)(%|ms|s|m|h|k|M)?")


class TooDeep(Exception):
    """An expression with more levels than a reader, or Python's stack, can follow."""

    def __init__(self, span: Span) -> None:
        super().__init__("nested too deeply")
        self.span = span


class NotCallable(Exception):
    """What stands before an argument list is no name."""

    def __init__(self, span: Span) -> None:
        super().__init__("not callable")
        self.span = span


class Builder:
    """Builds the nodes of one source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.depth = 0
        self.behind = 0  # where the declaration before the one at hand ends

    # --------------------------------------------------------------- pieces

    def span(self, tree: Tree | Token) -> Span:
        return self.source.span(tree.start, tree.end)

    def name(self, token: Token) -> nodes.Name:
        return nodes.Name(str(token), span=self.span(token))

    def file(self, tree: Tree) -> nodes.File:
        language: nodes.Number | None = None
        declarations: list[nodes.AnyDeclaration] = []
        for child in _trees(tree):
            if child.data == "language":
                token = _token(child, "INT")
                language = nodes.Number(nodes.NumberKind.INT, _whole(token), span=self.span(token))
            else:
                declarations.append(self.declaration(child))
            self.behind = self.span(child).end
        return nodes.File(language, tuple(declarations), span=self.source.span(0, len(self.source.text)))

    def declaration(self, tree: Tree) -> nodes.AnyDeclaration:
        span = self.span(tree)
        match tree.data:
            case "use":
                return self.use(tree)
            case "expose":
                name, call = self.text(_token(tree, "TEXT")), self.call(_tree(tree, "call"))
                return nodes.Expose(name, call, doc=self.doc(span), span=span)
            case "test":
                return self.test(tree)
            case "private":
                inner = cast(nodes.Named, self.declaration(_trees(tree)[0]))
                return replace(inner, doc=self.doc(span), private=True, span=span)
            case _:
                return self.named(tree, span)

    def named(self, tree: Tree, span: Span) -> nodes.Named:
        rule = tree.data
        name, doc = self.name(_token(tree, "NAME")), self.doc(span)
        match rule:
            case "backend":
                return nodes.Backend(name, self.attributes(tree), doc=doc, span=span)
            case "model":
                return nodes.Model(name, self.attributes(tree), doc=doc, span=span)
            case "contract":
                return nodes.Contract(name, self.attributes(tree), doc=doc, span=span)
            case "record":
                fields = tuple(self.field(child) for child in _trees(tree))
                return nodes.Record(name, fields, doc=doc, span=span)
            case "role":
                return nodes.Role(
                    name, self.parameters(tree), self.returns(tree), self.attributes(tree), doc=doc, span=span
                )
            case "extern":
                return self.extern(tree, name, doc, span)
            case "signal":
                type, value = _trees(tree)
                return nodes.Signal(name, self.type(type), self.expression(value), doc=doc, span=span)
            case "band":
                return self.band(tree, name, doc, span)
            case "boundary":
                return nodes.Boundary(name, self.attributes(tree), doc=doc, span=span)
            case _:
                return self.recipe(tree, name, doc, span)

    def band(self, tree: Tree, name: nodes.Name, doc: str, span: Span) -> nodes.Band:
        value, *cuts = _trees(tree)
        lowest = self.name(_tokens(tree, "NAME")[1])
        return nodes.Band(name, self.expression(value), lowest, tuple(map(self.cut, cuts)), doc=doc, span=span)

    def cut(self, tree: Tree) -> nodes.Cut:
        threshold = _tree(tree, "threshold")
        number = replace(self.number(threshold), span=self.span(threshold))
        if _tokens(threshold, "MINUS"):
            number = replace(number, value=-number.value)
        above = self.name(_token(tree, "NAME"))
        return nodes.Cut(number, cast(Token, tree.children[0]).type == "LESS_EQUAL", above, span=self.span(tree))

    def extern(self, tree: Tree, name: nodes.Name, doc: str, span: Span) -> nodes.Extern:
        fields, block = _tree_or_none(tree, "fields"), _tree_or_none(tree, "block")
        returns: nodes.Type | tuple[nodes.Field, ...]
        if fields is not None:
            returns = tuple(self.field(child) for child in _trees(fields))
        else:
            returns = self.type(next(child for child in _trees(tree) if child.data not in ("parameters", "block")))
        policy = self.block(block) if block is not None else None
        return nodes.Extern(name, self.parameters(tree), returns, policy, doc=doc, span=span)

    def test(self, tree: Tree) -> nodes.Test:
        span, items = self.span(tree), _trees(tree)
        return nodes.Test(
            self.text(_token(tree, "TEXT")),
            self.attributes(tree),
            tuple(cast(nodes.Model, self.declaration(item)) for item in items if item.data == "model"),
            tuple(self.scripted(item) for item in items if item.data == "reply"),
            tuple(
                nodes.Expectation(self.expression(_trees(item)[0]), span=self.span(item))
                for item in items
                if item.data == "expect"
            ),
            doc=self.doc(span),
            span=span,
        )

    def scripted(self, tree: Tree) -> nodes.Scripted:
        names = [self.qualified(_tokens(child, "NAME")) for child in _trees(tree) if child.data == "dotted"]
        outcome, *delay = (self.expression(child) for child in _trees(tree) if child.data != "dotted")
        return nodes.Scripted(
            names[0],
            names[1] if len(names) > 1 else None,
            outcome,
            delay[0] if delay else None,
            span=self.span(tree),
        )

    def use(self, tree: Tree) -> nodes.Use:
        dotted, alias = _tree_or_none(tree, "dotted"), [self.name(token) for token in _tokens(tree, "NAME")]
        as_name = alias[0] if alias else None
        if dotted is not None:
            names = tuple(self.name(token) for token in _tokens(dotted, "NAME"))
            return nodes.Use(names, None, as_name, span=self.span(tree))
        return nodes.Use((), self.text(_token(tree, "TEXT")), as_name, span=self.span(tree))

    def recipe(self, tree: Tree, name: nodes.Name, doc: str, span: Span) -> nodes.Recipe:
        budget: nodes.Block | None = None
        steps: list[nodes.Step] = []
        for child in _trees(tree):
            if child.data == "budget":
                budget = self.block(_tree(child, "block"))
            elif child.data in _STEPS:
                steps.append(self.step(child))
        return nodes.Recipe(name, self.parameters(tree), self.returns(tree), budget, tuple(steps), doc=doc, span=span)

    def doc(self, span: Span) -> str:
        """The `##` lines right before a declaration."""
        text, found = self.source.text, list[str]()
        end = text.rfind("\n", 0, span.start)
        while end >= self.behind:
            start = text.rfind("\n", 0, end) + 1
            line = text[start:end].strip()
            if start < self.behind or not line.startswith("##"):
                break
            found.append(line.removeprefix("##").removeprefix(" "))
            end = start - 1
        return "\n".join(reversed(found))

    def field(self, tree: Tree) -> nodes.Field:
        key, type = cast(Token, tree.children[0]), self.type(_trees(tree)[0])
        return nodes.Field(self.name(key), type, span=self.span(tree))

    def parameters(self, tree: Tree) -> tuple[nodes.Parameter, ...]:
        return tuple(self.parameter(child) for child in _trees(_tree(tree, "parameters")))

    def parameter(self, tree: Tree) -> nodes.Parameter:
        type, *default = _trees(tree)
        value = self.expression(default[0]) if default else None
        return nodes.Parameter(self.name(_token(tree, "NAME")), self.type(type), value, span=self.span(tree))

    def returns(self, tree: Tree) -> nodes.Type | None:
        found = _tree_or_none(tree, "returns")
        return None if found is None else self.type(_trees(found)[0])

    def type(self, tree: Tree) -> nodes.Type:
        self._deeper(tree)
        try:
            return self._type(tree)
        finally:
            self.depth -= 1

    def _type(self, tree: Tree) -> nodes.Type:
        span, inner = self.span(tree), _trees(tree)
        match tree.data:
            case "list_type":
                bounds = self.bounds(inner[1]) if len(inner) > 1 else None
                return nodes.ListType(self.type(inner[0]), bounds, span=span)
            case "optional_type":
                return nodes.OptionalType(self.type(inner[0]), span=span)
            case _:
                name = self.qualified(_tokens(tree, "NAME"))
                bounds_tree, cases = _tree_or_none(tree, "bounds"), _tree_or_none(tree, "cases")
                named = tuple(self.name(token) for token in _tokens(cases, "NAME")) if cases is not None else ()
                return nodes.NamedType(
                    name, self.bounds(bounds_tree) if bounds_tree is not None else None, named, span=span
                )

    def bounds(self, tree: Tree) -> nodes.Bounds:
        parts = [child for child in tree.children if isinstance(child, Token)]
        dots = next((i for i, token in enumerate(parts) if token.type == "DOTDOT"), None)
        if dots is None:
            low = high = _whole(parts[0])
            return nodes.Bounds(low, high, span=self.span(tree))
        before = _whole(parts[0]) if dots > 0 else None
        after = _whole(parts[-1]) if dots < len(parts) - 1 else None
        return nodes.Bounds(before, after, span=self.span(tree))

    def attributes(self, tree: Tree) -> tuple[nodes.Attribute, ...]:
        return tuple(self.attribute(child) for child in _trees(tree) if child.data == "attribute")

    def attribute(self, tree: Tree) -> nodes.Attribute:
        key, value = cast(Token, tree.children[0]), self.expression(_trees(tree)[0])
        return nodes.Attribute(self.name(key), value, span=self.span(tree))

    def block(self, tree: Tree) -> nodes.Block:
        return nodes.Block(self.attributes(tree), span=self.span(tree))

    # ---------------------------------------------------------------- steps

    def step(self, tree: Tree) -> nodes.Step:
        span = self.span(tree)
        block = _tree_or_none(tree, "block")
        policy = self.block(block) if block is not None else None
        values = [child for child in _trees(tree) if child.data not in ("block", "arm", "attribute")]
        names = [self.name(token) for token in _tokens(tree, "NAME")]
        match tree.data:
            case "return":
                return nodes.Return(self.expression(values[0]), policy, span=span)
            case "let":
                return nodes.Let(names[0], self.expression(values[0]), span=span)
            case "ask":
                return nodes.Ask(names[0], self.call(values[0]), policy, span=span)
            case "perform":
                return nodes.Perform(
                    names[0], self.call(values[0]), names[1], self.expression(values[1]), policy, span=span
                )
            case "host_call":
                return nodes.HostCall(names[0], self.call(values[0]), policy, span=span)
            case "run":
                return nodes.Run(names[0], self.call(values[0]), policy, span=span)
            case "fanout":
                return nodes.Fanout(
                    names[0], self.call(values[0]), names[1], self.expression(values[1]), policy, span=span
                )
            case "cascade":
                return nodes.Cascade(
                    names[0], self.call(values[0]), names[1], self.expression(values[1]), policy, span=span
                )
            case "repeat":
                looped = self.expression(values[1])
                if len(names) > 1:
                    return nodes.Repeat(names[0], self.call(values[0]), names[1], looped, None, policy, span=span)
                return nodes.Repeat(names[0], self.call(values[0]), None, None, looped, policy, span=span)
            case _:
                return self.choose(tree, names[0], span)

    def choose(self, tree: Tree, name: nodes.Name, span: Span) -> nodes.Choose:
        arms = tuple(self.arm(child) for child in _trees(tree) if child.data == "arm")
        attributes = self.attributes(tree)
        braces = self.span(_token(tree, "LBRACE")).to(self.span(_tokens(tree, "RBRACE")[-1]))
        return nodes.Choose(name, arms, nodes.Block(attributes, span=braces) if attributes else None, span=span)

    def arm(self, tree: Tree) -> nodes.Arm:
        *before, last = _trees(tree)
        estimates = self.block(last) if last.data == "block" else None
        *condition, call = before if estimates else (*before, last)
        when = self.expression(condition[0]) if condition else None
        return nodes.Arm(when, self.call(call), estimates, span=self.span(tree))

    # ---------------------------------------------------------- expressions

    def expression(self, tree: Tree) -> nodes.Expression:
        self._deeper(tree)
        try:
            return cast(nodes.Expression, _EXPRESSIONS[tree.data](self, tree))
        finally:
            self.depth -= 1

    def _deeper(self, tree: Tree) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeep(self.span(tree))

    def call(self, tree: Tree) -> nodes.Call:
        callee, *arguments = _trees(tree)
        return nodes.Call(self.callee(callee), tuple(self.argument(child) for child in arguments), span=self.span(tree))

    def callee(self, tree: Tree) -> nodes.Name:
        """`solver`, or `team.solver` for one of a file that goes by another name."""
        match tree.data, _trees(tree):
            case "name", []:
                return self.qualified(_tokens(tree, "NAME"))
            case "member", [Tree(data="name") as module]:
                return self.qualified([*_tokens(module, "NAME"), *_tokens(tree, "NAME")])
            case _:
                raise NotCallable(self.span(tree))

    def qualified(self, tokens: list[Token]) -> nodes.Name:
        first, last = self.span(tokens[0]), self.span(tokens[-1])
        return nodes.Name(".".join(tokens), span=first.to(last))

    def argument(self, tree: Tree) -> nodes.Argument:
        names = _tokens(tree, "NAME")
        value = self.expression(_trees(tree)[0])
        return nodes.Argument(self.name(names[0]) if names else None, value, span=self.span(tree))

    def text(self, token: Token) -> nodes.Text:
        return nodes.Text(text_value(str(token)), span=self.span(token))

    def number(self, tree: Tree) -> nodes.Number:
        token = _token(tree, "NUMBER")
        match = _NUMBER.fullmatch(str(token))
        assert match is not None  # the terminal has the same form
        dollar, digits, unit = match.groups()
        kind, value = _quantity(dollar, digits, unit)
        return nodes.Number(kind, value, span=self.span(token))

    def binary(self, tree: Tree) -> nodes.Binary:
        left, right = _trees(tree)
        operator = " ".join(str(child) for child in tree.children if isinstance(child, Token))
        return nodes.Binary(operator, self.expression(left), self.expression(right), span=self.span(tree))

    def comprehension(self, tree: Tree) -> nodes.Comprehension:
        element, iterable, *condition = (self.expression(child) for child in _trees(tree))
        name = self.name(_token(tree, "NAME"))
        return nodes.Comprehension(element, name, iterable, condition[0] if condition else None, span=self.span(tree))

    def conditional(self, tree: Tree) -> nodes.Conditional:
        then, condition, otherwise = (self.expression(child) for child in _trees(tree))
        return nodes.Conditional(condition, then, otherwise, span=self.span(tree))


_EXPRESSIONS: dict[str, Callable[[Builder, Tree], Any]] = {  # Any: nodes of any kind
    "name": lambda b, t: b.name(_token(t, "NAME")),
    "number": Builder.number,
    "text": lambda b, t: b.text(_token(t, "TEXT")),
    "true": lambda b, t: nodes.Bool(True, span=b.span(t)),
    "false": lambda b, t: nodes.Bool(False, span=b.span(t)),
    "none": lambda b, t: nodes.NoneLiteral(span=b.span(t)),
    "list": lambda b, t: nodes.ListLiteral(tuple(b.expression(child) for child in _trees(t)), span=b.span(t)),
    "literal": lambda b, t: nodes.RecordLiteral(b.attributes(t), span=b.span(t)),
    "call": Builder.call,
    "group": lambda b, t: b.expression(_trees(t)[0]),
    "comprehension": Builder.comprehension,
    "conditional": Builder.conditional,
    "member": lambda b, t: nodes.Member(b.expression(_trees(t)[0]), b.name(_token(t, "NAME")), span=b.span(t)),
    "index": lambda b, t: nodes.Index(*(b.expression(child) for child in _trees(t)), span=b.span(t)),
    "not": lambda b, t: nodes.Unary("not", b.expression(_trees(t)[0]), span=b.span(t)),
    "negative": lambda b, t: nodes.Unary("-", b.expression(_trees(t)[0]), span=b.span(t)),
    **dict.fromkeys(("or", "and", "comparison", "sum", "product"), Builder.binary),
}
_STEPS = frozenset(("ask", "fanout", "cascade", "repeat", "perform", "choose", "host_call", "run", "let", "return"))


def _trees(tree: Tree) -> list[Tree]:
    return [child for child in tree.children if isinstance(child, Tree)]


def _tree_or_none(tree: Tree, rule: str) -> Tree | None:
    return next((child for child in _trees(tree) if child.data == rule), None)


def _tree(tree: Tree, rule: str) -> Tree:
    return next(child for child in _trees(tree) if child.data == rule)


def _tokens(tree: Tree, type: str) -> list[Token]:
    return [child for child in tree.children if isinstance(child, Token) and child.type == type]


def _token(tree: Tree, type: str) -> Token:
    return _tokens(tree, type)[0]


def _whole(token: Token) -> int:
    text = str(token)
    return int(text[:-1]) * int(_SCALE[text[-1]]) if text[-1] in "kM" else int(text)


def _quantity(dollar: str, digits: str, unit: str | None) -> tuple[nodes.NumberKind, int | float]:
    kind = nodes.NumberKind
    if dollar:
        return kind.MONEY, float(digits) * (_SCALE[unit] if unit else 1)
    match unit:
        case "%":
            return kind.FLOAT, float(digits) / 100
        case "ms" | "s" | "m" | "h":
            return kind.DURATION, float(digits) * _SCALE[unit]
        case "k" | "M":
            scaled = float(digits) * _SCALE[unit]
            return (kind.INT, round(scaled)) if scaled == round(scaled) else (kind.FLOAT, scaled)
        case _:
            return (kind.FLOAT, float(digits)) if "." in digits else (kind.INT, int(digits))


def text_value(written: str) -> str:
    """What a text says, from the way it is written: escapes resolved, a block dedented."""
    raw = written.startswith("r")
    body = written[1:] if raw else written
    block = body.startswith('"""')
    inside = body[3:-3] if block else body[1:-1]
    if block:
        inside = dedented(inside)
    return inside if raw else _ESCAPE.sub(_unescaped, inside)


def dedented(inside: str) -> str:
    """A block without its first line break, its common indentation and the blanks before the closing quotes."""
    lines = inside.removeprefix("\r").removeprefix("\n").split("\n")
    indents = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line.strip(" \t")]
    margin = len(posixpath.commonprefix(indents))
    text = "\n".join(line[margin:] if line.strip(" \t") else "" for line in lines)
    return text.rstrip(" \t").removesuffix("\n")


def _unescaped(match: re.Match[str]) -> str:
    code = match.group(2)
    if code is not None:
        return chr(int(code, 16)) if int(code, 16) < 0x110000 and not 0xD800 <= int(code, 16) < 0xE000 else "\ufffd"
    return {"n": "\n", "t": "\t", "r": "\r"}.get(match.group(1), match.group(1))
