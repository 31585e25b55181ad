"""The specification holds: every example in `docs/spec` is executed, as its `README.md` says.

That a `recipe` fence compiles or gives its codes, and that a `console` fence prints what it shows, is tested with all
other pages (`tests/test_recipe_examples.py`); here is what only the specification has.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from page_fences import FENCES, ROOT, Fence, fences_of, files_up_to
from recipelang import compile_text
from recipelang.compilation import Compilation
from recipelang.diagnostics.catalogue import all_codes
from recipelang.ir import sizing
from recipelang.ir.document import seal
from recipelang.ir.plan import Plan
from recipelang.recipetests.running import run_tests
from recipelang.runtime.failures import RunFailureKind
from runs import WORLD
from scripted_cases import Run, must_come_out_as_it_says

SPEC = ROOT / "docs" / "spec"
CHAPTERS = sorted(SPEC.glob("[0-9]*.md"))
IN_SPEC = [fence for fence in FENCES if fence.page.parent == SPEC]
RECIPES = [fence for fence in IN_SPEC if fence.kind == "recipe"]
PLANS = [fence for fence in IN_SPEC if fence.words == ("toml", "plan")]
RUNS = [fence for fence in IN_SPEC if fence.words == ("toml", "run")]
USE_WORLD = 'use "./world.recipe"\n'
KINDS = {"recipe", "toml", "console", "ebnf", "text"}
MARK = re.compile(r"^ *#[^\n^]*?(?P<marks>\^+) (?P<code>[EW]\d{4})$")


def place(fence: Fence) -> str:
    return fence.place


def compilation_of(fence: Fence) -> Compilation:
    return compile_text(fence.text, fence.file or "page.recipe", files_up_to(fence))


def plan_for(fence: Fence) -> Plan:
    """The plan of the program that a fence is about, the last one above it; the world is a part of its file."""
    above = [other for other in fences_of(fence.page) if other.kind == "recipe" and other.line < fence.line][-1]
    compilation = compilation_of(replace(above, text=above.text.replace(USE_WORLD, WORLD)))
    assert compilation.plan is not None, compilation.diagnostics
    return compilation.plan


# ------------------------------------------------------------------ mistakes


def marked(fence: Fence) -> Iterator[tuple[int, int, int, str]]:
    """The places that comments with `^^^` point to in the line above them: line, first and last column, code."""
    above = 0
    for number, line in enumerate(fence.text.splitlines(), 1):
        match = MARK.match(line)
        if match is None:
            above = number if line.strip() else above
        else:
            direct = line[match.start("marks") - 1] == "#"  # which then stands for the first character
            yield above, match.start("marks") + (not direct), match.end("marks"), match["code"]


def reported(fence: Fence) -> Iterator[tuple[int, int, int, str]]:
    """Where mistakes in the program itself are; of a place of several lines the part in its first one."""
    compilation = compilation_of(fence)
    for found in compilation.diagnostics:
        if found.code.id in fence.codes and found.span is not None and found.span.source is compilation.source:
            line, column = found.span.position
            length = len(found.span.text.split("\n", maxsplit=1)[0])
            yield line, column, column + max(length, 1) - 1, found.code.id


@pytest.mark.parametrize("fence", [fence for fence in RECIPES if fence.codes], ids=place)
def test_a_mistake_is_at_the_place_that_is_marked(fence: Fence) -> None:
    assert Counter(reported(fence)) == Counter(marked(fence))


@pytest.mark.parametrize("fence", [fence for fence in RECIPES if not fence.codes], ids=place)
def test_only_what_is_said_to_have_mistakes_is_marked(fence: Fence) -> None:
    assert not list(marked(fence))


# --------------------------------------------------------------------- tests


@pytest.mark.parametrize("fence", [f for f in RECIPES if re.search(r"^test ", f.text, re.MULTILINE)], ids=place)
def test_the_tests_in_a_program_pass(fence: Fence) -> None:
    for result in run_tests(compilation_of(fence)):
        assert result.passed, (result.test.name, result.problems, result.unmet)


# --------------------------------------------------------------------- plans


def differences(shown: Any, actual: Any, where: str) -> Iterator[str]:  # Any: what TOML and JSON give
    """What the plan does not say: a table is a part of an object, or of a list of things with names."""
    if not isinstance(shown, dict):
        if shown != actual and shown != "...":
            yield f"{where}: {actual!r} is not {shown!r}"
        return
    if isinstance(actual, list):
        actual = {item.get("name", item.get("step")): item for item in actual}
    for name, inner in shown.items():
        if name not in actual:
            yield f"{where} has no {name}, but {', '.join(map(str, actual))}"
        else:
            yield from differences(inner, actual[name], f"{where}.{name}")


@pytest.mark.parametrize("fence", PLANS, ids=place)
def test_the_plan_says_what_is_shown_of_it(fence: Fence) -> None:
    plan = seal(plan_for(fence)).model_dump(mode="json")["plan"]
    assert not list(differences(tomllib.loads(fence.text), plan, "plan"))


# ---------------------------------------------------------------------- runs


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("fence", RUNS, ids=place)
async def test_a_run_comes_out_as_it_is_shown(fence: Fence) -> None:
    await must_come_out_as_it_says(plan_for(fence), cast(Run, tomllib.loads(fence.text)))


# ------------------------------------------------------------ the whole of it


def test_every_example_is_of_a_kind_that_is_executed() -> None:
    odd = [fence.place for fence in IN_SPEC if fence.page.name != "README.md" and fence.kind not in KINDS]
    assert not odd
    tables = [fence.place for fence in IN_SPEC if fence.kind == "toml" and fence not in (*PLANS, *RUNS)]
    assert not [place for place in tables if "README" not in place]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_a_chapter_is_numbered_as_its_file_and_is_in_the_contents(chapter: Any) -> None:  # Any: a path
    number = int(chapter.stem.split("-")[0])
    assert chapter.read_text(encoding="utf-8").startswith(f"# {number}. ")
    assert f"({chapter.name})" in (SPEC / "README.md").read_text(encoding="utf-8")


def test_the_programs_of_the_specification_and_the_conformance_cases_count_on_the_same() -> None:
    (shown,) = (fence.text for fence in fences_of(SPEC / "README.md") if fence.file == "world.recipe")
    assert shown == WORLD


def test_the_constants_of_the_arithmetic_are_those_of_the_compiler() -> None:
    page = (SPEC / "11-budgets.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([\d.]+) \|", page, re.MULTILINE))
    assert rows == {name: str(getattr(sizing, name)) for name in rows}
    internal = {"GREATEST_INTEGER", "PIECE_SLACK", "PIECE_MARGIN"}  # of chapter 7, and of one function
    assert rows.keys() == {name for name in vars(sizing) if name.isupper()} - internal


def test_every_error_and_every_failure_has_its_place_in_the_text() -> None:
    text = "".join(chapter.read_text(encoding="utf-8") for chapter in CHAPTERS)
    assert [code for code in all_codes() if code not in text] == []
    assert [kind.value for kind in RunFailureKind if not re.search(rf"`{kind}`|= \"{kind}\"", text)] == []
