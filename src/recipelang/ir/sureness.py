"""Which calls are asked how sure their models were: how an answer gets from its call to where its confidence is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from recipelang.ir.expressions import (
    ApplyExpression,
    ComprehensionExpression,
    Expression,
    LambdaExpression,
    MemberExpression,
    children,
    free_variables,
)
from recipelang.ir.plan import Cascade, Fanout, Let, Perform, Recipe, RecipeCall, Repeat, Return, Role, RoleCall, Step
from recipelang.ir.reading import calls_of, expressions_of
from recipelang.ir.template import Section, Slot, Template
from recipelang.quick import dataclass

Place = tuple[str, str]
"""A recipe, and a step or a parameter of it."""

Sources = Mapping[str, frozenset[str]]
"""For a name that a step binds, the names that its answers come from."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the confidence of an answer is read: in which recipe, of which names; `missing` stands in where there is none."""

    recipe: str
    names: frozenset[str]
    optional: bool  # whether what is read may be none, which the author must have thought of
    missing: Expression | None = None


def readings(recipes: Mapping[str, Recipe], roles: Mapping[str, Role]) -> Iterator[Reading]:
    """All places where the confidence of an answer is read, in prompts too."""
    for name, recipe in recipes.items():
        for step in recipe.steps:
            bound = _bound(step)
            for expression in expressions_of(step):
                yield from _readings(name, expression, bound)
            for call in calls_of(step):
                if isinstance(call, RoleCall) and call.role in roles:
                    shown = set(_shown(roles[call.role]))
                    for argument in call.arguments:
                        if argument.name in shown:
                            yield Reading(name, _names(argument.value, bound), optional=True)


def steps_asked(recipes: Mapping[str, Recipe], found: Iterable[Reading]) -> set[Place]:
    """The steps whose calls give the answers that are read, however they come to where that is."""
    waiting = [(reading.recipe, name) for reading in found for name in reading.names]
    asked: set[Place] = set()
    callers = _callers(recipes)
    while waiting:
        place = waiting.pop()
        if place not in asked and place[0] in recipes:
            asked.add(place)
            waiting += _before(place, recipes, callers)
    return asked


def _before(place: Place, recipes: Mapping[str, Recipe], callers: Mapping[Place, list[Place]]) -> Iterator[Place]:
    """Where the answers of a place come from."""
    name, wanted = place
    step = next((step for step in recipes[name].steps if step.name == wanted), None)
    if step is None:
        yield from callers.get(place, ())
        return
    bound = _bound(step)
    for expression in _giving(step):
        yield from ((name, source) for source in _names(expression, bound))
    for call in calls_of(step):
        if isinstance(call, RecipeCall):
            yield (call.recipe, "return")


def _giving(step: Step) -> Iterator[Expression]:
    """The expressions whose values the step may give as they are."""
    match step:
        case Let(value=value):
            yield value
        case Return(value=value):
            yield value
        case Repeat(start=start):
            yield start
        case _:
            pass
    if not isinstance(step, Let) and step.fallback is not None:
        yield step.fallback


def _callers(recipes: Mapping[str, Recipe]) -> dict[Place, list[Place]]:
    """For each parameter of a recipe, the names that the calls of it take its values from."""
    found: dict[Place, list[Place]] = {}
    for name, recipe in recipes.items():
        for step in recipe.steps:
            bound = _bound(step)
            for call in calls_of(step):
                if isinstance(call, RecipeCall):
                    for argument in call.arguments:
                        places = found.setdefault((call.recipe, argument.name), [])
                        places += [(name, source) for source in _names(argument.value, bound)]
    return found


def _bound(step: Step) -> Sources:
    """What the names that a step binds stand for."""
    own = frozenset((step.name,))
    match step:
        case Fanout(variable=variable, over=over) | Cascade(variable=variable, over=over):
            return {"it": own, "tried": own, variable: free_variables(over)}
        case Perform(variable=variable, plan=plan):
            return {variable: own | free_variables(plan)}
        case Repeat(variable=str(variable), over=over) if over is not None:
            return {variable: free_variables(over)}
        case _:
            return {}


def _readings(recipe: str, expression: Expression, bound: Sources) -> Iterator[Reading]:
    match expression:
        case ApplyExpression("confidence", arguments):
            given = {argument.name: argument.value for argument in arguments}
            yield Reading(recipe, _names(given["answer"], bound), optional=False, missing=given.get("missing"))
        case MemberExpression(target, "confidence"):
            yield Reading(recipe, _names(target, bound), optional=True)
        case ComprehensionExpression(variable=variable, iterable=iterable):
            bound = {**bound, variable: _names(iterable, bound)}
        case ApplyExpression(arguments=arguments):
            subject = next((a.value for a in arguments if not isinstance(a.value, LambdaExpression)), None)
            if subject is not None and any(isinstance(a.value, LambdaExpression) for a in arguments):
                bound = {**bound, "it": _names(subject, bound)}
        case _:
            pass
    for child in children(expression):
        yield from _readings(recipe, child, bound)


def _names(expression: Expression, bound: Sources) -> frozenset[str]:
    """The steps and parameters that a value may come from."""
    found = (bound.get(name, frozenset((name,))) for name in free_variables(expression))
    return frozenset().union(*found)


def _shown(role: Role) -> Iterator[str]:
    """The parameters of a role whose confidence its templates show."""
    for template in (role.system, role.prompt):
        yield from _in_template(template or ())


def _in_template(template: Template) -> Iterator[str]:
    for part in template:
        if isinstance(part, Slot | Section) and part.path[1:2] == ("confidence",):
            yield part.path[0]
        if isinstance(part, Section):
            yield from _in_template(part.then)
            yield from _in_template(part.otherwise)
