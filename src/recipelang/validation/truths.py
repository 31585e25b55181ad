"""What is known of a condition before a run: true, false, or neither."""

from __future__ import annotations

from collections.abc import Callable

from recipelang.validation.values import Abstract, Nothing, Number, Truth, Words


def truth(value: Abstract) -> bool | None:
    return value.value if isinstance(value, Truth) else None


def negated(value: bool | None) -> Truth:
    return Truth(None if value is None else not value)


def _both(left: Abstract, right: Abstract) -> Truth:
    sides = truth(left), truth(right)
    return Truth(False if False in sides else None if None in sides else True)


def _either(left: Abstract, right: Abstract) -> Truth:
    sides = truth(left), truth(right)
    return Truth(True if True in sides else None if None in sides else False)


def _equal(left: Abstract, right: Abstract) -> Truth:
    match left, right:
        case (Nothing(), Nothing()):
            return Truth(True)
        case (Nothing(), Words(text=str())) | (Words(text=str()), Nothing()):
            return Truth(False)
        case (Nothing(), Truth(bool())) | (Truth(bool()), Nothing()):
            return Truth(False)
        case Words(text=str(one)), Words(text=str(other)):
            return Truth(one == other)
        case Number(low, high), Number(other_low, other_high) if high < other_low or other_high < low:
            return Truth(False)
        case Truth(bool(one)), Truth(bool(other)):
            return Truth(one == other)
        case _:
            return Truth()


def _unequal(left: Abstract, right: Abstract) -> Truth:
    return negated(truth(_equal(left, right)))


def _less(left: Abstract, right: Abstract) -> Truth:
    match left, right:
        case Number(low, high), Number(other_low, other_high):
            return Truth(True if high < other_low else False if low >= other_high else None)
        case _:
            return Truth()


def _more(left: Abstract, right: Abstract) -> Truth:
    return _less(right, left)


def _at_least(left: Abstract, right: Abstract) -> Truth:
    return negated(truth(_less(left, right)))


def _at_most(left: Abstract, right: Abstract) -> Truth:
    return negated(truth(_less(right, left)))


TRUTHS: dict[str, Callable[[Abstract, Abstract], Truth]] = {
    "and": _both,
    "or": _either,
    "==": _equal,
    "!=": _unequal,
    "<": _less,
    ">": _more,
    ">=": _at_least,
    "<=": _at_most,
    "in": lambda left, right: Truth(),
    "not in": lambda left, right: Truth(),
}
