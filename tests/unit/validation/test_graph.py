"""What a plan must not have, one fault at a time; plans of the compiler have none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from recipe_programs import programs
from recipelang.compilation import compile_file, compile_text
from recipelang.hosts.recipes import recipes_in
from recipelang.ir.expressions import ApplyExpression, ContractReference, Expression, ModelReference, Variable
from recipelang.ir.plan import (
    Ask,
    Backend,
    CallArgument,
    Entry,
    Fanout,
    Let,
    Model,
    Parameter,
    Plan,
    Recipe,
    RecipeCall,
    Repeat,
    Return,
    Role,
    RoleCall,
    Run,
    Step,
)
from recipelang.ir.template import Section, Slot
from recipelang.ir.types import AnswerType, ListType, ModelType, TextType
from recipelang.resources import standard_recipe_names
from recipelang.validation.graph import PlanFault, UnsoundPlan, must_be_valid, validate

ANSWER = AnswerType()
HERE = Variable("m")


def asking(name: str = "a", call: RoleCall | None = None, **policy: Any) -> Ask:  # Any: fields of the step
    return Ask(name, ANSWER, call or RoleCall("solver", (), HERE), **policy)


def returning(value: Expression = Variable("a")) -> Return:  # noqa: B008 - a frozen node
    return Return(ANSWER, value)


def plan_with(*steps: Step, **recipes: Recipe) -> Plan:
    """A sound plan but for what is given: the recipe `r` of a model `m` has these steps."""
    lab, small = Backend("lab", "openai", "http://127.0.0.1:9/v1"), Model("small", "lab", "s")
    solver, recipe = (
        Role("solver", (), ANSWER, 100),
        Recipe("r", (Parameter("m", ModelType()),), ANSWER, steps=steps, budget=BUDGET),
    )
    entry = Entry("main", "r", (CallArgument("m", ModelReference("small")),))
    return Plan(
        {"lab": lab},
        {"small": small},
        {},
        {"solver": solver},
        recipes={"r": recipe, **recipes},
        entries={"main": entry},
    )


BUDGET = compile_text("recipe r() -> int { return 1 }").plan.recipes["r"].budget  # type: ignore[union-attr] # it compiles
SOUND = plan_with(asking(), returning())


def only_fault(plan: Plan) -> PlanFault:
    (fault,) = validate(plan)
    return fault


@pytest.mark.parametrize("name", standard_recipe_names())
def test_the_standard_recipes_have_no_fault(name: str) -> None:
    plan = compile_file(f"std.{name}").plan
    assert plan is not None
    assert validate(plan) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(programs())
def test_no_plan_of_the_compiler_has_a_fault(text: str) -> None:
    plan = compile_text(text).plan
    assume(plan is not None)
    assert plan is not None
    assert validate(plan) == []


def test_a_plan_made_by_hand_can_be_sound() -> None:
    assert validate(SOUND) == []
    must_be_valid(SOUND)


def test_steps_that_wait_for_each_other_are_shown_as_a_circle() -> None:
    a, b = Let("a", ANSWER, Variable("b")), Let("b", ANSWER, Variable("a"))
    fault = only_fault(plan_with(a, b, returning()))
    assert fault.place == "r"
    assert fault.problem in {"steps wait for each other: a → b → a", "steps wait for each other: b → a → b"}


def test_recipes_that_call_each_other_are_shown_as_a_circle() -> None:
    call = RecipeCall("other", (CallArgument("m", HERE),))
    other = replace(SOUND.recipes["r"], name="other", steps=(Run("a", ANSWER, replace(call, recipe="r")), returning()))
    fault = only_fault(plan_with(Run("a", ANSWER, call), returning(), other=other))
    assert fault.problem in {"recipes call each other: r → other → r", "recipes call each other: other → r → other"}


FAULTS: list[tuple[str, Plan, str, str]] = [
    ("a step that nothing leads from", plan_with(asking(), asking("b"), returning()), "r.b", "does not reach `return`"),
    ("a name that nobody gives", plan_with(returning(Variable("c"))), "r.return", "nothing feeds `c`"),
    ("two steps of a name", plan_with(asking(), asking(), returning()), "r", "two steps are called `a`"),
    ("no return", plan_with(asking()), "r", "a recipe has exactly one `return`"),
    (
        "a role that is not there",
        plan_with(asking(call=RoleCall("x", (), HERE)), returning()),
        "r.a",
        "there is no role `x`",
    ),
    (
        "a recipe that is not there",
        plan_with(Run("a", ANSWER, RecipeCall("x", ())), returning()),
        "r.a",
        "there is no recipe `x`",
    ),
    (
        "a model that is not there",
        plan_with(asking(call=RoleCall("solver", (), ModelReference("x"))), returning()),
        "r.a",
        "there is no model `x`",
    ),
    (
        "a contract that is not there",
        plan_with(asking(), replace(returning(), contract=ContractReference("x"))),
        "r.return",
        "there is no contract `x`",
    ),
    (
        "a function that is not there",
        plan_with(returning(ApplyExpression("x", (), ANSWER))),
        "r.return",
        "there is no function `x`",
    ),
    (
        "an argument too many",
        plan_with(asking(call=RoleCall("solver", (CallArgument("x", HERE),), HERE)), returning()),
        "r.a",
        "`solver` has no parameter `x`",
    ),
    (
        "branches without an end",
        plan_with(Fanout("a", ListType(ANSWER), RoleCall("solver", (), HERE), "n", HERE), returning()),
        "r.a",
        "the number of its branches is not bounded",
    ),
    (
        "rounds without an end",
        plan_with(Repeat("a", ANSWER, RoleCall("solver", (), HERE), HERE), returning()),
        "r.a",
        "the number of its rounds is not bounded",
    ),
    (
        "a prompt that reads what its role has not",
        replace(SOUND, roles={"solver": replace(SOUND.roles["solver"], prompt=(Section(("x",), (Slot(("x",)),)),))}),
        "solver",
        "its prompt reads `x`, which is no parameter",
    ),
    (
        "a default that reads another parameter",
        replace(
            SOUND,
            roles={"solver": replace(SOUND.roles["solver"], parameters=(Parameter("t", TextType(), Variable("x")),))},
            recipes={
                "r": replace(
                    SOUND.recipes["r"],
                    steps=(asking(call=RoleCall("solver", (CallArgument("t", HERE),), HERE)), returning()),
                )
            },
        ),
        "solver",
        "nothing feeds `x` in a default",
    ),
    (
        "a model without its backend",
        replace(SOUND, backends={}),
        "small",
        "there is no backend `lab`",
    ),
    (
        "an entry without its recipe",
        replace(SOUND, entries={"main": Entry("main", "x", ())}),
        "main",
        "there is no recipe `x`",
    ),
    (
        "an entry without an argument",
        replace(SOUND, entries={"main": Entry("main", "r", ())}),
        "main",
        "`r` also needs `m`",
    ),
    (
        "a declaration under another name",
        replace(SOUND, entries={"other": SOUND.entries["main"]}),
        "other",
        "its own name is `main`",
    ),
]


@pytest.mark.parametrize(
    ("plan", "place", "problem"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_a_plan_must_not_have(plan: Plan, place: str, problem: str) -> None:
    assert only_fault(plan) == PlanFault(place, problem)


def test_all_faults_are_told_at_once() -> None:
    plan = plan_with(asking(), asking("b"), returning(Variable("c")))
    with pytest.raises(UnsoundPlan) as raised:
        must_be_valid(plan)
    assert {fault.place for fault in raised.value.faults} == {"r.a", "r.b", "r.return"}
    assert "r.return: nothing feeds `c`" in str(raised.value)


def test_a_host_is_not_given_a_plan_with_a_fault() -> None:
    with pytest.raises(UnsoundPlan, match="nothing feeds `c`"):
        recipes_in(plan_with(asking(), returning(Variable("c"))))


def test_a_host_does_not_take_the_certificate_of_a_plan_on_trust() -> None:
    sound = recipes_in(SOUND)
    certificate = sound.entries["main"].certificate
    assert certificate is not None
    forged = replace(certificate, total=replace(certificate.total, calls=0))
    entries = {"main": replace(sound.entries["main"], certificate=forged)}
    assert recipes_in(replace(sound, entries=entries)) == sound
