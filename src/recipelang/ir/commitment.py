"""The commit point: the step whose words are the answer of a recipe, so that they can be sent on as they come."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.ir.expressions import Expression, Variable, free_variables
from recipelang.ir.plan import Ask, Choose, Contract, Let, Recipe, Repeat, Return, Run, Step
from recipelang.ir.types import AnswerType, ListType, OptionalType, RecordType, Type


def speaking_step(recipe: Recipe) -> str | None:
    """The name of the step whose answer `return` hands on as it is; none where something may still change it.

    A contract of the `return` may ask for a repair: only one that demands nothing (`demands_nothing`) lets words out
    before they are all there, and which one it is may be known only when a request has come.
    """
    (returned,) = (step for step in recipe.steps if isinstance(step, Return))
    if not isinstance(returned.value, Variable):
        return None
    named = next((step for step in recipe.steps if step.name == returned.value.name), None)
    speaks = isinstance(named, Ask | Run | Choose) and isinstance(named.type, AnswerType)
    return returned.value.name if speaks else None


def demands_nothing(contract: Contract | None) -> bool:
    """Whether every answer that says anything satisfies a contract."""
    if contract is None:
        return True
    return contract.schema is None and contract.check is None and contract.extract.how == "whole"


def answering_steps(recipe: Recipe) -> frozenset[str]:
    """The steps from whose answers `return` takes its own, and `return` itself; fallbacks, which stand in, don't count.

    What a client asks of an answer (its length, its form) is asked of their calls, and of no judge or planner.
    """
    steps = {step.name: step for step in recipe.steps}
    found, waiting = set[str](), ["return"]
    while waiting:
        name = waiting.pop()
        if name in found or name not in steps:
            continue
        if name == "return" or _has_answer(steps[name].type):
            found.add(name)
            for expression in _handed_on(steps[name]):
                waiting += free_variables(expression)
    return frozenset(found)


def _handed_on(step: Step) -> Iterator[Expression]:
    """The expressions of a step whose answers it may give as its own."""
    match step:
        case Return(value=value) | Let(value=value):
            yield value
        case Repeat(start=start):
            yield start
        case _:
            pass


def _has_answer(type: Type) -> bool:
    match type:
        case AnswerType():
            return True
        case ListType(item=item) | OptionalType(item=item):
            return _has_answer(item)
        case RecordType(fields=fields):
            return any(_has_answer(field.type) for field in fields)
        case _:
            return False
