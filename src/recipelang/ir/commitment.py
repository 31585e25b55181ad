"""The commit point: the step whose words are the answer of a recipe, so that they can be sent on as they come."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.ir.expressions import ContractReference, Expression, Variable, free_variables
from recipelang.ir.plan import (
    Ask,
    Call,
    Choose,
    Contract,
    Let,
    Plan,
    Recipe,
    Repeat,
    Return,
    RoleCall,
    Run,
    Step,
)
from recipelang.ir.reading import calls_of
from recipelang.ir.types import AnswerType, ListType, OptionalType, RecordType, Type
from recipelang.quick import dataclass


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


def answering_calls(plan: Plan, recipe: str) -> Iterator[RoleCall]:
    """The calls of roles whose words a recipe may give as its answer."""
    waiting, seen = [recipe], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        answering = answering_steps(plan.recipes[name])
        for call in (call for step in plan.recipes[name].steps if step.name in answering for call in calls_of(step)):
            if isinstance(call, RoleCall):
                yield call
            else:
                waiting.append(call.recipe)


@dataclass(frozen=True, slots=True)
class Commitment:
    """From which step on a recipe speaks, as a path (`reply`, `inner.final`); none where only the whole answer is sent.

    `unless`: what may keep it from speaking all the same: a form that the request asks for. `why`: what keeps it silent.
    """

    step: str | None
    unless: str = ""
    why: str = ""


def commitment(plan: Plan, recipe: str) -> Commitment:
    """The commit point of a recipe: when the first word of its answer can go to the client."""
    found = plan.recipes[recipe]
    name = speaking_step(found)
    if name is None:
        return Commitment(None, why="`return` makes it when all is there")
    returned = next(step for step in found.steps if isinstance(step, Return))
    unless = "" if returned.contract is None else _demand(plan, returned.contract)
    if unless is None:
        return Commitment(None, why="its answer is held to a contract first")
    step = next(step for step in found.steps if step.name == name)
    inner = [_of_call(plan, call) for call in calls_of(step)]
    speaking = [each for each in inner if each.step is not None]
    if not speaking:
        return Commitment(None, why=next((each.why for each in inner if each.why), "no arm calls anything"))
    path = f"{name}.{speaking[0].step}" if speaking[0].step else name
    some = "" if len(speaking) == len(inner) else "another arm is taken"
    return Commitment(path, unless or some or speaking[0].unless)


def _of_call(plan: Plan, call: Call) -> Commitment:
    if not isinstance(call, RoleCall):
        return commitment(plan, call.recipe)
    contract = call.contract or plan.roles[call.role].contract
    unless = "" if contract is None else _demand(plan, contract)
    return Commitment(None, why="its answer is held to a contract first") if unless is None else Commitment("", unless)


def _demand(plan: Plan, contract: Expression) -> str | None:
    """What may keep an answer under this contract back; none where it does so for certain."""
    if isinstance(contract, ContractReference):
        return "" if demands_nothing(plan.contracts[contract.name]) else None
    return "the request asks for a form"
