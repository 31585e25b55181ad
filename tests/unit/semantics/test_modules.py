"""Files that use others: whose names they see, and what happens where one can't be read."""

from __future__ import annotations

import pytest

from checked import ROLES, codes, errors

CALL = "recipe r(m: model) -> answer {\n  ask reply = shared(model = m)\n  return reply\n}\n"
SHARED = "role shared() { max_tokens = 100 }\n"


def test_a_file_sees_what_another_declares() -> None:
    assert codes('use "./one.recipe"\n' + CALL, one=SHARED) == []


def test_a_name_of_its_own_comes_before_one_that_is_used() -> None:
    assert codes('use "./one.recipe"\n' + SHARED + CALL, one=SHARED) == []


def test_a_file_does_not_see_what_is_used_by_the_one_it_uses() -> None:
    assert codes('use "./one.recipe"\n' + CALL, one='use "./two.recipe"\n', two=SHARED) == ["E0201"]


def test_a_name_in_two_files_is_ambiguous_only_where_it_is_read() -> None:
    uses = 'use "./one.recipe"\nuse "./two.recipe"\n'
    assert codes(uses + CALL, one=SHARED, two=SHARED) == ["E0203"]
    assert codes(uses + ROLES, one=SHARED, two=SHARED) == []


def test_one_file_reached_on_two_ways_is_not_ambiguous() -> None:
    assert codes('use "./one.recipe"\nuse "./x/../one.recipe"\n' + CALL, one=SHARED) == ["E0205"]
    middle = 'use "./one.recipe"\n'
    assert codes('use "./one.recipe"\nuse "./two.recipe"\n' + CALL, one=SHARED, two=middle) == []


def test_a_standard_file_brings_the_one_name_that_it_is_called_by() -> None:
    body = "recipe r(ms: model[1..4]) -> answer {\n  run reply = confidence(ms)\n  return reply\n}\n"
    assert codes("use std.confidence\n" + body) == []
    assert codes("use std.confidence\n" + body.replace("confidence(ms)", "solver(ms)")) == ["E0201"]


def test_a_standard_file_without_such_a_name_brings_all() -> None:
    assert codes('use std.local_models\nuse std.direct\nexpose "a" = direct(tiny)\n') == []


@pytest.mark.parametrize(
    ("use", "code"),
    [
        ('use "./none.recipe"', "E0601"),
        ("use std.confidense", "E0602"),
        ("use std", "E0602"),
        ("use standard.direct", "E0602"),
        ('use "./root.recipe"', "E0603"),
        ('use "./circle.recipe"', "E0603"),
        ('use ""', "E0601"),
    ],
)
def test_a_file_that_can_not_be_had_is_told_once_whatever_misses_it(use: str, code: str) -> None:
    body = CALL + "recipe s(x: unseen) -> answer {\n  ask reply = other(model = x)\n  return reply\n}\n"
    assert codes(f"{use}\n{body}", circle='use "./root.recipe"\n') == [code]


def test_a_mistake_in_a_file_that_is_used_is_told_once_in_its_own_place() -> None:
    assert codes('use "./one.recipe"\n' + CALL, one="role shared() { max_tokens : 100 }\n") == ["E0101"]
    assert codes('use "./one.recipe"\n' + CALL, one="role shared() { max_tokenz = 100 }\n") == ["E0207"]


def test_a_file_that_is_used_keeps_its_warnings_to_itself() -> None:
    one = SHARED + 'role spare(unused: text) { prompt = "a" }\n'
    assert codes('use "./one.recipe"\n' + CALL, one=one) == []


def test_recipes_that_call_each_other_across_files_are_no_circle_of_files() -> None:
    one = 'use "./two.recipe"\nrecipe first_one(m: model) -> answer {\n  run reply = second_one(m)\n  return reply\n}\n'
    two = 'use "./root.recipe"\nrecipe second_one(m: model) -> answer {\n  run reply = r(m)\n  return reply\n}\n'
    assert codes('use "./one.recipe"\n' + SHARED + CALL, one=one, two=two) == ["E0603"]


def test_two_files_of_one_name_have_names_of_their_own_in_the_plan() -> None:
    body = CALL + "recipe s(m: model) -> answer {\n  ask reply = other(model = m)\n  return reply\n}\n"
    files = {"a/parts": SHARED, "b/parts": SHARED.replace("shared", "other")}
    assert codes('use "./a/parts.recipe"\nuse "./b/parts.recipe"\n' + body, **files) == []


@pytest.mark.parametrize(
    ("recipes", "found"),
    [
        ("recipe a(m: model) -> answer { run x = a(m) return x }", ["E0504"]),
        ("recipe a(m: model) -> answer { run x = b(m) return x }\nrecipe b(m: model) -> answer { run x = a(m) return x }", ["E0504"]),
        ("recipe a(m: model) -> answer { run x = b(m) return x }\nrecipe b(m: model) -> answer { ask x = solver(model = m) return x }", []),
    ],
)  # fmt: skip
def test_no_recipe_calls_itself_however_many_are_between(recipes: str, found: list[str]) -> None:
    assert errors(ROLES + recipes + "\n") == found


def test_recipes_in_one_another_are_bounded() -> None:
    chain = "".join(
        f"recipe r{number}(m: model) -> answer {{ run x = r{number + 1}(m) return x }}\n" for number in range(400)
    )
    assert errors(ROLES + chain + "recipe r400(m: model) -> answer { ask x = solver(model = m) return x }\n") == [
        "E0111"
    ]


@pytest.mark.parametrize(
    ("text", "found"), [("language 1\n", []), ("language 2\n", ["E0604"]), ("language 0\n", ["E0604"])]
)
def test_a_file_says_the_language_it_is_in(text: str, found: list[str]) -> None:
    assert codes(text + ROLES) == found


LATER = """language 2
pool everyone { members = [a, b] }
role solver() { weight = 3 }
recipe r(m: model) -> answer { ask a = solver(model = m) with care return a }
"""


@pytest.mark.parametrize("head", ["", "# a word\n", "\n  \n", "## of the file\n# and another\n"])
def test_of_a_file_in_another_language_nothing_else_is_said(head: str) -> None:
    assert codes(head + LATER) == ["E0604"]
    assert codes(head + "language # which one?\n 17\nrecipe (") == ["E0604"]


def test_a_file_that_uses_one_in_another_language_is_not_blamed_for_it() -> None:
    uses = 'use "./later.recipe"\nrecipe q(m: model) -> answer { run a = r(m) return a }\n'
    assert codes(uses, later=LATER) == ["E0604"]


def test_files_without_a_version_are_in_the_first_one_and_work_beside_files_that_say_it() -> None:
    uses = 'language 1\nuse "./roles.recipe"\nrecipe q(m: model) -> answer { ask a = solver(model = m) return a }\n'
    assert codes(uses, roles=ROLES) == []


def test_the_version_is_told_only_at_the_head() -> None:
    assert codes(ROLES + "language 1\n") == ["E0101"]
    assert codes("language 1\nlanguage 1\n" + ROLES) == ["E0101"]
    assert codes("language 1\n" + ROLES + "language 2\n") == ["E0101"]
    assert codes('# language 2\nrole other() { prompt = "language 2" }\n') == []


# --------------------------------------------------------------- libraries

TWO = {"voices/quick": "role quick() { max_tokens = 100 }\n", "voices/slow": "role slow() { max_tokens = 100 }\n"}


def call_of(name: str) -> str:
    return CALL.replace("shared(", f"{name}(")


def test_a_folder_is_a_library_under_its_own_name() -> None:
    assert codes('use "./voices"\n' + call_of("voices.quick"), **TWO) == []
    assert codes('use "./voices"\n' + call_of("quick"), **TWO) == ["E0201"]


def test_a_library_goes_by_another_name_where_one_is_given() -> None:
    assert codes('use "./voices" as v\n' + call_of("v.slow"), **TWO) == []
    assert codes('use "./voices" as v\n' + call_of("voices.slow"), **TWO) == ["E0201"]


def test_a_library_in_a_folder_of_another_is_not_part_of_it() -> None:
    assert codes('use "./voices"\n' + call_of("voices.deep"), **TWO, **{"voices/more/deep": SHARED}) == ["E0201"]


def test_a_name_in_two_files_of_a_library_is_ambiguous_only_where_it_is_read() -> None:
    files = {"voices/a": SHARED, "voices/b": SHARED + "role other() { max_tokens = 100 }\n"}
    assert codes('use "./voices"\n' + call_of("voices.shared"), **files) == ["E0203"]
    assert codes('use "./voices"\n' + call_of("voices.other"), **files) == []


def test_a_file_of_a_library_that_uses_its_own_folder_goes_in_a_circle() -> None:
    assert codes('use "./voices"\n', **TWO, **{"voices/own": 'use "../voices"\n'}) == ["E0603"]


def test_a_mistake_in_a_file_of_a_library_is_told_once_whatever_misses_it() -> None:
    files = {**TWO, "voices/broken": "role broken() { max_tokens = }\n"}
    assert codes('use "./voices"\n' + call_of("voices.broken"), **files) == ["E0101"]


def test_a_recipe_of_a_library_may_be_exposed() -> None:
    recipe = "recipe twice(m: model) -> answer {\n  ask reply = quick(model = m)\n  return reply\n}\n"
    files = {**TWO, "voices/twice": 'use "./quick.recipe"\n' + recipe}
    expose = 'use "./voices"\nuse std.local_models\nexpose "a" = voices.twice(tiny)\n'
    assert codes(expose, **files) == []
