"""Which way a request goes, and why: signals, guards and arms looked at as a run would, with no model called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from recipelang.drawing.spelling import spelled
from recipelang.hosts.reaching import part_of
from recipelang.ir.certificate import Bound
from recipelang.ir.expressions import (
    BinaryExpression,
    Constant,
    Expression,
    FailExpression,
    SignalReference,
    UnaryExpression,
    free_variables,
)
from recipelang.ir.plan import ESTIMATES, Arm, Choose, Entry, Let, Plan, RecipeCall, RoleCall, Run
from recipelang.ir.reading import names_in, names_read, weighs
from recipelang.quick import dataclass, field, replace
from recipelang.runtime.boundaries import prepare_boundaries, withheld
from recipelang.runtime.expressions import StepFailed, compile_expression
from recipelang.runtime.prospects import Bounds, bound_of_arm, bounds_of_arms, prospect, rank
from recipelang.runtime.readings import Readings, Why
from recipelang.runtime.values import Json, Prospect, Request, Value, to_json

LONGEST = 200
"""Characters of a condition that are told."""
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in", "not in")


@dataclass(frozen=True, slots=True)
class SignalRead:
    """A signal with its value, the words that caused it, the signals that it was computed from, and what looked at the
    words where that may differ by machine."""

    name: str
    value: Json
    words: tuple[str, ...]
    reads: tuple[str, ...]
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A condition, or a part of one: as it is written, what it comes to, and what it is made of."""

    text: str
    value: Json
    parts: tuple[Part, ...] = ()

    @property
    def is_comparison(self) -> bool:
        return any(not isinstance(part.value, bool) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is expected of an arm, and where that comes from: what its recipe says, or what the certificate proves."""

    name: str
    value: Json  # none: unknown
    said: str | None  # as it is written; none: it comes from the certificate


@dataclass(frozen=True, slots=True)
class ArmSeen:
    """An arm of a `choose`: whether it is taken and, where it was asked, what its condition comes to."""

    number: int  # from 1
    calls: str
    taken: bool
    condition: Part | None = None  # none: `otherwise`, or one that was not asked
    why_not: str = ""
    expected: tuple[Estimate, ...] = ()  # where the choice asks what is expected of its arms
    by: Json = None  # what it is compared by, where it applies


@dataclass(frozen=True, slots=True)
class Choice:
    """A `choose` on the way of a request."""

    step: str
    recipe: str
    arms: tuple[ArmSeen, ...]
    by: str | None = None  # what arms are compared by, as it is written; none: the first that applies is taken

    @property
    def taken(self) -> ArmSeen | None:
        return next((arm for arm in self.arms if arm.taken), None)


@dataclass(frozen=True, slots=True)
class BoundarySeen:
    """A boundary: whether it holds for a request, and which models and functions may then see nothing of it."""

    name: str
    holds: bool
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a request through an entry, as far as it does not hang on what models say."""

    entry: str
    recipe: str
    signals: tuple[SignalRead, ...]
    choices: tuple[Choice, ...]
    boundaries: tuple[BoundarySeen, ...] = ()


def route(plan: Plan, entry: Entry, request: Request) -> Route:
    """Which arms a request takes, and why; raises nothing but `ValueError`, for a plan that can't run."""
    own = part_of(plan, entry)
    why: dict[str, Why] = {}
    readings = Readings(lambda name, value, find: why.__setitem__(name, find()))
    request = replace(request, readings=readings)
    walk = _Walk(own, request)
    walk.enter(entry.recipe, entry, {"request": request}, "")
    values = {name: walk.value(SignalReference(name), {"request": request}) for name in own.signals}
    signals = tuple(
        SignalRead(
            name,
            to_json(values[name]),
            why.get(name, Why()).words,
            tuple(each for each in dict.fromkeys(names_in(signal.value)) if each in own.signals),
            why.get(name, Why()).by,
        )
        for name, signal in own.signals.items()
    )
    return Route(entry.name, entry.recipe, signals, tuple(walk.choices), tuple(_boundaries(own, request)))


def _boundaries(plan: Plan, request: Request) -> Iterator[BoundarySeen]:
    for boundary in prepare_boundaries(plan):
        kept = tuple(withheld((boundary,), plan, (request,)))
        yield BoundarySeen(boundary.name, boundary.holds(request), kept)


def called(plan: Plan, entry: Entry) -> str:
    """What an entry calls with its arguments, as an arm that calls the same is told."""
    walk = _Walk(plan, Request(()))
    call = RecipeCall(entry.recipe, entry.arguments)
    return walk.calling(call, {})


@dataclass
class _Walk:
    plan: Plan
    request: Request
    choices: list[Choice] = field(default_factory=list)

    def value(self, expression: Expression, known: dict[str, Value]) -> Value:
        return compile_expression(expression, self.plan)(known)

    def enter(self, name: str, call: Entry | RecipeCall, around: dict[str, Value], path: str) -> None:
        """A recipe that is called: its arguments, then its steps that need no model."""
        recipe = self.plan.recipes[name]
        bounds = bounds_of_arms(call.certificate if isinstance(call, Entry) else recipe.certificate)
        given = {argument.name: argument.value for argument in call.arguments}
        known: dict[str, Value] = {"request": self.request}
        for parameter in recipe.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is not None and free_variables(value) <= around.keys():
                self._keep(known, parameter.name, value, around)
        waiting = [step for step in recipe.steps if isinstance(step, (Let, Choose, Run))]
        while ready := [
            step for step in waiting if names_read(step) <= known.keys() or isinstance(step, (Choose, Run))
        ]:
            lets = [step for step in ready if isinstance(step, Let)]
            for step in lets or ready[:1]:
                waiting.remove(step)
                match step:
                    case Let():
                        self._keep(known, step.name, step.value, known)
                    case Choose():
                        self._choose(step, name, known, path, bounds)
                    case Run(call=call_of_step):
                        self._follow(call_of_step, known, f"{path}{step.name}.")

    def _keep(self, known: dict[str, Value], name: str, value: Expression, around: dict[str, Value]) -> None:
        try:
            known[name] = self.value(value, around)
        except StepFailed:
            return

    def _choose(
        self, step: Choose, recipe: str, known: dict[str, Value], path: str, bounds: Bounds | None = None
    ) -> None:
        arms: list[ArmSeen] = []
        before: str | None = None
        for number, arm in enumerate(step.arms, 1):
            expected = self._expected(arm, known, bound_of_arm(bounds, step.name, number - 1)) if weighs(step) else None
            inside = known if expected is None else {**known, "it": expected}
            seen = self._arm(number, arm, inside, before)
            if expected is not None:
                seen = replace(seen, expected=tuple(self._estimates(arm, expected)))
            if step.by is not None and seen.taken:
                seen = self._weighed(step.by, arm, seen, inside)
            if step.by is None and before is None:
                before = BEFORE if seen.taken else MAY_BE_BEFORE if seen.why_not == HANGS else None
            arms.append(seen)
        if step.by is not None:
            arms = _best(arms, step.arms)
        by = None if step.by is None else spelled(step.by, LONGEST)
        self.choices.append(Choice(f"{path}{step.name}", recipe, tuple(arms), by))
        taken = next((arm for arm, seen in zip(step.arms, arms, strict=True) if seen.taken), None)
        if taken is not None:
            self._follow(taken.call, known, f"{path}{step.name}.")

    def _arm(self, number: int, arm: Arm, known: dict[str, Value], before: str | None) -> ArmSeen:
        calls = self.calling(arm.call, known)
        if before is not None:
            return ArmSeen(number, calls, False, why_not=before)
        if arm.when is None:
            return ArmSeen(number, calls, True)
        if not free_variables(arm.when) <= known.keys():
            return ArmSeen(number, calls, False, why_not=HANGS)
        condition = self._part(arm.when, known)
        return ArmSeen(number, calls, condition.value is True, condition)

    def _expected(self, arm: Arm, known: dict[str, Value], bound: Bound) -> Prospect | None:
        """What is expected of an arm; none where that hangs on what models say."""
        written = {name: value for name in ESTIMATES if (value := getattr(arm, name)) is not None}
        if not all(free_variables(value) <= known.keys() for value in written.values()):
            return None
        said = {name: partial(self.value, value, known) for name, value in written.items()}
        return prospect(said, bound, self.request)

    def _estimates(self, arm: Arm, expected: Prospect) -> Iterator[Estimate]:
        """What is expected, with where it comes from; nothing of what has no meaning because the arm does not apply."""
        for name in ESTIMATES:
            said = getattr(arm, name)
            try:
                yield Estimate(name, expected.read(name), None if said is None else _written(said))
            except StepFailed:
                continue

    def _weighed(self, by: Expression, arm: Arm, seen: ArmSeen, known: dict[str, Value]) -> ArmSeen:
        if isinstance(arm.call, FailExpression):
            return seen
        if not free_variables(by) <= known.keys():
            return replace(seen, taken=False, why_not=HANGS)
        return replace(seen, by=to_json(self.value(by, known)))

    def _follow(self, call: object, known: dict[str, Value], path: str) -> None:
        if isinstance(call, RecipeCall):
            self.enter(call.recipe, call, known, path)

    def calling(self, call: RecipeCall | RoleCall | FailExpression, known: dict[str, Value]) -> str:
        """A call with what it is given, where that is known already."""
        match call:
            case FailExpression(message):
                return f"fail({spelled(message, LONGEST)})"
            case RecipeCall(recipe=name):
                return self._spelled(name, call, known)
            case RoleCall(role=name, model=model):
                return f"{self._spelled(name, call, known)} on {self._told(model, known)}"

    def _spelled(self, name: str, call: RecipeCall | RoleCall, known: dict[str, Value]) -> str:
        given = (f"{each.name} = {self._told(each.value, known)}" for each in call.arguments)
        return f"{name}({', '.join(given)})"

    def _told(self, value: Expression, known: dict[str, Value]) -> str:
        if free_variables(value) <= known.keys() and not isinstance(value, Constant):
            try:
                return told(to_json(self.value(value, known)))
            except StepFailed:
                pass
        return spelled(value)

    def _part(self, expression: Expression, known: dict[str, Value]) -> Part:
        try:
            value = to_json(self.value(expression, known))
        except StepFailed as failed:
            value = f"no value: {failed}"
        match expression:
            case BinaryExpression("and" | "or", left, right):
                inside: tuple[Expression, ...] = (left, right)
            case BinaryExpression(operator, left, right) if operator in COMPARISONS:
                inside = tuple(side for side in (left, right) if not isinstance(side, Constant))
            case UnaryExpression("not", operand):
                inside = (operand,)
            case _:
                inside = ()
        return Part(spelled(expression, LONGEST), value, tuple(self._part(each, known) for each in inside))


def _best(arms: list[ArmSeen], calls: Sequence[Arm]) -> list[ArmSeen]:
    """Of the arms that apply only the best is taken; none where one of them hangs on what models say."""
    if any(seen.why_not == HANGS for seen in arms):
        return [replace(seen, taken=False, why_not=seen.why_not or WEIGHED) for seen in arms]
    applying = [seen for seen in arms if seen.taken]
    best = max(
        applying,
        key=lambda seen: (not isinstance(calls[seen.number - 1].call, FailExpression), rank(seen.by), -seen.number),
        default=None,
    )
    return [
        replace(seen, taken=False, why_not=f"arm {best.number} is better")
        if best and seen.taken and seen is not best
        else seen
        for seen in arms
    ]


def _written(value: Expression) -> str:
    return "as said" if isinstance(value, Constant) else spelled(value, LONGEST)


WEIGHED = "what it is compared with hangs on what models say"
HANGS = "it hangs on what models say"
BEFORE = "not asked: an earlier arm is taken"
MAY_BE_BEFORE = "not asked: an earlier arm hangs on what models say"


def told(value: Json) -> str:
    """A value as text: numbers short, lists in brackets."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.3g}"
        case list():
            return f"[{', '.join(map(told, value))}]"
        case _:
            return str(value)


__all__ = ["ArmSeen", "BoundarySeen", "Choice", "Estimate", "Part", "Route", "SignalRead", "called", "route", "told"]
