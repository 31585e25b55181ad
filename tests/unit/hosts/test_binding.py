"""Values of Python become the arguments of a recipe, or a problem that says which one and what it takes."""

from __future__ import annotations

import math
from typing import Any

import pytest

from recipelang import ArgumentProblem, Engine, Plan, compile_text
from recipelang.ir.expressions import (
    Constant,
    ContractReference,
    Expression,
    FieldExpression,
    ListExpression,
    ModelReference,
    RecordExpression,
)

RECIPES = """
backend lab { kind = openai, url = "http://127.0.0.1:1/v1" }
model small  { backend = lab, id = "s", context = 32k, price = { input = $0, output = $0 }, rating = 900 }
model large  { backend = lab, id = "l", context = 32k, price = { input = $0, output = $0 }, rating = 1400 }
model middle { backend = lab, id = "m", context = 32k, price = { input = $0, output = $0 } }

contract brief  { extract = r"(\\w+)" }
contract patient { extract = r"(\\w+)", repair = 2 }
record pair { name: text, share: score }

role solver(note: text) { max_tokens = 10, prompt = "{{ note }}" }
role respondent() { max_tokens = 10 }

recipe alone(m: model) -> answer {
  budget { calls = 1 }
  ask reply = respondent(model = m)
  return reply
}
recipe team(panel: model[2..8], writer: model, few: model[..2] = []) -> answer {
  budget { calls = 9 }
  fanout found = respondent(model = m) for m in panel { on_error = skip }
  ask reply = respondent(model = writer) { fallback = first(found) }
  return reply
}
recipe typed(m: model, name: text = "a", number: int(1..16) = 1, any: int = 0, real: float = 0.5, sure: score = 0.5,
             wait: duration = 1s, spend: money = $1, on: bool = false, case: enum(low, high) = low,
             form: contract = request.format, pairs: pair[..2] = [], maybe: text? = none) -> answer {
  budget { calls = 1 }
  ask reply = solver(name, model = m)
  return reply
}
recipe strict(m: model, name: text) -> answer {
  budget { calls = 1 }
  ask reply = solver(name, model = m)
  return reply
}
expose "our/team" = team(panel = [small, large], writer = small)
"""


def plan() -> Plan:
    compilation = compile_text(RECIPES)
    found = compilation.library
    assert found is not None, compilation.diagnostics
    return found


ENGINE = Engine(plan())


def bound(recipe: str, pool: list[str] | None = None, /, **arguments: Any) -> dict[str, Expression]:
    return {argument.name: argument.value for argument in ENGINE.entry(recipe, arguments, pool).arguments}


def problem(recipe: str, pool: list[str] | None = None, /, **arguments: Any) -> str:
    with pytest.raises(ArgumentProblem) as caught:
        bound(recipe, pool, **arguments)
    return str(caught.value)


def models(*names: str) -> ListExpression:
    return ListExpression(tuple(ModelReference(name) for name in names))


# ------------------------------------------------------------------ models


def test_a_list_takes_the_whole_pool_and_a_single_model_beside_it_the_strongest() -> None:
    found = bound("team")
    assert found["panel"] == models("small", "large", "middle")
    assert found["writer"] == ModelReference("large")


def test_a_single_model_is_the_first_of_the_pool() -> None:
    assert bound("alone")["m"] == ModelReference("small")
    assert bound("alone", ["middle", "large"])["m"] == ModelReference("middle")


def test_models_go_by_their_names() -> None:
    found = bound("team", panel=["large", "middle"], writer="small")
    assert (found["panel"], found["writer"]) == (models("large", "middle"), ModelReference("small"))


def test_a_pool_that_is_too_small_says_so() -> None:
    assert (
        problem("team", ["small"]) == "`team` needs `panel`, which takes model[2..8]; there are 1 models to choose from"
    )
    assert problem("alone", []) == "`alone` needs `m`, which takes model"


def test_a_pool_of_models_that_are_not_there_says_so() -> None:
    assert problem("alone", ["smal"]) == "there is no model `smal`: did you mean `small`?"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"panel": ["small", "larg"]}, "there is no model `larg`: did you mean `large`?"),
        ({"panel": ["small"]}, "`panel` of `team` takes model[2..8], and 1 were given"),
        ({"panel": ["small"] * 9}, "`panel` of `team` takes model[2..8], and 9 were given"),
        ({"panel": "small"}, "`panel` of `team` takes model[2..8], not 'small'"),
        ({"writer": 7}, "`writer` of `team` takes model, not 7"),
        ({"writer": "zebra"}, "there is no model `zebra`; there are `small`, `large`, `middle`"),
        ({"panle": []}, "`team` has no parameter `panle`: did you mean `panel`?"),
        ({"x": 1}, "`team` has no parameter `x`; there are `panel`, `writer`, `few`"),
    ],
)
def test_models_that_do_not_fit_are_a_problem(given: dict[str, Any], told: str) -> None:
    assert problem("team", **given) == told


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "a name"),
        ("name", ""),
        ("number", 16),
        ("any", -(10**20)),
        ("real", -2),
        ("real", 1e300),
        ("sure", 0),
        ("sure", 1.0),
        ("wait", 0.5),
        ("spend", 0),
        ("on", True),
        ("case", "high"),
        ("maybe", None),
        ("maybe", "yes"),
    ],
)
def test_a_value_that_fits_is_a_constant_of_the_entry(name: str, value: Any) -> None:
    assert bound("typed", **{name: value})[name] == Constant(value)


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("name", 7, "text"),
        ("name", None, "text"),
        ("number", 0, "int(1..16)"),
        ("number", 17, "int(1..16)"),
        ("number", 1.0, "int(1..16)"),
        ("number", True, "int(1..16)"),
        ("number", "3", "int(1..16)"),
        ("any", 0.5, "int"),
        ("real", math.nan, "float"),
        ("real", math.inf, "float"),
        ("real", "1", "float"),
        ("sure", 1.01, "score"),
        ("sure", -0.01, "score"),
        ("wait", -1, "duration"),
        ("wait", math.inf, "duration"),
        ("wait", "1s", "duration"),
        ("spend", -1, "money"),
        ("on", 1, "bool"),
        ("on", "true", "bool"),
        ("case", "middle", "enum(low, high)"),
        ("case", 0, "enum(low, high)"),
        ("form", 7, "contract"),
        ("pairs", {"name": "a"}, "pair[..2]"),
        ("pairs", ["a"], "pair"),
        ("maybe", 7, "text"),
    ],
)
def test_a_value_that_does_not_fit_is_a_problem(name: str, value: Any, takes: str) -> None:
    told = problem("typed", **{name: value})
    assert told.startswith(f"`{name}` of `typed` takes {takes}")
    assert told.endswith(f"not {value!r}" if not isinstance(value, list) else f"not {value[0]!r}")


def test_records_are_mappings_with_all_their_fields() -> None:
    given = [{"name": "a", "share": 0.5}]
    fields = (FieldExpression("name", Constant("a")), FieldExpression("share", Constant(0.5)))
    assert bound("typed", pairs=given)["pairs"] == ListExpression((RecordExpression(fields),))
    for wrong in ({"name": "a"}, {"name": "a", "share": 0.5, "more": 1}):
        assert problem("typed", pairs=[wrong]) == "`pairs` of `typed` takes a record of `name`, `share`"
    assert problem("typed", pairs=[{"name": "a", "share": 2}]) == "`pairs` of `typed` takes score, not 2"
    assert problem("typed", pairs=given * 3) == "`pairs` of `typed` takes pair[..2], and 3 were given"


def test_contracts_go_by_their_names_and_ask_for_no_more_repairs_than_they_may() -> None:
    assert bound("typed", form="brief")["form"] == ContractReference("brief")
    assert problem("typed", form="patient") == "`form` of `typed` takes contract, and `patient` asks for 2 repairs"
    assert problem("typed", form="breif") == "there is no contract `breif`: did you mean `brief`?"


def test_what_has_neither_value_nor_default_is_asked_for() -> None:
    assert problem("strict") == "`strict` needs `name`, which takes text"


def test_a_long_value_is_not_shown_whole() -> None:
    assert len(problem("typed", number="x" * 10_000)) < 200


@pytest.mark.parametrize("name", ["any", "real", "sure", "wait"])
def test_a_number_that_no_float_can_hold_does_not_fit(name: str) -> None:
    assert f"`{name}` of `typed` takes" in problem("typed", **{name: 10**400})


# ----------------------------------------------------------------- entries


def test_an_exposed_name_is_an_entry_of_the_plan() -> None:
    assert ENGINE.entry("our/team") is ENGINE.plan.entries["our/team"]


def test_an_exposed_name_takes_no_other_arguments() -> None:
    assert problem("our/team", writer="large") == "`our/team` is exposed with its arguments, and takes no others"


def test_a_name_that_is_not_there_is_a_problem_that_suggests_one_that_is() -> None:
    assert problem("taem") == "there is no recipe `taem`: did you mean `team`?"
    assert problem("our/taem") == "there is no recipe `our/taem`: did you mean `our/team`?"
    assert problem("zebra").endswith("there are `our/team`, `alone`, `team`, `typed`, `strict`")


def test_an_entry_is_proved_for_its_very_arguments() -> None:
    two = ENGINE.entry("team", {"panel": ["small", "large"]}).certificate
    three = ENGINE.entry("team").certificate
    assert two is not None
    assert three is not None
    assert (two.total.calls, three.total.calls) == (3, 4)
