"""A step made ready to run: what it waits for, its own work, and what stands in when that fails."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Protocol

from recipelang.ir.expressions import Expression, free_variables
from recipelang.ir.plan import ArmCall, Plan, RecipeCall, RoleCall
from recipelang.quick import dataclass
from recipelang.runtime.expressions import Environment, Evaluator, compile_expression
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.values import Value


class Work(Protocol):
    """What a kind of step does, until `deadline`. It puts into `known` what its fallback may name besides."""

    def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Awaitable[Value]: ...


class Fallback(Protocol):
    """What stands in for a step that failed; raises `StepFailed` or `RunFailure` where it has nothing to give."""

    def __call__(self, values: Environment, path: str, /) -> Value: ...


@dataclass(frozen=True, slots=True)
class PreparedStep:
    name: str
    kind: str
    reads: frozenset[str]  # names that must have values before it starts
    work: Work
    timeout: float | None = None  # seconds, for the whole step
    when: Evaluator | None = None  # false: the step is skipped and gives none
    fallback: Fallback | None = None
    optional: bool = False  # a failure gives none


def names_in(*expressions: Expression | None) -> frozenset[str]:
    """The names that expressions read."""
    return _union(free_variables(expression) for expression in expressions if expression is not None)


def names_in_call(call: ArmCall) -> frozenset[str]:
    """The names that a call reads."""
    match call:
        case RoleCall(arguments=arguments):
            own = names_in(call.model, call.temperature, call.max_tokens, call.contract)
            return own | names_in(*(argument.value for argument in arguments))
        case RecipeCall(arguments=arguments):
            return names_in(*(argument.value for argument in arguments))
        case _:
            return names_in(call)


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


def compile_optional(expression: Expression | None, plan: Plan) -> Evaluator | None:
    return None if expression is None else compile_expression(expression, plan)


def prepare_fallback(expression: Expression | None, plan: Plan) -> Fallback | None:
    """An expression as a fallback: `fail("why")` in it fails the step for good."""
    return None if expression is None else partial(evaluate, compile_expression(expression, plan))
