"""Recipes: their steps, what each may say, and the graph that their names make."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Literal, cast

from recipelang.diagnostics import Edit, Fix, Label, Report
from recipelang.diagnostics.catalogue import bounds, calls, names, types, warnings
from recipelang.diagnostics.suggesting import nearest
from recipelang.ir import plan as ir
from recipelang.ir.expressions import Expression, FailExpression
from recipelang.ir.types import (
    AnswerType,
    ContractType,
    FloatType,
    IntType,
    ListType,
    ModelType,
    NeverType,
    OptionalType,
    PlanType,
    TaskType,
    Type,
    spelled,
)
from recipelang.semantics.attributes import Attributes, read_attributes
from recipelang.semantics.contracts import MAX_REPAIRS
from recipelang.semantics.declarations import MAX_TEMPERATURE, Declarer
from recipelang.semantics.expressions import Elaborator, listed
from recipelang.semantics.narrowing import facts_if_false, facts_if_true
from recipelang.semantics.reserved import CALL_SETTINGS, RESERVED, reserved
from recipelang.semantics.scope import Local, Scope, Symbol, look_up
from recipelang.semantics.typed import ERRONEOUS, Typed
from recipelang.semantics.typing import join
from recipelang.source import Span
from recipelang.syntax import nodes

MAX_RETRIES = 5
MAX_ITEMS = 10_000
"""Branches or rounds that one step may have at most."""

BUDGET = ("calls", "tokens", "cost", "time", "parallel", "request")
POLICIES: dict[type, tuple[str, tuple[str, ...]]] = {
    nodes.Ask: ("an `ask`", ("timeout", "retries", "fallback", "optional", "when")),
    nodes.Fanout: (
        "a `fanout`",
        ("samples", "spread", "parallel", "keep", "quorum", "grace", "until", "timeout", "on_error", "fallback"),
    ),
    nodes.Cascade: ("a `cascade`", ("accept", "on_error", "timeout", "fallback")),
    nodes.Repeat: ("a `repeat`", ("start", "until", "timeout", "fallback")),
    nodes.Perform: ("a `perform`", ("parallel", "timeout", "on_error", "fallback")),
    nodes.Choose: ("a `choose`", ("timeout", "fallback")),
    nodes.HostCall: ("a `call`", ("timeout", "retries", "fallback", "optional", "when")),
    nodes.Run: ("a `run`", ("timeout", "fallback", "optional")),
    nodes.Return: ("a `return`", ("contract", "fallback")),
}
NamedStep = (
    nodes.Ask
    | nodes.Fanout
    | nodes.Cascade
    | nodes.Repeat
    | nodes.Perform
    | nodes.Choose
    | nodes.HostCall
    | nodes.Run
    | nodes.Let
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What can be called: a role or a recipe with its parameters and what it returns."""

    symbol: Symbol
    parameters: tuple[ir.Parameter, ...]
    returns: Type
    model: Expression | None  # the one that a role names itself
    planning: ir.Planning | None = None  # of a role that returns a plan

    @property
    def is_role(self) -> bool:
        return isinstance(self.symbol.node, nodes.Role)

    @property
    def step(self) -> str:
        """The step that calls it once."""
        return {"role": "ask", "recipe": "run", "extern": "call"}[self.symbol.kind]


WHAT_IT_IS = {
    "role": "a role is one call",
    "recipe": "a recipe is several calls",
    "extern": "an extern is a function of the host",
}
SignatureOf = Callable[[Symbol], Signature]


@dataclass(frozen=True, slots=True)
class RecipeChecker:
    """Checks one recipe. Steps are checked in the order of the data flow, whatever their order in the file."""

    node: nodes.Recipe
    declarer: Declarer
    signature_of: SignatureOf

    @property
    def report(self) -> Report:
        return self.declarer.report

    @property
    def elaborator(self) -> Elaborator:
        return self.declarer.elaborator

    # -------------------------------------------------------------- recipe

    def check(self) -> ir.Recipe:
        node = self.node
        locals_, parameters = self.declarer.parameters(node.parameters, "recipe")
        returns = self.declarer.returns(node.returns)
        budget = self.budget()
        steps = self._unique_steps(locals_)
        ordered = self._in_order(steps)
        known = {**{_name(step): Local(NeverType(), None, "step") for step in self.node.steps}, **locals_}
        scope = self.declarer.constants.seeing(known)  # which grows with each step that has been checked
        checked: dict[str, ir.Step] = {}
        for step in ordered:
            result = self._step(step, scope, returns)
            if isinstance(step, nodes.Return):
                checked["return"] = result
            else:
                checked[step.name.text] = result
                known[step.name.text] = Local(result.type, step.name.span, "step")
        self._check_use(ordered, locals_)
        in_file_order = [checked[_name(step)] for step in steps if _name(step) in checked]
        return ir.Recipe(
            name=self.declarer.constants.module.qualified(node.name.text),
            parameters=tuple(parameters),
            returns=returns,
            budget=budget,
            steps=tuple(in_file_order),
            doc=node.doc,
        )

    def budget(self) -> ir.Budget:
        block = self.node.budget
        given = read_attributes("a budget", block.attributes if block else (), BUDGET, self.report)
        return ir.Budget(
            calls=given.integer("calls", 1, 1_000_000),
            tokens=given.integer("tokens", 1, 1_000_000_000_000),
            cost=given.money("cost"),
            time=given.duration("time"),
            parallel=given.integer("parallel", 1, 100_000),
            request=given.integer("request", 1, 100_000_000) or ir.Budget().request,
        )

    def _unique_steps(self, parameters: dict[str, Local]) -> list[nodes.Step]:
        """The steps but those that take a name again; exactly one of them is a `return`."""
        taken: dict[str, tuple[str, nodes.Node]] = {p.name.text: ("parameter", p.name) for p in self.node.parameters}
        steps: list[nodes.Step] = []
        returns: list[nodes.Return] = []
        for step in self.node.steps:
            if isinstance(step, nodes.Return):
                returns.append(step)
                if len(returns) == 1:
                    steps.append(step)
                continue
            name = step.name
            if name.text in RESERVED:
                self.report(reserved(name, "a step"))
                continue
            if name.text in taken:
                what, first = taken[name.text]
                self.report(
                    names.DUPLICATE.at(
                        name.span,
                        f"`{name.text}` is in use here already",
                        labels=(Label(first.span, f"the {what} of that name"),),
                        help="a name means one thing in a recipe: call this one something else",
                    )
                )
                continue
            taken[name.text] = ("step", name)
            steps.append(step)
        self._check_returns(returns)
        return steps

    def _check_returns(self, returns: list[nodes.Return]) -> None:
        if not returns:
            self.report(
                names.NO_RETURN.at(
                    self.node.name.span,
                    f"the recipe `{self.node.name.text}` returns nothing",
                    help="end it with `return`, and the name of the step that has the answer",
                )
            )
        for again in returns[1:]:
            self.report(
                names.TWO_RETURNS.at(
                    again.span,
                    "a recipe has one `return`",
                    labels=(Label(returns[0].span, "the first is here"),),
                    help="choose between two answers with a `choose` step, or with `a if condition else b`",
                )
            )

    def _in_order(self, steps: list[nodes.Step]) -> list[nodes.Step]:
        """The steps so that each comes after those that it names; a circle is reported and left out."""
        by_name = {_name(step): step for step in steps}
        needs = {name: [n for n in _reads(step) if n in by_name and n != name] for name, step in by_name.items()}
        for name, step in by_name.items():
            if name in _reads(step) and not isinstance(step, (nodes.Repeat, nodes.Return)):
                self._circle((name, name), by_name)
                needs[name] = []
                by_name[name] = step
        done: dict[str, bool] = {}
        order: list[nodes.Step] = []
        for start in by_name:
            self._visit(start, needs, by_name, done, order)
        selves = {n for n, s in by_name.items() if n in _reads(s) and not isinstance(s, (nodes.Repeat, nodes.Return))}
        return [step for step in order if _name(step) not in selves]

    def _visit(
        self,
        start: str,
        needs: dict[str, list[str]],
        by_name: dict[str, nodes.Step],
        done: dict[str, bool],
        order: list[nodes.Step],
    ) -> None:
        """Depth first, with a stack of its own: a recipe may have thousands of steps in a row."""
        if start in done:
            return
        path: list[tuple[str, Iterator[str]]] = [(start, iter(needs[start]))]
        done[start] = False
        while path:
            name, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                done[name] = True
                order.append(by_name[name])
            elif following not in done:
                done[following] = False
                path.append((following, iter(needs[following])))
            elif not done[following]:
                on_path = [n for n, _ in path]
                self._circle((*on_path[on_path.index(following) :], following), by_name)

    def _circle(self, circle: tuple[str, ...], by_name: dict[str, nodes.Step]) -> None:
        first = by_name[circle[0]]
        place = first.span if isinstance(first, nodes.Return) else first.name.span
        others = [(by_name[one], following) for one, following in pairwise(circle[1:])]
        self.report(
            bounds.STEP_CIRCLE.at(
                place,
                "these steps wait for each other" if len(circle) > 2 else "this step waits for itself",
                label=f"waits for `{circle[1]}`",
                labels=tuple(
                    Label(step.name.span, f"waits for `{following}`")
                    for step, following in others
                    if not isinstance(step, nodes.Return)
                ),
                notes=(" → ".join(circle),),
                help="only `repeat` may read its own name, for the value of the round before",
            )
        )

    def _check_use(self, steps: list[nodes.Step], parameters: dict[str, Local]) -> None:
        readers: dict[str, list[str]] = {}
        for step in steps:
            for name in _reads(step):
                readers.setdefault(name, []).append(_name(step))
        for step in steps:
            if not isinstance(step, nodes.Return) and readers.get(step.name.text, []) in ([], [step.name.text]):
                self.report(
                    warnings.UNUSED.at(
                        step.name.span,
                        f"nothing reads the step `{step.name.text}`",
                        help="it is left out of the plan: return it, pass it on, or remove it",
                    )
                )
        for name, value in parameters.items():
            if name not in readers and value.span is not None:
                self.report(warnings.UNUSED.at(value.span, f"nothing reads the parameter `{name}`", help="remove it"))

    # --------------------------------------------------------------- steps

    def _step(self, step: nodes.Step, scope: Scope, returns: Type) -> ir.Step:
        match step:
            case nodes.Ask():
                return self._ask(step, scope)
            case nodes.Fanout():
                return self._fanout(step, scope)
            case nodes.Cascade():
                return self._cascade(step, scope)
            case nodes.Repeat():
                return self._repeat(step, scope)
            case nodes.Perform():
                return self._perform(step, scope)
            case nodes.Choose():
                return self._choose(step, scope)
            case nodes.HostCall():
                return self._host_call(step, scope)
            case nodes.Run():
                return self._run(step, scope)
            case nodes.Let():
                value = self.elaborator.typed(step.value, scope)
                return ir.Let(step.name.text, value.type, value.expression)
            case nodes.Return():
                return self._return(step, scope, returns)

    def _policy(self, step: nodes.Step) -> Attributes:
        owner, known = POLICIES[type(step)]
        block = cast(nodes.Block | None, getattr(step, "policy", None))
        return read_attributes(owner, block.attributes if block else (), known, self.report)

    def _ask(self, step: nodes.Ask, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        when, inner = self._when(policy, scope)
        call, type = self._call(step.call, inner, wants="role", step="ask")
        fallback, type = self._fallback(policy, scope, type)
        optional = self._is_optional(policy, fallback)
        return ir.Ask(
            name=step.name.text,
            type=_maybe(type) if optional or when is not None else type,
            call=cast(ir.Call, call),
            timeout=policy.duration("timeout"),
            retries=policy.integer("retries", 0, MAX_RETRIES) or 0,
            fallback=fallback,
            optional=optional,
            when=when,
        )

    def _when(self, policy: Attributes, scope: Scope) -> tuple[Expression | None, Scope]:
        node = policy.get("when")
        if node is None:
            return None, scope
        condition = self.elaborator.condition(node, scope, "`when`")
        return condition.expression, scope.with_narrowed(facts_if_true(node, self.elaborator.type_at(scope)))

    def _is_optional(self, policy: Attributes, fallback: Expression | None) -> bool:
        """Whether a failure gives none; a fallback says something else of it, so that there can't be both."""
        optional = policy.boolean("optional") is True
        if not optional or fallback is None:
            return optional
        self.report(
            calls.SETTING.at(
                policy.values["optional"].span,
                "`optional` and `fallback` exclude each other",
                labels=(Label(policy.values["fallback"].span, "this says what to do on a failure already"),),
                help="keep one: `fallback` gives another value, `optional` gives none",
            )
        )
        return False

    def _fanout(self, step: nodes.Fanout, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        over, inner = self._items(step.variable, step.iterable, scope)
        call, item = self._call(step.call, inner, wants="either", step="fanout")
        with_it = scope.with_locals(it=Local(item, None, "item at hand"))
        keep = self.elaborator.condition(policy.values["keep"], with_it, "`keep`") if policy.get("keep") else None
        samples = self._count(policy, "samples", scope)
        quorum = self._count(policy, "quorum", scope)
        parallel = self._count(policy, "parallel", scope)
        on_error = policy.choice("on_error", ("fail", "skip")) or "fail"
        branches = samples or Typed(over.expression, over.type, *_length(over.type))
        self._check_quorum(policy, quorum, branches, step)
        low = self._least(
            quorum, branches, loses=keep is not None or on_error == "skip", stops="until" in policy.values
        )
        type: Type = ListType(item, low, None if math.isinf(branches.high) else int(branches.high))
        fallback, type = self._fallback(policy, scope, type)
        if "grace" in policy.values and quorum is None:
            self.report(
                calls.SETTING.at(
                    policy.values["grace"].span,
                    "`grace` needs a `quorum`",
                    help="add `quorum = ...`: without one the step waits for all",
                )
            )
        if "spread" in policy.values and samples is None:
            self.report(
                calls.SETTING.at(
                    policy.values["spread"].span,
                    "`spread` needs `samples`",
                    help="add `samples = ...`: without it each item has one branch",
                )
            )
        return ir.Fanout(
            name=step.name.text,
            type=type,
            call=cast(ir.Call, call),
            variable=step.variable.text,
            over=over.expression,
            samples=_expression(samples),
            spread=cast(
                Literal["round_robin", "first", "equal"],
                policy.choice("spread", ("round_robin", "equal", "first")) or "round_robin",
            ),
            parallel=_expression(parallel),
            keep=_expression(keep),
            quorum=_expression(quorum),
            until=self._until(policy, scope, item, branches),
            grace=policy.duration("grace") or 0.0,
            timeout=policy.duration("timeout"),
            on_error=cast(Literal["fail", "skip"], on_error),
            fallback=fallback,
        )

    def _until(self, policy: Attributes, scope: Scope, item: Type, branches: Typed) -> Expression | None:
        """When no more answers are waited for, over those that are in: at least one."""
        if "until" not in policy.values:
            return None
        most = None if math.isinf(branches.high) else int(branches.high)
        tried = Local(ListType(item, 1, most), None, "those kept so far")
        return self.elaborator.condition(policy.values["until"], scope.with_locals(tried=tried), "`until`").expression

    def _check_quorum(self, policy: Attributes, quorum: Typed | None, branches: Typed, step: nodes.Fanout) -> None:
        if quorum is None:
            return
        node = policy.values["quorum"]
        never = quorum.low > branches.high
        unsure = quorum.low == quorum.high and quorum.low > branches.low and "fallback" not in policy.values
        if never or unsure:
            most, least = _shown(branches.high), _shown(branches.low)
            self.report(
                bounds.QUORUM.at(
                    node.span,
                    f"a quorum of {_shown(quorum.low)} {'can never' if never else 'can not always'} be reached",
                    label=f"there are at most {most} branches" if never else f"there may be as few as {least} branches",
                    labels=(
                        Label(
                            step.iterable.span,
                            "one for each of these" if "samples" not in policy.values else "spread over these",
                        ),
                    ),
                    help=f"ask for at most {most}, or give the list more items"
                    if never
                    else f"{'' if branches.low < 1 else f'ask for at most {least}, '}give the list a greater least length, or say what happens then with a `fallback`",
                )
            )

    def _least(self, quorum: Typed | None, branches: Typed, *, loses: bool, stops: bool) -> int:
        """The least number of items that a fan-out gives when it succeeds."""
        if quorum is not None:
            return max(1, int(quorum.low)) if not math.isinf(quorum.low) else 1
        if loses or stops:
            return 1
        return 0 if math.isinf(branches.low) else max(0, int(branches.low))

    def _count(self, policy: Attributes, name: str, scope: Scope) -> Typed | None:
        node = policy.get(name)
        if node is None:
            return None
        typed = self.elaborator.fitting(node, scope, IntType(), f"`{name}`")
        if isinstance(typed.type, NeverType):
            return Typed(typed.expression, IntType(1, 1), 1, 1)
        if typed.low < 1:
            self._too_few(node, f"`{name}`", typed)
        elif name == "samples" and typed.high > MAX_ITEMS:
            self._unbounded(node, f"`{name}`", typed.high)
        return replace(typed, low=max(typed.low, 1), high=max(typed.high, 1))

    def _too_few(self, node: nodes.Expression, name: str, count: Typed) -> None:
        never = count.high < 1
        least = "any number" if math.isinf(count.low) else _shown(count.low)
        self.report(
            types.OUT_OF_RANGE.at(
                node.span,
                f"{name} must be at least 1",
                label=f"it is {_shown(count.high)}" if count.low == count.high else f"it may be {least}",
                help="" if never else f"give it a bound, as in `int(1..8)`, or write `max(1, {node.span.text})`",
            )
        )

    def _unbounded(self, node: nodes.Expression, what: str, high: float) -> None:
        long = what == "the list"
        number = f"no greatest {'length' if long else 'value'}" if math.isinf(high) else f"up to {_shown(high)}"
        self.report(
            bounds.UNBOUNDED.at(
                node.span,
                f"{what} has no bound" if math.isinf(high) else f"{what} may be too large",
                label=f"{number}, at most {MAX_ITEMS} is allowed",
                help=f"give its type a bound, such as {'`model[1..8]`' if long else '`int(1..16)`'}, "
                f"or cut it: {f'`take({node.span.text}, 8)`' if long else f'`min({node.span.text}, 16)`'}",
            )
        )

    def _items(self, variable: nodes.Name, iterable: nodes.Expression, scope: Scope) -> tuple[Typed, Scope]:
        """The list that a step goes through, and the scope in which its variable is an item."""
        self.elaborator.new_name(variable, scope)
        over = self.elaborator.list_of(iterable, scope, "what a step goes through")
        if over is None:
            unknown = Typed(ERRONEOUS.expression, ListType(NeverType(), 1, 1))
            return unknown, scope.with_locals(**{variable.text: Local(NeverType(), variable.span, "loop variable")})
        found = cast(ListType, over.type)
        if found.high is None or found.high > MAX_ITEMS:
            self._unbounded(iterable, "the list", math.inf if found.high is None else found.high)
        return over, scope.with_locals(**{variable.text: Local(found.item, variable.span, "loop variable")})

    def _cascade(self, step: nodes.Cascade, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        over, inner = self._items(step.variable, step.iterable, scope)
        call, item = self._call(step.call, inner, wants="either", step="cascade")
        with_it = scope.with_locals(it=Local(item, None, "item at hand"))
        accept = (
            self.elaborator.condition(policy.values["accept"], with_it, "`accept`") if policy.get("accept") else None
        )
        tried = Local(ListType(item, 0, cast(ListType, over.type).high), None, "those that answered")
        fallback, type = self._fallback(policy, scope.with_locals(tried=tried), item)
        return ir.Cascade(
            name=step.name.text,
            type=type,
            call=cast(ir.Call, call),
            variable=step.variable.text,
            over=over.expression,
            accept=_expression(accept),
            on_error=cast(Literal["fail", "skip"], policy.choice("on_error", ("fail", "skip")) or "fail"),
            timeout=policy.duration("timeout"),
            fallback=fallback,
        )

    def _repeat(self, step: nodes.Repeat, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        over: Typed | None = None
        before = scope.without({step.name.text: "has no value before the first round"})
        inner = scope
        if step.variable is not None and step.iterable is not None:
            over, inner = self._items(step.variable, step.iterable, before)
        times = self._times(step, before)
        start = self._start(policy, step, before)
        gives = self._returns_of(step.call, scope)
        state = join(start.type, gives)
        if state is None:
            state = gives
            self.report(
                types.MISMATCH.at(
                    policy.values["start"].span,
                    "a round starts from what the one before gives",
                    label=f"this is `{spelled(start.type)}`",
                    labels=(Label(step.call.span, f"this gives `{spelled(gives)}`"),),
                )
            )
        name = step.name.text
        inside = inner.with_locals(**{name: Local(state, step.name.span, "step")})
        call, result = self._call(step.call, inside, wants="either", step="repeat")
        after = scope.with_locals(**{name: Local(result, step.name.span, "step")})
        until = self.elaborator.condition(policy.values["until"], after, "`until`") if policy.get("until") else None
        fallback, type = self._fallback(policy, inside, state)
        return ir.Repeat(
            name=name,
            type=type,
            call=cast(ir.Call, call),
            start=start.expression,
            variable=step.variable.text if step.variable is not None else None,
            over=_expression(over),
            times=_expression(times),
            until=_expression(until),
            timeout=policy.duration("timeout"),
            fallback=fallback,
        )

    def _times(self, step: nodes.Repeat, scope: Scope) -> Typed | None:
        if step.times is None:
            return None
        times = self.elaborator.fitting(step.times, scope, IntType(), "how often a step repeats")
        if isinstance(times.type, NeverType):
            return times
        if times.low < 1:
            self._too_few(step.times, "how often a step repeats", times)
        elif times.high > MAX_ITEMS:
            self._unbounded(step.times, "how often this repeats", times.high)
        return times

    def _start(self, policy: Attributes, step: nodes.Repeat, scope: Scope) -> Typed:
        node = policy.get("start")
        if node is None:
            self.report(
                names.MISSING_ATTRIBUTE.at(
                    step.name.span,
                    f"`repeat {step.name.text}` needs a `start`",
                    help="the value that the first round sees, such as `start = draft` or `start = []`",
                )
            )
            return ERRONEOUS
        return self.elaborator.typed(node, scope, self._returns_of(step.call, scope))

    def _returns_of(self, call: nodes.Call, scope: Scope) -> Type:
        """What a call gives, before its arguments have been looked at."""
        quiet = Elaborator(lambda _: None)
        symbol = quiet.symbol(call.callee, scope, "role or recipe")
        if symbol is None or not isinstance(symbol.node, (nodes.Role, nodes.Recipe)):
            return NeverType()
        return self.signature_of(symbol).returns

    def _perform(self, step: nodes.Perform, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        self.elaborator.new_name(step.variable, scope)
        plan = self.elaborator.fitting(step.plan, scope, PlanType(), "what a `perform` carries out")
        steps = plan.type.steps if isinstance(plan.type, PlanType) else 1
        if steps is None or steps > MAX_ITEMS:
            self._unbounded(step.plan, "the plan", math.inf if steps is None else steps)
        inner = scope.with_locals(**{step.variable.text: Local(TaskType(steps), step.variable.span, "loop variable")})
        call, item = self._call(step.call, inner, wants="either", step="perform")
        if not isinstance(item, (AnswerType, NeverType)):
            self.report(
                types.MISMATCH.at(step.call.span, "a task gives an answer", label=f"this gives `{spelled(item)}`")
            )
        parallel = self._count(policy, "parallel", scope)
        type: Type = ListType(AnswerType(), 1, steps)
        fallback, type = self._fallback(policy, scope, type)
        return ir.Perform(
            name=step.name.text,
            type=type,
            call=cast(ir.Call, call),
            variable=step.variable.text,
            plan=plan.expression,
            parallel=_expression(parallel),
            on_error=cast(Literal["fail", "skip"], policy.choice("on_error", ("fail", "skip")) or "fail"),
            timeout=policy.duration("timeout"),
            fallback=fallback,
        )

    def _host_call(self, step: nodes.HostCall, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        when, inner = self._when(policy, scope)
        signature = self._callee(step.call, scope, "extern", "call")
        name, type = "", cast(Type, NeverType())
        arguments: tuple[ir.CallArgument, ...] = ()
        if signature is not None:
            name, type = signature.symbol.qualified, signature.returns
            arguments = self._arguments(step.call, signature, self._given(step.call, signature), inner)
        fallback, type = self._fallback(policy, scope, type)
        optional = self._is_optional(policy, fallback)
        return ir.HostCall(
            name=step.name.text,
            type=_maybe(type) if optional or when is not None else type,
            extern=name,
            arguments=arguments,
            timeout=policy.duration("timeout"),
            retries=policy.integer("retries", 0, MAX_RETRIES) or 0,
            fallback=fallback,
            optional=optional,
            when=when,
        )

    def _choose(self, step: nodes.Choose, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        arms: list[ir.Arm] = []
        type: Type = NeverType()
        for number, arm in enumerate(step.arms):
            if any(earlier.condition is None for earlier in step.arms[:number]):
                self.report(
                    calls.ARMS.at(
                        arm.span,
                        "this arm can never be taken",
                        label="it stands after `otherwise`",
                        help="put `otherwise` last",
                    )
                )
            made, arm_type = self._arm(arm, scope)
            arms.append(made)
            if arm.condition is not None:  # the arms that follow are looked at only where it does not hold
                scope = scope.with_narrowed(facts_if_false(arm.condition, self.elaborator.type_at(scope)))
            joined = join(type, arm_type)
            if joined is None:
                self.report(
                    types.MISMATCH.at(
                        arm.call.span,
                        "the arms of a `choose` give one type",
                        label=f"this is `{spelled(arm_type)}`",
                        labels=(Label(step.arms[number - 1].call.span, f"`{spelled(type)}` so far"),),
                    )
                )
            type = joined or NeverType()
        if all(arm.condition is not None for arm in step.arms) and "fallback" not in policy.values:
            self.report(
                calls.ARMS.at(
                    step.name.span,
                    f"`choose {step.name.text}` may take no arm at all",
                    help='add `otherwise => ...`, which may be `fail("why")`, or a `fallback`',
                )
            )
        fallback, type = self._fallback(policy, scope, type)
        return ir.Choose(step.name.text, type, tuple(arms), policy.duration("timeout"), fallback)

    def _arm(self, arm: nodes.Arm, scope: Scope) -> tuple[ir.Arm, Type]:
        when = None
        if arm.condition is not None:
            when = self.elaborator.condition(arm.condition, scope, "`when`").expression
            scope = scope.with_narrowed(facts_if_true(arm.condition, self.elaborator.type_at(scope)))
        if arm.call.callee.text == "fail":
            failed = self.elaborator.fail(arm.call, scope.allowing_failure())
            expression = (
                failed.expression
                if isinstance(failed.expression, FailExpression)
                else FailExpression(failed.expression)
            )
            return ir.Arm(expression, when), NeverType()
        call, type = self._call(arm.call, scope, wants="either", step="choose")
        return ir.Arm(cast(ir.ArmCall, call), when), type

    def _run(self, step: nodes.Run, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        call, type = self._call(step.call, scope, wants="recipe", step="run")
        fallback, type = self._fallback(policy, scope, type)
        optional = self._is_optional(policy, fallback)
        return ir.Run(
            name=step.name.text,
            type=_maybe(type) if optional else type,
            call=cast(ir.RecipeCall, call),
            timeout=policy.duration("timeout"),
            fallback=fallback,
            optional=optional,
        )

    def _return(self, step: nodes.Return, scope: Scope, returns: Type) -> ir.Step:
        policy = self._policy(step)
        value = self.elaborator.fitting(step.value, scope, returns, f"what `{self.node.name.text}` returns")
        contract = None
        if policy.get("contract") is not None:
            contract = self.elaborator.fitting(
                policy.values["contract"], scope, ContractType(MAX_REPAIRS), "`contract`"
            )
            if not isinstance(returns, (AnswerType, NeverType)):
                self.report(
                    calls.SETTING.at(
                        policy.values["contract"].span,
                        "only an answer has a contract",
                        label=f"this returns `{spelled(returns)}`",
                    )
                )
        fallback, _ = self._fallback(policy, scope, returns)
        if fallback is not None and contract is None:
            self.report(
                calls.SETTING.at(
                    policy.values["fallback"].span,
                    "`fallback` of a `return` needs a `contract`",
                    label="without one nothing can fail here",
                )
            )
        return ir.Return(returns, value.expression, _expression(contract), fallback)

    def _fallback(self, policy: Attributes, scope: Scope, type: Type) -> tuple[Expression | None, Type]:
        """The fallback and the step's type with it: a fallback may be wider, as one that is optional."""
        node = policy.get("fallback")
        if node is None:
            return None, type
        typed = self.elaborator.typed(node, scope.allowing_failure(), type)
        joined = join(type, typed.type)
        if joined is None:
            self.report(
                types.MISMATCH.at(
                    node.span,
                    "a fallback gives what the step gives",
                    label=f"this is `{spelled(typed.type)}`, the step gives `{spelled(type)}`",
                )
            )
            return typed.expression, type
        return typed.expression, joined

    # --------------------------------------------------------------- calls

    def _call(self, node: nodes.Call, scope: Scope, *, wants: str, step: str) -> tuple[ir.Call | None, Type]:
        signature = self._callee(node, scope, wants, step)
        if signature is None:
            for argument in node.arguments:
                self.elaborator.typed(argument.value, scope)
            return None, NeverType()
        given = self._given(node, signature)
        arguments = self._arguments(node, signature, given, scope)
        if not signature.is_role:
            return ir.RecipeCall(signature.symbol.qualified, arguments), signature.returns
        return self._role_call(node, signature, given, arguments, scope), signature.returns

    def exposed(self, node: nodes.Call, scope: Scope) -> ir.Call | None:
        """The call behind an exposed name, whose arguments are constants."""
        call, _ = self._call(node, scope, wants="recipe", step="expose")
        return call

    def _callee(self, node: nodes.Call, scope: Scope, wants: str, step: str) -> Signature | None:
        if node.callee.text in scope.locals:
            self._called_a_value(node.callee, scope)
            return None
        what = "role or recipe" if wants == "either" else wants
        symbol = self.elaborator.symbol(node.callee, scope, what)
        if symbol is None:
            return None
        if not isinstance(symbol.node, (nodes.Role, nodes.Recipe, nodes.Extern)):
            self.report(
                calls.NOT_CALLABLE.at(
                    node.callee.span,
                    f"the {symbol.kind} `{node.callee.text}` can't be called",
                    label="a step calls a role or a recipe",
                    help=f"call a role, with `model = {node.callee.text}`" if symbol.kind == "model" else "",
                )
            )
            return None
        signature = self.signature_of(symbol)
        if symbol.kind != wants and not (wants == "either" and symbol.kind in ("role", "recipe")):
            self._wrong_step(node, step, signature)
            return None if symbol.kind == "extern" or wants == "extern" else signature
        return signature

    def _called_a_value(self, callee: nodes.Name, scope: Scope) -> None:
        found = look_up(scope.module, callee.text)
        hidden = bool(found) and isinstance(found[0].node, (nodes.Role, nodes.Recipe, nodes.Extern))
        taken = next((name for name in self._names() if name.text == callee.text), None)
        what = scope.locals[callee.text].what
        help = f"call a role, and give it this as its argument: `role(..., model = {callee.text})`"
        if hidden:
            help = f"a name means one thing in a recipe: call the {what} something else than the {found[0].kind}"
        self.report(
            calls.NOT_CALLABLE.at(
                callee.span,
                f"`{callee.text}` is a {what} here, not a role or a recipe",
                labels=(Label(taken.span, f"the {what} of that name"),) if taken is not None else (),
                help=help,
            )
        )

    def _names(self) -> list[nodes.Name]:
        """What the recipe itself gives a name to."""
        steps = [step.name for step in self.node.steps if not isinstance(step, nodes.Return)]
        return [*(parameter.name for parameter in self.node.parameters), *steps]

    def _wrong_step(self, node: nodes.Call, step: str, signature: Signature) -> None:
        kind = signature.symbol.kind
        self.report(
            calls.WRONG_STEP.at(
                node.callee.span,
                f"`{step}` does not take {kind}s",
                label=WHAT_IT_IS[kind],
                help=f"write `{signature.step}` instead of `{step}`",
            )
        )

    def _given(self, node: nodes.Call, signature: Signature) -> dict[str, nodes.Expression]:
        """The arguments by parameter or setting."""
        settings = CALL_SETTINGS if signature.is_role else ()
        order = [parameter.name for parameter in signature.parameters]
        given: dict[str, nodes.Expression] = {}
        named: nodes.Argument | None = None
        for position, argument in enumerate(node.arguments):
            if argument.name is None and named is not None:
                self.report(
                    calls.ARGUMENTS.at(
                        argument.span,
                        "an argument without a name stands before those with one",
                        labels=(Label(named.span, "this one has a name"),),
                        help="give it its name",
                    )
                )
                continue
            if argument.name is None and position >= len(order):
                self._one_too_many(argument, node, signature)
                continue
            name = order[position] if argument.name is None else argument.name.text
            named = argument if argument.name is not None else None
            if name not in order and name not in settings:
                self._unknown_argument(cast(nodes.Name, argument.name), [*order, *settings], signature)
            elif name in given:
                self._bad_argument(argument.span, f"`{name}` is given twice", signature)
            else:
                given[name] = argument.value
        return given

    def _one_too_many(self, argument: nodes.Argument, node: nodes.Call, signature: Signature) -> None:
        """Most likely it is the model, which has to be named."""
        has_model = any(other.name is not None and other.name.text == "model" for other in node.arguments)
        named = f"model = {argument.span.text}"
        if not signature.is_role or has_model or not isinstance(argument.value, nodes.Name):
            self._bad_argument(argument.span, "one argument too many", signature, "remove it")
            return
        fix = Fix(f"write `{named}`", (Edit(argument.span, named),))
        self._bad_argument(
            argument.span, "one argument too many", signature, f"if it is the model, write `{named}`", fix
        )

    def _unknown_argument(self, name: nodes.Name, known: list[str], signature: Signature) -> None:
        near = nearest(name.text, known)
        help = f"did you mean `{near}`?" if near else f"it takes {listed(known)}" if known else "it takes none"
        fix = Fix(f"use `{near}`", (Edit(name.span, near),)) if near else None
        self._bad_argument(
            name.span, f"`{signature.symbol.node.name.text}` has no parameter `{name.text}`", signature, help, fix
        )

    def _bad_argument(
        self, span: Span, message: str, signature: Signature, help: str = "", fix: Fix | None = None
    ) -> None:
        declared = signature.symbol.node.name.span
        self.report(
            calls.ARGUMENTS.at(
                span,
                message,
                labels=(Label(declared, f"`{_header(signature)}`"),),
                help=help,
                fix=fix,
            )
        )

    def _arguments(
        self, node: nodes.Call, signature: Signature, given: dict[str, nodes.Expression], scope: Scope
    ) -> tuple[ir.CallArgument, ...]:
        arguments: list[ir.CallArgument] = []
        missing: list[str] = []
        for parameter in signature.parameters:
            value = given.get(parameter.name)
            if value is not None:
                typed = self.elaborator.fitting(value, scope, parameter.type, f"the argument `{parameter.name}`")
                arguments.append(ir.CallArgument(parameter.name, typed.expression))
            elif parameter.default is not None:
                arguments.append(ir.CallArgument(parameter.name, parameter.default))
            else:
                missing.append(parameter.name)
        if missing and len(given) == len(node.arguments):  # else one of them has been reported already
            self.report(
                calls.ARGUMENTS.at(
                    node.span,
                    f"`{node.callee.text}` also needs {listed(missing)}",
                    labels=(Label(signature.symbol.node.name.span, f"`{_header(signature)}`"),),
                    help=f"add {', '.join(f'`{name} = ...`' for name in missing)}",
                )
            )
        return tuple(arguments)

    def _role_call(
        self,
        node: nodes.Call,
        signature: Signature,
        given: dict[str, nodes.Expression],
        arguments: tuple[ir.CallArgument, ...],
        scope: Scope,
    ) -> ir.RoleCall | None:
        fitting = self.elaborator.fitting
        model = fitting(given["model"], scope, ModelType(), "`model`") if "model" in given else None
        chosen = model.expression if model is not None else signature.model
        if chosen is None and len(given) < len(node.arguments):
            return None  # what it was meant to be has been reported
        if chosen is None:
            self.report(
                calls.NO_MODEL.at(
                    node.span,
                    f"which model plays `{node.callee.text}`?",
                    help=f"say it at the call, `{node.callee.text}(..., model = m)`, or in the role, `model = ...`",
                )
            )
            return None
        temperature = (
            fitting(given["temperature"], scope, FloatType(), "`temperature`") if "temperature" in given else None
        )
        if temperature is not None and (temperature.high < 0 or temperature.low > MAX_TEMPERATURE):
            self.report(
                types.OUT_OF_RANGE.at(
                    given["temperature"].span,
                    "`temperature` is out of range",
                    label=f"it goes from 0 to {MAX_TEMPERATURE}",
                )
            )
        tokens = (
            fitting(given["max_tokens"], scope, IntType(1, 1_000_000), "`max_tokens`")
            if "max_tokens" in given
            else None
        )
        contract = (
            fitting(given["contract"], scope, ContractType(MAX_REPAIRS), "`contract`") if "contract" in given else None
        )
        if contract is not None and not isinstance(signature.returns, AnswerType):
            self.report(
                calls.SETTING.at(
                    given["contract"].span,
                    "only an answer has a contract",
                    label=f"this role returns `{spelled(signature.returns)}`",
                )
            )
        return ir.RoleCall(
            role=signature.symbol.qualified,
            arguments=arguments,
            model=chosen,
            temperature=_expression(temperature),
            max_tokens=_expression(tokens),
            contract=_expression(contract),
        )


def _expression(typed: Typed | None) -> Expression | None:
    return None if typed is None else typed.expression


def _maybe(type: Type) -> Type:
    return type if isinstance(type, (OptionalType, NeverType)) else OptionalType(type)


def _length(type: Type) -> tuple[float, float]:
    if not isinstance(type, ListType):
        return 0, math.inf
    return type.low, math.inf if type.high is None else type.high


def _shown(number: float) -> str:
    return "any number of" if math.isinf(number) else f"{number:g}"


def _header(signature: Signature) -> str:
    inside = ", ".join(
        f"{p.name}: {spelled(p.type)}{' = ...' if p.default is not None else ''}" for p in signature.parameters
    )
    return f"{signature.symbol.node.name.text}({inside})"


def _name(step: nodes.Step) -> str:
    return "return" if isinstance(step, nodes.Return) else step.name.text


def _reads(node: object) -> set[str]:
    """Every name that occurs in a value position; those that are bound inside do no harm, as names are unique."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if isinstance(at, nodes.Name):
            found.add(at.text)
        elif isinstance(at, tuple):
            waiting += at
        elif isinstance(at, nodes.Attribute) and at.name.text in _WORDS:
            continue
        elif isinstance(at, nodes.Node):
            waiting += [getattr(at, field.name) for field in fields(at) if field.name not in _NOT_READ]
    return found


_WORDS = frozenset(("on_error", "spread"))
"""The policies whose values are bare words of the language."""
_NOT_READ = frozenset(("name", "callee", "variable", "span"))
"""The fields of nodes that hold names which introduce something, or name a declaration or a member."""
