"""A bundle: a plan sealed with its sources. Whatever is touched, it is refused."""

from __future__ import annotations

import json
import random

import pytest

from recipelang import CompileError, PlanProblem, bundled, compile_text, dump, load, load_bundle
from recipelang.hosts.bundling import files_of
from recipelang.ir.document import Bundle, sealed_bundle

TEXT = """\
use "../parts/voices.recipe"
use std.local_models
recipe twice(m: model) -> answer {
  ask draft = solver(model = m)
  return draft
}
expose "a" = twice(tiny)
"""
FILES = {"parts/voices.recipe": 'role solver() { system = "Be kind to \\u{1F600}" }\n'}


def bundle() -> Bundle:
    return bundled(compile_text(TEXT, "team/team.recipe", FILES))


def test_a_bundle_is_written_and_read_again() -> None:
    text = dump(bundle())
    assert load_bundle(text) == bundle()
    assert load(text) == bundle().plan
    assert dump(load_bundle(text)) == text


def test_its_sources_go_by_their_paths_from_one_folder() -> None:
    assert set(bundle().sources) == {"team/team.recipe", "parts/voices.recipe", "std.local_models"}
    assert bundle().root == "team/team.recipe"
    assert set(files_of(bundle())) == {"team/team.recipe", "parts/voices.recipe", "std/local_models.recipe"}


def test_whichever_byte_is_touched_the_bundle_is_refused_or_says_the_same() -> None:
    data, draw = dump(bundle()).encode(), random.Random(1)
    for place in draw.sample(range(len(data)), 400):
        touched = bytearray(data)
        touched[place] ^= 1 << draw.randrange(7)
        try:
            assert load_bundle(bytes(touched)) == bundle()
        except PlanProblem:
            continue
        assert data[place : place + 1].isspace(), data[place - 20 : place + 20]  # only what is between the words


@pytest.mark.parametrize("name", ["../x.recipe", "/etc/x", "a/../../x", "C:x", "a\\b", "", "x\0"])
def test_a_source_that_leads_out_of_its_folder_is_refused_though_it_is_sealed(name: str) -> None:
    made = sealed_bundle(bundle().plan, name, {name: "x"}, "0.1.0")
    with pytest.raises(PlanProblem, match="leads out of its folder"):
        load(made.model_dump_json())


def test_a_bundle_has_the_source_that_it_was_made_from() -> None:
    made = sealed_bundle(bundle().plan, "a.recipe", {"b.recipe": "x"}, "0.1.0")
    with pytest.raises(PlanProblem, match="has no source `a.recipe`"):
        load(made.model_dump_json())


def test_a_plan_by_itself_is_no_bundle() -> None:
    with pytest.raises(PlanProblem, match="it is no bundle"):
        load_bundle(dump(bundle().plan))


def test_a_bundle_of_a_broken_recipe_is_none() -> None:
    with pytest.raises(CompileError, match="E0201"):
        bundled(compile_text("recipe r() -> answer { return nothing }"))


def test_the_seal_covers_what_the_digest_does_not() -> None:
    document = json.loads(dump(bundle()))
    document["sources"]["team/team.recipe"] += "# more\n"
    with pytest.raises(PlanProblem, match="its seal does not match"):
        load(json.dumps(document))
