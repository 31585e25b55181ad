"""What has changed from one plan to another: each change told once, where it belongs, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recipe_corpus import VALID, compiled
from recipelang import Plan, compile_file, compile_text, difference
from recipelang.comparing.difference import FORBIDDABLE, GROUPS, MORE, Difference
from recipelang.comparing.settings import template_text
from recipelang.comparing.telling import to_json, told
from recipelang.resources import standard_recipe_names

TEAM = """\
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model small { backend = lab, id = "s", price = { input = $0.05, output = $0.20 } }
model large { backend = lab, id = "b", price = { input = $0.20, output = $0.80 } }
boundary inside { when = contains(request.text, "internal"), allow = it.name != "none" }
contract letter { extract = r"([A-J])", repair = 1 }
extern look_up(word: text) -> text { timeout = 5s }
## Says it.
role solver(note: text) {
  system = "You are kind.\\nYou are brief."
  prompt = "{% if note %}{{ note }}{% else %}Go on.{% endif %}"
}
recipe auto(ms: model[2..3]) -> answer {
  budget { calls = 10, time = 10m }
  call found = look_up("a") { fallback = "none" }
  fanout answers = solver(found, model = m) for m in ms { quorum = 2, timeout = 30s }
  return first(answers) { contract = letter }
}
expose "team/auto" = auto([small, large])
"""


def plan(text: str) -> Plan:
    compilation = compile_text(text)
    assert compilation.plan is not None, compilation.diagnostics
    return compilation.plan


def changed(old: str, new: str) -> Difference:
    assert old in TEAM
    return difference(plan(TEAM), plan(TEAM.replace(old, new)))


@pytest.mark.parametrize("name", standard_recipe_names())
def test_nothing_differs_from_itself(name: str) -> None:
    same = compile_file(f"std.{name}").plan
    assert same is not None
    found = difference(same, same)
    assert found.is_none
    assert told(found) == ""
    assert found.forbidden(frozenset(FORBIDDABLE)) == []


@pytest.mark.parametrize(
    ("old", "new", "gates"),
    [
        ("timeout = 30s", "timeout = 60s", {"more-time", "steps"}),
        ("timeout = 30s", "timeout = 20s", {"steps"}),
        ("model[2..3]", "model[2..4]", {"more-calls", "more-tokens", "more-money", "more-parallel", "recipes"}),
        (
            "[small, large]",
            "[small, large, large]",
            {"more-calls", "more-tokens", "more-money", "more-parallel", "names"},
        ),
        ("$0.80", "$0.90", {"more-money", "models"}),
        ("$0.80", "$0.70", {"models"}),
        (", price = { input = $0.20, output = $0.80 }", "", {"more-money", "models"}),
        ("brief", "short", {"prompts"}),
        ("Go on.", "Go on!", {"prompts"}),
        ("repair = 1", "repair = 2", {"more-calls", "more-tokens", "more-money", "contracts"}),
        ("repair = 1", "repair = 0", {"contracts"}),
        ("calls = 10", "calls = 12", {"budgets"}),
        ('"internal"', '"secret"', {"boundaries"}),
        ("timeout = 5s", "timeout = 6s", {"more-time", "functions"}),
        ("127.0.0.1:9", "127.0.0.1:10", {"backends"}),
        ("## Says it.\n", "## Says it well.\n", {"docs"}),
        ('expose "team/auto"', 'expose "team/best"', {"names"}),
        ("role solver(note: text) {", "role solver(note: text) {\n  temperature = 0", {"roles"}),
        ("# none of it", "", set()),
    ],
)
def test_a_change_breaks_the_gates_that_it_is_about_and_no_other(old: str, new: str, gates: set[str]) -> None:
    found = changed(old, new) if gates else difference(plan(TEAM), plan("# a comment\n" + TEAM))
    assert set(found.forbidden(frozenset(FORBIDDABLE) - {"any"})) == gates
    assert found.forbidden(frozenset(("any",))) == (["any"] if gates else [])


def test_a_step_that_is_new_or_gone_is_told_with_what_it_does() -> None:
    more = '  ask again = solver("x", model = first(ms)) { fallback = first(answers) }\n  return again'
    text = told(changed("  return first(answers)", more))
    assert '  + auto.again: ask solver(note = "x", model = first(ms))\n' in text
    back = difference(plan(TEAM.replace("  return first(answers)", more)), plan(TEAM))
    assert "  - auto.again: ask" in told(back)


def test_a_step_of_another_kind_is_told_as_such() -> None:
    loop = "fanout answers = solver(found, model = m) for m in ms { quorum = 2, timeout = 30s }"
    assert "    step: fanout → let\n" in told(
        changed(loop, "let answers = [fallen]\n  ask fallen = solver(found, model = first(ms))")
    )


def test_times_of_a_backend_are_told_as_times() -> None:
    old = 'url = "http://127.0.0.1:9/v1"'
    found = told(changed(old, f"{old}, circuit = 3, cooldown = 2m, patience = 30s"))
    assert "    circuit: 0 → 3\n" in found
    assert "    cooldown: 10s → 120s\n" in found
    assert "    patience: not set → 30s\n" in found


def test_an_arm_is_told_with_what_is_expected_of_it() -> None:
    arm = "when size(ms) == 2 => solver(found, model = first(ms)) { quality = 0.8, cost = $0.001, time = 2s }"
    other = "otherwise => solver(found, model = first(ms)) { quality = 0.6 }"
    chosen = TEAM.replace(
        "return first(answers)", f"choose pick {{ {arm} {other} by = expected_quality(it) }} return pick"
    )
    found = told(difference(plan(chosen), plan(chosen.replace("quality = 0.8", "quality = 0.9"))))
    assert "{ quality = 0.8, cost = $0.001, time = 2s }" in found
    assert "{ quality = 0.9, cost = $0.001, time = 2s }" in found
    assert "quality = 0.6" not in found


def test_a_text_is_told_by_the_lines_that_have_changed() -> None:
    assert told(changed("brief", "short")) == (
        "prompts\n  solver\n    system:\n        You are kind.\n      - You are brief.\n      + You are short.\n"
    )


def test_a_price_that_is_missing_makes_the_money_unknown_and_that_is_more() -> None:
    found = changed(", price = { input = $0.20, output = $0.80 }", "")
    money = [bound for bound in found.bounds if bound.figure == "money"]
    assert money
    assert all(bound.after is None and bound.is_more for bound in money)
    assert "→ unknown" in told(found)


def test_the_bounds_are_for_a_request_of_the_size_that_is_asked_for() -> None:
    before, after = plan(TEAM), plan(TEAM.replace("model[2..3]", "model[2..4]"))
    tokens = [
        next(bound.after for bound in difference(before, after, size).bounds if bound.figure == "tokens")
        for size in (0, 1000)
    ]
    assert None not in tokens
    assert tokens[0] != tokens[1]


def test_a_program_reads_the_same_as_a_person() -> None:
    found = changed("quorum = 2", "quorum = 1")
    read = to_json(found)
    assert not read["same"]
    assert read["changes"] == [
        {
            "group": "steps",
            "name": "auto.answers",
            "status": "changed",
            "settings": [{"name": "quorum", "before": "2", "after": "1"}],
        }
    ]


def test_colours_paint_the_words_and_change_none() -> None:
    found = changed("brief", "short")
    painted = told(found, color=True)
    for code in ("\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m"):
        assert code in painted
        painted = painted.replace(code, "")
    assert painted == told(found)


@pytest.mark.parametrize("recipe", VALID, ids=lambda recipe: recipe.stem)
def test_whatever_a_plan_has_in_it_can_be_told(recipe: Path) -> None:
    compilation = compiled(recipe)
    assert compilation.plan is not None
    for one, other in ((Plan(), compilation.plan), (compilation.plan, Plan()), (compilation.plan, plan(TEAM))):
        found = difference(one, other)
        assert bool(told(found)) is not found.is_none
        assert json.loads(json.dumps(to_json(found), allow_nan=False))["same"] is found.is_none


def test_signs_of_a_template_that_are_meant_as_words_are_told_as_they_are_written() -> None:
    written = "{{ \\\"{{\\\" }} {{ note }} {{ '{%' }}"
    template = plan(f'role r(note: text) {{ prompt = "{written}" }}\n').roles["r"].prompt
    assert template is not None
    assert template_text(template) == '{{ "{{" }} {{ note }} {{ "{%" }}'


def test_a_gate_is_a_figure_that_grows_or_a_group_of_changes() -> None:
    assert (*MORE, *GROUPS, "any") == FORBIDDABLE
