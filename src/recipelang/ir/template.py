"""A prompt's template, taken apart when it is compiled: words, slots and sections; rendering never parses a value."""

from __future__ import annotations

from typing import Annotated, Literal

from recipelang.ir.tagging import ByKind
from recipelang.quick import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Text as it stands."""

    text: str
    kind: Literal["words"] = "words"


@dataclass(frozen=True, slots=True)
class Slot:
    """`{{ name.field }}`: a parameter of the role, or a field of one."""

    path: tuple[str, ...]
    kind: Literal["slot"] = "slot"


@dataclass(frozen=True, slots=True)
class Section:
    """`{% if name %} then {% else %} otherwise {% endif %}`: then, where the value is there (not none, not empty, not false)."""

    path: tuple[str, ...]
    then: Template
    otherwise: Template = ()
    kind: Literal["section"] = "section"


Part = Annotated[Words | Slot | Section, ByKind()]
Template = tuple[Part, ...]
