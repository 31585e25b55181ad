"""Recipes: their steps, and what each may say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, cast

from recipelang.diagnostics import Label, Report
from recipelang.diagnostics.catalogue import bounds, calls, names, types
from recipelang.ir import plan as ir
from recipelang.ir.expressions import Expression, FailExpression
from recipelang.ir.sizing import DEFAULT_TIMEOUT
from recipelang.ir.types import (
    AnswerType,
    ArmType,
    ContractType,
    DurationType,
    IntType,
    ListType,
    MoneyType,
    NeverType,
    OptionalType,
    PlanType,
    ScoreType,
    TaskType,
    Type,
    spelled,
)
from recipelang.quick import dataclass, replace
from recipelang.semantics.attributes import Attributes, read_attributes
from recipelang.semantics.calling import Caller, SignatureOf
from recipelang.semantics.contracts import MAX_REPAIRS
from recipelang.semantics.declarations import Declarer
from recipelang.semantics.expressions import Elaborator
from recipelang.semantics.functions import orderable
from recipelang.semantics.narrowing import facts_if_false, facts_if_true
from recipelang.semantics.ordering import check_use, in_order, name_of
from recipelang.semantics.reserved import RESERVED, reserved
from recipelang.semantics.scope import Local, Scope
from recipelang.semantics.typed import ERRONEOUS, Typed, expression_of
from recipelang.semantics.typing import join
from recipelang.syntax import nodes

MAX_RETRIES = 5
MAX_ITEMS = 10_000
"""Branches or rounds that one step may have at most."""

_ESTIMATED: tuple[Type, ...] = (ScoreType(), MoneyType(), DurationType())
"""The types of what an author, or `recipelang calibrate`, may say of an arm, in the order of `ir.ESTIMATES`."""
BUDGET = ("calls", "tokens", "cost", "time", "parallel", "request")
POLICIES: dict[type, tuple[str, tuple[str, ...]]] = {
    nodes.Ask: ("an `ask`", ("timeout", "retries", "hedge", "fallback", "optional", "when")),
    nodes.Fanout: (
        "a `fanout`",
        ("samples", "spread", "parallel", "keep", "quorum", "grace", "until", "timeout", "on_error", "fallback"),
    ),
    nodes.Cascade: ("a `cascade`", ("accept", "on_error", "timeout", "fallback")),
    nodes.Repeat: ("a `repeat`", ("start", "until", "timeout", "fallback")),
    nodes.Perform: ("a `perform`", ("parallel", "timeout", "on_error", "fallback")),
    nodes.Choose: ("a `choose`", ("by", "timeout", "fallback")),
    nodes.HostCall: ("a `call`", ("timeout", "retries", "fallback", "optional", "when")),
    nodes.Run: ("a `run`", ("timeout", "fallback", "optional")),
    nodes.Return: ("a `return`", ("contract", "fallback")),
}


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

    @property
    def caller(self) -> Caller:
        return Caller(self.elaborator, self.signature_of)

    # -------------------------------------------------------------- recipe

    def check(self) -> ir.Recipe:
        node = self.node
        locals_, parameters = self.declarer.parameters(node.parameters, "recipe")
        returns = self.declarer.returns(node.returns)
        budget = self.budget()
        steps = self._unique_steps(locals_)
        ordered = in_order(steps, self.report)
        named = [step for step in self.node.steps if not isinstance(step, nodes.Return)]
        known = {**{step.name.text: Local(NeverType(), step.name.span, "step") for step in named}, **locals_}
        scope = self.declarer.constants.seeing(known)  # which grows with each step that has been checked
        checked: dict[str, ir.Step] = {}
        for step in ordered:
            result = self._step(step, scope, returns)
            if isinstance(step, nodes.Return):
                checked["return"] = result
            else:
                checked[step.name.text] = result
                known[step.name.text] = Local(result.type, step.name.span, "step")
        check_use(ordered, locals_, self.report)
        in_file_order = [checked[name_of(step)] for step in steps if name_of(step) in checked]
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
        call, type = self.caller.call(step.call, inner, wants="role", step="ask")
        fallback, type = self._fallback(policy, scope, type)
        optional = self._is_optional(policy, fallback)
        timeout = policy.duration("timeout")
        return ir.Ask(
            name=step.name.text,
            type=_maybe(type) if optional or when is not None else type,
            call=cast(ir.Call, call),
            timeout=timeout,
            retries=policy.integer("retries", 0, MAX_RETRIES) or 0,
            hedge=self._hedge(policy, timeout),
            fallback=fallback,
            optional=optional,
            when=when,
        )

    def _hedge(self, policy: Attributes, timeout: float | None) -> float | None:
        hedge = policy.duration("hedge")
        if hedge is not None and hedge >= (DEFAULT_TIMEOUT if timeout is None else timeout):
            self.report(
                calls.SETTING.at(
                    policy.values["hedge"].span,
                    "`hedge` comes too late: the time of the step is up before",
                    help=f"make it shorter than its `timeout`, which is {DEFAULT_TIMEOUT:g}s where nothing says it",
                )
            )
        return hedge

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
        call, item = self.caller.call(step.call, inner, wants="either", step="fanout")
        with_it = scope.with_locals(it=Local(item, None, "item at hand"))
        keep = self.elaborator.condition(policy.values["keep"], with_it, "`keep`") if policy.get("keep") else None
        samples = self._count(policy, "samples", scope)
        quorum = self._count(policy, "quorum", scope)
        parallel = self._count(policy, "parallel", scope)
        on_error = _on_error(policy)
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
            samples=expression_of(samples),
            spread=cast(
                Literal["round_robin", "first", "equal"],
                policy.choice("spread", ("round_robin", "equal", "first")) or "round_robin",
            ),
            parallel=expression_of(parallel),
            keep=expression_of(keep),
            quorum=expression_of(quorum),
            until=self._until(policy, scope, item, branches),
            grace=policy.duration("grace") or 0.0,
            timeout=policy.duration("timeout"),
            on_error=on_error,
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
                    f"a quorum of {_shown(quorum.low)} {'can never' if never else 'cannot always'} be reached",
                    label=f"there {_branches('are at most', most)}"
                    if never
                    else f"there {_branches('may be as few as', least)}",
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
        call, item = self.caller.call(step.call, inner, wants="either", step="cascade")
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
            accept=expression_of(accept),
            on_error=_on_error(policy),
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
        gives = self.caller.returns_of(step.call, scope)
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
        call, result = self.caller.call(step.call, inside, wants="either", step="repeat")
        after = scope.with_locals(**{name: Local(result, step.name.span, "step")})
        until = self.elaborator.condition(policy.values["until"], after, "`until`") if policy.get("until") else None
        latest = scope.with_locals(**{name: Local(state, step.name.span, "step")})  # of no round, so of no item
        fallback, type = self._fallback(policy, latest, state)
        return ir.Repeat(
            name=name,
            type=type,
            call=cast(ir.Call, call),
            start=start.expression,
            variable=step.variable.text if step.variable is not None else None,
            over=expression_of(over),
            times=expression_of(times),
            until=expression_of(until),
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
        return self.elaborator.typed(node, scope, self.caller.returns_of(step.call, scope))

    def _perform(self, step: nodes.Perform, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        self.elaborator.new_name(step.variable, scope)
        plan = self.elaborator.fitting(step.plan, scope, PlanType(), "what a `perform` carries out")
        steps = plan.type.steps if isinstance(plan.type, PlanType) else 1
        if steps is None or steps > MAX_ITEMS:
            self._unbounded(step.plan, "the plan", math.inf if steps is None else steps)
        inner = scope.with_locals(**{step.variable.text: Local(TaskType(steps), step.variable.span, "loop variable")})
        call, item = self.caller.call(step.call, inner, wants="either", step="perform")
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
            parallel=expression_of(parallel),
            on_error=_on_error(policy),
            timeout=policy.duration("timeout"),
            fallback=fallback,
        )

    def _host_call(self, step: nodes.HostCall, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        when, inner = self._when(policy, scope)
        name, arguments, type = self.caller.host(step.call, scope, inner)
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
        weighs = "by" in policy.values
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
            if weighs and arm.condition is not None and arm.call.callee.text == "fail":
                self.report(
                    calls.ARMS.at(
                        arm.span,
                        "an arm that fails can't be weighed against others",
                        label="`by` looks at all arms that apply",
                        help="fail in `otherwise`, which comes after all others, or in a `choose` without `by` around this one",
                    )
                )
            made, arm_type = self._arm(arm, scope)
            arms.append(made)
            if arm.condition is not None and not weighs:  # those that follow are looked at only where it does not hold
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
        by = self._by(policy.values["by"], scope) if weighs else None
        return ir.Choose(step.name.text, type, tuple(arms), by, policy.duration("timeout"), fallback)

    def _by(self, node: nodes.Expression, scope: Scope) -> Expression:
        """What the arms of a `choose` are compared by."""
        by = self.elaborator.typed(node, _weighing(scope))
        if not orderable(by.type):
            self.report(
                types.MISMATCH.at(
                    node.span,
                    "`by` has the wrong type",
                    label=f"this is `{spelled(by.type)}`, but something that has an order is wanted",
                )
            )
        return by.expression

    def _arm(self, arm: nodes.Arm, scope: Scope) -> tuple[ir.Arm, Type]:
        when = None
        if arm.condition is not None:
            when = self.elaborator.condition(arm.condition, _weighing(scope), "`when`").expression
            scope = scope.with_narrowed(facts_if_true(arm.condition, self.elaborator.type_at(_weighing(scope))))
        if arm.call.callee.text == "fail":
            failed = self.elaborator.fail(arm.call, scope.allowing_failure())
            expression = (
                failed.expression
                if isinstance(failed.expression, FailExpression)
                else FailExpression(failed.expression)
            )
            if arm.estimates is not None:
                self.report(
                    calls.SETTING.at(arm.estimates.span, "nothing is expected of `fail`", help="leave the block out")
                )
            return ir.Arm(expression, when), NeverType()
        call, type = self.caller.call(arm.call, scope, wants="either", step="choose")
        return ir.Arm(cast(ir.ArmCall, call), when, *self._estimates(arm.estimates, scope)), type

    def _estimates(self, block: nodes.Block | None, scope: Scope) -> Iterator[Expression | None]:
        """What an arm is expected to bring and to take, in the order of `ir.ESTIMATES`."""
        given = read_attributes("an arm", block.attributes if block else (), ir.ESTIMATES, self.report)
        for name, type in zip(ir.ESTIMATES, _ESTIMATED, strict=True):
            node = given.get(name)
            yield None if node is None else self.elaborator.fitting(node, scope, type, f"`{name}`").expression

    def _run(self, step: nodes.Run, scope: Scope) -> ir.Step:
        policy = self._policy(step)
        call, type = self.caller.call(step.call, scope, wants="recipe", step="run")
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
        return ir.Return(returns, value.expression, expression_of(contract), fallback)

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


def _weighing(scope: Scope) -> Scope:
    """Where `it` is the arm of a `choose` that is looked at."""
    return scope.with_locals(it=Local(ArmType(), None, "arm at hand"))


def _on_error(policy: Attributes) -> Literal["fail", "skip"]:
    return "skip" if policy.choice("on_error", ("fail", "skip")) == "skip" else "fail"


def _maybe(type: Type) -> Type:
    return type if isinstance(type, (OptionalType, NeverType)) else OptionalType(type)


def _length(type: Type) -> tuple[float, float]:
    if not isinstance(type, ListType):
        return 0, math.inf
    return type.low, math.inf if type.high is None else type.high


def _shown(number: float) -> str:
    return "any number of" if math.isinf(number) else f"{number:g}"


def _branches(how: str, count: str) -> str:
    return f"{how} {count} {'branch' if count == '1' else 'branches'}"
