"""What an author can do about a mistake in an expression: names of other languages, a `use` line, a conversion."""

from __future__ import annotations

import re

from recipelang.diagnostics import Edit, Fix
from recipelang.ir.types import (
    AnswerType,
    BoolType,
    DurationType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    ModelType,
    MoneyType,
    OptionalType,
    RecordType,
    RequestType,
    ScoreType,
    TextType,
    Type,
)
from recipelang.semantics.scope import Module, visible_names
from recipelang.semantics.typing import fits, is_number, without_none
from recipelang.syntax import nodes

_WORD = re.compile("[a-z_][a-z0-9_]*")
OTHER_NAMES = {
    "len": "size", "length": "size", "average": "mean", "avg": "mean", "sorted": "sort", "argmax": "best",
    "argmin": "worst", "distinct": "unique", "head": "first", "tail": "last", "slice": "take", "includes": "contains",
}  # fmt: skip
"""What other languages call the built-in functions."""


def brief(node: nodes.Expression) -> str:
    """An expression as it is written, where it is short enough to be quoted."""
    text = node.span.text
    return text if len(text) <= 30 and "\n" not in text else "x"


def _is_standard(name: str) -> bool:
    from recipelang.resources import standard_recipe_names  # deferred: only a mistake needs the folder's listing

    return name in standard_recipe_names()


def advice(name: nodes.Name, module: Module, near: str | None) -> tuple[str, Fix | None]:
    """Where a name that stands for nothing is to be had, and the edit that gets it: `near` is one that is spelled alike."""
    alias, _, bare = name.text.rpartition(".")
    known = list(visible_names(module))
    if alias and bare in known:
        return f"it goes by its own name here: `{bare}`", _instead(name, bare)
    elsewhere = list(dict.fromkeys(each for each in known if each.endswith(f".{bare}")))
    if elsewhere:
        told = " or ".join(f"`{each}`" for each in elsewhere)
        return f"here it goes by {told}", _instead(name, elsewhere[0]) if len(elsewhere) == 1 else None
    if near is not None:
        return f"did you mean `{near}`?", _instead(name, near)
    if alias and _is_standard(alias):
        if any(used.only == alias for used in module.uses):
            return (
                f"`use std.{alias}` brings its recipe alone: `use std.{alias} as parts` brings all, as `parts.{bare}`",
                None,
            )
        line = f"use std.{alias} as {alias}"
        return f"add `{line}`", use_fix(line, module)
    if _is_standard(bare):
        line = f"use std.{bare}"
        return f"there is a standard recipe of that name: add `{line}`", use_fix(line, module)
    return "", None


def _instead(name: nodes.Name, other: str) -> Fix:
    return Fix(f"use `{other}`", (Edit(name.span, other),))


def use_fix(line: str, module: Module) -> Fix:
    """Add a `use` line: before the others, else after the language, else first of all."""
    file = module.file
    first = next((each for each in file.declarations if isinstance(each, nodes.Use)), None)
    if first is None and file.language is not None:
        edit = Edit(module.source.span(file.language.span.end, file.language.span.end), f"\n{line}")
    else:
        at = first.span.start if first is not None else 0
        edit = Edit(module.source.span(at, at), f"{line}\n")
    return Fix(f"add `{line}`", (edit,))


def length_help(actual: ListType, wanted: ListType) -> str:
    if actual.low < wanted.low:
        return f"it may have as few as {actual.low}: a quorum, a type with a least length, or a guard `size(...) >= {wanted.low}` shows more"
    most = "any number of" if actual.high is None else f"as many as {actual.high}"
    return f"it may have {most} items: cut it with `take(..., {wanted.high})`, or give its type a greatest length"


def conversion_help(actual: Type, wanted: Type) -> str:
    match actual, wanted:
        case AnswerType(), TextType():
            return "an answer's text is `.text`, what its contract extracted is `.value`"
        case RecordType(fields=fields), AnswerType() if any(isinstance(f.type, AnswerType) for f in fields):
            inside = next(f.name for f in fields if isinstance(f.type, AnswerType))
            return f"the answer is in its field `{inside}`"
        case FloatType(), ScoreType():
            return "a score is between 0 and 1: use `clamp(...)`"
        case ((FloatType() | ScoreType()), IntType()):
            return "use `round`, `ceil` or `floor`"
        case TextType(), EnumType() | OptionalType(EnumType()):
            return "the case of an enum, and a label, is a bare word"
        case ((IntType() | ScoreType() | FloatType()), DurationType()):
            return "a time has a unit, as in `500ms`, `5s`, `2m`"
        case ((IntType() | ScoreType() | FloatType()), MoneyType()):
            return "an amount has a `$`, as in `$0.05`"
        case ModelType(), ListType(ModelType()):
            return "put it in brackets to make a list of one"
        case ListType(item), other if fits(item, other):
            return "it is a list: take one of its items, such as `best(..., by = ...)` or `first(...)`"
        case _, BoolType() if isinstance(actual, ListType):
            return "a condition is a bool: `size(...) > 0`"
        case _, BoolType() if is_number(actual):
            return "a condition is a bool: compare it, such as `... > 0`"
        case RequestType(), TextType():
            return "the text of the request is `request.text`"
        case _:
            return ""


def conversion_fix(node: nodes.Expression, actual: Type, wanted: Type) -> Fix | None:
    match node, actual, without_none(wanted):
        case nodes.Name(name), AnswerType(), TextType():
            return Fix("read its text", (Edit(node.span, f"{name}.text"),))
        case nodes.Text(value), TextType(), EnumType(cases) if _WORD.fullmatch(value) and value in (cases or (value,)):
            return Fix("write it as a bare word", (Edit(node.span, value),))
        case _:
            return None
