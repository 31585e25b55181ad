"""Expressions compiled to closures, once for each plan: evaluating is pure, total, and knows nothing of steps.

A plan that no checker saw may ask for what has no meaning (`1 + "a"`): that fails the step, as `fail` does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from recipelang.ir.expressions import (
    ApplyArgument,
    ApplyExpression,
    BinaryExpression,
    BoundaryReference,
    ComprehensionExpression,
    ConditionalExpression,
    Constant,
    ContractReference,
    Expression,
    FailExpression,
    IndexExpression,
    LambdaExpression,
    ListExpression,
    MemberExpression,
    ModelReference,
    RecordExpression,
    SignalReference,
    UnaryExpression,
    Variable,
)
from recipelang.ir.functions import FUNCTIONS, Function
from recipelang.ir.plan import Model, Plan, Signal
from recipelang.ir.reading import nodes_in
from recipelang.runtime.functions import IMPLEMENTATIONS, MEANS, WORDS
from recipelang.runtime.gauging import GAUGES, LEFT, UNKNOWN
from recipelang.runtime.looking import prepare
from recipelang.runtime.members import Members, read
from recipelang.runtime.operators import ARITHMETIC, Operator, StepFailed, is_there, negated
from recipelang.runtime.ports import Gauge
from recipelang.runtime.readings import Why
from recipelang.runtime.values import Authored, RecordValue, Request, Value

__all__ = ["Environment", "Evaluator", "StepFailed", "compile_expression"]

Environment = Mapping[str, Value]
Evaluator = Callable[[Environment], Value]

_Declared = TypeVar("_Declared")
_ORDER: dict[str, Operator] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_UNMEANT = (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, MemoryError)


def compile_expression(expression: Expression, plan: Plan) -> Evaluator:
    """A function from an environment to the expression's value, which raises nothing but `StepFailed`.

    The environment must have the expression's free variables. A plan that lacks what the expression refers to, or an
    expression that is nested too deeply, is a `ValueError` here.
    """
    try:
        evaluate = _Compiler(plan).compiled(expression)
    except RecursionError as error:
        raise ValueError("an expression is nested too deeply") from error

    def guarded(environment: Environment) -> Value:
        try:
            return evaluate(environment)
        except _UNMEANT as error:
            raise StepFailed(f"an expression has no meaning here: {error}") from error

    return guarded


class _Compiler:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._members = Members(plan)
        self._signals: dict[str, Evaluator] = {}

    def compiled(self, expression: Expression) -> Evaluator:
        match expression:
            case Constant(value):
                return _constant(Authored(value) if isinstance(value, str) else value)
            case Variable(name):
                return operator.itemgetter(name)
            case ModelReference(name):
                return _constant(_found(self._plan.models, name, "model"))
            case ContractReference(name):
                return _constant(_found(self._plan.contracts, name, "contract"))
            case BoundaryReference(name):
                return self.compiled(_found(self._plan.boundaries, name, "boundary").when)
            case SignalReference(name):
                return self._signal(_found(self._plan.signals, name, "signal"))
            case ListExpression(items):
                return _list([self.compiled(item) for item in items], _is_written_out(expression))
            case RecordExpression(fields):
                return _record({field.name: self.compiled(field.value) for field in fields})
            case UnaryExpression("not", operand):
                return _negation(self.compiled(operand))
            case UnaryExpression(_, operand):
                return _minus(self.compiled(operand))
            case BinaryExpression(symbol, left, right):
                return _binary(symbol, self.compiled(left), self.compiled(right))
            case ConditionalExpression(condition, then, otherwise):
                return _conditional(self.compiled(condition), self.compiled(then), self.compiled(otherwise))
            case MemberExpression(target, name):
                return self._member(self.compiled(target), name)
            case IndexExpression(target, index):
                return _index(self.compiled(target), self.compiled(index))
            case ComprehensionExpression():
                return self._comprehension(expression)
            case LambdaExpression(body):
                return self.compiled(body)
            case ApplyExpression(name, arguments):
                return self._apply(name, arguments)
            case FailExpression(message):
                return _fail(self.compiled(message))

    def _signal(self, signal: Signal) -> Evaluator:
        name = signal.name
        if name in self._signals:
            return self._signals[name]
        value, why = self.compiled(signal.value), self.why(signal.value)

        def read(environment: Environment) -> Value:
            request = environment["request"]
            if not isinstance(request, Request) or request.readings is None:
                return value(environment)
            readings = request.readings
            return readings.read(
                name, lambda: value(environment), lambda: why(environment, readings.values[name] is not False)
            )

        self._signals[name] = read
        return read

    def why(self, expression: Expression) -> Callable[[Environment, bool], Why]:
        """What tells why an expression has its value: the words that its own functions looked for, and what looked.

        What does not hold is not told with the example that it was least unlike: `holds` is false then.
        """
        looking = [
            (each.function, [(a.name, self.compiled(a.value)) for a in each.arguments])
            for each in nodes_in(expression)
            if isinstance(each, ApplyExpression) and (each.function in WORDS or each.function in MEANS)
        ]

        def why(environment: Environment, holds: bool) -> Why:
            words: dict[str, None] = {}
            by: dict[str, None] = {}
            for function, arguments in looking:
                given = {name: value(environment) for name, value in arguments}
                if function in WORDS and (holds or function not in MEANS):
                    words |= dict.fromkeys(WORDS[function](**given))
                if function in MEANS and (means := MEANS[function](given)):
                    by[means] = None
            return Why(tuple(words), tuple(by))

        return why

    def _member(self, target: Evaluator, name: str) -> Evaluator:
        readers = self._members.named(name)
        find = readers.get

        def member(environment: Environment) -> Value:
            value = target(environment)
            reader = find(type(value))
            return reader(value) if reader is not None else read(value, name, readers)

        return member

    def _comprehension(self, expression: ComprehensionExpression) -> Evaluator:
        name = expression.variable
        iterable, element = self.compiled(expression.iterable), self.compiled(expression.element)
        if expression.condition is None:

            def every(environment: Environment) -> Value:
                inner = dict(environment)
                found = []
                for item in _items(iterable(environment)):
                    inner[name] = item
                    found.append(element(inner))
                return tuple(found)

            return every
        condition = self.compiled(expression.condition)

        def some(environment: Environment) -> Value:
            inner = dict(environment)
            found = []
            for item in _items(iterable(environment)):
                inner[name] = item
                if condition(inner):
                    found.append(element(inner))
            return tuple(found)

        return some

    def _apply(self, name: str, arguments: tuple[ApplyArgument, ...]) -> Evaluator:
        function = _found(FUNCTIONS, name, "function")
        over_items = {parameter.name for parameter in function.parameters if parameter.over_items}
        given = [(a.name, self._argument(a, a.name in over_items)) for a in arguments]
        if name in MEANS:  # what it goes by is loaded now and not in the middle of a request
            written = {a.name: self.compiled(a.value)({}) for a in arguments if _is_written_out(a.value)}
            MEANS[name](written)
            prepare(written)
        if name in GAUGES:
            return _gauge(GAUGES[name], given[0][1])
        if name in LEFT:
            return _left(name)
        implementation = IMPLEMENTATIONS[name]
        if _in_order([name for name, _ in given], function):
            return _positional(implementation, [evaluator for _, evaluator in given])

        def by_name(environment: Environment) -> Value:
            return implementation(**{name: argument(environment) for name, argument in given})

        return by_name

    def _argument(self, argument: ApplyArgument, over_items: bool) -> Callable[[Environment], object]:
        """What gives the argument: its value or, for one over items, a function from an item to the value."""
        value = self.compiled(argument.value)
        if not over_items:
            return value

        def bound(environment: Environment) -> Callable[[Value], Value]:
            inner = dict(environment)

            def of_item(item: Value) -> Value:
                inner["it"] = item
                return value(inner)

            return of_item

        return bound


def _is_written_out(expression: Expression) -> bool:
    items = expression.items if isinstance(expression, ListExpression) else (expression,)
    return all(isinstance(item, Constant) for item in items)


# ------------------------------------------------------------------- leaves


def _found(declared: Mapping[str, _Declared], name: str, kind: str) -> _Declared:
    if name not in declared:
        raise ValueError(f"there is no {kind} `{name}`")
    return declared[name]


def _constant(value: Value) -> Evaluator:
    return lambda environment: value


def _list(items: Sequence[Evaluator], constant: bool) -> Evaluator:
    if constant:
        return _constant(tuple(item({}) for item in items))
    return lambda environment: tuple([item(environment) for item in items])


def _record(fields: Mapping[str, Evaluator]) -> Evaluator:
    return lambda environment: RecordValue({name: value(environment) for name, value in fields.items()})


def _negation(operand: Evaluator) -> Evaluator:
    return lambda environment: not operand(environment)


def _minus(operand: Evaluator) -> Evaluator:
    return lambda environment: negated(operand(environment))


def _conditional(condition: Evaluator, then: Evaluator, otherwise: Evaluator) -> Evaluator:
    return lambda environment: then(environment) if condition(environment) else otherwise(environment)


def _fail(message: Evaluator) -> Evaluator:
    def fail(environment: Environment) -> Value:
        raise StepFailed(str(message(environment)))

    return fail


def _items(value: Value) -> tuple[Value, ...]:
    if isinstance(value, tuple):
        return value
    raise TypeError(f"{type(value).__name__} is no list")


def _index(target: Evaluator, index: Evaluator) -> Evaluator:
    def item(environment: Environment) -> Value:
        items, at = target(environment), index(environment)
        if isinstance(items, tuple):
            return items[at] if isinstance(at, int) and 0 <= at < len(items) else None
        if isinstance(items, Mapping):
            return items.get(at) if isinstance(at, str) else None
        return None

    return item


# ---------------------------------------------------------------- operators


def _binary(symbol: str, left: Evaluator, right: Evaluator) -> Evaluator:
    match symbol:
        case "and":
            return lambda environment: left(environment) and right(environment)
        case "or":
            return lambda environment: left(environment) or right(environment)
        case "or_else":
            return _or_else(left, right)
        case "==":
            return lambda environment: left(environment) == right(environment)
        case "!=":
            return lambda environment: left(environment) != right(environment)
        case "in":
            return _contained(left, right, True)
        case "not in":
            return _contained(left, right, False)
        case "<" | "<=" | ">" | ">=":
            return _ordered(_ORDER[symbol], left, right)
        case _:
            combine = ARITHMETIC[symbol]
            return lambda environment: combine(left(environment), right(environment))


def _or_else(left: Evaluator, right: Evaluator) -> Evaluator:
    def first_there(environment: Environment) -> Value:
        value = left(environment)
        return value if is_there(value) else right(environment)

    return first_there


def _ordered(compare: Operator, left: Evaluator, right: Evaluator) -> Evaluator:
    """An order that no pair of different types is in, none included."""

    def ordered(environment: Environment) -> Value:
        one, other = left(environment), right(environment)
        try:
            return compare(one, other)
        except TypeError:
            return False

    return ordered


def _contained(left: Evaluator, right: Evaluator, wanted: bool) -> Evaluator:
    def contained(environment: Environment) -> Value:
        item, whole = left(environment), right(environment)
        if isinstance(whole, str):
            return (isinstance(item, str) and item in whole) is wanted
        return (isinstance(whole, tuple) and item in whole) is wanted

    return contained


# ---------------------------------------------------------------- functions


def _gauge(gauge: Gauge, of: Callable[[Environment], object]) -> Evaluator:
    """How a model does, as the run has seen it."""

    def shown(environment: Environment) -> Value:
        request, model = environment.get("request"), of(environment)
        if not isinstance(model, Model):
            raise TypeError(f"{type(model).__name__} is no model")
        return request.dials.read(gauge, model) if isinstance(request, Request) and request.dials else UNKNOWN[gauge]

    return shown


def _left(what: str) -> Evaluator:
    """What is left of the run's budget; outside of a run nothing limits it."""

    def left(environment: Environment) -> Value:
        request = environment["request"]
        return request.dials.left(what) if isinstance(request, Request) and request.dials else None

    return left


def _in_order(given: Sequence[str], function: Function) -> bool:
    """Whether the arguments are the first parameters of a function, in their order."""
    names = [parameter.name for parameter in function.parameters]
    return given == names[: len(given)] or any(parameter.variadic for parameter in function.parameters)


def _positional(
    implementation: Callable[..., Value], arguments: Sequence[Callable[[Environment], object]]
) -> Evaluator:
    if len(arguments) == 1:
        (only,) = arguments
        return lambda environment: implementation(only(environment))
    if len(arguments) == 2:
        first, second = arguments
        return lambda environment: implementation(first(environment), second(environment))
    return lambda environment: implementation(*[argument(environment) for argument in arguments])
