"""Expressions are pure and total: each operator in every case, numbers that stay finite, texts and lists that stop."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import LARGE, PLAN, SMALL, answer
from recipelang.ir.expressions import (
    ApplyArgument,
    ApplyExpression,
    BinaryExpression,
    ComprehensionExpression,
    ConditionalExpression,
    Constant,
    ContractReference,
    Expression,
    FailExpression,
    FieldExpression,
    IndexExpression,
    LambdaExpression,
    ListExpression,
    MemberExpression,
    ModelReference,
    RecordExpression,
    UnaryExpression,
    Variable,
)
from recipelang.ir.sizing import GREATEST_INTEGER
from recipelang.ir.types import IntType
from recipelang.runtime.expressions import StepFailed, compile_expression
from recipelang.runtime.operators import GREATEST_FLOAT, LONGEST_LIST, LONGEST_TEXT
from recipelang.runtime.values import Authored, RecordValue, Said, Value

Operator = Literal["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "or_else", "in", "not in"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
INFINITE, NO_NUMBER = float("inf"), float("nan")


def value_of(expression: Expression, environment: Mapping[str, Value] | None = None) -> Value:
    return compile_expression(expression, PLAN)(environment or {})


def applied(left: Value, operator: Operator, right: Value) -> Value:
    """The value of an operator for two values."""
    return value_of(BinaryExpression(operator, Variable("a"), Variable("b")), {"a": left, "b": right})


def of(*items: Value) -> Value:
    return items


# ---------------------------------------------------------------- arithmetic


@pytest.mark.parametrize(
    ("left", "operator", "right", "result"),
    [
        (2, "+", 3, 5),
        (2, "-", 3, -1),
        (2, "*", 3, 6),
        (7, "/", 2, 3.5),
        (7, "%", 3, 1),
        (-7, "%", 3, 2),
        (7, "%", -3, -2),
        (1.5, "+", 1, 2.5),
        ("a", "+", "b", "ab"),
        (of(1), "+", of(2), (1, 2)),
        (of(), "+", of(), ()),
    ],
)
def test_arithmetic_is_what_one_expects(left: Value, operator: Operator, right: Value, result: Value) -> None:
    assert applied(left, operator, right) == result


@pytest.mark.parametrize("zero", [0, 0.0, False])
@pytest.mark.parametrize("number", [1, -1, 0, 1.5, INFINITE])
def test_what_is_divided_by_zero_is_zero(number: Value, zero: Value) -> None:
    assert applied(number, "/", zero) == 0
    assert applied(number, "%", zero) == 0


@pytest.mark.parametrize("number", [1, 0.5, "a", (), True])
@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "%"])
def test_arithmetic_with_none_fails_the_step(operator: Operator, number: Value) -> None:
    for left, right in ((None, number), (number, None)):
        with pytest.raises(StepFailed):
            applied(left, operator, right)


def test_integers_stop_at_the_greatest() -> None:
    assert applied(GREATEST_INTEGER, "+", 1) == GREATEST_INTEGER
    assert applied(-GREATEST_INTEGER, "-", 1) == -GREATEST_INTEGER
    assert applied(2**62, "*", 2**62) == GREATEST_INTEGER
    assert applied(-(2**62), "*", 2**62) == -GREATEST_INTEGER


def test_a_quotient_of_integers_that_no_float_holds_fails_the_step() -> None:
    with pytest.raises(StepFailed):
        applied(10**400, "/", 3)


def test_floats_stay_finite() -> None:
    assert applied(1e308, "*", 10) == GREATEST_FLOAT
    assert applied(-1e308, "*", 10.0) == -GREATEST_FLOAT
    assert applied(INFINITE, "-", INFINITE) == 0
    assert applied(NO_NUMBER, "+", 1) == 0
    assert applied(1, "/", 5e-324) == GREATEST_FLOAT


def test_the_negative_of_a_number_is_finite() -> None:
    for number, negative in ((3, -3), (-0.5, 0.5), (INFINITE, -GREATEST_FLOAT), (NO_NUMBER, 0)):
        assert value_of(UnaryExpression("-", Variable("a")), {"a": number}) == negative


@pytest.mark.parametrize(("left", "right"), [("ab", 3), (3, "ab"), ((1,), 3), ("%s", 1), ("%d%%", 5)])
def test_texts_and_lists_are_not_multiplied_nor_formatted(left: Value, right: Value) -> None:
    with pytest.raises(StepFailed):
        applied(left, "*", right)
    with pytest.raises(StepFailed):
        applied(left, "%", right)


def test_a_text_that_would_be_too_long_fails_the_step() -> None:
    with pytest.raises(StepFailed, match="a text would have more than 16000000 characters"):
        applied("a" * LONGEST_TEXT, "+", "b")


def test_a_list_that_would_be_too_long_fails_the_step() -> None:
    with pytest.raises(StepFailed, match="a list would have more than 100000 items"):
        applied((1,) * LONGEST_LIST, "+", (1,))


# ------------------------------------------------- whose words a text is made of


def test_words_of_the_author_stay_the_authors_when_they_are_joined() -> None:
    joined = value_of(BinaryExpression("+", Constant("one "), Constant("two")))
    assert isinstance(joined, Authored)


def test_words_of_a_model_stay_a_models_whatever_they_are_joined_with() -> None:
    said = Said.of("said", 10)
    for left, right in ((said, Authored("ours")), (Authored("ours"), said), (said, said)):
        joined = applied(left, "+", right)
        assert isinstance(joined, Said)
        assert joined.limit == sum(part.limit if isinstance(part, Said) else len(part) for part in (left, right))


def test_words_of_nobody_known_count_as_untrusted() -> None:
    assert not isinstance(applied("request", "+", Authored("ours")), Authored)


# ---------------------------------------------------------------- comparison


@pytest.mark.parametrize(
    ("left", "operator", "right", "result"),
    [
        (1, "<", 2, True),
        (2, "<", 2, False),
        (2, "<=", 2, True),
        (3, ">", 2, True),
        (2, ">=", 3, False),
        ("a", "<", "b", True),
        (1, "==", 1.0, True),
        ("a", "==", "a", True),
        ("a", "!=", "b", True),
        (None, "==", None, True),
        (None, "!=", 0, True),
        (of(1, 2), "==", of(1, 2), True),
    ],
)
def test_comparisons_are_what_one_expects(left: Value, operator: Operator, right: Value, result: Value) -> None:
    assert applied(left, operator, right) is result


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
@pytest.mark.parametrize(("left", "right"), [(None, 1), (1, None), (None, None), ("a", 1), ((1,), 1), (NO_NUMBER, 1)])
def test_values_that_have_no_order_are_never_in_order(operator: Operator, left: Value, right: Value) -> None:
    assert applied(left, operator, right) is False


@pytest.mark.parametrize(
    ("item", "whole", "there"),
    [
        ("a", "cat", True),
        ("z", "cat", False),
        ("", "cat", True),
        (1, of(1, 2), True),
        (3, of(1, 2), False),
        (None, of(1), False),
        (None, "cat", False),
        (1, "1", False),
        ("a", None, False),
        ("a", 5, False),
    ],
)
def test_in_and_not_in_are_each_others_opposite(item: Value, whole: Value, there: bool) -> None:
    assert applied(item, "in", whole) is there
    assert applied(item, "not in", whole) is not there


# --------------------------------------------------------------------- logic


def test_and_and_or_look_no_further_than_they_must() -> None:
    fails = FailExpression(Constant("looked too far"))
    assert value_of(BinaryExpression("and", Constant(False), fails)) is False
    assert value_of(BinaryExpression("or", Constant(True), fails)) is True
    assert value_of(BinaryExpression("or_else", Constant("there"), fails)) == "there"


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("other", [True, False])
def test_and_or_not_are_those_of_logic(one: bool, other: bool) -> None:
    assert applied(one, "and", other) is (one and other)
    assert applied(one, "or", other) is (one or other)
    assert value_of(UnaryExpression("not", Constant(one))) is not one


@pytest.mark.parametrize(("missing", "there"), [(None, 1), ("", "b"), ((), (1,))])
def test_or_gives_the_first_that_is_there(missing: Value, there: Value) -> None:
    assert applied(missing, "or_else", there) == there
    assert applied(there, "or_else", missing) == there


@pytest.mark.parametrize("value", [0, False, 0.0])
def test_zero_and_false_are_there(value: Value) -> None:
    assert applied(value, "or_else", 7) is value


# -------------------------------------------------------------- other shapes


def test_a_condition_chooses_and_the_other_side_is_not_looked_at() -> None:
    fails = FailExpression(Constant("not this one"))
    assert value_of(ConditionalExpression(Constant(True), Constant(1), fails)) == 1
    assert value_of(ConditionalExpression(Constant(False), fails, Constant(2))) == 2


def test_a_list_and_a_record_hold_what_they_are_made_of() -> None:
    assert value_of(ListExpression((Constant(1), Constant("a")))) == (1, "a")
    record = value_of(RecordExpression((FieldExpression("n", Constant(1)),)))
    assert record == RecordValue({"n": 1})
    assert value_of(MemberExpression(Variable("r"), "n"), {"r": record}) == 1


@pytest.mark.parametrize(("at", "item"), [(0, "a"), (1, "b"), (2, None), (-1, None), (None, None), ("0", None)])
def test_an_item_that_is_not_there_is_none(at: Value, item: Value) -> None:
    assert value_of(IndexExpression(Variable("xs"), Variable("i")), {"xs": ("a", "b"), "i": at}) == item


def test_metadata_is_read_by_key_and_nothing_else_is() -> None:
    by = IndexExpression(Variable("m"), Variable("k"))
    assert value_of(by, {"m": {"tier": "gold"}, "k": "tier"}) == "gold"
    assert value_of(by, {"m": {"tier": "gold"}, "k": "else"}) is None
    assert value_of(by, {"m": "text", "k": 0}) is None


def test_a_comprehension_goes_through_a_list_and_leaves_names_alone() -> None:
    double = BinaryExpression("*", Variable("x"), Constant(2))
    environment: dict[str, Value] = {"xs": (1, 2, 3), "x": 99}
    assert value_of(ComprehensionExpression(double, "x", Variable("xs"), None), environment) == (2, 4, 6)
    large = BinaryExpression(">", Variable("x"), Constant(1))
    assert value_of(ComprehensionExpression(double, "x", Variable("xs"), large), environment) == (4, 6)
    assert environment["x"] == 99


def test_a_comprehension_over_what_is_no_list_fails_the_step() -> None:
    with pytest.raises(StepFailed):
        value_of(ComprehensionExpression(Variable("x"), "x", Variable("xs"), None), {"xs": "text"})


def test_a_reference_is_the_model_itself() -> None:
    assert value_of(ModelReference("small")) is SMALL


@pytest.mark.parametrize(
    "expression",
    [ModelReference("gone"), ContractReference("gone"), ApplyExpression("gone", (), IntType())],
)
def test_what_a_plan_lacks_is_found_when_it_is_made_ready(expression: Expression) -> None:
    with pytest.raises(ValueError, match="there is no .* `gone`"):
        compile_expression(expression, PLAN)


def test_fail_says_why() -> None:
    with pytest.raises(StepFailed, match="too hard"):
        value_of(FailExpression(Constant("too hard")))


def test_a_function_takes_its_arguments_in_any_order() -> None:
    items = ApplyArgument("xs", Variable("xs"))
    by = ApplyArgument("by", LambdaExpression(MemberExpression(Variable("it"), "rating")))
    for arguments in ((items, by), (by, items)):
        assert value_of(ApplyExpression("best", arguments, IntType()), {"xs": (SMALL, LARGE)}) is LARGE


def test_an_expression_over_items_sees_the_names_around_it() -> None:
    same = BinaryExpression("==", Variable("it"), Variable("wanted"))
    count = ApplyExpression(
        "count", (ApplyArgument("xs", Variable("xs")), ApplyArgument("where", LambdaExpression(same))), IntType()
    )
    assert value_of(count, {"xs": (1, 2, 1), "wanted": 1}) == 2


def test_an_expression_that_is_nested_too_deeply_is_found_when_it_is_made_ready() -> None:
    expression: Expression = Constant(1)
    for _ in range(sys.getrecursionlimit()):
        expression = UnaryExpression("-", expression)
    with pytest.raises(ValueError, match="nested too deeply"):
        compile_expression(expression, PLAN)


# ------------------------------------------------------------------ totality

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from((SMALL, LARGE, answer(), RecordValue({"n": 1})))
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5)


@given(left=values, operator=st.sampled_from(OPERATORS), right=values)
def test_an_operator_gives_a_finite_value_or_fails_the_step(left: Value, operator: Operator, right: Value) -> None:
    try:
        result = applied(left, operator, right)
    except StepFailed:
        return
    if operator in ("+", "-", "*", "/", "%") and isinstance(result, (int, float)):
        assert -GREATEST_FLOAT <= result <= GREATEST_FLOAT
        assert isinstance(result, float) or -GREATEST_INTEGER <= result <= GREATEST_INTEGER


@given(value=values, name=st.sampled_from(("text", "rating", "n", "gone", "price", "total")))
def test_a_member_is_a_value_or_fails_the_step(value: Value, name: str) -> None:
    with suppress(StepFailed):
        value_of(MemberExpression(Variable("a"), name), {"a": value})
