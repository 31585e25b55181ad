"""Binds a recipe to arguments when it is run: values of Python, checked against its types, as an entry of the plan."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from recipelang.diagnostics.suggesting import nearest
from recipelang.ir.expressions import (
    Constant,
    ContractReference,
    Expression,
    FieldExpression,
    ListExpression,
    ModelReference,
    RecordExpression,
)
from recipelang.ir.plan import CallArgument, Entry, Parameter, Plan, Recipe
from recipelang.ir.types import (
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
    RecordType,
    ScoreType,
    TextType,
    Type,
    spelled,
)
from recipelang.quick import replace


class ArgumentProblem(ValueError):
    """What was asked for does not fit the recipe; the message says which argument and what it takes."""


def bound_entry(plan: Plan, name: str, arguments: Mapping[str, Any], pool: Sequence[str]) -> Entry:
    """An entry for a recipe of the plan; raises `ArgumentProblem`.

    Values are those of Python; models and contracts go by their names. A parameter that is neither given nor has a
    default takes models from the `pool`: a list takes all of them, a single one the strongest where the recipe takes a
    list as well (a judge, a writer), and the first where it does not.
    """
    recipe = find(plan.recipes, name, "recipe", also=plan.entries)
    known = {parameter.name: parameter for parameter in recipe.parameters}
    for given in arguments:
        if given not in known:
            raise ArgumentProblem(f"`{recipe.name}` has no parameter `{given}`{_hint(given, known)}")
    pool = [find(plan.models, model, "model").name for model in pool]
    filled = [_filled(plan, recipe, parameter, arguments, pool) for parameter in recipe.parameters]
    entry = Entry(recipe.name, recipe.name, tuple(filled), doc=recipe.doc)
    from recipelang.validation.bounds import Prover  # deferred: start-up cost

    _keep_promises(plan, entry)
    _are_able(plan, entry)
    return replace(entry, certificate=Prover(plan).exposed(entry))


def _keep_promises(plan: Plan, entry: Entry) -> None:
    """What is bound keeps the plan's promises about data, as what is exposed does."""
    if not plan.boundaries:
        return
    from recipelang.validation.boundaries import leaks  # deferred: start-up cost

    for leak in leaks(plan, entry):
        raise ArgumentProblem(
            f"with these models `{leak.model}` could see a request that the boundary `{leak.boundary}` keeps from it,"
            f" by way of {leak.paths[0]}"
        )


def _are_able(plan: Plan, entry: Entry) -> None:
    """The models of what is bound can do what it asks of them, as far as they are declared."""
    from recipelang.validation.capabilities import lacks  # deferred: start-up cost

    for lack in lacks(plan, entry):
        raise ArgumentProblem(f"{lack.message}, by way of {lack.paths[0]}; {lack.help}")


def find(declared: Mapping[str, Any], name: str, kind: str, *, also: Iterable[str] = ()) -> Any:
    """The declaration (Any: of that kind) of a name, with or without that of its module before it.

    Raises `ArgumentProblem`, which suggests a name that is near; `also` are names that may have been meant as well.
    """
    if name in declared:
        return declared[name]
    ends = [qualified for qualified in declared if qualified.endswith(f".{name}")]
    if len(ends) == 1:
        return declared[ends[0]]
    if ends:
        raise ArgumentProblem(f"`{name}` may be {_listed(ends)}: say which")
    raise ArgumentProblem(f"there is no {kind} `{name}`{_hint(name, [*also, *declared])}")


def _filled(
    plan: Plan, recipe: Recipe, parameter: Parameter, arguments: Mapping[str, Any], pool: Sequence[str]
) -> CallArgument:
    if parameter.name in arguments:
        what = f"`{parameter.name}` of `{recipe.name}`"
        return CallArgument(parameter.name, _expression(plan, arguments[parameter.name], parameter.type, what))
    if parameter.default is not None:
        return CallArgument(parameter.name, parameter.default)
    return CallArgument(parameter.name, _from_pool(plan, recipe, parameter, pool))


def _from_pool(plan: Plan, recipe: Recipe, parameter: Parameter, pool: Sequence[str]) -> Expression:
    missing = f"`{recipe.name}` needs `{parameter.name}`, which takes {spelled(parameter.type)}"
    match parameter.type:
        case ListType(ModelType(), low, high):
            chosen = list(pool) if high is None else list(pool)[:high]
            if len(chosen) < max(1, low):
                raise ArgumentProblem(f"{missing}; there are {len(pool)} models to choose from")
            return ListExpression(tuple(ModelReference(model) for model in chosen))
        case ModelType() if pool:
            lists = any(isinstance(other.type, ListType) for other in recipe.parameters)
            return ModelReference(max(pool, key=lambda model: _rating(plan, model)) if lists else pool[0])
        case OptionalType():
            return Constant(None)
        case _:
            raise ArgumentProblem(missing)


def _rating(plan: Plan, model: str) -> float:
    rating = plan.models[model].rating
    return float("-inf") if rating is None else rating


def _expression(plan: Plan, value: Any, type: Type, what: str) -> Expression:
    """A value of Python as a node of the plan; raises `ArgumentProblem` where the type does not allow it."""
    match type:
        case OptionalType(item):
            return Constant(None) if value is None else _expression(plan, value, item, what)
        case ModelType() if isinstance(value, str):
            return ModelReference(find(plan.models, value, "model").name)
        case ContractType(repair) if isinstance(value, str):
            contract = find(plan.contracts, value, "contract")
            if contract.repair > repair:
                raise ArgumentProblem(f"{what} takes {spelled(type)}, and `{value}` asks for {contract.repair} repairs")
            return ContractReference(contract.name)
        case ListType(item, low, high) if isinstance(value, (list, tuple)):
            if len(value) < low or (high is not None and len(value) > high):
                raise ArgumentProblem(f"{what} takes {spelled(type)}, and {len(value)} were given")
            return ListExpression(tuple(_expression(plan, one, item, what) for one in value))
        case RecordType(fields=fields) if isinstance(value, Mapping):
            if value.keys() != {field.name for field in fields}:
                raise ArgumentProblem(f"{what} takes a record of {_listed([field.name for field in fields])}")
            return RecordExpression(
                tuple(
                    FieldExpression(field.name, _expression(plan, value[field.name], field.type, what))
                    for field in fields
                )
            )
        case _ if _fits(value, type):
            return Constant(value)
        case _:
            raise ArgumentProblem(f"{what} takes {spelled(type)}, not {value!r:.80}")


def _fits(value: Any, type: Type) -> bool:
    """Whether a plain value is one of the type."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    match type:
        case TextType():
            return isinstance(value, str)
        case EnumType(cases):
            return value in cases
        case BoolType():
            return isinstance(value, bool)
        case IntType(low, high):
            whole = number and isinstance(value, int)
            return whole and (low is None or low <= value) and (high is None or value <= high)
        case ScoreType():
            return number and 0 <= value <= 1
        case FloatType():
            return number
        case DurationType() | MoneyType():
            return number and value >= 0
        case _:
            return False


def _hint(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known) or nearest(name, [qualified.rpartition(".")[2] for qualified in known])
    if near is not None:
        return f": did you mean `{near}`?"
    names = _listed(list(known))
    return f"; there are {names}" if names else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
