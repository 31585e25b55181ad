"""What functions of the host give, held to the types that they promise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from recipelang.ir.types import (
    BoolType,
    EnumType,
    FieldType,
    FloatType,
    IntType,
    ListType,
    OptionalType,
    RecordType,
    ScoreType,
    TextType,
    Type,
)
from recipelang.runtime.results import held_to
from recipelang.runtime.values import Authored, RecordValue, Said, Value, to_json

POINT = RecordType("point", (FieldType("x", IntType()), FieldType("note", OptionalType(TextType()))))


class Colour(StrEnum):
    RED = "red"


class Count(IntEnum):
    TWO = 2


class Number(float):
    def __repr__(self) -> str:
        return "x" * 1000


@dataclass
class Point:
    x: int
    note: str | None = None


@pytest.mark.parametrize(
    ("given", "type", "value"),
    [
        ("a", TextType(), "a"),
        ("", TextType(), ""),
        ("\ud800", TextType(), "\ud800"),
        (Authored("a"), TextType(), "a"),
        (True, BoolType(), True),
        (3, IntType(), 3),
        (3.0, IntType(), 3),
        (-0.0, IntType(), 0),
        (Count.TWO, IntType(), 2),
        (3, IntType(1, 3), 3),
        (2**63 - 1, IntType(), 2**63 - 1),
        (3, FloatType(), 3),
        (2.5, FloatType(), 2.5),
        (Number(2.5), FloatType(), 2.5),
        (1, ScoreType(), 1),
        (0.0, ScoreType(), 0.0),
        ("red", EnumType(("red", "blue")), "red"),
        (Colour.RED, EnumType(("red", "blue")), "red"),
        (None, OptionalType(IntType()), None),
        (1, OptionalType(IntType()), 1),
        ([], ListType(IntType()), []),
        ((1, 2.0), ListType(IntType()), [1, 2]),
        ([["a"], []], ListType(ListType(TextType())), [["a"], []]),
        ({"x": 1, "note": None}, POINT, {"x": 1, "note": None}),
        (Point(1, "a"), POINT, {"x": 1, "note": "a"}),
    ],
)
def test_what_is_of_its_type_is_taken_in_a_plain_form(given: Any, type: Type, value: Any) -> None:
    held = held_to(given, type, 100)
    assert held.problem is None
    assert to_json(held.value) == value
    assert repr(to_json(held.value)) == repr(value)
    assert not isinstance(held.value, Authored)


@pytest.mark.parametrize(
    ("given", "type", "problem"),
    [
        (None, TextType(), "none where `text` is promised"),
        (b"a", TextType(), "bytes where `text` is promised"),
        (1, BoolType(), "1 where `bool` is promised"),
        ("yes", BoolType(), "a text where `bool` is promised"),
        (True, IntType(), "true where `int` is promised"),
        ("3", IntType(), "a text where `int` is promised"),
        (3.5, IntType(), "3.5 where `int` is promised"),
        (1e300, IntType(), "1e+300 where `int` is promised"),
        (2.0**60, IntType(), "1.152921504606847e+18 where `int` is promised"),
        (4, IntType(1, 3), "4 where `int(1..3)` is promised"),
        (0.0, IntType(1, None), "0.0 where `int(1..)` is promised"),
        (2**63, IntType(), "a number that is too large where `int` is promised"),
        (10**400, FloatType(), "a number that is too large where `float` is promised"),
        (-(10**400), FloatType(), "a number that is too large where `float` is promised"),
        (math.nan, FloatType(), "nan where `float` is promised"),
        (math.inf, FloatType(), "inf where `float` is promised"),
        (math.nan, ScoreType(), "nan where `score` is promised"),
        (1.0000001, ScoreType(), "1.0000001 where `score` is promised"),
        (-1, ScoreType(), "-1 where `score` is promised"),
        ("green", EnumType(("red", "blue")), "another text where `enum(red, blue)` is promised"),
        (1, EnumType(("red", "blue")), "1 where `enum(red, blue)` is promised"),
        ("ab", ListType(TextType()), "a text where `text[]` is promised"),
        ({"a"}, ListType(TextType()), "set where `text[]` is promised"),
        ([1], ListType(IntType(), 2), "1 items where `int[2..]` is promised"),
        ([1, 2], ListType(IntType(), 0, 1), "2 items where `int[..1]` is promised"),
        ([1, "a"], ListType(IntType()), "[1]: a text where `int` is promised"),
        ({"x": 1}, POINT, "fields x where fields x, note are promised"),
        ({}, POINT, "no fields where fields x, note are promised"),
        ({1: 1}, POINT, "fields 1 where fields x, note are promised"),
        ({"x": "1", "note": None}, POINT, "x: a text where `int` is promised"),
        ([1], POINT, "list where `point` is promised"),
        (Point, POINT, "type where `point` is promised"),
        ([{"x": 1, "note": 2}], ListType(POINT), "[0]: note: 2 where `text` is promised"),
    ],
)
def test_what_is_not_is_refused_and_the_message_says_where(given: Any, type: Type, problem: str) -> None:
    assert held_to(given, type, 100).problem == problem


def test_a_message_is_short_whatever_was_given() -> None:
    secret = "sesame" * 100_000
    for given in (secret, [secret], {secret: 1}, {f"a{n}": n for n in range(10_000)}):
        for type in (IntType(), POINT, ListType(IntType()), EnumType(("a", "b"))):
            problem = held_to(given, type, 100).problem
            assert problem is not None
            assert len(problem) < 200


def texts_in(value: Value) -> list[Said]:
    match value:
        case Said():
            return [value]
        case RecordValue(fields):
            return [text for item in fields.values() for text in texts_in(item)]
        case tuple():
            return [text for item in value for text in texts_in(item)]
        case _:
            return []


def test_each_text_knows_how_much_of_it_a_prompt_shows() -> None:
    held = held_to([{"x": 1, "note": "a" * 1000}, {"x": 1, "note": Authored("b")}], ListType(POINT), 10)
    assert [text.limit for text in texts_in(held.value)] == [10, 10]
