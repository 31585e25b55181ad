"""The commit point: the step whose words are the answer of a recipe, so that they can be sent on as they come."""

from __future__ import annotations

from recipelang.ir.expressions import Variable
from recipelang.ir.plan import Ask, Choose, Contract, Recipe, Return, Run
from recipelang.ir.types import AnswerType


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
