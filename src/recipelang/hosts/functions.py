"""Functions that a host lends to its recipes: found by their names, and held to what the recipes declare before a run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from recipelang.diagnostics.suggesting import nearest
from recipelang.ir.plan import Extern, Plan
from recipelang.ir.types import (
    AnswerType,
    BoolType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    ModelType,
    OptionalType,
    RecordType,
    ScoreType,
    TextType,
    Type,
    spelled,
)
from recipelang.runtime.ports import HostFunction

Annotation = Any  # Any: what may stand in a signature of Python
builtin_type = type


class FunctionProblem(ValueError):
    """A function is missing, or is not what a recipe declares; the message names it and says what would be right."""


def functions_for(plan: Plan, given: Mapping[str, HostFunction]) -> dict[str, HostFunction]:
    """The functions that a plan calls, by its names for them; raises `FunctionProblem`.

    They are given by these names, or without that of their module: `generate_and_test.run_tests` may be given as
    `run_tests`. Functions that the plan does not call are nobody's mistake: a host may have one registry for all.
    """
    return {name: _function(extern, given) for name, extern in plan.externs.items()}


def _function(extern: Extern, given: Mapping[str, HostFunction]) -> HostFunction:
    bare = extern.name.rpartition(".")[2]
    for name in (extern.name, bare):
        if name in given:
            problem = next(_problems(given[name], extern), None)
            if problem is not None:
                raise FunctionProblem(f"the function that was given for `{name}` is not what it declares: {problem}")
            return given[name]
    near = nearest(bare, given)
    hint = f"; there is one for `{near}`" if near is not None else f": `{_declared(extern)}` needs one"
    raise FunctionProblem(f"no function was given for `{bare}`{hint}")


def _declared(extern: Extern) -> str:
    bare = extern.name.rpartition(".")[2]
    return f"extern {bare}({', '.join(f'{p.name}: {spelled(p.type)}' for p in extern.parameters)})"


def _problems(function: object, extern: Extern) -> Iterator[str]:
    """What is wrong with a function, as far as its signature tells."""
    if not callable(function):
        yield f"it is {function!r:.80}, and no function"
        return
    if not _is_async(function):
        yield "it is no coroutine function; write it with `async def`"
        return
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # nobody can tell
    yield from _wrong_parameters(signature, extern)
    hints = _hints(function)
    for parameter in extern.parameters:
        hint = hints.get(parameter.name, Any)
        if parameter.name in signature.parameters and not _takes(hint, parameter.type):
            yield f"its parameter `{parameter.name}` takes {_python(hint)}, and gets `{spelled(parameter.type)}`"
    returns = hints.get("return", Any)
    if not _gives(returns, extern.returns):
        yield f"it gives {_python(returns)}, and `{spelled(extern.returns)}` is promised"


def _is_async(function: Callable[..., object]) -> bool:
    """Whether a call gives something to wait for, as far as can be told: decorated functions go by what they wrap."""
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    if not (inspect.isroutine(function) or inspect.isclass(function)):
        function = type(function).__call__
    return inspect.iscoroutinefunction(function)


def _wrong_parameters(signature: inspect.Signature, extern: Extern) -> Iterator[str]:
    declared = {parameter.name for parameter in extern.parameters}
    by_name = {
        name: parameter
        for name, parameter in signature.parameters.items()
        if parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
    for parameter in extern.parameters:
        name = parameter.name
        if name not in by_name and not takes_any:
            near = nearest(name, by_name)
            yield f"it has no parameter `{name}`" + (f", but `{near}`" if near is not None else "")
    for name, other in signature.parameters.items():
        is_variable = other.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        is_given = name in declared and name in by_name
        if other.default is inspect.Parameter.empty and not is_variable and not is_given:
            yield f"it also needs `{name}`, which `{_declared(extern)}` does not have"


def _hints(function: Callable[..., object]) -> Mapping[str, Annotation]:
    """The annotations of a function; none where they can't be read."""
    while isinstance(function, partial):
        function = function.func
    try:
        return get_type_hints(function if inspect.isroutine(function) else type(function).__call__)
    except Exception:  # noqa: BLE001 - names that only a type checker knows
        return {}


# ------------------------------------------------------------- annotations


def _takes(hint: Annotation, type: Type) -> bool:
    """Whether a parameter with this annotation may be given a value of the type; what is not understood may."""
    match type:
        case OptionalType(item):
            return _any_of(hint, lambda one: one is NoneType) and _takes(hint, item)
        case IntType():
            return _any_of(hint, lambda one: one in (int, float))
        case FloatType() | ScoreType():
            return _any_of(hint, lambda one: one is float)
        case EnumType(cases):
            return _any_of(hint, lambda one: one is str or set(cases) <= _literals(one))
        case _:
            return _any_of(hint, lambda one: _is_like(one, type, _takes))


def _gives(hint: Annotation, type: Type) -> bool:
    """Whether what a function with this annotation gives may be a value of the type."""
    match type:
        case OptionalType(item):
            return hint is NoneType or _gives(hint, item)
        case IntType() | FloatType() | ScoreType():
            return _any_of(hint, lambda one: one in (int, float))
        case EnumType(cases):
            return _any_of(hint, lambda one: one is str or bool(set(cases) & _literals(one)))
        case _:
            return _any_of(hint, lambda one: _is_like(one, type, _gives))


def _is_like(hint: Annotation, type: Type, fits: Callable[[Annotation, Type], bool]) -> bool:
    match type:
        case TextType() | AnswerType() | ModelType():
            return hint is str or (fits is _gives and bool(_literals(hint)))
        case BoolType():
            return hint is bool
        case ListType(item):
            inside, origin = get_args(hint), _origin(hint) or hint
            sequence = tuple if fits is _gives and origin is tuple else list  # which both may be given back
            is_sequence = isinstance(origin, builtin_type) and issubclass(sequence, origin)
            return is_sequence and (not inside or fits(inside[0], item))
        case RecordType(fields=wanted):
            found = _fields(hint) if fits is _gives or is_typeddict(hint) else None
            if found is None:
                return _is_mapping(hint)
            return found.keys() == {f.name for f in wanted} and all(fits(found[f.name], f.type) for f in wanted)
        case _:
            return True


def _any_of(hint: Annotation, fits: Callable[[Annotation], bool]) -> bool:
    """Whether one of the types that an annotation joins fits; those that say nothing do."""
    if _origin(hint) in (Union, UnionType):
        return any(_any_of(one, fits) for one in get_args(hint))
    says_something = _origin(hint) is not None or isinstance(hint, builtin_type)
    return hint in (Any, object) or not says_something or fits(hint)


def _origin(hint: object) -> Annotation:
    return get_origin(hint)


def _literals(hint: Annotation) -> set[str]:
    return {one for one in get_args(hint) if isinstance(one, str)} if _origin(hint) is Literal else set()


def _fields(hint: Annotation) -> Mapping[str, Annotation] | None:
    """The fields of a typed dict or a dataclass; none for anything else."""
    if not is_typeddict(hint) and not (isinstance(hint, builtin_type) and is_dataclass(hint)):
        return None
    hints = get_type_hints(hint)
    return hints if is_typeddict(hint) else {field.name: hints[field.name] for field in fields(hint)}


def _is_mapping(hint: Annotation) -> bool:
    origin = _origin(hint) or hint
    return isinstance(origin, builtin_type) and issubclass(dict, origin)


def _python(hint: Annotation) -> str:
    return f"`{hint.__name__}`" if isinstance(hint, builtin_type) and not get_args(hint) else f"`{hint}`"
