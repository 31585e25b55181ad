"""The typing rules of the built-in functions; their meanings are documented in `recipelang.ir.functions`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from recipelang.diagnostics.catalogue import types
from recipelang.ir.expressions import Constant, LambdaExpression, MemberExpression, Variable
from recipelang.ir.functions import Function
from recipelang.ir.labels import DENSITIES, DOMAINS, ENCODERS, FORMS, LANGUAGES, MEANING, WORDS
from recipelang.ir.patterns import BadPattern, compiled_pattern
from recipelang.ir.types import (
    AnswerType,
    ArmType,
    BoolType,
    ContractType,
    DurationType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    ModelType,
    MoneyType,
    NeverType,
    NoneType,
    OptionalType,
    PlanType,
    RequestType,
    ScoreType,
    TextType,
    Type,
    spelled,
)
from recipelang.quick import dataclass
from recipelang.semantics.scope import Local, Scope
from recipelang.semantics.typed import Typed, interval_of
from recipelang.semantics.typing import int_type, is_number, number_type, without_none
from recipelang.syntax import nodes

if TYPE_CHECKING:
    from recipelang.semantics.expressions import Elaborator

MEASURES = EnumType(("logprob", "margin", "hybrid"))
SPEAKERS = EnumType(("any", "system", "developer", "user", "assistant", "tool"))


@dataclass(frozen=True, slots=True)
class Result:
    """The call's arguments by name, and what is known of its value."""

    arguments: tuple[tuple[str, Typed], ...]
    type: Type
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call of a built-in function whose arguments have been matched with its parameters."""

    function: Function
    given: dict[str, list[nodes.Expression]]
    node: nodes.Call
    scope: Scope
    elaborator: Elaborator

    def list(self, name: str, *, of: Type | None = None, least: int = 0) -> Typed | None:
        """A list argument, with at least so many items unless a failure has an owner here."""
        node = self.given[name][0]
        typed = self.elaborator.list_of(node, self.scope, self.what(name))
        if typed is None:
            return None
        found = cast(ListType, typed.type)
        if of is not None:
            fitting = self.elaborator.as_fitting(node, typed, ListType(of), self.what(name))
            if isinstance(fitting.type, NeverType):
                return None
        if found.low < least and not self.scope.partial:
            self._may_be_empty(node, found)
            return None
        return typed

    def _may_be_empty(self, node: nodes.Expression, found: ListType) -> None:
        self.elaborator.report(
            types.MAY_BE_EMPTY.at(
                node.span,
                f"`{self.function.name}` needs at least one item",
                label=f"`{spelled(found)}` may be empty",
                help="test it first, as in `... if size(xs) > 0 else ...`; a quorum, or a type such as `answer[1..8]`, shows it too",
            )
        )

    def value(self, name: str, wanted: Type) -> Typed | None:
        """A plain argument; none where it was left out."""
        if name not in self.given:
            return None
        return self.elaborator.fitting(self.given[name][0], self.scope, wanted, self.what(name))

    def over_items(self, name: str, item: Type, accepts: Callable[[Type], bool], kinds: str) -> Typed | None:
        """An expression over `it`; none where it was left out."""
        if name not in self.given:
            return None
        node = self.given[name][0]
        inner = self.scope.with_locals(it=Local(item, None, "item at hand"))
        body = self.elaborator.typed(node, inner)
        if not accepts(body.type):
            self.elaborator.report(
                types.MISMATCH.at(
                    node.span,
                    f"{self.what(name)} has the wrong type",
                    label=f"this is `{spelled(body.type)}`, but {kinds} is wanted",
                )
            )
        return Typed(LambdaExpression(body.expression), body.type, body.low, body.high)

    def what(self, name: str) -> str:
        return f"the argument `{name}` of `{self.function.name}`"


def result_of(site: CallSite) -> Result | None:
    """The type of a call, or none where an argument has a mistake, which has been reported."""
    return RULES[site.function.name](site)


# ------------------------------------------------------- what a key may be


def orderable(type: Type) -> bool:
    type = without_none(type)
    return is_number(type) or isinstance(type, (DurationType, MoneyType, TextType, BoolType, NeverType, NoneType))


def _numeric(type: Type) -> bool:
    type = without_none(type)
    return is_number(type) or isinstance(type, (DurationType, MoneyType, NeverType, NoneType))


def _comparable(type: Type) -> bool:
    return orderable(type) or isinstance(without_none(type), (EnumType, ModelType))


def _together(**arguments: Typed | None) -> tuple[tuple[str, Typed], ...]:
    return tuple((name, typed) for name, typed in arguments.items() if typed is not None)


# ------------------------------------------------------------------- rules


def _size(site: CallSite) -> Result | None:
    xs = site.list("xs")
    if xs is None:
        return None
    length = cast(ListType, xs.type)
    high = float("inf") if length.high is None else length.high
    return Result(_together(xs=xs), int_type(length.low, high), length.low, high)


def _count(site: CallSite) -> Result | None:
    xs = site.list("xs")
    if xs is None:
        return None
    found = cast(ListType, xs.type)
    where = site.over_items("where", found.item, lambda type: isinstance(type, (BoolType, NeverType)), "a condition")
    high = float("inf") if found.high is None else found.high
    return Result(_together(xs=xs, where=where), int_type(0, high), 0, high)


def _item(site: CallSite) -> Result | None:
    xs = site.list("xs", least=1)
    return None if xs is None else Result(_together(xs=xs), cast(ListType, xs.type).item)


def _item_by(site: CallSite) -> Result | None:
    xs = site.list("xs", least=1)
    if xs is None:
        return None
    item = cast(ListType, xs.type).item
    by = site.over_items("by", item, orderable, "something that has an order")
    return Result(_together(xs=xs, by=by), item)


def _take(site: CallSite) -> Result | None:
    xs, n = site.list("xs"), site.value("n", IntType(0, None))
    if xs is None or n is None:
        return None
    return Result(_together(xs=xs, n=n), _shortened(cast(ListType, xs.type), n))


def _top(site: CallSite) -> Result | None:
    xs, n = site.list("xs"), site.value("n", IntType(0, None))
    if xs is None or n is None:
        return None
    by = site.over_items("by", cast(ListType, xs.type).item, orderable, "something that has an order")
    return Result(_together(xs=xs, n=n, by=by), _shortened(cast(ListType, xs.type), n))


def _shortened(type: ListType, n: Typed) -> ListType:
    most = type.high if n.high == float("inf") else int(n.high) if type.high is None else min(int(n.high), type.high)
    return ListType(type.item, min(type.low, max(0, int(n.low)) if n.low != float("-inf") else 0), most)


def _sort(site: CallSite) -> Result | None:
    xs = site.list("xs")
    if xs is None:
        return None
    by = site.over_items("by", cast(ListType, xs.type).item, orderable, "something that has an order")
    return Result(_together(xs=xs, by=by, descending=site.value("descending", BoolType())), xs.type)


def _unique(site: CallSite) -> Result | None:
    xs = site.list("xs")
    if xs is None:
        return None
    found = cast(ListType, xs.type)
    by = site.over_items("by", found.item, _comparable, "something that can be compared")
    return Result(_together(xs=xs, by=by), ListType(found.item, min(1, found.low), found.high))


def _total(site: CallSite) -> Result | None:
    xs = site.list("xs")
    if xs is None:
        return None
    found = cast(ListType, xs.type)
    of = site.over_items("of", found.item, _numeric, "a number")
    if of is None and not (_numeric(found.item)):
        site.elaborator.report(
            types.MISMATCH.at(
                site.node.span,
                f"`{site.function.name}` needs numbers",
                label=f"these are `{spelled(found.item)}`",
                help="say of what, as in `of = it.latency`",
            )
        )
        return None
    summed = without_none(of.type if of is not None else found.item)
    if isinstance(summed, (DurationType, MoneyType)):
        return Result(_together(xs=xs, of=of), summed)
    if site.function.name == "sum":
        return Result(_together(xs=xs, of=of), FloatType())
    low, high = interval_of(summed)
    low, high = min(0, low), max(0, high)  # the mean of none is 0
    return Result(_together(xs=xs, of=of), number_type(low, high, whole=False), low, high)


def _extreme(site: CallSite) -> Result | None:
    numbers = [site.elaborator.typed(node, site.scope) for node in site.given.get("xs", [])]
    kinds = {type(n.type) for n in numbers}
    alike = all(is_number(n.type) for n in numbers) or kinds in ({DurationType}, {MoneyType})
    if any(isinstance(n.type, NeverType) for n in numbers):
        return None
    if not alike or len(numbers) < 2:
        site.elaborator.report(
            types.MISMATCH.at(
                site.node.span,
                f"`{site.function.name}` needs two or more numbers",
                label=", ".join(f"`{spelled(n.type)}`" for n in numbers),
                help=f"for the items of a list use `{'worst' if site.function.name == 'min' else 'best'}(xs, by = ...)`",
            )
        )
        return None
    pick = min if site.function.name == "min" else max
    low, high = pick(n.low for n in numbers), pick(n.high for n in numbers)
    given = tuple(("xs", n) for n in numbers)
    first = numbers[0].type
    if isinstance(first, (DurationType, MoneyType)):
        return Result(given, first, low, high)
    whole = all(isinstance(n.type, IntType) for n in numbers)
    return Result(given, number_type(low, high, whole=whole), low, high)


def _clamp(site: CallSite) -> Result | None:
    x = site.value("x", FloatType())
    low, high = site.value("low", FloatType()), site.value("high", FloatType())
    if x is None or isinstance(x.type, NeverType):
        return None
    ends = [end for end in (low, high) if end is not None]
    least = min(low.low if low is not None else 0.0, high.low if high is not None else 1.0)
    most = max(low.high if low is not None else 0.0, high.high if high is not None else 1.0)
    whole = all(isinstance(number.type, IntType) for number in (x, *ends))
    return Result(_together(x=x, low=low, high=high), number_type(least, most, whole=whole), least, most)


def _abs(site: CallSite) -> Result | None:
    x = site.value("x", FloatType())
    if x is None or isinstance(x.type, NeverType):
        return None
    high = max(abs(x.low), abs(x.high))
    low = 0.0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high))
    return Result(_together(x=x), number_type(low, high, whole=isinstance(x.type, IntType)), low, high)


def _whole(site: CallSite) -> Result | None:
    x = site.value("x", FloatType())
    if x is None or isinstance(x.type, NeverType):
        return None
    rounded = int_type(*_rounded(site.function.name, x.low, x.high))
    low = float("-inf") if rounded.low is None else rounded.low
    high = float("inf") if rounded.high is None else rounded.high
    return Result(_together(x=x), rounded, low, high)


def _rounded(how: str, low: float, high: float) -> tuple[float, float]:
    if how == "ceil":
        return low if math.isinf(low) else math.ceil(low), high if math.isinf(high) else math.ceil(high)
    if how == "floor":
        return low if math.isinf(low) else math.floor(low), high if math.isinf(high) else math.floor(high)
    return low if math.isinf(low) else round(low), high if math.isinf(high) else round(high)


def _text_to(result: Type, *, or_none: bool = False) -> Callable[[CallSite], Result | None]:
    def rule(site: CallSite) -> Result | None:
        text = site.value("text", OptionalType(TextType()) if or_none else TextType())
        return None if text is None else Result(_together(text=text), result)

    return rule


def _looking(result: Type, **wanted: Type) -> Callable[[CallSite], Result | None]:
    """The rule of a function that looks at a text: by default at that of the request."""

    def rule(site: CallSite) -> Result | None:
        given = {name: site.value(name, type) for name, type in wanted.items()}
        return Result(_together(**given, of=_text_looked_at(site)), result)

    return rule


def _by_likeness(result: Type, **wanted: Type) -> Callable[[CallSite], Result | None]:
    """The rule of one that goes by likeness as well: of words, or of meaning."""

    def rule(site: CallSite) -> Result | None:
        given = {name: site.value(name, type) for name, type in wanted.items()}
        return Result(_together(**given, of=_text_looked_at(site), by=_measured_by(site)), result)

    return rule


def _measured_by(site: CallSite) -> Typed | None:
    """`by`, written out; for `meaning` the plan has the encoder that this is."""
    by = site.value("by", EnumType((WORDS, MEANING)))
    if by is None or isinstance(by.type, NeverType):
        return None
    if not isinstance(by.expression, Constant):
        site.elaborator.report(
            types.MISMATCH.at(
                site.given["by"][0].span,
                f"{site.what('by')} is written out",
                label="this may be one or the other",
                help=f"`{WORDS}` or `{MEANING}`: a threshold is right for one of them",
            )
        )
        return None
    return Typed(Constant(ENCODERS.get(str(by.expression.value), WORDS)), by.type)


def _text_looked_at(site: CallSite) -> Typed:
    given = site.value("of", TextType())
    return given or Typed(MemberExpression(Variable("request"), "text"), TextType())


def _regex(site: CallSite) -> Result | None:
    return _with_pattern(site, BoolType())


def _occurrences(site: CallSite) -> Result | None:
    return _with_pattern(site, IntType(0, None))


def _with_pattern(site: CallSite, result: Type) -> Result | None:
    node = site.given["pattern"][0]
    if not isinstance(node, nodes.Text):
        site.elaborator.report(
            types.MISMATCH.at(node.span, f"{site.what('pattern')} is written out", label="this is no text in quotes")
        )
        return None
    try:
        compiled_pattern(node.value)
    except BadPattern as problem:
        site.elaborator.report(
            types.BAD_PATTERN.at(node.span, "this is not a pattern in RE2's syntax", label=str(problem))
        )
        return None
    return Result(_together(pattern=site.value("pattern", TextType()), of=_text_looked_at(site)), result)


def _reask(site: CallSite) -> Result | None:
    what, turns = site.value("what", RequestType()), site.value("turns", IntType(1, 8))
    return Result(_together(what=what, turns=turns, by=_measured_by(site)), ScoreType(), 0, 1)


def _messages(site: CallSite) -> Result | None:
    what, role = site.value("what", RequestType()), site.value("role", SPEAKERS)
    return Result(_together(what=what, role=role), IntType(0, None))


def _contains(site: CallSite) -> Result | None:
    text, part = site.value("text", TextType()), site.value("part", TextType())
    return Result(_together(text=text, part=part), BoolType())


def _text_or_answer(site: CallSite, name: str) -> Typed:
    """An answer stands for its text."""
    typed = site.elaborator.typed(site.given[name][0], site.scope)
    if isinstance(typed.type, (AnswerType, NeverType)):
        return typed
    return site.elaborator.as_fitting(site.given[name][0], typed, TextType(), site.what(name))


def _disclosing(site: CallSite) -> Result | None:
    typed = site.elaborator.typed(site.given["what"][0], site.scope)
    if not isinstance(typed.type, RequestType):
        typed = _text_or_answer(site, "what")
    return Result(_together(what=typed), BoolType())


def _matches(site: CallSite) -> Result | None:
    what, form = _text_or_answer(site, "what"), site.value("form", ContractType(99))
    return Result(_together(what=what, form=form), BoolType())


def _similarity(site: CallSite) -> Result | None:
    a, b = _text_or_answer(site, "a"), _text_or_answer(site, "b")
    return Result(_together(a=a, b=b, by=_measured_by(site)), ScoreType(), 0, 1)


def _agreement(site: CallSite) -> Result | None:
    xs = site.list("xs")
    if xs is None:
        return None
    key = site.over_items("key", cast(ListType, xs.type).item, _comparable, "something that can be compared")
    return Result(_together(xs=xs, key=key), ScoreType(), 0, 1)


def _decided(site: CallSite) -> Result | None:
    xs, of = site.list("xs"), site.value("of", IntType(0, None))
    if xs is None:
        return None
    key = site.over_items("key", cast(ListType, xs.type).item, _comparable, "something that can be compared")
    return Result(_together(xs=xs, key=key, of=of), BoolType())


def _shuffled(site: CallSite) -> Result | None:
    xs = site.list("xs")
    return None if xs is None else Result(_together(xs=xs), xs.type)


def _chunks(site: CallSite) -> Result | None:
    text, n = site.value("text", TextType()), site.value("n", IntType(1, None))
    if n is None:
        return None
    return Result(_together(text=text, n=n), ListType(TextType(), 1, None if math.isinf(n.high) else int(n.high)))


def _vote(site: CallSite) -> Result | None:
    xs = site.list("xs", least=1)
    if xs is None:
        return None
    item = cast(ListType, xs.type).item
    key = site.over_items("key", item, _comparable, "something that can be compared")
    weight = site.over_items("weight", item, _numeric, "a number")
    return Result(_together(xs=xs, key=key, weight=weight), item)


def _confidence(site: CallSite) -> Result | None:
    answer, measure = site.value("answer", AnswerType()), site.value("measure", MEASURES)
    missing = site.value("missing", OptionalType(ScoreType()))
    return Result(_together(answer=answer, measure=measure, missing=missing), ScoreType(), 0, 1)


def _model(site: CallSite) -> Result | None:
    models = site.list("models", of=ModelType(), least=1)
    return None if models is None else Result(_together(models=models), ModelType())


def _single_task(site: CallSite) -> Result | None:
    worker, instruction = site.value("worker", ModelType()), site.value("instruction", TextType())
    return Result(_together(worker=worker, instruction=instruction), PlanType(1))


def _expected(shown: Type) -> Callable[[CallSite], Result | None]:
    def rule(site: CallSite) -> Result | None:
        arm = site.value("arm", ArmType())
        return None if arm is None else Result(_together(arm=arm), shown, *interval_of(shown))

    return rule


def _left(shown: Type) -> Callable[[CallSite], Result | None]:
    return lambda site: Result((), OptionalType(shown))


def _gauge(shown: Type) -> Callable[[CallSite], Result | None]:
    def rule(site: CallSite) -> Result | None:
        model = site.value("of", ModelType())
        return None if model is None else Result(_together(of=model), shown)

    return rule


RULES: dict[str, Callable[[CallSite], Result | None]] = {
    "size": _size,
    "count": _count,
    "first": _item,
    "last": _item,
    "take": _take,
    "best": _item_by,
    "worst": _item_by,
    "sort": _sort,
    "top": _top,
    "unique": _unique,
    "mean": _total,
    "sum": _total,
    "min": _extreme,
    "max": _extreme,
    "clamp": _clamp,
    "abs": _abs,
    "round": _whole,
    "ceil": _whole,
    "floor": _whole,
    "keywords": _looking(BoolType(), phrases=ListType(TextType()), fuzzy=IntType(0, 2), within=BoolType()),
    "frequency": _looking(ScoreType(), phrases=ListType(TextType())),
    "ordered": _looking(BoolType(), phrases=ListType(TextType())),
    "regex": _regex,
    "occurrences": _occurrences,
    "words": _looking(IntType(0, None)),
    "messages": _messages,
    "density": _looking(ScoreType(), what=EnumType(DENSITIES)),
    "constraints": _looking(IntType(0, None)),
    "demanded_form": _looking(EnumType(FORMS)),
    "language": _looking(EnumType(LANGUAGES)),
    "domain": _by_likeness(EnumType(DOMAINS)),
    "similar": _by_likeness(ScoreType(), examples=ListType(TextType())),
    "contrast": _by_likeness(ScoreType(), hard=ListType(TextType()), easy=ListType(TextType())),
    "reask": _reask,
    "injection": _disclosing,
    "lower": _text_to(TextType()),
    "contains": _contains,
    "estimate_tokens": _text_to(IntType(0, None)),
    "number": _text_to(OptionalType(FloatType()), or_none=True),
    "healthy": _gauge(BoolType()),
    "load": _gauge(OptionalType(FloatType())),
    "kv_cache": _gauge(OptionalType(ScoreType())),
    "latency": _gauge(OptionalType(DurationType())),
    "calls_left": _left(IntType(0, None)),
    "tokens_left": _left(IntType(0, None)),
    "cost_left": _left(MoneyType()),
    "time_left": _left(DurationType()),
    "expected_quality": _expected(ScoreType()),
    "expected_cost": _expected(OptionalType(MoneyType())),
    "expected_time": _expected(DurationType()),
    "pii": _disclosing,
    "secrets": _disclosing,
    "matches": _matches,
    "similarity": _similarity,
    "agreement": _agreement,
    "decided": _decided,
    "shuffled": _shuffled,
    "chunks": _chunks,
    "majority": _vote,
    "weighted_vote": _vote,
    "confidence": _confidence,
    "cheapest": _model,
    "strongest": _model,
    "single_task": _single_task,
}

__all__ = ["MEASURES", "RULES", "CallSite", "Constant", "Result", "result_of"]
