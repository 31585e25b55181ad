"""The bound certificate: the most that a recipe can use, proved over abstract values; see `docs/bounds.md`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import assert_never

from recipelang.ir import plan as ir
from recipelang.ir.certificate import Bound, Certificate, Linear, NestedBound, StepBound
from recipelang.ir.expressions import FailExpression
from recipelang.ir.reading import weighs
from recipelang.ir.schema import plan_schema
from recipelang.ir.sizing import (
    BYTES_PER_TOKEN,
    CALL_TOKENS,
    DEFAULT_TIMEOUT,
    FENCE_BYTES,
    HEADING_BYTES,
    HOST_RETRY_DELAY,
    MESSAGE_TOKENS,
    PROMPTED_BYTES,
    REPAIR_BYTES,
    SCALAR_BYTES,
    TASK_NAME_BYTES,
)
from recipelang.ir.template import Section, Slot, Template
from recipelang.ir.template import Words as TemplateWords
from recipelang.ir.types import AnswerType
from recipelang.quick import dataclass, field, replace
from recipelang.validation.evaluating import (
    MAX_TOKENS,
    Environment,
    Facts,
    evaluate,
    listed,
    member,
    most,
    of_type,
    truth_of,
)
from recipelang.validation.schedule import StepGraph
from recipelang.validation.values import (
    Abstract,
    Answers,
    Contracts,
    Fields,
    Items,
    Models,
    Nothing,
    Number,
    Other,
    Plans,
    Words,
    given_by_host,
    join,
    told,
)

MAX_UNROLLED = 10_000
"""Branches or rounds of a step, at most, where nothing that is known here bounds them."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a call or a step can use, and what its value is below. `explicit` are the seconds that the author set."""

    bound: Bound
    value: Abstract
    explicit: float = 0.0
    how: str = ""
    inner: tuple[StepBound, ...] = ()
    arms: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """A call that a recipe may make: the steps on the way to it, its role, and its models (none: any).

    For a function of the host, `role` is none, and its name stands in the place of the models.
    """

    trail: tuple[str, ...]
    role: str | None
    models: frozenset[str] | None
    place: tuple[str, str] = ("", "")  # the recipe and its step
    tokens: int = 0  # completion tokens, at least


NO_USE = Use(Bound(), Other())


def certified(plan: ir.Plan) -> ir.Plan:
    """The plan with a certificate in every recipe (for any arguments of its types) and in every entry."""
    prover = Prover(plan)
    recipes = {name: replace(recipe, certificate=prover.alone(name)) for name, recipe in plan.recipes.items()}
    entries = {name: replace(entry, certificate=prover.exposed(entry)) for name, entry in plan.entries.items()}
    return replace(plan, recipes=recipes, entries=entries)


@dataclass
class Prover:
    """Proves bounds in one plan. A recipe with the same abstract arguments is looked at once."""

    plan: ir.Plan
    proved: dict[tuple[str, tuple[tuple[str, Abstract], ...]], tuple[Certificate, Abstract]] = field(
        default_factory=dict
    )
    unpriced: set[str] = field(default_factory=set)
    uncounted: set[str] = field(default_factory=set)
    nested: dict[str, Bound] = field(default_factory=dict)
    assumed: frozenset[str] = frozenset()  # boundaries that hold for the request
    visits: list[Visit] = field(default_factory=list)
    called: dict[str, list[Environment]] = field(default_factory=dict)  # the arguments of each recipe
    trail: tuple[str, ...] = ()
    at: str = ""  # the recipe that is looked at
    facts: Facts = field(init=False)

    def __post_init__(self) -> None:
        self.facts = replace(Facts.of(self.plan), assumed=self.assumed)

    def alone(self, name: str) -> Certificate:
        parameters = self.plan.recipes[name].parameters
        return self._fresh(name, {p.name: of_type(p.type, self.facts) for p in parameters})

    def exposed(self, entry: ir.Entry) -> Certificate:
        defaults = {p.name: p.default for p in self.plan.recipes[entry.recipe].parameters if p.default is not None}
        given = {argument.name: argument.value for argument in entry.arguments}
        known = {name: evaluate(value, {}, self.facts) for name, value in {**defaults, **given}.items()}
        return self._fresh(entry.recipe, known)

    def _fresh(self, name: str, arguments: Mapping[str, Abstract]) -> Certificate:
        self.unpriced, self.uncounted = set(), set()
        self.nested.clear()
        self.proved.clear()
        certificate, _ = self.recipe(name, arguments)
        return replace(
            certificate,
            unpriced=tuple(sorted(self.unpriced)),
            uncounted=tuple(sorted(self.uncounted)),
            nested=tuple(NestedBound(inside, bound) for inside, bound in sorted(self.nested.items())),
        )

    def recipe(self, name: str, arguments: Mapping[str, Abstract]) -> tuple[Certificate, Abstract]:
        key = (name, tuple(sorted(arguments.items())))
        if key not in self.proved:
            self.proved[key] = self._prove(self.plan.recipes[name], arguments)
        return self.proved[key]

    def _prove(self, recipe: ir.Recipe, arguments: Mapping[str, Abstract]) -> tuple[Certificate, Abstract]:
        known: dict[str, Abstract] = dict(arguments)
        self.called.setdefault(recipe.name, []).append(arguments)
        graph = StepGraph.of(recipe)
        used: dict[str, Use] = {}
        outside, above = self.trail, self.at
        for step in graph.ordered:
            self.trail, self.at = (*outside, step.name), recipe.name
            used[step.name] = self._step(step, known)
            known[step.name] = used[step.name].value
        self.trail, self.at = outside, above
        return _certificate(recipe, graph, used), used["return"].value

    # --------------------------------------------------------------- steps

    def _step(self, step: ir.Step, known: Environment) -> Use:
        match step:
            case ir.Ask():
                use = self._ask(step, known)
            case ir.Run():
                use = self._call(step.call, known)
            case ir.Fanout():
                use = self._fanout(step, known)
            case ir.Cascade():
                use = self._cascade(step, known)
            case ir.Repeat():
                use = self._repeat(step, known)
            case ir.Perform():
                use = self._perform(step, known)
            case ir.Choose():
                use = self._choose(step, known)
            case ir.HostCall():
                use = self._host_call(step, known)
            case ir.Let():
                return Use(Bound(), evaluate(step.value, known, self.facts))
            case ir.Return():
                return self._return(step, known)
            case _:
                assert_never(step)
        if _may_give_none(step):
            use = replace(use, value=join(use.value, Nothing()))
        if step.fallback is not None:
            tried = Items(0, use.value.high if isinstance(use.value, Items) else math.inf, use.value)
            inside = {**known, "tried": tried, step.name: use.value}
            use = replace(use, value=join(use.value, evaluate(step.fallback, inside, self.facts)))
        return _timed(use, step.timeout)

    def _ask(self, step: ir.Ask, known: Environment) -> Use:
        if step.when is not None and truth_of(step.when, known, self.facts) is False:
            return Use(Bound(), Nothing())
        once = self._call(step.call, known, repairs=True)
        how = once.how
        if step.retries:
            how = f"(1 + {step.retries} {_plural(step.retries, 'retry', 'retries')}) × {how}"
        if step.hedge is not None:
            how = f"2, hedged, × {how}"
        times, parallel = (1 + step.retries) * (1 if step.hedge is None else 2), once.bound.parallel
        bound = replace(
            _scaled(once, times).bound,
            seconds=once.bound.seconds,
            parallel=parallel if step.hedge is None else parallel + 1,
        )
        return replace(once, bound=bound, how=how)

    def _fanout(self, step: ir.Fanout, known: Environment) -> Use:
        over = _items(evaluate(step.over, known, self.facts))
        samples = None if step.samples is None else evaluate(step.samples, known, self.facts)
        count = _count(over.high) if samples is None else most(samples, MAX_UNROLLED)
        shares = _shares(over, count, step)
        branches = [self._call(step.call, {**known, step.variable: item}) for item, _ in shares]
        total = _together([_scaled(use, times) for use, (_, times) in zip(branches, shares, strict=True)])
        narrowest, widest = self._at_once(step, known, count)
        bound = replace(
            total.bound,
            parallel=widest * max((use.bound.parallel for use in branches), default=0),
            seconds=math.ceil(count / narrowest) * max((use.bound.seconds for use in branches), default=0.0),
        )
        item = reduce(join, (use.value for use in branches)) if branches else Other()
        value = Items(0 if step.quorum is None else 1, count, item)
        sure = (
            over.exact is not None if samples is None else isinstance(samples, Number) and samples.low == samples.high
        )
        how = f"{count} × {_callee(step.call)}" if sure else f"up to {count} × {_callee(step.call)}"
        return Use(bound, value, 0.0, how, branches[0].inner if branches else ())

    def _at_once(self, step: ir.Fanout, known: Environment, count: int) -> tuple[int, int]:
        """The least and the greatest number of branches side by side: fewer take longer, more need more at once."""
        if step.parallel is None:
            return max(1, count), count
        parallel = evaluate(step.parallel, known, self.facts)
        least = math.ceil(parallel.low) if isinstance(parallel, Number) and parallel.low > 1 else 1
        return min(least, max(1, count)), most(parallel, count)

    def _cascade(self, step: ir.Cascade, known: Environment) -> Use:
        over = _items(evaluate(step.over, known, self.facts))
        tries = [
            _scaled(self._call(step.call, {**known, step.variable: item}), times)
            for item, times in _shares(over, _count(over.high), None)
        ]
        total = _together(tries)
        parallel = max((use.bound.parallel for use in tries), default=0)
        value = reduce(join, (use.value for use in tries)) if tries else Other()
        how = f"up to {over.high:g} × {_callee(step.call)}, one after the other"
        return Use(replace(total.bound, parallel=parallel), value, 0.0, how, tries[0].inner if tries else ())

    def _repeat(self, step: ir.Repeat, known: Environment) -> Use:
        state = seen = evaluate(step.start, known, self.facts)
        total = Use(Bound(), state)
        rounds = self._rounds(step, known)
        last: tuple[Abstract, Abstract, Use] | None = None
        for item in rounds:
            if last is not None and last[0] == state and last[1] == item:
                use = last[2]
            else:
                inside = {**known, step.name: state}
                if step.variable is not None:
                    inside[step.variable] = item
                use = self._call(step.call, inside)
            last = (state, item, use)
            total = _together([total, use])
            state, seen = use.value, join(seen, use.value)
            total = replace(total, value=seen, inner=use.inner)
        parallel = total.bound.parallel
        how = f"up to {len(rounds)} × {_callee(step.call)}, each on the one before"
        return Use(replace(total.bound, parallel=parallel), total.value, 0.0, how, total.inner)

    def _rounds(self, step: ir.Repeat, known: Environment) -> list[Abstract]:
        if step.over is not None:
            over = _items(evaluate(step.over, known, self.facts))
            return list(over.exact) if over.exact is not None else [over.item] * _count(over.high)
        times = evaluate(step.times, known, self.facts) if step.times is not None else Number(0, 0)
        return [Other()] * most(times, MAX_UNROLLED)

    def _perform(self, step: ir.Perform, known: Environment) -> Use:
        """Each task at its dearest; in time, one after the other, for each may need the one before."""
        plan = evaluate(step.plan, known, self.facts)
        plan = plan if isinstance(plan, Plans) else Plans(None, 1, Linear())
        steps = _count(plan.steps)
        task = self._task(step, plan, steps, known)
        at_once = steps if step.parallel is None else most(evaluate(step.parallel, known, self.facts), steps)
        bound = replace(_scaled(task, steps).bound, parallel=at_once * task.bound.parallel)
        how = f"up to {steps} × {_callee(step.call)}, as the plan says"
        return Use(bound, Items(1, steps, task.value), 0.0, how, task.inner)

    def _task(self, step: ir.Perform, plan: Plans, steps: int, known: Environment) -> Use:
        """The dearest task: what it gives may be made of the results of others, as deep as the plan is long."""
        worst, results = NO_USE, Items(0, 0, Other())
        for _ in range(max(1, steps)):
            task = Fields(
                (
                    ("name", Words(Linear(TASK_NAME_BYTES))),
                    ("instruction", Words(plan.size)),
                    ("model", Models(plan.workers)),
                    ("results", results),
                )
            )
            use = self._call(step.call, {**known, step.variable: task})
            worst = replace(use, bound=_greatest(worst.bound, use.bound), value=join(worst.value, use.value))
            following = Items(0, steps - 1, worst.value)
            if following == results:
                break
            results = following
        return worst

    def _host_call(self, step: ir.HostCall, known: Environment) -> Use:
        if step.when is not None and truth_of(step.when, known, self.facts) is False:
            return Use(Bound(), Nothing())
        extern, attempts = self.plan.externs[step.extern], 1 + step.retries
        self.visits.append(Visit(self.trail, None, frozenset((step.extern,))))
        seconds = attempts * extern.timeout + step.retries * HOST_RETRY_DELAY
        how = f"`{extern.name}`" if attempts == 1 else f"{attempts} × `{extern.name}`"
        value = given_by_host(of_type(extern.returns, self.facts), extern.max_bytes)
        return Use(Bound(cost=Linear(attempts * extern.cost), seconds=seconds), value, how=how)

    def _choose(self, step: ir.Choose, known: Environment) -> Use:
        taken = {
            number: self._call(arm.call, known, repairs=True)
            for number, arm in self._possible(step, known)
            if not isinstance(arm.call, FailExpression)
        }
        arms = list(taken.values())
        each = tuple(taken.get(number, NO_USE).bound for number in range(len(step.arms))) if weighs(step) else ()
        bound = reduce(_greatest, (use.bound for use in arms), Bound())
        value = reduce(join, (use.value for use in arms)) if arms else Other()
        dearest = max(arms, key=lambda use: use.bound.calls, default=NO_USE)
        return Use(bound, value, 0.0, f"the dearest arm, {dearest.how or 'none'}", dearest.inner, each)

    def _possible(self, step: ir.Choose, known: Environment) -> Iterator[tuple[int, ir.Arm]]:
        """The arms that may be taken, by their places: none whose condition is false, and none after one whose condition is
        true, unless all that apply are weighed."""
        for number, arm in enumerate(step.arms):
            verdict = True if arm.when is None else truth_of(arm.when, known, self.facts)
            if verdict is not False:
                yield number, arm
            if verdict is True and step.by is None:
                return

    def _return(self, step: ir.Return, known: Environment) -> Use:
        value = evaluate(step.value, known, self.facts)
        contract = evaluate(step.contract, known, self.facts) if step.contract is not None else Contracts(0)
        repairs = contract.repair if isinstance(contract, Contracts) else 0
        use = Use(Bound(), value)
        if repairs and isinstance(value, Answers):
            self.visits.append(Visit(self.trail, "repair", value.models))
            conversation = Linear(CALL_TOKENS, 1, 1)
            use = self._exchange(conversation, value.max_tokens, Models(value.models), 0, repairs)
            use = replace(use, value=value, how=f"{repairs} {_plural(repairs, 'repair', 'repairs')}")
        if step.fallback is not None:
            use = replace(use, value=join(use.value, evaluate(step.fallback, known, self.facts)))
        return use

    # --------------------------------------------------------------- calls

    def _call(self, call: ir.Call, known: Environment, *, repairs: bool = False) -> Use:
        given = {argument.name: evaluate(argument.value, known, self.facts) for argument in call.arguments}
        if isinstance(call, ir.RecipeCall):
            certificate, value = self.recipe(call.recipe, given)
            self._remember(call.recipe, certificate.total)
            return Use(certificate.total, value, 0.0, f"`{call.recipe}`", certificate.steps)
        return self._role(call, given, known, repairs)

    def _remember(self, name: str, bound: Bound) -> None:
        """Keep what a run of a recipe with a budget of its own can use: a large request may not fit into that."""
        budget = self.plan.recipes[name].budget
        if budget.tokens is not None or budget.cost is not None:
            self.nested[name] = _greatest(self.nested[name], bound) if name in self.nested else bound

    def _role(self, call: ir.RoleCall, given: dict[str, Abstract], known: Environment, repairs: bool) -> Use:
        role = self.plan.roles[call.role]
        model = evaluate(call.model, known, self.facts)
        models = model if isinstance(model, Models) else Models(None)
        tokens = least = role.max_tokens
        if call.max_tokens is not None:
            set_here = evaluate(call.max_tokens, known, self.facts)
            tokens = most(set_here, MAX_TOKENS)
            least = max(0, math.ceil(set_here.low)) if isinstance(set_here, Number) and set_here.low > 0 else 0
        self.visits.append(Visit(self.trail, role.name, models.names, (self.at, self.trail[-1]), least))
        again = (
            role.repair
            if role.schema is not None or role.planning is not None
            else self._repairs(call, role, given, known)
            if repairs
            else 0
        )
        use = self._exchange(self._prompt(role, given), tokens, models, 1, again)
        how = _callee(call) if not again else f"({_callee(call)} + {again} {_plural(again, 'repair', 'repairs')})"
        return replace(use, value=self._answer(role, given, tokens, models), how=how)

    def _prompt(self, role: ir.Role, given: Mapping[str, Abstract]) -> Linear:
        """Its bytes and what goes around them; the request's own, and its images, where the role sees it."""
        request = Linear(0, 1, 1) if role.conversation or role.may_call else Linear()
        prompt = Linear(CALL_TOKENS + 2 * MESSAGE_TOKENS) + request
        for template in (role.system, role.prompt):
            prompt += _template_size(template or (), given, self.facts)
        shown = Linear(PROMPTED_BYTES if role.json == "prompted" else 0)
        if role.planning is not None:
            workers = _items(given.get(role.planning.workers, Other()))
            schema = len(plan_schema((), MAX_UNROLLED)) + workers.high * (self.facts.longest_name + HEADING_BYTES)
            return prompt + Linear(schema) + shown
        return prompt if role.schema is None else prompt + Linear(len(role.schema.encode())) + shown

    def _repairs(self, call: ir.RoleCall, role: ir.Role, given: Environment, known: Environment) -> int:
        """The repairs that the contract of a call allows: its own, else that of its role, which names its parameters."""
        contract: Abstract = Contracts(0)
        if call.contract is not None:
            contract = evaluate(call.contract, known, self.facts)
        elif role.contract is not None:
            contract = evaluate(role.contract, given, self.facts)
        return contract.repair if isinstance(contract, Contracts) else 0

    def _answer(self, role: ir.Role, given: Mapping[str, Abstract], tokens: int, models: Models) -> Abstract:
        size = BYTES_PER_TOKEN * tokens
        if role.planning is not None:
            workers = _items(given.get(role.planning.workers, Other())).item
            steps = most(given.get(role.planning.steps, Other()), MAX_UNROLLED)
            return Plans(workers.names if isinstance(workers, Models) else None, steps, Linear(size))
        if isinstance(role.returns, AnswerType):
            return Answers(size, tokens, models.names)
        return told(of_type(role.returns, self.facts), size)

    def _exchange(self, prompt: Linear, tokens: int, models: Models, first: int, repairs: int) -> Use:
        """A first call or none, and repairs, of which each sends the answer before it along; all in the time of one."""
        repair = prompt + Linear(BYTES_PER_TOKEN * tokens + REPAIR_BYTES + FENCE_BYTES + 2 * MESSAGE_TOKENS)
        count = first + repairs
        total = prompt.times(first) + repair.times(repairs)
        asked = [self.plan.models[name] for name in self._named(models)]
        prompts = [self._tokens(total, model) for model in asked]
        completions = [count * (tokens + model.reasoning_tokens) for model in asked]
        if not asked:
            self.uncounted |= {"any model"} if total.per_image else set()
            prompts, completions = [Linear(total.constant, total.per_byte)], [count * tokens]
        bound = Bound(
            calls=count,
            prompt_tokens=reduce(Linear.join, prompts),
            completion_tokens=max(completions),
            cost=self._cost(asked, prompts, completions),
            seconds=DEFAULT_TIMEOUT if count else 0.0,
            parallel=1 if count else 0,
        )
        return Use(bound, Other())

    def _named(self, models: Models) -> Iterable[str]:
        """The models that may be meant; none of the plan's where it declares none."""
        return self.plan.models if models.names is None else sorted(models.names)

    def _tokens(self, prompt: Linear, model: ir.Model) -> Linear:
        """A prompt in tokens of a model: in bytes, what goes around them among these, and images, until here."""
        if prompt.per_image and model.image_tokens is None:
            self.uncounted.add(model.name)
        in_bytes = Linear(prompt.constant, prompt.per_byte).times(model.tokens_per_byte)
        return replace(in_bytes, per_image=prompt.per_image * (model.image_tokens or 0))

    def _cost(self, models: Sequence[ir.Model], prompts: Sequence[Linear], completions: Sequence[int]) -> Linear | None:
        """Dollars with the dearest of the models; none where a price is unknown."""
        if not models:
            self.unpriced.add("any model")
            return None
        worst: Linear | None = Linear()
        for model, prompt, completion in zip(models, prompts, completions, strict=True):
            if model.price is None:
                self.unpriced.add(model.name)
                worst = None
            elif worst is not None:
                cost = prompt.times(model.price.input / 1e6) + Linear(completion * model.price.output / 1e6)
                worst = worst.join(cost)
        return worst


def _told(step: ir.Step, use: Use) -> StepBound:
    return StepBound(step.name, step.kind, use.bound, use.how, use.inner, use.arms)


def _certificate(recipe: ir.Recipe, graph: StepGraph, used: Mapping[str, Use]) -> Certificate:
    seconds, path = graph.longest({name: use.bound.seconds for name, use in used.items()})
    explicit, explicit_path = graph.longest({name: use.explicit for name, use in used.items()})
    parallel, at_once = graph.heaviest({name: use.bound.parallel for name, use in used.items()})
    total = _together(list(used.values())).bound
    budget = recipe.budget
    if budget.time is not None and explicit <= budget.time < seconds:
        seconds = budget.time
    elif budget.time is not None and explicit > budget.time:
        seconds, path = explicit, explicit_path
    steps = tuple(
        _told(step, used[step.name])
        for step in recipe.steps
        if used[step.name].bound.calls or used[step.name].bound.seconds
    )
    return Certificate(replace(total, seconds=seconds, parallel=parallel), steps, path, at_once)


# ------------------------------------------------------------------ leaves


def _template_size(template: Template, given: Mapping[str, Abstract], facts: Facts) -> Linear:
    total = Linear()
    for part in template:
        match part:
            case TemplateWords(text):
                total += Linear(len(text.encode()))
            case Slot(path):
                total += _shown(_at(path, given, facts), facts)
            case Section(_, then, otherwise):
                total += _template_size(then, given, facts).join(_template_size(otherwise, given, facts))
    return total


def _at(path: tuple[str, ...], given: Mapping[str, Abstract], facts: Facts) -> Abstract:
    value = given.get(path[0], Other())
    for name in path[1:]:
        value = member(value, name, facts)
    return value


def _shown(value: Abstract, facts: Facts) -> Linear:
    """How large a value is in a prompt, its fence included; infinite for a list that has no greatest length."""
    match value:
        case Answers(size=size):
            return Linear(size + FENCE_BYTES)
        case Words(size):
            return size + Linear(FENCE_BYTES)
        case Items(exact=exact) if exact is not None:
            return reduce(Linear.__add__, (_numbered(item, facts) for item in exact), Linear(SCALAR_BYTES))
        case Items(high=high, item=item):
            return Linear(SCALAR_BYTES) + (Linear(high) if math.isinf(high) else _numbered(item, facts).times(high))
        case Fields(fields, size, built):
            quoted = Linear(size + FENCE_BYTES) if size is not None else Linear()
            return quoted.join(_fields(fields, facts)) if built else quoted
        case Plans(size=size):
            return size + Linear(FENCE_BYTES)
        case Models() | Contracts():
            return Linear(max(SCALAR_BYTES, facts.longest_name))
        case _:
            return Linear(SCALAR_BYTES)


def _fields(fields: Iterable[tuple[str, Abstract]], facts: Facts) -> Linear:
    """How large a record is that the recipe made: field by field."""
    named = (_shown(inside, facts) + Linear(len(name.encode()) + HEADING_BYTES) for name, inside in fields)
    return reduce(Linear.__add__, named, Linear(SCALAR_BYTES))


def _numbered(item: Abstract, facts: Facts) -> Linear:
    return _shown(item, facts) + Linear(HEADING_BYTES)


def _shares(over: Items, total: int, step: ir.Fanout | None) -> list[tuple[Abstract, int]]:
    """The items with the number of calls for each."""
    if over.exact is None or not over.exact:
        return [(over.item, total)] if total else []
    if step is None or step.samples is None:
        return [(item, 1) for item in over.exact]
    if step.spread == "first":
        return [(over.exact[0], total)]
    each, more = divmod(total, len(over.exact))
    return [(item, each + (place < more)) for place, item in enumerate(over.exact) if each + (place < more)]


def _items(value: Abstract) -> Items:
    match value:
        case Items():
            return value
        case Nothing():
            return listed([])
        case _:
            return Items(0, math.inf, Other())


def _count(high: float) -> int:
    return MAX_UNROLLED if math.isinf(high) else max(0, math.floor(high))


def _scaled(use: Use, times: int) -> Use:
    b = use.bound
    cost = None if b.cost is None else b.cost.times(times)
    bound = Bound(
        b.calls * times, b.prompt_tokens.times(times), b.completion_tokens * times, cost, b.seconds * times, b.parallel
    )
    return replace(use, bound=bound)


def _together(uses: Iterable[Use]) -> Use:
    """One after the other; the peak is the greatest."""
    bound, result = Bound(), NO_USE.value
    for use in uses:
        b = use.bound
        bound = Bound(
            bound.calls + b.calls,
            bound.prompt_tokens + b.prompt_tokens,
            bound.completion_tokens + b.completion_tokens,
            None if bound.cost is None or b.cost is None else bound.cost + b.cost,
            bound.seconds + b.seconds,
            max(bound.parallel, b.parallel),
        )
        result = use.value
    return Use(bound, result)


def _greatest(one: Bound, other: Bound) -> Bound:
    cost = None if one.cost is None or other.cost is None else one.cost.join(other.cost)
    return Bound(
        max(one.calls, other.calls),
        one.prompt_tokens.join(other.prompt_tokens),
        max(one.completion_tokens, other.completion_tokens),
        cost,
        max(one.seconds, other.seconds),
        max(one.parallel, other.parallel),
    )


def _timed(use: Use, timeout: float | None) -> Use:
    """A step with a timeout of its own takes no longer, whatever is inside."""
    if timeout is None:
        return replace(use, explicit=0.0)
    return replace(use, bound=replace(use.bound, seconds=timeout), explicit=timeout)


def _may_give_none(step: ir.Step) -> bool:
    match step:
        case ir.Ask() | ir.HostCall():
            return step.optional or step.when is not None
        case ir.Run():
            return step.optional
        case _:
            return False


def _callee(call: ir.Call) -> str:
    return f"`{call.role if isinstance(call, ir.RoleCall) else call.recipe}`"


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
