"""Whole programs as a generator draws them: typed, so that values flow from step to step and most of them compile.

Whoever draws is a function from two bounds to a number between them, the smaller the simpler: Hypothesis, a random
generator, or numbers that were written down. A program is drawn twice: the budgets of the second time lie near what the
compiler proves of the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from hypothesis import strategies as st

from recipelang.compilation import compile_text
from recipelang.ir.certificate import Certificate
from recipelang.ir.plan import Plan

Pick = Callable[[int, int], int]
Kind = Literal[
    "answer", "answers", "grade", "pack", "report", "text", "texts", "model", "models", "int", "contract", "plan"
]
_Drawn = TypeVar("_Drawn")

LONG_NAME = "large_model_with_a_very_long_name_that_no_number_is_as_long_as"
NEAR = ("small", "middle", LONG_NAME)
FAR = "far"
SECRET = "secret"
"""What the text of a request has for which the boundary holds."""
ASKED = ('keywords(["which", "what is"])', "request.images > 0", "not hidden")
LONGEST = 8
"""The greatest length of a list that a recipe gives."""
TYPES: dict[Kind, str] = {
    "answer": "answer", "answers": "answer[..4]", "grade": "grade", "pack": "pack", "report": "report",
    "text": "text", "texts": "text[..3]", "model": "model", "models": "model[1..3]", "int": "int(1..3)",
    "contract": "contract", "plan": "plan(..4)",
}  # fmt: skip
RETURNED: dict[Kind, str] = {**TYPES, "answers": f"answer[..{LONGEST}]"}


@dataclass(frozen=True)
class Name:
    """A value that a recipe can name. `low` and `high` bound the length of a list, or a number."""

    text: str
    kind: Kind
    low: int = 0
    high: int = 0
    optional: bool = False

    @property
    def type(self) -> str:
        return TYPES[self.kind] + "?" * self.optional


@dataclass(frozen=True)
class Callee:
    """A role, a recipe or a function of the host: what it takes and what it gives."""

    name: str
    parameters: tuple[Name, ...]
    returns: Kind
    what: Literal["role", "recipe", "function"] = "role"
    planner: bool = False


@dataclass(frozen=True)
class Program:
    """A program with its plan. `invalid`: it does not compile, and was drawn in vain."""

    text: str
    plan: Plan | None

    @property
    def invalid(self) -> bool:
        return self.plan is None


def drawn_program(pick: Pick) -> Program:
    """A program that exposes `main`, with budgets near what it needs."""
    writer = Writer(pick)
    text = writer.program()
    bare = compile_text(without_budgets(text)).plan
    if bare is None:
        return Program(without_budgets(text), None)
    text = with_budgets(text, bare, pick)
    plan = compile_text(text).plan
    if plan is None:  # its own timeouts add up to more than the time it was given
        text = re.sub(r"time = \d+s, request", "request", text)
        plan = compile_text(text).plan
    return Program(text, plan)


# ------------------------------------------------------------------ budgets

_WORD = re.compile(r"\w+")
_MARK = "<budget of {name}>"


def without_budgets(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if "<budget of" not in line)


def with_budgets(text: str, plan: Plan, pick: Pick) -> str:
    """The text with a budget in each recipe that is drawn one: mostly as small as can be."""
    for name, recipe in plan.recipes.items():
        entry = plan.entries["main"].certificate if name == "main" else None
        assert recipe.certificate is not None
        text = text.replace(_MARK.format(name=name), _budget(recipe.certificate, entry, pick))
    return without_budgets(text)


def _budget(alone: Certificate, entry: Certificate | None, pick: Pick) -> str:
    """As much as the recipe needs alone; money as much as it needs with its models, where it has prices."""
    lines: list[str] = []
    most = alone.total
    request = (2_500, 1_500)[pick(0, 1)] if entry is not None else (2_500, 300, 100)[pick(0, 2)]
    if most.calls and pick(0, 2) == 2:
        lines.append(f"calls = {most.calls + pick(0, 1)}")
    if pick(0, 2) > 0:
        lines.append(f"tokens = {int(most.prompt_tokens.at(request)) + most.completion_tokens + 1 + pick(0, 1) * 500}")
    cost = (entry or alone).total.cost
    if cost is not None and most.cost is not None and pick(0, 1) == 1:
        lines.append(f"cost = ${max(cost.at(request), most.cost.at(request)) + 1e-6:.9f}")
    if most.parallel and pick(0, 2) == 2:
        lines.append(f"parallel = {most.parallel}")
    if pick(0, 2) == 2:
        lines.append(f"time = {max(1, int(most.seconds * (1, 0.6, 0.25)[pick(0, 2)]))}s")
    return "  budget { " + ", ".join([*lines, f"request = {request}"]) + " }" if lines else "<budget of none>"


# ------------------------------------------------------------------ writing


@dataclass
class Writer:
    """Writes one program. `names` are those that the recipe at hand can read, in the order in which they came."""

    pick: Pick
    callees: list[Callee] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    steps: int = 0
    unread: dict[str, Name] = field(default_factory=dict)  # what no expression of the recipe at hand reads yet
    bounded: bool = False  # whether the program has a boundary
    leaks: bool = False  # whether it may pass that

    # ------------------------------------------------------------- choosing

    def one_of(self, *options: _Drawn) -> _Drawn:
        return options[self.pick(0, len(options) - 1)]

    def sometimes(self, chance: int = 2) -> bool:
        return self.pick(0, chance) == chance

    def known(self, kind: Kind, *, optional: bool = False) -> list[Name]:
        return [name for name in self.names if name.kind == kind and name.optional is optional]

    def lists(self, at_least: int = 0) -> list[Name]:
        return [name for name in self.known("answers") if name.low >= at_least]

    # ---------------------------------------------------------- expressions

    def value(self, kind: Kind, depth: int = 2) -> str | None:
        """An expression of that kind over what is there; none where nothing is."""
        options = self.options(kind, depth)
        if not options:
            return None
        news = [option for option in options if self.reads_news(option)]
        chosen = self.one_of(*(news if news and self.sometimes(1) else options))
        self.has_read(chosen)
        if depth and len(options) > 1 and self.sometimes(4):
            return f"({chosen} if {self.condition()} else {self.one_of(*options)})"
        return chosen

    def reads_news(self, expression: str) -> bool:
        return any(name in self.unread for name in _WORD.findall(expression))

    def has_read(self, text: str) -> None:
        for name in _WORD.findall(text):
            self.unread.pop(name, None)

    def options(self, kind: Kind, depth: int) -> list[str]:
        found = [name.text for name in self.known(kind)]
        plain = list(found)
        if plain and kind not in ("int", "contract"):
            found += [f"({name.text} or {plain[0]})" for name in self.known(kind, optional=True)]
        match kind:
            case "answer":
                found += [option for xs in self.lists(1) for option in self.picked(xs)]
                found += [f"{pack.text}.draft" for pack in self.known("pack")]
            case "grade":
                found += ['{ reason = "none was given", score = 0.1 }']
            case "pack":
                draft = self.value("answer", 0)
                if draft is not None:
                    found.append(f"{{ draft = {draft}, notes = {self.texts(1)}, done = {self.condition()} }}")
            case "report":
                found += [f"{{ passed = {self.condition()}, log = {self.text(0)} }}"]
            case "text":
                found += [self.text(depth)]
            case "texts":
                found += [self.texts(depth)]
            case "model":
                found += self.some_models()
            case "models":
                found += self.model_lists()
            case "int":
                found += self.numbers(3)
            case "contract":
                found += ["letter", "code", "object", "request.format"]
            case "answers":
                found += [xs.text for xs in self.answer_lists()]
            case "plan":
                found += [f"single_task({self.one_of(*self.some_models())}, {self.text(0)})"]
        return found

    def picked(self, xs: Name) -> list[str]:
        return [
            f"first({xs.text})",
            f"last({xs.text})",
            f"best({xs.text}, by = it.model.rating)",
            f"majority({xs.text}, key = it.value)",
            f"weighted_vote({xs.text}, key = it.text, weight = it.model.rating)",
            f"worst({xs.text}, by = it.latency)",
        ]

    def answer_lists(self) -> list[Name]:
        """Lists of answers that are in no name yet, with their bounds."""
        options = [Name("[]", "answers")]
        one = self.value("answer", 0)
        for xs in self.known("answers"):
            least = min(xs.low, 1)
            options += [
                xs,
                Name(f"[a for a in {xs.text} if a.valid]", "answers", 0, xs.high),
                Name(f"sort({xs.text}, by = it.latency)", "answers", xs.low, xs.high),
                Name(f"unique({xs.text}, by = it.text)", "answers", least, xs.high),
                Name(f"shuffled({xs.text})", "answers", xs.low, xs.high),
                Name(f"take({xs.text}, 2)", "answers", min(xs.low, 2), min(xs.high, 2)),
                Name(f"top({xs.text}, 3, by = it.confidence)", "answers", min(xs.low, 3), min(xs.high, 3)),
            ]
            if one is not None and xs.high < LONGEST:
                options.append(Name(f"{xs.text} + [{one}]", "answers", xs.low + 1, xs.high + 1))
        if one is not None:
            options.append(Name(f"[{one}]", "answers", 1, 1))
        return options

    def text(self, depth: int = 2) -> str:
        options = ["request.text", '"a word"', 'request.metadata["who"] or "nobody"', "said"]
        options += [name.text for name in self.known("text")]
        for a in self.known("answer"):
            options += [f"{a.text}.text", f"{a.text}.model.name", f"{a.text}.finish", f'{a.text}.value or "nothing"']
        options += [f"{name.text}.reason" for name in self.known("grade")]
        options += [f"{name.text}.log" for name in self.known("report")]
        options += [f"{name.text}.text" for name in self.known("plan")]
        options += [f"{name.text}.id" for name in self.known("model")]
        options += [f'{name.text}[0] or "none"' for name in self.known("texts")]
        chosen = f"({self.one_of(*options)})"
        if depth and self.sometimes():
            return f"({chosen} + {self.text(depth - 1)})"
        return f"lower({chosen})" if self.sometimes() else chosen

    def texts(self, depth: int = 1) -> str:
        options = ["[]", f"[{self.text(0)}]"]
        options += [f"take([a.text for a in {xs.text}], 3)" for xs in self.known("answers")]
        options += [name.text for name in self.known("texts")]
        options += [f"{name.text}.notes" for name in self.known("pack")]
        if depth:
            options.append(f"chunks({self.text(0)}, {self.one_of('2', '3')})")
        return self.one_of(*options)

    def some_models(self) -> list[str]:
        options = [*NEAR, *(name.text for name in self.known("model"))]
        if self.bounded:
            options += [f"(small if private else {FAR})", *([FAR] if self.leaks else [])]
        for ms in self.known("models"):
            options += [f"strongest({ms.text})", f"cheapest({ms.text})", f"first({ms.text})"]
        return options + [f"{a.text}.model" for a in self.known("answer")]

    def model_lists(self) -> list[str]:
        options = ["[small]", "[small, middle]", f"[small, middle, {LONG_NAME}]", "[middle, middle, small]"]
        if self.bounded:
            options += [f"([small, middle] if private else [small, {FAR}])"]
        for ms in self.known("models"):
            options += [ms.text, f"take({ms.text}, 2)", f"sort({ms.text}, by = it.rating)"]
        return options

    def numbers(self, most: int) -> list[str]:
        options = ["1", str(most), f"min(request.turns + 1, {most})", f"clamp(request.turns, low = 1, high = {most})"]
        options += [f"min(tries, {most})"]
        options += [f"min({name.text}, {most})" for name in self.known("int")]
        return options + [f"min(size({name.text}) + 1, {most})" for name in self.known("answers")]

    def condition(self) -> str:
        options = ["request.turns > 1", "true", "request.tokens > 20", "false", "asked", "heft == heavy", "tries > 1"]
        options += ["private"] if self.bounded else []
        options += [f"{a.text}.valid" for a in self.known("answer")]
        options += [f"confidence({a.text}) > 0.6" for a in self.known("answer")]
        options += [f"size({xs.text}) > 1" for xs in self.known("answers")]
        options += [f"{g.text}.score >= 0.5" for g in self.known("grade")]
        options += [f"{r.text}.passed" for r in self.known("report")]
        options += [f"{p.text}.done" for p in self.known("pack")]
        options += [f"{name.text} != none" for name in self.names if name.optional]
        chosen = self.one_of(*options)
        return f"(not {chosen})" if self.sometimes(5) else chosen

    def argument(self, wanted: Name) -> str:
        if wanted.optional:
            given = [name.text for name in self.known(wanted.kind, optional=True)]
            return self.one_of("none", *given, self.value(wanted.kind, 1) or "none")
        if wanted.kind == "answers":
            return f"take({self.value('answers') or '[]'}, {wanted.high})"
        return self.value(wanted.kind) or "missing"

    def can_give(self, wanted: Name) -> bool:
        return wanted.optional or wanted.kind not in ("answer", "pack") or self.value_is_there(wanted.kind)

    def value_is_there(self, kind: Kind) -> bool:
        there = bool(self.known(kind)) or (kind == "pack" and self.value_is_there("answer"))
        return there or (kind == "answer" and bool(self.lists(1) or self.known("pack")))

    # ---------------------------------------------------------------- calls

    def call(self, called: Callee, model: str | None = None) -> str:
        given = [f"{wanted.text} = {self.argument(wanted)}" for wanted in called.parameters]
        if called.what == "role":
            given.append(f"model = {model or self.one_of(*self.some_models())}")
            if self.sometimes(4) and not called.planner:
                given.append(f"max_tokens = {self.one_of('40', '300', *self.numbers(64))}")
            if called.returns == "answer" and self.sometimes():
                given.append(f"contract = {self.one_of(*self.options('contract', 0))}")
        elif model is not None:
            given = [f"ms = [{model}]" if text.startswith("ms =") else text for text in given]
        return f"{called.name}({', '.join(given)})"

    def callable_(self, *, what: Sequence[str] = ("role", "recipe"), returns: Sequence[Kind] = ()) -> list[Callee]:
        return [
            called
            for called in self.callees
            if called.what in what
            and (called.returns in returns if returns else called.returns != "plan")
            and all(map(self.can_give, called.parameters))
        ]

    def with_names(self, *more: Name) -> list[Name]:
        """Add names for a while; gives those that were there before, to be put back."""
        before = list(self.names)
        self.names = [*self.names, *more]
        return before

    def new(self, kind: Kind, low: int = 0, high: int = 0, *, optional: bool = False) -> Name:
        self.steps += 1
        name = Name(f"s{self.steps}", kind, low, high, optional)
        self.unread[name.text] = name
        return name

    # ---------------------------------------------------------------- steps

    def policy(self, *lines: str | None) -> str:
        given = [line for line in lines if line is not None]
        if self.sometimes(3):
            given.append(f"timeout = {self.one_of('1s', '30s', '90s', '200s')}")
        return " { " + ", ".join(given) + " }" if given else ""

    def fallback(self, kind: Kind) -> str | None:
        value = self.value(kind, 1) if self.sometimes() else None
        if kind == "answers" and value is not None:
            value = f"take({value}, {LONGEST})"
        return None if value is None else f"fallback = {value}"

    def step(self) -> str:
        return self.one_of(
            self.ask, self.ask, self.fanout, self.fanout, self.cascade, self.repeat, self.choose, self.run, self.let, self.repeat,
            self.perform, self.host_call, self.host_call, self.ask,
        )()  # fmt: skip

    def ask(self) -> str:
        called = self.one_of(*self.callable_(what=("role",)))
        call = self.call(called)
        retries = f"retries = {self.pick(1, 3)}" if self.sometimes(3) else None
        hedge = f"hedge = {self.one_of('100ms', '2s', '30s')}" if self.sometimes(4) else None
        when = f"when = {self.condition()}" if self.sometimes(4) else None
        last = self.fallback(called.returns)
        optional = "optional = true" if last is None and self.sometimes(3) else None
        step = self.new(called.returns, optional=when is not None or optional is not None)
        text = f"ask {step.text} = {call}" + self.policy(retries, hedge, when, last, optional)
        self.names.append(step)
        return text

    def fanout(self) -> str:
        called = self.one_of(*self.callable_(returns=("answer",)))
        over = self.one_of(*self.model_lists())
        item = f"m{self.steps}"
        before = self.with_names(Name(item, "model"))
        call = self.call(called, item)
        self.names = before
        samples = self.one_of(*self.numbers(4)) if self.sometimes() else None
        quorum = self.sometimes()
        step = self.new("answers", 1 if quorum else 0, 4)
        fallbacks = [xs.text for xs in self.known("answers") if xs.high <= 4]
        text = f"fanout {step.text} = {call} for {item} in {over}" + self.policy(
            None if samples is None else f"samples = {samples}",
            None if samples is None else f"spread = {self.one_of('round_robin', 'equal', 'first')}",
            f"parallel = {self.one_of(*self.numbers(3))}" if self.sometimes() else None,
            "keep = it.valid" if self.sometimes(3) else None,
            "quorum = 1" if quorum else None,
            f"grace = {self.one_of('1s', '40s')}" if quorum and self.sometimes() else None,
            f"until = {self.one_of('size(tried) > 1', 'decided(tried, key = it.value, of = 4)', 'false')}"
            if self.sometimes(4)
            else None,
            "on_error = skip" if self.sometimes(1) else None,
            f"fallback = {self.one_of('[]', *fallbacks)}" if not quorum and self.sometimes() else None,
        )
        self.names.append(step)
        return text

    def cascade(self) -> str:
        called = self.one_of(*self.callable_())
        item = f"m{self.steps}"
        over = self.one_of(*self.model_lists())
        before = self.with_names(Name(item, "model"))
        call = self.call(called, item)
        self.names = before
        accepts: dict[Kind, str] = {
            "answer": self.one_of("it.valid", "confidence(it) >= 0.5", "false"),
            "answers": "size(it) > 1",
            "grade": "it.score >= 0.9",
            "pack": "it.done",
        }
        step = self.new(called.returns, 0, LONGEST)
        tried = called.returns != "answers" and self.sometimes()
        text = f"cascade {step.text} = {call} for {item} in {over}" + self.policy(
            f"accept = {accepts.get(called.returns, 'true')}",
            "on_error = skip" if self.sometimes(1) else None,
            "fallback = last(tried)" if tried else self.fallback(called.returns),
        )
        self.names.append(step)
        return text

    def repeat(self) -> str:
        loops = self.callable_(returns=("answer", "answers", "pack"))
        fed = [loop for loop in loops if any(p.kind == loop.returns for p in loop.parameters)]
        called = self.one_of(*(fed if fed and self.pick(0, 3) else loops))
        start = self.value(called.returns, 1)
        if start is None:
            return self.ask()
        step = self.new(called.returns, 0, LONGEST)
        outside = list(self.names)
        rounds, own = f"up to {self.one_of('2', *self.numbers(3))} times", [step]
        if self.sometimes(1):
            over, item = self.one_of(*self.model_lists()), f"m{self.steps}"
            rounds, own = f"for {item} in {over}", [step, Name(item, "model")]
        self.with_names(*own)
        call = self.call(called)
        self.names = [*outside, step]
        untils: dict[Kind, str] = {
            "answer": f"{step.text}.valid", "answers": f"size({step.text}) > 2", "pack": f"{step.text}.done",
        }  # fmt: skip
        until = f"until = {self.one_of('false', untils[called.returns])}"
        fallback = f"fallback = {step.text}" if self.sometimes(1) else None
        return f"repeat {step.text} = {call} {rounds}" + self.policy(f"start = {start}", until, fallback)

    def choose(self) -> str:
        returns = self.one_of(*self.callable_()).returns
        same = self.callable_(returns=(returns,))
        weighs = self.sometimes(3)
        said, by = (self.estimates, self.worth()) if weighs else ((lambda: ""), "")
        arms = [f"when {self.guard(weighs)} => {self.call(self.one_of(*same))}{said()}" for _ in range(self.pick(1, 2))]
        last = 'fail("no arm")' if self.sometimes(4) else f"{self.call(self.one_of(*same))}{said()}"
        fallback = self.fallback(returns) or ""
        step = self.new(returns, 0, LONGEST)
        lines = [*arms, f"otherwise => {last}", by, fallback, "timeout = 70s" if self.sometimes(4) else ""]
        text = f"choose {step.text} {{\n    " + "\n    ".join(line for line in lines if line) + "\n  }"
        self.names.append(step)
        return text

    def estimates(self) -> str:
        """What an arm says of itself; now and then it says nothing."""
        said = [f"quality = {self.one_of('0', '0.5', 'clamp(request.turns / 9)')}"] if self.sometimes() else []
        said += [f"cost = {self.one_of('$0', '$0.001', '$2')}"] if self.sometimes() else []
        said += [f"time = {self.one_of('1s', '2m')}"] if self.sometimes() else []
        return f" {{ {', '.join(said)} }}" if said else ""

    def worth(self) -> str:
        quality, cost = "expected_quality(it)", "(expected_cost(it) or $1) / $0.01"
        return f"by = {self.one_of(quality, f'{quality} - {cost}', f'-1 * {cost}', '-1 * (expected_time(it) / 1s)', 'request.max_cost')}"

    def guard(self, weighs: bool) -> str:
        if not weighs or self.sometimes():
            return self.condition()
        return self.one_of("true", "(expected_cost(it) or $1) <= $0.01", "expected_time(it) < 1m")

    def run(self) -> str:
        inside = self.callable_(what=("recipe",))
        if not inside:
            return self.fanout()
        called = self.one_of(*inside)
        call = self.call(called)
        last = self.fallback(called.returns)
        optional = "optional = true" if last is None and self.sometimes(3) else None
        step = self.new(called.returns, 0, LONGEST, optional=optional is not None)
        self.names.append(step)
        return f"run {step.text} = {call}" + self.policy(last, optional)

    def let(self) -> str:
        found = self.one_of(*self.answer_lists())
        if self.sometimes(1) and found.high <= LONGEST:
            step, value = self.new("answers", found.low, found.high), found.text
        elif self.sometimes(1):
            value = f"take({self.texts()}, 3)"
            step = self.new("texts")
        else:
            value = self.text()
            step = self.new("text")
        self.names.append(step)
        return f"let {step.text} = {value}"

    def perform(self) -> str:
        """A planner, and its plan carried out."""
        plan = self.new("plan")
        most = self.one_of("1", "2", "3", "4")
        team = self.one_of(*self.model_lists())
        boss = self.one_of(*self.some_models())
        fallback = f"single_task(first({team}), {self.text(0)})" if self.sometimes() else None
        asked = f"ask {plan.text} = planner({team}, {most}, model = {boss})" + self.policy(
            f"retries = {self.pick(1, 2)}" if self.sometimes(4) else None,
            None if fallback is None else f"fallback = {fallback}",
        )
        step = self.new("answers", 1, 4)
        extra = "" if not self.sometimes(3) else ", max_tokens = 90"
        text = f"{asked}\n  perform {step.text} = worker(t.instruction, t.results, model = t.model{extra}) for t in {plan.text}"
        text += self.policy(
            f"parallel = {self.one_of(*self.numbers(3))}" if self.sometimes() else None,
            "on_error = skip" if self.sometimes(1) else None,
        )
        self.names += [plan, step]
        return text

    def host_call(self) -> str:
        called = next(called for called in self.callees if called.what == "function")
        call = self.call(called)
        last = self.fallback("report")
        optional = "optional = true" if last is None and self.sometimes(3) else None
        when = f"when = {self.condition()}" if self.sometimes(4) else None
        step = self.new("report", optional=optional is not None or when is not None)
        text = f"call {step.text} = {call}" + self.policy(
            f"retries = {self.pick(1, 2)}" if self.sometimes() else None, last, optional, when
        )
        self.names.append(step)
        return text

    # --------------------------------------------------------- declarations

    def role(self, number: int) -> str:
        """A role that shows what it takes, in one way or another; the first takes nothing."""
        kinds: tuple[Kind, ...] = ("answer", "answers", "grade", "pack", "report", "text", "texts", "model", "int")
        parameters = [
            Name(
                f"p{place}",
                kind := self.one_of(*kinds),
                0,
                4,
                kind in ("answer", "grade", "report") and self.sometimes(),
            )
            for place in range(self.pick(0, 2) if number else 0)
        ]
        returns: Kind = "grade" if number and self.sometimes() else "answer"
        lines = [f"max_tokens = {self.pick(1, 300)}"]
        prompt = " ".join(map(self.slot, parameters))
        if parameters or returns == "grade":
            lines.append(f'prompt = "Do: {prompt}"')
            lines += ["conversation = false"] if self.sometimes(1) else []
        lines += ['system = "be brief"'] if self.sometimes(4) else []
        if returns == "grade":
            lines.append(f"repair = {self.pick(0, 2)}")
        elif self.sometimes():
            lines.append(f"contract = {self.one_of('letter', 'code', 'request.format')}")
        self.callees.append(Callee(f"role{number}", tuple(parameters), returns))
        header = ", ".join(f"{p.text}: {p.type}" for p in parameters)
        gives = " -> grade" if returns == "grade" else ""
        return f"role role{number}({header}){gives} {{ {', '.join(lines)} }}"

    def slot(self, parameter: Name) -> str:
        """A parameter as a template shows it."""
        members: dict[Kind, tuple[str, ...]] = {
            "answer": ("", ".text", ".model.id", ".usage.total"),
            "grade": ("", ".reason"), "pack": ("", ".draft"), "report": ("", ".log"), "model": (".name", ".zone", ".id"),
        }  # fmt: skip
        shown = f"{{{{ {parameter.text}{self.one_of(*members.get(parameter.kind, ('',)))} }}}}"
        if self.sometimes(3):
            return f"{{% if {parameter.text} %}} {shown} {{% else %}} nothing {{% endif %}}"
        return shown

    def team(self) -> str:
        """A planner, a worker, and those that mend and close."""
        self.callees += [
            Callee("revise", (Name("draft", "answer"),), "answer"),
            Callee("planner", (), "plan", planner=True),
            Callee("worker", (Name("instruction", "text"), Name("results", "answers", 0, 3)), "answer"),
        ]
        return (
            f'role revise(draft: answer) {{ max_tokens = {self.pick(1, 300)}, prompt = "Mend: {{{{ draft }}}}" }}\n'
            f'role closing(note: text, xs: answer[..8]) {{ max_tokens = {self.pick(1, 200)}, prompt = "{{{{ note }}}} {{{{ xs }}}}" }}\n'
            f"role planner(workers: model[1..6], most: int(1..8)) -> plan(workers, most) "
            f'{{ max_tokens = {self.pick(20, 200)}, repair = {self.pick(0, 1)}, prompt = "Plan {{{{ most }}}} for {{{{ workers }}}}" }}\n'
            f"role worker(instruction: text, results: answer[..7]) "
            f'{{ max_tokens = {self.pick(1, 200)}, prompt = "{{{{ instruction }}}} {{{{ results }}}}" }}'
        )

    def function(self) -> str:
        self.callees.append(Callee("probe", (Name("program", "text"),), "report", "function"))
        return (
            f"extern probe(program: text) -> report "
            f"{{ timeout = {self.one_of('1s', '20s')}, cost = ${self.one_of('0', '0.05')}, max_bytes = {self.pick(1, 400)}, zone = near }}"
        )

    def closing(self) -> list[str]:
        """A call that sees all that nothing has read yet: what no step reads is no part of the plan."""
        unread = [name for name in self.unread.values() if name in self.names]
        answers = [name.text for name in unread if name.kind == "answer" and not name.optional]
        lists = [f"take({name.text}, 4)" for name in unread if name.kind == "answers" and not name.optional]
        said: dict[Kind, str] = {
            "answer": ".text", "grade": ".reason", "report": ".log", "pack": ".draft.text", "text": "", "plan": ".text",
        }  # fmt: skip
        texts = [
            f'({name.text}{said[name.kind]} if {name.text} != none else "nothing")'
            if name.optional
            else name.text + said[name.kind]
            for name in unread
            if name.kind in said and (name.optional or name.kind != "answer")
        ]
        note = " + ".join(texts[:4] or ['"nothing"'])
        many = " + ".join([f"[{', '.join(answers)}]", *lists])
        model = self.one_of(*self.some_models())
        policy = self.policy(f"retries = {self.pick(1, 2)}" if self.sometimes(4) else None, self.fallback("answer"))
        step = self.new("answer")
        self.names.append(step)
        return [f"ask {step.text} = closing(note = {note}, xs = take({many}, 8), model = {model}){policy}"]

    def recipe(self, number: int, *, last: bool) -> str:
        more = [
            Name("prior", "answers", 0, 4), Name("n", "int", 1, 3), Name("shape", "contract"), Name("note", "text"),
            Name("m", "model"), Name("before", "answer", optional=True),
        ]  # fmt: skip
        chosen = more[1:3] if last else [name for name in more if self.sometimes(1)]
        parameters = (Name("ms", "models", 1, 3), *chosen)
        self.names = list(parameters)
        self.unread = {}
        steps = [self.step() for _ in range(self.pick(1, 4))]
        for step in steps:
            self.has_read(step.partition(" = ")[2])
        given: tuple[Kind, ...] = ("answer", "answers", "pack")
        returns = "answer" if last else self.one_of(*given)
        if self.unread and self.sometimes(1):
            steps += self.closing()
        if not self.value_is_there("answer"):
            steps.append("ask z = role0(model = first(ms))")
            self.names.append(Name("z", "answer"))
        value = self.value(returns)
        if returns == "answers":
            value = f"take({value}, {LONGEST})"
        contract = ""
        if returns == "answer" and self.sometimes(1):
            fallback = f", fallback = {self.value('answer', 1)}" if self.sometimes(1) else ""
            contract = f" {{ contract = {self.value('contract', 0)}{fallback} }}"
        name = "main" if last else f"inner{number}"
        header = ", ".join(f"{p.text}: {p.type}" for p in parameters)
        self.callees.append(Callee(name, parameters, returns, "recipe"))
        body = "".join(f"  {step}\n" for step in steps)
        budget = _MARK.format(name=name)
        return f"recipe {name}({header}) -> {RETURNED[returns]} {{\n{budget}\n{body}  return {value}{contract}\n}}"

    def middle(self) -> str:
        """A model whose name for its backend may be long, and whose tokenizer and thinking may be its own."""
        more = self.one_of("", "tokens_per_byte = 1.3, image_tokens = 300", "reasoning_tokens = 60, image_tokens = 9")
        id = "middle" * self.one_of(1, 100)
        own = f'id = "{id}", zone = near, price = {{ input = $1, output = $20 }}'
        return f"model middle {{ backend = lab, {', '.join(filter(None, (own, more)))} }}"

    def signals(self) -> list[str]:
        """What is read off the request: guards, a case, a number, a text."""
        return [
            f'signal hidden: bool = contains(request.text, "{SECRET}")',
            f"signal asked: bool = {self.one_of(*ASKED)}",
            f"signal weight: score = clamp(request.tokens / {self.one_of('10', '900')} + 0.2 * asked)",
            "band heft = weight { light < 0.3 <= middling < 0.8 <= heavy }",
            "signal tries: int(1..3) = min(request.turns + 1, 3)",
            "signal said: text = lower(request.text)",
        ]

    def program(self) -> str:
        self.bounded = self.sometimes(3)
        self.leaks = self.bounded and self.sometimes()
        price = self.one_of(", price = { input = $3, output = $9 }", "")
        declarations = [
            'backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }',
            'model small { backend = lab, id = "s", price = { input = $0.5, output = $1 }, rating = 3, zone = near }',
            self.middle(),
            f'model {LONG_NAME} {{ backend = lab, id = "l"{price}, rating = 5, zone = near, image_tokens = 700 }}',
            f'model {FAR} {{ backend = lab, id = "f", price = {{ input = $5, output = $30 }}, zone = cloud }}',
            f'contract letter {{ extract = r"ANSWER:\\s*([A-J])", repair = {self.pick(0, 1)} }}',
            'contract code { extract = fence("python"), repair = 1, hint = "a block of code" }',
            "contract object { schema = grade, repair = 1 }",
            "record grade { reason: text, score: score }",
            "record pack { draft: answer, notes: text[..3], done: bool }",
            "record report { passed: bool, log: text }",
            *self.signals(),
            "boundary private { when = hidden, allow = it.zone == near }" if self.bounded else "",
            *(self.role(number) for number in range(self.pick(2, 4))),
            self.team(),
            self.function(),
        ]
        count = self.pick(0, 2)
        declarations += [self.recipe(number, last=number == count) for number in range(count + 1)]
        pool = self.one_of("[small]", "[small, middle]", f"[small, middle, {LONG_NAME}]")
        given = f"ms = {pool}, n = {self.pick(1, 3)}, shape = {self.one_of('letter', 'code', 'object')}"
        return "\n".join([*filter(None, declarations), f'expose "main" = main({given})']) + "\n"


@st.composite
def programs(draw: Callable[[st.SearchStrategy[int]], int]) -> str:
    """The text of a program that exposes `main`."""
    return drawn_program(lambda low, high: draw(st.integers(low, high))).text
