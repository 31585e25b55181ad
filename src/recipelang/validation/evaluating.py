"""Expressions over abstract values: what a list's length, a text's size, a choice of models can be at most."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import reduce

from recipelang.ir import expressions as ir
from recipelang.ir.certificate import Linear
from recipelang.ir.plan import Model, Plan, RoleCall
from recipelang.ir.reading import calls_of
from recipelang.ir.sizing import (
    BYTES_PER_TOKEN,
    DEFAULT_MAX_TOKENS,
    FINISH_BYTES,
    HEADING_BYTES,
    PIECE_MARGIN,
    PIECE_SLACK,
    REQUEST_REPAIRS,
)
from recipelang.ir.types import (
    AnswerType,
    BoolType,
    ContractType,
    DurationType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    ModelType,
    MoneyType,
    OptionalType,
    PlanType,
    RecordType,
    ScoreType,
    TextType,
    Type,
)
from recipelang.quick import dataclass, field, replace
from recipelang.validation.truths import TRUTHS, negated, truth
from recipelang.validation.values import (
    Abstract,
    Answers,
    Contracts,
    Fields,
    Items,
    Models,
    Nothing,
    Number,
    Other,
    Plans,
    Truth,
    Words,
    join,
    perhaps,
)

Environment = Mapping[str, Abstract]
REQUEST = Fields(
    (
        ("text", Words(Linear(0, 1))),
        ("conversation", Words(Linear(0, 1))),
        ("format", Contracts(REQUEST_REPAIRS)),
        *((n, Number(0)) for n in ("tokens", "turns", "images", "tools", "tool_results")),
    )
)
METADATA = Words(Linear(0, 1))
MAX_TOKENS = 1_000_000
"""Completion tokens of a call, at most, whatever sets them."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What bounds need of a plan, found once."""

    plan: Plan
    largest_answer: int  # completion tokens: a bound for an answer of which nothing else is known
    longest_name: int  # bytes of a model's name, id or zone, of a contract's or a role's name, quoted
    assumed: frozenset[str] = frozenset()  # boundaries that hold for the request
    read: dict[tuple[str, frozenset[str]], Abstract] = field(
        default_factory=dict, compare=False
    )  # signals, looked at once

    @staticmethod
    def of(plan: Plan) -> Facts:
        models = (text for model in plan.models.values() for text in (model.name, model.id, model.zone or ""))
        names = max((len(text.encode()) for text in (*models, *plan.contracts, *plan.roles)), default=0)
        bare = Facts(plan, DEFAULT_MAX_TOKENS, names + 2)
        return replace(bare, largest_answer=max(_answers(bare), default=DEFAULT_MAX_TOKENS))


def _answers(facts: Facts) -> Iterator[int]:
    """The completion tokens of each role and, where a call sets its own, of each call."""
    yield from (role.max_tokens for role in facts.plan.roles.values())
    for recipe in facts.plan.recipes.values():
        calls = [call for step in recipe.steps for call in calls_of(step)]
        setting = [call.max_tokens for call in calls if isinstance(call, RoleCall) and call.max_tokens is not None]
        if setting:
            numbers = {p.name: of_type(p.type, facts) for p in recipe.parameters if isinstance(p.type, IntType)}
            yield from (most(evaluate(tokens, numbers, facts), MAX_TOKENS) for tokens in setting)


def most(value: Abstract, unknown: int) -> int:
    """The greatest that a count can be; `unknown` where nothing bounds it."""
    if not isinstance(value, Number) or math.isinf(value.high):
        return unknown
    return min(unknown, max(0, math.floor(value.high)))


def of_type(type: Type, facts: Facts) -> Abstract:
    """Any value of a type."""
    match type:
        case IntType(low, high):
            return Number(-math.inf if low is None else low, math.inf if high is None else high)
        case FloatType() | DurationType() | MoneyType():
            return Number()
        case ScoreType():
            return Number(0, 1)
        case TextType():
            return Words(Linear(BYTES_PER_TOKEN * facts.largest_answer, 1))
        case EnumType(cases):
            return Words(Linear(max((len(case.encode()) for case in cases), default=0)))
        case AnswerType():
            tokens = facts.largest_answer
            return Answers(BYTES_PER_TOKEN * tokens, tokens, None)
        case ModelType():
            return Models(None)
        case BoolType():
            return Truth()
        case ContractType(repair):
            return Contracts(repair)
        case ListType(item, low, high):
            return Items(low, math.inf if high is None else high, of_type(item, facts))
        case OptionalType(item):
            return perhaps(of_type(item, facts))
        case RecordType(fields=fields):
            inside = tuple((field.name, of_type(field.type, facts)) for field in fields)
            return Fields(inside, BYTES_PER_TOKEN * facts.largest_answer)
        case PlanType(steps):
            size = Linear(BYTES_PER_TOKEN * facts.largest_answer, 1)
            return Plans(None, math.inf if steps is None else steps, size)
        case _:
            return Other()


def evaluate(expression: ir.Expression, known: Environment, facts: Facts) -> Abstract:
    match expression:
        case ir.Constant(value):
            return _constant(value)
        case ir.Variable(name):
            return REQUEST if name == "request" else known.get(name, Other())
        case ir.ModelReference(name):
            return Models(frozenset((name,)))
        case ir.ContractReference(name):
            return Contracts(facts.plan.contracts[name].repair if name in facts.plan.contracts else 0)
        case ir.BoundaryReference(name):
            return Truth(True if name in facts.assumed else None)
        case ir.SignalReference(name):
            return _signal(expression, name, facts)
        case ir.ListExpression(items):
            return listed([evaluate(item, known, facts) for item in items])
        case ir.RecordExpression(fields):
            return Fields(tuple((field.name, evaluate(field.value, known, facts)) for field in fields))
        case ir.UnaryExpression("-", operand):
            number = evaluate(operand, known, facts)
            return Number(-number.high, -number.low) if isinstance(number, Number) else Number()
        case ir.BinaryExpression():
            return _binary(expression, known, facts)
        case ir.UnaryExpression("not", operand):
            return negated(truth_of(operand, known, facts))
        case ir.ConditionalExpression(condition, then, otherwise):
            return _conditional(truth_of(condition, known, facts), then, otherwise, known, facts)
        case ir.MemberExpression(target, name):
            return member(evaluate(target, known, facts), name, facts)
        case ir.IndexExpression(target, index):
            return _index(evaluate(target, known, facts), evaluate(index, known, facts))
        case ir.ComprehensionExpression():
            return _comprehension(expression, known, facts)
        case ir.ApplyExpression():
            return _apply(expression, known, facts)
        case _:
            return Other()


def _signal(reference: ir.SignalReference, name: str, facts: Facts) -> Abstract:
    """Any value of its type; of a condition what is known of it, above all where it is what a boundary asks."""
    boundaries = (facts.plan.boundaries.get(each) for each in facts.assumed)
    if any(boundary is not None and boundary.when == reference for boundary in boundaries):
        return Truth(True)
    signal = facts.plan.signals.get(name)
    if signal is None or not isinstance(signal.type, BoolType):
        return Other() if signal is None else of_type(signal.type, facts)
    key = (name, facts.assumed)
    if key not in facts.read:
        facts.read[key] = Truth()  # while it is looked at
        facts.read[key] = evaluate(signal.value, {}, facts)
    return facts.read[key]


def truth_of(condition: ir.Expression, known: Environment, facts: Facts) -> bool | None:
    """Whether a condition holds; none where that is not known before a run."""
    return truth(evaluate(condition, known, facts))


def _conditional(
    condition: bool | None, then: ir.Expression, otherwise: ir.Expression, known: Environment, facts: Facts
) -> Abstract:
    if condition is not None:
        return evaluate(then if condition else otherwise, known, facts)
    return join(evaluate(then, known, facts), evaluate(otherwise, known, facts))


def listed(items: list[Abstract]) -> Items:
    """A list of known items."""
    item = reduce(join, items) if items else Other()
    return Items(len(items), len(items), item, tuple(items))


def _constant(value: object) -> Abstract:
    match value:
        case bool():
            return Truth(value)
        case None:
            return Nothing()
        case int() | float():
            return Number(value, value)
        case str():
            return Words(Linear(len(value.encode())), value)
        case _:
            return Other()


def _binary(expression: ir.BinaryExpression, known: Environment, facts: Facts) -> Abstract:
    left, right = evaluate(expression.left, known, facts), evaluate(expression.right, known, facts)
    if expression.operator in TRUTHS:
        return TRUTHS[expression.operator](left, right)
    match expression.operator, left, right:
        case "or_else", _, _:
            return join(left, right)
        case "+", Words(one), Words(other):
            return Words(one + other)
        case "+", Items(), Items():
            exact = None if left.exact is None or right.exact is None else left.exact + right.exact
            return Items(left.low + right.low, left.high + right.high, join(left.item, right.item), exact)
        case "*", Number(low, high), Truth(value):
            return _weighted(low, high, value)
        case "*", Truth(value), Number(low, high):
            return _weighted(low, high, value)
        case "+" | "-" | "*" | "/" | "%", Number(), Number():
            return _arithmetic(expression.operator, left, right)
        case _:
            return Other()


def _weighted(low: float, high: float, holds: bool | None) -> Number:
    """A number times a condition."""
    return Number(low, high) if holds else Number(0, 0) if holds is False else Number(min(0, low), max(0, high))


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


def member(target: Abstract, name: str, facts: Facts) -> Abstract:
    match target:
        case Answers(size=size) if name in ("text", "value"):
            return Words(Linear(size))
        case Answers(models=models) if name == "model":
            return Models(models)
        case Answers() if name == "role":
            return Words(Linear(facts.longest_name))
        case Answers() if name == "finish":
            return Words(Linear(FINISH_BYTES))
        case Models(names):
            return _of_models(names, name, facts)
        case Plans(size=size) if name == "text":
            return Words(size)
        case Plans(steps=steps):
            return Number(1, steps)
        case Fields(fields):
            return dict(fields).get(name, Number())
        case _:
            return Number()


def _of_models(names: frozenset[str] | None, name: str, facts: Facts) -> Abstract:
    """A member of one of these models: what all of them have there, where that is known."""
    if not names:
        return Words(Linear(facts.longest_name)) if name in ("name", "id", "zone") else Number()
    return reduce(join, (_of_model(facts.plan.models[each], name, facts) for each in sorted(names)))


def _of_model(model: Model, name: str, facts: Facts) -> Abstract:
    match name, model.zone:
        case (("logprobs" | "json_schema" | "tools" | "vision" | "seed"), _):
            able = getattr(model, name)
            return Nothing() if able is None else Truth(able)
        case "zone", None:
            return Nothing()
        case (("name" | "id" | "zone"), _):
            return Words(Linear(facts.longest_name), str(getattr(model, name)))
        case _:
            return Number()


def _index(target: Abstract, index: Abstract) -> Abstract:
    match target, index:
        case Items(exact=exact), Number(low, high) if exact is not None and low == high and 0 <= low < len(exact):
            return exact[int(low)]
        case Items(least, _, item), Number(low, high) if low >= 0 and high < least:
            return item
        case Items(item=item), _:
            return perhaps(item)
        case _:
            return METADATA


def _comprehension(expression: ir.ComprehensionExpression, known: Environment, facts: Facts) -> Abstract:
    source = evaluate(expression.iterable, known, facts)
    if not isinstance(source, Items):
        return Items(0, math.inf, Other())
    if source.exact is not None:
        return _chosen(expression, source.exact, known, facts)
    item = source.item
    if isinstance(item, Models) and item.names is not None:
        item = Models(
            frozenset(
                name
                for name in item.names
                if _passes(expression, Models(frozenset((name,))), known, facts) is not False
            )
        )
        if not item.names:
            return listed([])
    low = source.low if expression.condition is None else 0
    return Items(low, source.high, evaluate(expression.element, {**known, expression.variable: item}, facts))


def _chosen(
    expression: ir.ComprehensionExpression, items: tuple[Abstract, ...], known: Environment, facts: Facts
) -> Items:
    """Of items that are known one by one, those that the condition lets pass, for certain or perhaps."""
    verdicts = [_passes(expression, item, known, facts) for item in items]
    kept = [
        evaluate(expression.element, {**known, expression.variable: item}, facts)
        for item, verdict in zip(items, verdicts, strict=True)
        if verdict is not False
    ]
    return listed(kept) if None not in verdicts else replace(listed(kept), low=verdicts.count(True), exact=None)


def _passes(expression: ir.ComprehensionExpression, item: Abstract, known: Environment, facts: Facts) -> bool | None:
    """Whether an item passes the condition; none where it may or may not."""
    if expression.condition is None:
        return True
    return truth_of(expression.condition, {**known, expression.variable: item}, facts)


def _apply(expression: ir.ApplyExpression, known: Environment, facts: Facts) -> Abstract:
    given = {argument.name: argument.value for argument in expression.arguments}
    subject = given.get("xs", given.get("models"))
    xs = evaluate(subject, known, facts) if subject is not None else None
    match expression.function, xs:
        case "first" | "last", Items(exact=exact) if exact:
            return exact[0 if expression.function == "first" else -1]
        case "first" | "last" | "best" | "worst" | "majority" | "weighted_vote" | "cheapest" | "strongest", Items(
            item=item
        ):
            return item
        case "shuffled", Items():
            return Items(xs.low, xs.high, xs.item)
        case "chunks", _:
            return _chunks(evaluate(given["text"], known, facts), evaluate(given["n"], known, facts))
        case "sort", Items():
            return Items(xs.low, xs.high, xs.item)
        case "unique", Items():
            return Items(min(1, xs.low), xs.high, xs.item)
        case "take" | "top", Items():
            return _shortened(expression, given, xs, known, facts)
        case "size", Items():
            return Number(xs.low, xs.high)
        case "count", Items():
            return Number(0, xs.high)
        case "min" | "max" | "ceil" | "floor" | "round" | "clamp" | "abs", _:
            return _number(expression, known, facts)
        case "single_task", _:
            return _single_task(given, known, facts)
        case "lower", _:
            text = evaluate(given["text"], known, facts)
            return Words(text.size.times(2)) if isinstance(text, Words) else text
        case _:
            return of_type(expression.type, facts)


def _chunks(text: Abstract, n: Abstract) -> Abstract:
    """Pieces of a text; each has about its share, so that all together are not much more than the text."""
    low, high = (n.low, n.high) if isinstance(n, Number) else (1, math.inf)
    size = text.size if isinstance(text, Words) else Linear()
    return Items(1, high, Words(size.times(PIECE_SLACK / max(1, low)) + Linear(PIECE_MARGIN)))


def _single_task(given: dict[str, ir.Expression], known: Environment, facts: Facts) -> Plans:
    worker, instruction = (evaluate(given[name], known, facts) for name in ("worker", "instruction"))
    said = instruction.size if isinstance(instruction, Words) else Linear()
    names = worker.names if isinstance(worker, Models) else None
    return Plans(names, 1, said + Linear(facts.longest_name + HEADING_BYTES))


def _shortened(
    expression: ir.ApplyExpression, given: dict[str, ir.Expression], xs: Items, known: Environment, facts: Facts
) -> Abstract:
    n = evaluate(given["n"], known, facts)
    most = n.high if isinstance(n, Number) else math.inf
    if xs.exact is not None and expression.function == "take" and isinstance(n, Number) and n.low == n.high:
        return listed(list(xs.exact[: max(0, int(n.low))]))
    least = max(0, n.low) if isinstance(n, Number) else 0
    return Items(int(min(xs.low, least)), min(xs.high, max(0, most)), xs.item)


def _number(expression: ir.ApplyExpression, known: Environment, facts: Facts) -> Abstract:
    numbers = [(argument.name, evaluate(argument.value, known, facts)) for argument in expression.arguments]
    found = [(name, number) for name, number in numbers if isinstance(number, Number)]
    if len(found) < len(numbers) or not found:
        return Number()
    x = found[0][1]
    match expression.function:
        case "min":
            return Number(min(n.low for _, n in found), min(n.high for _, n in found))
        case "max":
            return Number(max(n.low for _, n in found), max(n.high for _, n in found))
        case "ceil":
            return Number(*(end if math.isinf(end) else math.ceil(end) for end in (x.low, x.high)))
        case "floor":
            return Number(*(end if math.isinf(end) else math.floor(end) for end in (x.low, x.high)))
        case "round":
            return Number(*(end if math.isinf(end) else round(end) for end in (x.low, x.high)))
        case "clamp":
            ends = dict(found)
            return _clamped(ends["x"], ends.get("low", Number(0, 0)), ends.get("high", Number(1, 1)))
        case _:
            return of_type(expression.type, facts)


def _clamped(x: Number, low: Number, high: Number) -> Number:
    """`max(low, min(x, high))`, which never falls where one of the three grows."""
    return Number(max(low.low, min(x.low, high.low)), max(low.high, min(x.high, high.high)))
