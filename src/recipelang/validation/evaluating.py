"""Expressions over abstract values: what a list's length, a text's size, a choice of models can be at most."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce

from recipelang.ir import expressions as ir
from recipelang.ir.certificate import Linear
from recipelang.ir.plan import Plan
from recipelang.ir.sizing import BYTES_PER_TOKEN, DEFAULT_MAX_TOKENS
from recipelang.ir.types import (
    AnswerType,
    ContractType,
    DurationType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    ModelType,
    MoneyType,
    OptionalType,
    RecordType,
    ScoreType,
    TextType,
    Type,
)
from recipelang.validation.values import (
    Abstract,
    Answers,
    Contracts,
    Fields,
    Items,
    Models,
    Number,
    Other,
    Words,
    join,
)

Environment = Mapping[str, Abstract]
REQUEST = Fields(
    (
        ("text", Words(Linear(0, 1))),
        ("format", Contracts(1)),
        *((n, Number(0)) for n in ("tokens", "turns", "images", "tools")),
    )
)
METADATA = Words(Linear(0, 1))


def largest_answer(plan: Plan) -> int:
    """The most completion tokens of any role: a bound for an answer of which nothing else is known."""
    return max((role.max_tokens for role in plan.roles.values()), default=DEFAULT_MAX_TOKENS)


def of_type(type: Type, plan: Plan) -> Abstract:
    """Any value of a type."""
    match type:
        case IntType(low, high):
            return Number(-math.inf if low is None else low, math.inf if high is None else high)
        case FloatType() | DurationType() | MoneyType():
            return Number()
        case ScoreType():
            return Number(0, 1)
        case TextType():
            return Words(Linear(BYTES_PER_TOKEN * largest_answer(plan), 1))
        case EnumType(cases):
            return Words(Linear(max((len(case.encode()) for case in cases), default=0)))
        case AnswerType():
            tokens = largest_answer(plan)
            return Answers(BYTES_PER_TOKEN * tokens, tokens, None)
        case ModelType():
            return Models(None)
        case ContractType(repair):
            return Contracts(repair)
        case ListType(item, low, high):
            return Items(low, math.inf if high is None else high, of_type(item, plan))
        case OptionalType(item):
            return of_type(item, plan)
        case RecordType(fields=fields):
            return Fields(tuple((field.name, of_type(field.type, plan)) for field in fields))
        case _:
            return Other()


def evaluate(expression: ir.Expression, known: Environment, plan: Plan) -> Abstract:
    match expression:
        case ir.Constant(value):
            return _constant(value)
        case ir.Variable(name):
            return REQUEST if name == "request" else known.get(name, Other())
        case ir.ModelReference(name):
            return Models(frozenset((name,)))
        case ir.ContractReference(name):
            return Contracts(plan.contracts[name].repair if name in plan.contracts else 0)
        case ir.ListExpression(items):
            return listed([evaluate(item, known, plan) for item in items])
        case ir.RecordExpression(fields):
            return Fields(tuple((field.name, evaluate(field.value, known, plan)) for field in fields))
        case ir.UnaryExpression("-", operand):
            number = evaluate(operand, known, plan)
            return Number(-number.high, -number.low) if isinstance(number, Number) else Number()
        case ir.BinaryExpression():
            return _binary(expression, known, plan)
        case ir.ConditionalExpression(_, then, otherwise):
            return join(evaluate(then, known, plan), evaluate(otherwise, known, plan))
        case ir.MemberExpression(target, name):
            return member(evaluate(target, known, plan), name)
        case ir.IndexExpression(target, index):
            return _index(evaluate(target, known, plan), evaluate(index, known, plan))
        case ir.ComprehensionExpression():
            return _comprehension(expression, known, plan)
        case ir.ApplyExpression():
            return _apply(expression, known, plan)
        case _:
            return Other()


def listed(items: list[Abstract]) -> Items:
    """A list of known items."""
    item = reduce(join, items) if items else Other()
    return Items(len(items), len(items), item, tuple(items))


def _constant(value: object) -> Abstract:
    match value:
        case bool() | None:
            return Other()
        case int() | float():
            return Number(value, value)
        case str():
            return Words(Linear(len(value.encode())))
        case _:
            return Other()


def _binary(expression: ir.BinaryExpression, known: Environment, plan: Plan) -> Abstract:
    left, right = evaluate(expression.left, known, plan), evaluate(expression.right, known, plan)
    match expression.operator, left, right:
        case "or_else", _, _:
            return join(left, right)
        case "+", Words(one), Words(other):
            return Words(one + other)
        case "+", Items(), Items():
            exact = None if left.exact is None or right.exact is None else left.exact + right.exact
            return Items(left.low + right.low, left.high + right.high, join(left.item, right.item), exact)
        case "+" | "-" | "*" | "/" | "%", Number(), Number():
            return _arithmetic(expression.operator, left, right)
        case _:
            return Other()


def _arithmetic(operator: str, left: Number, right: Number) -> Number:
    corners: list[float]
    match operator:
        case "+":
            return Number(left.low + right.low, left.high + right.high)
        case "-":
            return Number(left.low - right.high, left.high - right.low)
        case "*":
            corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
        case "/" if right.low > 0:
            corners = [a / b for a in (left.low, left.high) for b in (right.low, right.high)]
        case _:
            return Number()
    return Number() if any(map(math.isnan, corners)) else Number(min(corners), max(corners))


def member(target: Abstract, name: str) -> Abstract:
    match target:
        case Answers(size=size) if name in ("text", "value"):
            return Words(Linear(size))
        case Answers(models=models) if name == "model":
            return Models(models)
        case Answers() if name == "role" or name == "finish":
            return Words(Linear(64))
        case Models() if name in ("name", "id", "zone"):
            return Words(Linear(256))
        case Fields(fields, size):
            found = dict(fields).get(name, Number())
            return Words(Linear(size)) if isinstance(found, Words) and size is not None else found
        case _:
            return Number()


def _index(target: Abstract, index: Abstract) -> Abstract:
    match target, index:
        case Items(exact=exact), Number(low, high) if exact is not None and low == high and 0 <= low < len(exact):
            return exact[int(low)]
        case Items(item=item), _:
            return item
        case _:
            return METADATA


def _comprehension(expression: ir.ComprehensionExpression, known: Environment, plan: Plan) -> Abstract:
    source = evaluate(expression.iterable, known, plan)
    if not isinstance(source, Items):
        return Items(0, math.inf, Other())
    element = evaluate(expression.element, {**known, expression.variable: source.item}, plan)
    if expression.condition is not None or source.exact is None:
        return Items(0 if expression.condition is not None else source.low, source.high, element)
    return listed([evaluate(expression.element, {**known, expression.variable: item}, plan) for item in source.exact])


def _apply(expression: ir.ApplyExpression, known: Environment, plan: Plan) -> Abstract:
    given = {argument.name: argument.value for argument in expression.arguments}
    subject = given.get("xs", given.get("models"))
    xs = evaluate(subject, known, plan) if subject is not None else None
    match expression.function, xs:
        case "first" | "last" | "best" | "worst" | "majority" | "weighted_vote" | "cheapest" | "strongest", Items(
            item=item
        ):
            return item
        case "sort", Items():
            return Items(xs.low, xs.high, xs.item)
        case "unique", Items():
            return Items(min(1, xs.low), xs.high, xs.item)
        case "take" | "top", Items():
            return _shortened(expression, given, xs, known, plan)
        case "size", Items():
            return Number(xs.low, xs.high)
        case "count", Items():
            return Number(0, xs.high)
        case "min" | "max" | "ceil" | "floor" | "round" | "clamp" | "abs", _:
            return _number(expression, known, plan)
        case "lower", _:
            text = evaluate(given["text"], known, plan)
            return Words(text.size.times(2)) if isinstance(text, Words) else text
        case _:
            return of_type(expression.type, plan)


def _shortened(
    expression: ir.ApplyExpression, given: dict[str, ir.Expression], xs: Items, known: Environment, plan: Plan
) -> Abstract:
    n = evaluate(given["n"], known, plan)
    most = n.high if isinstance(n, Number) else math.inf
    if xs.exact is not None and expression.function == "take" and isinstance(n, Number) and n.low == n.high:
        return listed(list(xs.exact[: max(0, int(n.low))]))
    least = max(0, n.low) if isinstance(n, Number) else 0
    return Items(int(min(xs.low, least)), min(xs.high, max(0, most)), xs.item)


def _number(expression: ir.ApplyExpression, known: Environment, plan: Plan) -> Abstract:
    numbers = [evaluate(argument.value, known, plan) for argument in expression.arguments]
    first = numbers[0]
    if not all(isinstance(number, Number) for number in numbers) or not isinstance(first, Number):
        return Number()
    lows = [number.low for number in numbers if isinstance(number, Number)]
    highs = [number.high for number in numbers if isinstance(number, Number)]
    match expression.function:
        case "min":
            return Number(min(lows), min(highs))
        case "max":
            return Number(max(lows), max(highs))
        case "ceil" | "floor" | "round":
            up = math.ceil if expression.function != "floor" else math.floor
            down = math.floor if expression.function != "ceil" else math.ceil
            return Number(
                first.low if math.isinf(first.low) else down(first.low),
                first.high if math.isinf(first.high) else up(first.high),
            )
        case "clamp" if len(numbers) == 1:
            return Number(0, 1)
        case "clamp" if len(numbers) == 3:
            return Number(lows[1], highs[2])
        case _:
            return of_type(expression.type, Plan())
