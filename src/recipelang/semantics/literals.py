"""Literals as plain data: what a test writes down of the world outside."""

from __future__ import annotations

from typing import Any

from recipelang.syntax import nodes


class NoLiteral(Exception):
    """An expression that has to be evaluated."""

    def __init__(self, node: nodes.Expression) -> None:
        super().__init__("not a literal")
        self.node = node


def json_of(node: nodes.Expression) -> Any:  # Any: JSON
    """A literal as JSON: a record as an object, a bare word as its text; raises `NoLiteral`."""
    match node:
        case nodes.Text(value) | nodes.Bool(value):
            return value
        case nodes.Number(_, value):
            return value
        case nodes.Unary("-", nodes.Number(_, value)):
            return -value
        case nodes.NoneLiteral():
            return None
        case nodes.Name(text):
            return text
        case nodes.ListLiteral(items):
            return [json_of(item) for item in items]
        case nodes.RecordLiteral(fields):
            return {field.name.text: json_of(field.value) for field in fields}
        case _:
            raise NoLiteral(node)
