"""The names that the language keeps for itself."""

from __future__ import annotations

from recipelang.diagnostics import Diagnostic
from recipelang.diagnostics.catalogue import names
from recipelang.ir.types import (
    AnswerType,
    BoolType,
    DurationType,
    FloatType,
    ModelType,
    MoneyType,
    RequestType,
    ScoreType,
    TextType,
    Type,
)
from recipelang.syntax import nodes

PLAIN_TYPES: dict[str, Type] = {
    "text": TextType(),
    "float": FloatType(),
    "bool": BoolType(),
    "score": ScoreType(),
    "duration": DurationType(),
    "money": MoneyType(),
    "model": ModelType(),
    "answer": AnswerType(),
    "request": RequestType(),
}
TYPE_NAMES = (*PLAIN_TYPES, "int", "enum", "contract", "plan")
CALL_SETTINGS = ("model", "temperature", "max_tokens", "contract")
"""What may be set at a role's call besides its parameters, which therefore can't have these names."""
RESERVED = ("request", "it", "tried", "fail", "true", "false", "none", "not", "and", "or", "in", "if", "else", "for")
"""Words with a meaning in every expression, so that nothing of an author's goes by them."""


def reserved(name: nodes.Name, what: str, why: str = "it has a meaning of its own") -> Diagnostic:
    """`what` can't go by this name."""
    return names.RESERVED.at(
        name.span, f"{what} can't be called `{name.text}`", label=why, help="call it something else"
    )
