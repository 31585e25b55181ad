"""Values on the command line: counts, amounts, and `--set threshold=80%`, read as the recipe's types and the language's units want them."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from typing import Any

from recipelang.cli.exits import Exit, Stop
from recipelang.ir.plan import Recipe
from recipelang.ir.types import (
    BoolType,
    DurationType,
    FloatType,
    IntType,
    ListType,
    MoneyType,
    OptionalType,
    RecordType,
    ScoreType,
    Type,
    spelled,
)

_NUMBER = re.compile(r"(\$?)(-?\d+(?:\.\d+)?)(ms|[kMsmh%]?)")
_SCALES = {"": 1.0, "k": 1e3, "M": 1e6, "%": 0.01, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def count(text: str) -> int:
    """A whole number from 1 on, for an option."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r:.40} is no number from 1 on")
    return int(text)


def dollars(text: str) -> float:
    """An amount of money, for an option: `5`, `$0.50`."""
    try:
        amount = float(text.removeprefix("$"))
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r:.40}: it takes an amount of dollars, as in 5 or $0.50")
    return amount


def assigned(settings: Sequence[str], recipe: Recipe) -> dict[str, Any]:
    """The arguments in a list of `name=value`, as values of Python; stops with a message where one can't be read."""
    types = {parameter.name: parameter.type for parameter in recipe.parameters}
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals:
            raise Stop(Exit.USAGE, f"`--set {setting}`: it takes `name=value`")
        if name in found:
            raise Stop(Exit.USAGE, f"`--set {name}` is there twice")
        found[name] = _value(text.strip(), types[name], name) if name in types else text
    return found


def _value(text: str, type: Type, name: str) -> Any:
    match type:
        case OptionalType(item):
            return None if text == "none" else _value(text, item, name)
        case ListType(item):
            inside = text.removeprefix("[").removesuffix("]").strip()
            return [_value(part.strip(), item, name) for part in inside.split(",")] if inside else []
        case BoolType():
            return {"true": True, "false": False}.get(text, text)
        case IntType() | FloatType() | ScoreType() | DurationType() | MoneyType():
            return _number(text, type, name)
        case RecordType():
            try:
                return json.loads(text)
            except ValueError as error:
                raise Stop(Exit.USAGE, f"`--set {name}`: a record is given as JSON: {error}") from error
        case _:
            return text.removeprefix('"').removesuffix('"') if text.startswith('"') else text


def _number(text: str, type: Type, name: str) -> float | int:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Stop(Exit.USAGE, f"`--set {name}={text}`: it takes {spelled(type)}")
    value = float(match.group(2)) * _SCALES[match.group(3)]
    return int(value) if value.is_integer() and not isinstance(type, ScoreType) else value
