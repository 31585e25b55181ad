"""A plan as a document: what is saved is what is loaded, and what is not a sealed plan is told so."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, assume, given, settings

from recipe_programs import programs
from recipelang.compilation import compile_file, compile_text
from recipelang.ir.document import PlanDocument, PlanProblem, digest_of, dump, json_schema, load
from recipelang.ir.expressions import Constant, ListExpression
from recipelang.ir.plan import Let, Plan
from recipelang.ir.types import FloatType
from recipelang.resources import standard_recipe_names

ROOT = Path(__file__).parents[3]
STANDARD = [f"std.{name}" for name in standard_recipe_names()]

Change = Callable[[dict[str, Any]], None]  # Any: JSON


def standard(name: str = "std.fusion") -> Plan:
    plan = compile_file(name).plan
    assert plan is not None
    return plan


def changed(change: Change) -> str:
    """The document of `std.fusion`, changed after it was sealed."""
    document = json.loads(dump(standard()))
    change(document)
    return json.dumps(document)


def recipe_of(document: dict[str, Any]) -> dict[str, Any]:
    recipe: dict[str, Any] = document["plan"]["recipes"]["fusion"]
    return recipe


def problem(text: str | bytes) -> str:
    with pytest.raises(PlanProblem) as raised:
        load(text)
    return str(raised.value)


@pytest.mark.parametrize("name", STANDARD)
def test_what_is_saved_is_what_is_loaded_with_the_same_digest(name: str) -> None:
    plan = standard(name)
    loaded = load(dump(plan))
    assert loaded == plan
    assert digest_of(loaded) == digest_of(plan)
    assert dump(loaded) == dump(plan)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(programs())
def test_any_plan_is_loaded_as_it_was_saved(text: str) -> None:
    plan = compile_text(text).plan
    assume(plan is not None)
    assert plan is not None
    document = dump(plan)
    assert load(document) == plan
    assert json.loads(document)["digest"] == digest_of(plan)


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_the_digest_is_the_same_in_every_process(hash_seed: str) -> None:
    program = (
        "from recipelang.compilation import compile_file\n"
        "from recipelang.ir.document import digest_of\n"
        "print(digest_of(compile_file('std.remom').plan))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest_of(standard("std.remom"))


def test_the_digest_tells_a_plan_from_any_other() -> None:
    plan = standard()
    fusion = plan.recipes["fusion"]
    dearer = replace(fusion, budget=replace(fusion.budget, calls=12))
    other = replace(plan, recipes={**plan.recipes, "fusion": dearer})
    assert digest_of(other) != digest_of(plan)


def test_a_plan_document_is_frozen() -> None:
    document = PlanDocument.model_validate_json(dump(standard()))
    with pytest.raises(ValueError, match="frozen"):
        document.digest = "sha256:other"


# ---------------------------------------------------------------- refused


def test_a_plan_that_was_changed_after_it_was_sealed_is_refused() -> None:
    def raise_the_budget(document: dict[str, Any]) -> None:
        recipe_of(document)["budget"]["calls"] = 1_000

    assert problem(changed(raise_the_budget)) == ("the plan was changed after it was sealed: its digest does not match")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: recipe_of(d).update(colour="red"), "plan.recipes.fusion.colour: unexpected keyword argument"),
        (lambda d: d.update(note="mine"), "note: extra inputs are not permitted"),
        (lambda d: recipe_of(d).pop("returns"), "plan.recipes.fusion.returns: field required"),
        (lambda d: recipe_of(d)["budget"].update(calls="11"), "budget.calls: input should be a valid integer"),
        (lambda d: recipe_of(d)["budget"].update(calls=-1), "budget.calls: input should be greater than or equal to 0"),
        (lambda d: recipe_of(d)["budget"].update(parallel=0), "parallel: input should be greater than or equal to 1"),
        (lambda d: recipe_of(d)["budget"].update(time=math.inf), "budget.time: input should be a finite number"),
        (lambda d: recipe_of(d)["steps"][0].update(timeout=-1), "timeout: input should be greater than or equal to 0"),
        (lambda d: recipe_of(d)["steps"][0].update(grace=math.nan), "grace: input should be a finite number"),
        (lambda d: recipe_of(d)["steps"][0].update(name=""), "name: string should have at least 1 character"),
        (lambda d: recipe_of(d)["steps"][0].update(kind="zoo"), "input tag 'zoo' found using 'kind' does not match"),
        (lambda d: recipe_of(d)["certificate"]["total"].update(seconds=-5), "greater than or equal to 0"),
    ],
)
def test_a_document_that_is_not_as_its_schema_says_is_refused_at_the_place(change: Change, said: str) -> None:
    message = problem(changed(change))
    assert message.startswith("not a plan of version 1: ")
    assert said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a plan: invalid JSON"),
        ("recipe r() {}", "not a plan: invalid JSON"),
        (b"\xff\xfe\x00", "not a plan: invalid JSON"),
        ("[]", "not a plan: input should be an object"),
        ("{}", "not a plan: its `format` is not `recipelang.plan`"),
        ('{"format": "cookbook", "version": 7}', "not a plan: its `format` is not `recipelang.plan`"),
        ('{"format": "recipelang.plan", "version": 2, "new": 1}', "a plan of version 2: this release"),
        ('{"format": "recipelang.plan"}', "a plan without a version: this release"),
        ("[" * 1_000_000, "it nests too deeply"),
        ("x" * 10_000_000, "not a plan: invalid JSON"),
    ],
    ids=["empty", "text", "bytes", "list", "object", "format", "version", "no version", "deep", "huge"],
)
def test_what_is_no_plan_is_told_so_in_a_line(text: str | bytes, said: str) -> None:
    message = problem(text)
    assert message.startswith(said)
    assert len(message) < 200


def test_a_plan_that_nests_too_deeply_to_be_loaded_is_not_written() -> None:
    deep: Any = Constant(1)  # Any: an expression in an expression
    for _ in range(150):
        deep = ListExpression((deep,))
    plan = standard()
    recipe = replace(plan.recipes["fusion"], steps=(Let("deep", FloatType(), deep),))
    with pytest.raises(PlanProblem, match="nests too deeply"):
        dump(replace(plan, recipes={"fusion": recipe}))


def test_a_number_that_json_does_not_have_is_not_written() -> None:
    plan = standard()
    recipe = replace(plan.recipes["fusion"], steps=(Let("endless", FloatType(), Constant(math.inf)),))
    with pytest.raises(PlanProblem, match="none, or infinite"):
        dump(replace(plan, recipes={"fusion": recipe}))


# ----------------------------------------------------------------- schema


def test_the_published_schema_is_the_one_that_documents_are_held_to() -> None:
    published = json.loads((ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
    assert published == json_schema(), "write it anew: recipelang compile --schema > docs/plan.schema.json"


@pytest.mark.parametrize("name", STANDARD)
def test_the_documents_of_the_standard_recipes_satisfy_the_published_schema(name: str) -> None:
    schema = json.loads((ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
    jsonschema_rs.validate(schema, json.loads(dump(standard(name))))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: recipe_of(d).update(colour="red"),
        lambda d: recipe_of(d)["steps"][0].update(timeout=-1),
        lambda d: recipe_of(d)["steps"][0].update(kind="zoo"),
        lambda d: d.update(version=2),
        lambda d: d.pop("format"),
    ],
)
def test_the_published_schema_refuses_what_loading_refuses(change: Change) -> None:
    text = changed(change)
    assert problem(text)
    assert not jsonschema_rs.is_valid(json_schema(), json.loads(text))
