"""What compiles keeps its promises about data: with nothing that watches, no model sees what it may not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipelang.backends.scripted import Outcome, ScriptedBackend
from recipelang.compilation import compile_text
from recipelang.ir.expressions import Constant
from recipelang.ir.plan import Plan
from recipelang.recipetests.virtual_time import VirtualTimeLoop
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.interpreter import Interpreter
from recipelang.runtime.ports import BackendError, FailureKind, ModelCall, Reply
from recipelang.runtime.values import Message, Request
from runs import failed

WORLD = (Path(__file__).parents[1] / "corpus/boundaries/safe/parts/world.recipe").read_text(encoding="utf-8")
PROMISE = 'boundary private { when = request.turns > 1 or contains(request.conversation, "internal"), allow = it.zone == local }\n'
MODELS = ("home", "den", "cloud", "nowhere")
AT_HOME = {"home", "den"}
OPEN = (
    "not private",
    "not private and request.tokens > 3",
    "request.turns < 9 and not private",
    "not (private or request.images > 2)",
    "(false if private else request.tokens > 1)",
    "[true, not private][1]",
    "outside",
)
"""Conditions that hold for no private request."""
LEAKY = (
    "request.turns > 1",
    "not private or request.tokens > 2",
    "request.tokens > 0",
    'not contains(request.text, "internal")',
    "[true, not private][request.turns - 1] == true",
    'flag == "out"',
    "verdict.good",
    "verdict.kind == easy",
    "size(pool) > 1",
    "first(models).zone == local",
    'request.metadata["who"] == none',
)
"""Conditions that may hold for one, whatever they look like; some never do in some recipes, which the compiler may know."""
POOLS = (
    "[m for m in models if m.zone == local]",
    "[m for m in models if not private or m.zone == local]",
    "(inside if private else models)",
    "inside",
    "models",
    "[m for m in models if m.zone != far]",
    "take(models, 1)",
    "sort(models, by = it.rating)",
    "[m for m in models if (m.rating or 0) > 1000]",
    "inside + [last(models)]",
    "unique(inside + inside)",
)
SINGLES = (
    "first(inside)",
    "last(models)",
    "(first(inside) if private else last(models))",
    "strongest(models)",
    "cheapest(inside)",
    "(last(models) if {open} else home)",
    "(last(models) if {leaky} else home)",
    "draft.model",
    "home",
    "cloud",
)


@dataclass
class Writer:
    """Writes a recipe of guarded steps. Most guards are right, so that most recipes compile."""

    number: Callable[[int, int], int]  # draws one from a range
    answers: list[str] = field(default_factory=lambda: ["draft"])
    steps: list[str] = field(default_factory=list)

    def one_of(self, options: Sequence[str]) -> str:
        return options[self.number(0, len(options) - 1)]

    def guard(self) -> str:
        return self.one_of(OPEN) if self.number(0, 4) else self.one_of(LEAKY)

    def model(self) -> str:
        text = self.one_of(SINGLES[:3] + SINGLES) if self.number(0, 2) else "first(inside)"
        return text.replace("{open}", self.one_of(OPEN)).replace("{leaky}", self.one_of(LEAKY))

    def pool(self) -> str:
        return self.one_of(POOLS[:4] * 2 + POOLS)

    def answer(self) -> str:
        return self.one_of(self.answers)

    def step(self) -> None:
        name = f"s{len(self.steps)}"
        kind = self.number(0, 8)
        anywhere = "cloud" if self.number(0, 1) else "last(models)"
        match kind:
            case 0:
                text = f"ask {name} = reviser({self.answer()}, model = {self.model()}) {{ fallback = {self.answer()} }}"
            case 1:
                asked = f"ask {name}x = solver(model = {anywhere}) {{ when = {self.guard()}, optional = true }}"
                text = f"{asked}\n  let {name} = {name}x or {self.answer()}"
            case 2:
                arms = [f"when {self.guard()} => solver(model = {anywhere})"]
                arms += [
                    f"when {self.one_of(('private', *LEAKY))} => {self.one_of(('asked_nicely(home)', 'solver(model = first(inside))'))}"
                ]
                last = self.one_of(("asked_nicely(den)", "solver(model = home)", "solver(model = cloud)", 'fail("no")'))
                text = f"choose {name} {{ {' '.join(arms)} otherwise => {last} fallback = {self.answer()} }}"
            case 3:
                over = f"for m in {self.pool()} {{ on_error = skip, fallback = [{self.answer()}] }}"
                text = f"fanout {name}x = solver(model = m) {over}\n  let {name} = first({name}x) if size({name}x) > 0 else draft"
            case 4:
                over = f"for m in {self.pool()} {{ accept = it.valid, on_error = skip, fallback = {self.answer()} }}"
                text = f"cascade {name} = solver(model = m, contract = letter) {over}"
            case 5:
                over = f"for m in {self.pool()} {{ start = {self.answer()}, fallback = {name} }}"
                text = f"repeat {name} = reviser({name}, model = m) {over}"
            case 6:
                spare = f'fallback = single_task({self.model()}, "answer")'
                team = self.one_of(("inside", "inside", "models"))
                planned = f"ask {name}p = planner({team}, 3, model = {self.model()}) {{ {spare} }}"
                done = f"perform {name}w = worker(t.instruction, t.results, model = t.model) for t in {name}p {{ on_error = skip, fallback = [draft] }}"
                text = f"{planned}\n  {done}\n  let {name} = first({name}w) if size({name}w) > 0 else draft"
            case 7:
                given = f"take({self.pool()}, 4)"
                text = f"let {name}l = {given}\n  run {name} = panel({name}l if size({name}l) > 0 else [home], {self.model()}) {{ fallback = {self.answer()} }}"
            case _:
                text = f"run {name} = mended({self.answer()}, {self.model()}, {self.guard()}) {{ fallback = {self.answer()} }}"
        self.steps.append(text)
        self.answers.append(name)

    def program(self) -> str:
        for _ in range(self.number(1, 5)):
            self.step()
        models = ", ".join(self.one_of(MODELS) for _ in range(self.number(1, 3)))
        inside = "home, den" if self.number(0, 9) else "home, cloud"
        body = "\n".join(f"  {step}" for step in self.steps)
        return f"""{WORLD}{PROMISE}
recipe said(m: model) -> text {{
  ask a = solver(model = m)
  return "in"
}}
recipe mended(a: answer, writer: model, go: bool) -> answer {{
  ask b = reviser(a, model = writer) {{ when = go, fallback = a }}
  ask c = reviser(a, model = home) {{ when = not go, optional = true }}
  return b or c or a {{ contract = letter, fallback = a }}
}}
recipe main(models: model[1..3], inside: model[1..3]) -> answer {{
  ask draft = solver(model = first(inside))
  ask verdict = grader(draft, model = first(inside)) {{ fallback = {{ reason = "", good = false, kind = easy }} }}
  run flag = said(home) {{ optional = true }}
  let outside = not private and request.turns < 5
  let pool = [m for m in models if m.zone == local]
{body}
  ask end = judge([{", ".join(self.answers)}], model = home)
  return end
}}
expose "main" = main([{models}], [{inside}])
"""


@st.composite
def programs(draw: Callable[[st.SearchStrategy[int]], int]) -> str:
    return Writer(lambda low, high: draw(st.integers(low, high))).program()


PRIVATE = st.sampled_from(
    (
        Request((Message("user", "an internal matter"),)),
        Request((Message("user", "one"), Message("assistant", "yes"), Message("user", "two"))),
        Request((Message("user", "internal " * 9),), metadata={"who": "ann"}),
    )
)


def moody(mood: random.Random) -> Callable[[ModelCall], Outcome]:
    """Models that fail, keep to no form, and plan what they like."""

    def outcome(call: ModelCall) -> Outcome:
        if mood.random() < 0.25:
            return BackendError(FailureKind.SERVER, "out of sorts", 500)
        if call.schema is None:
            return Reply(mood.choice(("ANSWER: A", "no form at all")))
        properties = json.loads(call.schema)["properties"]
        if "tasks" not in properties:
            return Reply(
                json.dumps({"reason": "so", "good": mood.random() < 0.5, "kind": mood.choice(("easy", "hard"))})
            )
        workers = properties["tasks"]["items"]["properties"]["worker"]["enum"]
        one = {"name": "one", "needs": [], "worker": mood.choice(workers), "instruction": "do it"}
        two = {"name": "two", "needs": ["one"], "worker": mood.choice((*workers, "cloud")), "instruction": "more"}
        return Reply(json.dumps({"tasks": [one, two]}))

    return outcome


def called(plan: Plan, request: Request, seed: int) -> tuple[set[str], bool]:
    """The models that a run called, and whether a boundary refused it a call."""
    backend = ScriptedBackend(moody(random.Random(seed)))
    interpreter = Interpreter(plan, dict.fromkeys(plan.backends, backend))

    async def run() -> bool:
        try:
            trace = (await interpreter.run("main", request, seed=seed)).trace
        except RunFailure as ended:
            trace = failed(ended, backend).trace
        return any(event.data.get("failure") == RunFailureKind.BOUNDARY.value for event in trace.events)

    refused = anyio.run(run, backend="asyncio", backend_options={"loop_factory": VirtualTimeLoop})
    return {call.model.name for call in backend.calls}, refused


def without_enforcement(plan: Plan) -> Plan:
    """The plan with boundaries that the interpreter lets everybody pass: only the proof is left."""
    open_to_all = {name: replace(each, allow=Constant(True)) for name, each in plan.boundaries.items()}
    return replace(plan, boundaries=open_to_all)


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(programs(), PRIVATE, st.integers(0, 2**16))
def test_no_model_sees_what_it_may_not(text: str, request: Request, seed: int) -> None:
    compilation = compile_text(text)
    found = [diagnostic for diagnostic in compilation.diagnostics if diagnostic.severity == "error"]
    assert {diagnostic.code.id for diagnostic in found} <= {"E0901"}, [d.message for d in found]
    plan = compilation.plan
    if plan is None:
        return
    names, refused = called(plan, request, seed)
    assert names <= AT_HOME
    assert not refused
    unwatched, _ = called(without_enforcement(plan), request, seed)
    assert unwatched <= AT_HOME


def test_the_recipes_above_compile_and_leak_both() -> None:
    """The property says something: many recipes pass, many don't, and of those that don't some do leak."""
    passed, caught = 0, 0
    draw = random.Random(5)
    for seed in range(60):
        text = Writer(draw.randint).program()
        compilation = compile_text(text)
        if compilation.plan is not None:
            passed += 1
            continue
        assert {d.code.id for d in compilation.diagnostics} == {"E0901"}, text
        plan = compile_text(text.replace("allow = it.zone == local", "allow = true or it.zone == local")).plan
        assert plan is not None
        request = Request((Message("user", "one"), Message("assistant", "yes"), Message("user", "two")))
        names, _ = called(plan, request, seed)
        caught += not names <= AT_HOME
    assert passed >= 15
    assert caught >= 10
