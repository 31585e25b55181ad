"""What the nodes of a plan read: the values that a step waits for, the declarations that a node names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recipelang.ir.expressions import (
    BoundaryReference,
    ContractReference,
    Expression,
    FailExpression,
    ModelReference,
    SignalReference,
    free_variables,
)
from recipelang.ir.plan import (
    Arm,
    Ask,
    Call,
    Cascade,
    Choose,
    Entry,
    Fanout,
    HostCall,
    Let,
    Model,
    Perform,
    Plan,
    RecipeCall,
    Repeat,
    Return,
    RoleCall,
    Run,
    Step,
)
from recipelang.quick import is_declared


def names_read(step: Step) -> frozenset[str]:
    """The parameters, steps and `request` that a step reads; not what it binds itself."""
    found: frozenset[str] = frozenset()
    for expression in expressions_of(step):
        found |= free_variables(expression)
    return found - _bound(step)


def expressions_of(step: Step) -> Iterator[Expression]:
    """Every expression of a step, those of its calls included."""
    for expression in _own(step):
        if expression is not None:
            yield expression
    for call in calls_of(step):
        yield from arguments_of(call)


def calls_of(step: Step) -> list[Call]:
    """The calls that a step may make."""
    match step:
        case Choose(arms=arms):
            return [arm.call for arm in arms if not isinstance(arm.call, FailExpression)]
        case Let() | Return() | HostCall():
            return []
        case _:
            return [step.call]


def arguments_of(call: Call) -> Iterator[Expression]:
    """What a call is given."""
    for argument in call.arguments:
        yield argument.value
    if isinstance(call, RoleCall):
        for setting in (call.model, call.temperature, call.max_tokens, call.contract):
            if setting is not None:
                yield setting


def _own(step: Step) -> tuple[Expression | None, ...]:
    match step:
        case Ask():
            return step.fallback, step.when
        case Fanout():
            return step.over, step.samples, step.parallel, step.keep, step.quorum, step.until, step.fallback
        case Cascade():
            return step.over, step.accept, step.fallback
        case Repeat():
            return step.start, step.over, step.times, step.until, step.fallback
        case Perform():
            return step.plan, step.parallel, step.fallback
        case HostCall(arguments=arguments):
            return step.fallback, step.when, *(argument.value for argument in arguments)
        case Choose():
            failing = [arm.call.message for arm in step.arms if isinstance(arm.call, FailExpression)]
            return step.fallback, step.by, *(each for arm in step.arms for each in _weighed(arm)), *failing
        case Run():
            return (step.fallback,)
        case Let():
            return (step.value,)
        case Return():
            return step.value, step.contract, step.fallback


def _weighed(arm: Arm) -> tuple[Expression | None, ...]:
    return arm.when, arm.quality, arm.cost, arm.time


def weighs(step: Choose) -> bool:
    """Whether a `choose` looks at what its arms are expected to cost and bring."""
    asking = [step.by, *(arm.when for arm in step.arms)]
    return any(each is not None and "it" in free_variables(each) for each in asking)


def _bound(step: Step) -> frozenset[str]:
    match step:
        case Choose():
            return frozenset(("it",))
        case Fanout():
            return frozenset((step.variable, "it", "tried"))
        case Cascade():
            return frozenset((step.variable, "it", "tried"))
        case Perform():
            return frozenset((step.variable,))
        case Repeat():
            return frozenset((step.name, step.variable or step.name))
        case _:
            return frozenset()


def that_see_requests(plan: Plan) -> dict[str, Model]:
    """All that a request may be shown to, by name, as boundaries see it: the models, and the functions of the host."""
    functions = {name: Model(name, "", name, zone=extern.zone) for name, extern in plan.externs.items()}
    return {**plan.models, **functions}


def names_in(node: object) -> Iterator[str]:
    """The declarations that a node, or one inside it, names."""
    for inner in nodes_in(node):
        match inner:
            case ModelReference(name) | ContractReference(name) | HostCall(extern=name):
                yield name
            case BoundaryReference(name) | SignalReference(name):
                yield name
            case RoleCall(role=name) | RecipeCall(recipe=name) | Entry(recipe=name) | Model(backend=name):
                yield name
            case _:
                pass


def nodes_in(node: Any) -> Iterator[object]:  # Any: a node, or what a field of one holds
    """A node and all nodes inside it."""
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if isinstance(at, tuple):
            waiting += at
        elif is_declared(at):
            yield at
            waiting += [getattr(at, name) for name in at.__match_args__]  # all fields, and quicker than to ask for them
