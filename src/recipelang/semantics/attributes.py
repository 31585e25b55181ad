"""The `name = value` lines of a block: which may stand there, and what literals they take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recipelang.diagnostics import Edit, Fix, Label, Report
from recipelang.diagnostics.catalogue import names, types
from recipelang.diagnostics.suggesting import nearest
from recipelang.quick import dataclass
from recipelang.semantics.expressions import listed
from recipelang.source import Span
from recipelang.syntax import nodes

Kind = nodes.NumberKind


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of one block by name. `owner` says in messages whose they are: "a `fanout`", "a role"."""

    owner: str
    values: dict[str, nodes.Expression]
    report: Report

    def get(self, name: str) -> nodes.Expression | None:
        return self.values.get(name)

    def integer(self, name: str, low: int, high: int) -> int | None:
        """A literal whole number in a range."""
        node = self.values.get(name)
        if node is None:
            return None
        if isinstance(node, nodes.Number) and node.kind is Kind.INT and low <= node.value <= high:
            return int(node.value)
        self._wrong(name, node, f"a whole number from {low} to {high}")
        return None

    def number(self, name: str, low: float, high: float) -> float | None:
        node = self.values.get(name)
        if node is None:
            return None
        sign, inner = (-1, node.operand) if isinstance(node, nodes.Unary) and node.operator == "-" else (1, node)
        if (
            isinstance(inner, nodes.Number)
            and inner.kind in (Kind.INT, Kind.FLOAT)
            and low <= sign * inner.value <= high
        ):
            return float(sign * inner.value)
        self._wrong(name, node, f"a number from {low:g} to {high:g}")
        return None

    def duration(self, name: str) -> float | None:
        """Seconds, more than none and at most a day."""
        node = self.values.get(name)
        if node is None:
            return None
        if isinstance(node, nodes.Number) and node.kind is Kind.DURATION and 0 < node.value <= 86_400:
            return float(node.value)
        fix = None
        if isinstance(node, nodes.Number) and node.kind in (Kind.INT, Kind.FLOAT):
            fix = Fix("in seconds", (Edit(node.span, f"{node.span.text}s"),))
        self._wrong(name, node, "a time such as `500ms`, `30s`, `2m` (more than none, at most 24h)", fix)
        return None

    def money(self, name: str) -> float | None:
        """Dollars."""
        node = self.values.get(name)
        if node is None:
            return None
        if isinstance(node, nodes.Number) and node.kind is Kind.MONEY and node.value >= 0:
            return float(node.value)
        fix = None
        if isinstance(node, nodes.Number) and node.kind in (Kind.INT, Kind.FLOAT):
            fix = Fix("in dollars", (Edit(node.span, f"${node.span.text}"),))
        self._wrong(name, node, "an amount such as `$0.05`", fix)
        return None

    def text(self, name: str) -> nodes.Text | None:
        node = self.values.get(name)
        if node is None or isinstance(node, nodes.Text):
            return node
        self._wrong(name, node, 'a text such as `"..."`')
        return None

    def boolean(self, name: str) -> bool | None:
        node = self.values.get(name)
        if node is None:
            return None
        if isinstance(node, nodes.Bool):
            return node.value
        self._wrong(name, node, "`true` or `false`")
        return None

    def choice(self, name: str, cases: Sequence[str]) -> str | None:
        """One of some bare words."""
        node = self.values.get(name)
        if node is None:
            return None
        if isinstance(node, nodes.Name) and node.text in cases:
            return node.text
        near = nearest(node.text, cases) if isinstance(node, nodes.Name) else None
        fix = Fix(f"use `{near}`", (Edit(node.span, near),)) if near else None
        self._wrong(name, node, f"one of {listed(cases)}", fix)
        return None

    def word(self, name: str) -> nodes.Name | None:
        """A bare word."""
        node = self.values.get(name)
        if node is None or isinstance(node, nodes.Name):
            return node
        self._wrong(name, node, "a bare word")
        return None

    def declaration(self, name: str, kind: str) -> nodes.Name | None:
        """The name of a declaration, `lab` or `team.lab`."""
        node = self.values.get(name)
        found = dotted(node)
        if node is not None and found is None:
            self._wrong(name, node, f"the name of a {kind}")
        return found

    def _wrong(self, name: str, node: nodes.Expression, wanted: str, fix: Fix | None = None) -> None:
        self.report(
            types.ATTRIBUTE_VALUE.at(
                node.span, f"`{name}` of {self.owner} has the wrong value", label=f"it takes {wanted}", fix=fix
            )
        )


def dotted(node: nodes.Expression | None) -> nodes.Name | None:
    """A name, or one of a file that goes by a name: `team.small`."""
    match node:
        case nodes.Name():
            return node
        case nodes.Member(nodes.Name(module), nodes.Name(name)):
            return nodes.Name(f"{module}.{name}", span=node.span)
        case _:
            return None


def read_attributes(
    owner: str, attributes: Iterable[nodes.Attribute], known: Sequence[str], report: Report
) -> Attributes:
    """The block's attributes; those that are unknown or there twice are reported and left out."""
    values: dict[str, nodes.Expression] = {}
    places: dict[str, Span] = {}
    for attribute in attributes:
        name = attribute.name.text
        if name not in known:
            near = nearest(name, known)
            report(
                names.UNKNOWN_ATTRIBUTE.at(
                    attribute.name.span,
                    f"{owner} has no `{name}`",
                    help=f"did you mean `{near}`?" if near else f"it has {listed(known)}",
                    fix=Fix(f"use `{near}`", (Edit(attribute.name.span, near),)) if near else None,
                )
            )
        elif name in values:
            report(
                names.DUPLICATE_ATTRIBUTE.at(
                    attribute.name.span,
                    f"`{name}` is given twice",
                    labels=(Label(places[name], "the first is here"),),
                    help="keep one of the two",
                )
            )
        else:
            values[name] = attribute.value
            places[name] = attribute.name.span
    return Attributes(owner, values, report)
