"""`return`: the recipe's value, held to its contract, mended by its own model where the contract asks for that."""

from __future__ import annotations

from typing import cast

from recipelang.ir.plan import Contract, Plan, Return
from recipelang.quick import dataclass, replace
from recipelang.runtime.calling import mend, unmet
from recipelang.runtime.contracts import extract
from recipelang.runtime.expressions import Environment, Evaluator, compile_expression
from recipelang.runtime.frame import Frame, evaluate
from recipelang.runtime.steps.prepared import PreparedStep, compile_optional, names_in
from recipelang.runtime.values import Answer, Value


@dataclass(frozen=True, slots=True)
class Answering:
    value: Evaluator
    contract: Evaluator | None

    async def __call__(self, frame: Frame, path: str, deadline: float, known: dict[str, Value]) -> Value:
        value = evaluate(self.value, frame.values, path)
        if self.contract is None:
            return value
        contract = cast(Contract, evaluate(self.contract, frame.values, path))
        value, problem = _examined(contract, value)
        if problem is None:
            return value
        if contract.repair == 0 or not isinstance(value, Answer):
            raise unmet(path, contract, value, problem)
        return await mend(frame, path, contract, value, problem)


@dataclass(frozen=True, slots=True)
class ContractedFallback:
    """A fallback that must satisfy the contract as well, and is not mended."""

    value: Evaluator
    contract: Evaluator | None

    def __call__(self, values: Environment, path: str) -> Value:
        value = evaluate(self.value, values, path)
        if self.contract is None:
            return value
        contract = cast(Contract, evaluate(self.contract, values, path))
        value, problem = _examined(contract, value)
        if problem is not None:
            raise unmet(path, contract, value, problem)
        return value


def _examined(contract: Contract, value: Value) -> tuple[Value, str | None]:
    """The value with what the contract finds in its text, and the problem where it does not satisfy it."""
    match value:
        case Answer(tool_calls=()):
            found = extract(contract, value.text)
            return replace(value, value=found.value, valid=found.valid), found.problem
        case str():
            return value, extract(contract, value).problem
        case _:  # a call of the client's tools, or a value that has no text
            return value, None


def prepare_return(step: Return, plan: Plan) -> PreparedStep:
    contract = compile_optional(step.contract, plan)
    fallback = compile_optional(step.fallback, plan)
    return PreparedStep(
        name=step.name,
        kind=step.kind,
        reads=names_in(step.value, step.contract, step.fallback),
        work=Answering(compile_expression(step.value, plan), contract),
        fallback=None if fallback is None else ContractedFallback(fallback, contract),
    )
