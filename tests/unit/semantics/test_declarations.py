"""Declarations: types and records, backends and models, contracts, roles with their templates, what is exposed."""

from __future__ import annotations

import pytest

from checked import MODELS, ROLES, codes, compiled, errors, recipe

LAB = 'backend lab { kind = openai, url = "http://127.0.0.1:8000/v1" }\n'
PRICE = "price = { input = $1, output = $1 }"


@pytest.mark.parametrize(
    ("type", "code"),
    [
        ("text", None),
        ("int(1..16)", None),
        ("int(..16)", None),
        ("int(3)", None),
        ("enum(low, high)", None),
        ("model[2..8]", None),
        ("answer[..16][2]", None),
        ("text?", None),
        ("text??", None),
        ("contract(0..2)", None),
        ("mark", None),
        ("marks", "E0211"),
        ("solver", "E0211"),
        ("string", "E0211"),
        ("text(1..3)", "E0310"),
        ("text(a, b)", "E0310"),
        ("enum", "E0310"),
        ("enum(low, low)", "E0205"),
        ("int(16..1)", "E0311"),
        ("model[8..2]", "E0311"),
    ],
)
def test_a_type_is_one_of_the_languages_own_or_a_record(type: str, code: str | None) -> None:
    text = recipe(parameters=f"m: model, p: {type}", more="record mark { sure: bool }\n")
    assert errors(text) == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ("record mark { sure: bool, sure: text }", ["E0205"]),
        ("record mark { }", ["E0312"]),
        ("record mark { sure: boool }", ["E0211"]),
        ("record text { sure: bool }", ["E0212"]),
        ("record none { sure: bool }", ["E0101"]),
        ("record a { b: b? } record b { a: a[..3] }", ["E0313"]),
        ("record a { a: a }", ["E0313"]),
        ("record a { b: b } record b { c: c } record c { b: b }", ["E0313"]),
        ("record a { b: b, c: b } record b { c: text }", []),
    ],
)
def test_a_record_is_finite_and_its_fields_have_one_name_each(records: str, found: list[str]) -> None:
    assert errors(records.replace(" record", "\nrecord")) == found


def test_records_in_one_another_are_bounded_and_told_once() -> None:
    chain = "".join(f"record r{number} {{ inner: r{number + 1} }}\n" for number in range(40))
    assert errors(chain + "record r40 { text: text }\n") == ["E0111"]
    doubling = "".join(f"record r{number} {{ one: r{number + 1}, other: r{number + 1} }}\n" for number in range(40))
    assert errors(doubling + "record r40 { text: text }\n") == ["E0111"]


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ("{ sure = true, why = \"so\" }", []),
        ("{ sure = true }", []),
        ("{ why = \"so\" }", ["E0306"]),
        ("{ sure = true, wyh = \"so\" }", ["E0209"]),
        ("{ sure = 1 }", ["E0301"]),
        ("{ sure = true, sure = true }", ["E0206"]),
    ],
)  # fmt: skip
def test_a_record_is_written_with_all_its_fields(record: str, found: list[str]) -> None:
    text = recipe(f"return {record}", returns="mark", more="record mark { sure: bool, why: text? }\n")
    assert errors(text) == found


@pytest.mark.parametrize(
    ("declaration", "code"),
    [
        ('backend b { kind = openai, url = "https://api.example.com/v1", key = env("KEY") }', None),
        ("backend b { kind = local }", None),
        ('backend b { url = "http://a/v1" }', "E0208"),
        ("backend b { kind = openai }", "E0208"),
        ("backend b { kind = opnai }", "E0309"),
        ('backend b { kind = local, url = "http://a/v1" }', "E0407"),
        ('backend b { kind = openai, url = "api.example.com" }', "E0605"),
        ('backend b { kind = openai, url = "ftp://a/v1" }', "E0605"),
        ('backend b { kind = openai, url = "http://user:word@a/v1" }', "E0605"),
        ('backend b { kind = openai, url = "http://a/v1?key=3" }', "E0605"),
        ('backend b { kind = openai, url = "http://a:99999/v1" }', "E0605"),
        ('backend b { kind = openai, url = "http://a b/v1" }', "E0605"),
        ('backend b { kind = openai, url = "http://a/v1", key = "sk-1" }', "E0606"),
        ('backend b { kind = openai, url = "http://a/v1", key = env("NOT A NAME") }', "E0309"),
        ('backend b { kind = openai, url = "http://a/v1", key = other("KEY") }', "E0309"),
        (f'model x {{ backend = lab, id = "x", {PRICE} }}', None),
        (f'model x {{ backend = lab, id = "x", {PRICE}, rating = -3.5, context = 1M, zone = far }}', None),
        ('model x { backend = lab, id = "x" }', "W0701"),
        (f"model x {{ backend = lab, {PRICE} }}", "E0208"),
        (f'model x {{ id = "x", {PRICE} }}', "E0208"),
        (f'model x {{ backend = lap, id = "x", {PRICE} }}', "E0201"),
        (f'model x {{ backend = x, id = "x", {PRICE} }}', "E0301"),
        ('model x { backend = lab, id = "x", price = $1 }', "E0309"),
        ('model x { backend = lab, id = "x", price = { } }', "E0208"),
        ('model x { backend = lab, id = "x", price = { input = $1 } }', "E0208"),
        ('model x { backend = lab, id = "x", price = { input = 1, output = $1 } }', "E0309"),
        (f'model x {{ backend = lab, id = "x", {PRICE}, zone = "far" }}', "E0309"),
        (f'model x {{ backend = lab, id = "x", {PRICE}, context = 0 }}', "E0309"),
        (f'model it {{ backend = lab, id = "x", {PRICE} }}', "E0212"),
        (f'model lab {{ backend = lab, id = "x", {PRICE} }}', "E0205"),
    ],
)
def test_backends_and_models_say_where_and_what(declaration: str, code: str | None) -> None:
    found = [each for each in codes(LAB + declaration + "\n") if code == "W0701" or each != "W0701"]
    assert found == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        (r'extract = r"ANSWER: (\w+)"', None),
        (r'extract = r"ANSWER: \w+"', None),
        (r'extract = r"(?:ANSWER|RESULT): (\w+)", repair = 3', None),
        (r'extract = r"(ANSWER|RESULT): (\w+)"', "E0314"),
        (r'extract = r"(?=A)"', "E0314"),
        (r'extract = r"(a)\1"', "E0314"),
        (r'extract = r"(a"', "E0314"),
        (r'extract = r"((a{1000}){1000})"', "E0314"),
        ('extract = fence("python"), check = parses("python")', None),
        ('extract = fence(python)', "E0309"),
        ('extract = fences("python")', "E0309"),
        ('check = one_of(["yes", "no"])', None),
        ("check = one_of([])", "E0309"),
        ('check = parses("rust")', "E0309"),
        (r'check = matches(r"(a)(b)")', None),
        (r'check = matches(r"(?<=a)")', "E0314"),
        ("", "E0208"),
        ("repair = 1", "E0208"),
        ('check = parses("json"), repair = 4', "E0309"),
        ("schema = mark", None),
        ("schema = holder", "E0315"),
        ("schema = nothing", "E0211"),
        ('schema = file("./good.recipe")', None),
        ('schema = file("./none.recipe")', "E0601"),
        ('schema = file("./broken.recipe")', "E0315"),
        ('schema = file("./deep.recipe")', "E0315"),
        ('schema = file("./odd.recipe")', "E0315"),
        ('schema = file("./remote.recipe")', "E0315"),
        ('schema = file("./dynamic.recipe")', "E0315"),
        ('schema = file("./own.recipe")', None),
        ('schema = file("./good.recipe"), check = parses("json")', "E0407"),
    ],
)  # fmt: skip
def test_a_contract_demands_what_can_be_checked(attributes: str, code: str | None) -> None:
    text = f"contract c {{ {attributes} }}\nrecord mark {{ sure: bool }}\nrecord holder {{ reply: answer }}\n"
    files = {
        "good": '{"type": "object"}',
        "broken": '{"type": ',
        "deep": "[" * 100_000,
        "odd": '{"type": "objekt"}',
        "remote": '{"$ref": "https://example.com/a.json"}',
        "dynamic": '{"properties": {"a": {"$dynamicRef": "other.json#a"}}}',
        "own": '{"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}',
    }
    assert errors(text, **files) == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("role", "found"),
    [
        ("role r() { }", []),
        ('role r(a: text) { prompt = "{{ a }}" }', []),
        ('role r(a: text) { system = "{{ a }}" }', []),
        ('role r(a: text) { prompt = "none" }', ["W0702"]),
        ('role r(a: text, a: text) { prompt = "{{ a }}" }', ["E0205"]),
        ('role r(model: text) { prompt = "{{ model }}" }', ["E0212"]),
        ('role r(it: text) { prompt = "{{ it }}" }', ["E0212"]),
        ('role r(a: text = 3) { prompt = "{{ a }}" }', ["E0301"]),
        ('role r(a: text = request.text) { prompt = "{{ a }}" }', []),
        ('role r(a: text, b: text = a) { prompt = "{{ a }}{{ b }}" }', ["E0204"]),
        ('role r(b: text = a, a: text = "") { prompt = "{{ a }}{{ b }}" }', ["E0204"]),
        ("role r() { temperature = 3 }", ["E0309"]),
        ("role r() { max_tokens = 0 }", ["E0309"]),
        ("role r() { repair = 1 }", ["E0407"]),
        ("role r() { conversation = false }", ["E0407"]),
        ("role r() { model = small }", []),
        ("role r() { model = cheapest([small, large]) }", []),
        ("role r() { model = lab }", ["E0301"]),
        ("role r() { model = cheapest([]) }", ["E0308"]),
        ("role r() { contract = request.format }", []),
        ('role r() -> score { prompt = "a" }', ["E0316"]),
        ('role r() -> mark { prompt = "a", repair = 2 }', []),
        ('role r() -> mark { prompt = "a", contract = request.format }', ["E0407"]),
        ('role r() -> holder { prompt = "a" }', ["E0315"]),
        ('role r() { prompt = "a", tools = true }', []),
        ('role r() -> mark { prompt = "a", tools = true }', ["E0407"]),
    ],
)
def test_a_role_is_one_call_with_a_form(role: str, found: list[str]) -> None:
    more = "record mark { sure: bool }\nrecord holder { reply: answer }\n"
    assert codes(MODELS + more + role + "\n") == found


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ a }} {{ a.text }} {{ c.sure }} {{ b }}", []),
        ("{% if b %}{{ a }}{% else %}{{ c }}{% endif %}", []),
        ("{% if b %}{% if c %}{{ a }}{% endif %}{% endif %}", []),
        ("{{a}} {%if b%}{{ c }}{%endif%}", []),
        ("100 % of { these } braces, {{ a }} {{ b }} {{ c }}", []),
        ("{{ d }}", ["E0410"]),
        ("{{ request }}", ["E0410"]),
        ("{{ solver }}", ["E0410"]),
        ("{{ a.txt }}", ["E0410"]),
        ("{{ a.model }}", ["E0409"]),
        ("{{ a + b }}", ["E0409"]),
        ("{{ a[0] }}", ["E0409"]),
        ("{{ }}", ["E0409"]),
        ("{{ a", ["E0409"]),
        ("{% for x in a %}", ["E0409"]),
        ("{% if d %}{{ a }}{% endif %}", ["E0410"]),
        ("{% if b %}{{ a }}", ["E0409"]),
        ("{{ a }}{% endif %}", ["E0409"]),
        ("{{ a }}{% else %}", ["E0409"]),
        ("{% if b %}" * 30, ["E0111"]),
        ("{% if b %}" * 3000, ["E0111"]),
    ],
)
def test_a_template_sees_its_roles_parameters_and_computes_nothing(template: str, found: list[str]) -> None:
    role = f'role r(a: answer, b: text?, c: mark) {{ prompt = "{template}" }}\n'
    assert errors(ROLES + "record mark { sure: bool }\n" + role) == found


def test_a_slot_is_found_where_it_is_written_whatever_stands_before_it() -> None:
    text = 'role r() {\n  prompt = """\n    A "quoted" \\n line\n    {{ a }} and {{ b }}\n  """\n}\n'
    assert [d.span.text for d in compiled(text).diagnostics if d.span is not None] == ["{{ a }}", "{{ b }}"]


@pytest.mark.parametrize(
    ("expose", "found"),
    [
        ('expose "a" = direct(small)', []),
        ('expose "a" = direct(cheapest([small, large]))', []),
        ('expose "a" = direct(m = small, shape = request.format)', []),
        ('expose "a" = direct()', ["E0401"]),
        ('expose "a" = direct(smal)', ["E0201"]),
        ('expose "a" = direct([small])', ["E0301"]),
        ('expose "a" = dirct(small)', ["E0201"]),
        ('expose "a" = solver(model = small)', ["E0403"]),
        ('expose "a" = small()', ["E0403"]),
        ('expose "a" = words(small)', ["E0301"]),
        ('expose "" = direct(small)', ["E0309"]),
        ('expose "a" = direct(small)\nexpose "a" = direct(large)', ["E0205"]),
    ],
)
def test_what_is_exposed_is_a_recipe_with_constant_arguments(expose: str, found: list[str]) -> None:
    recipes = (
        "recipe direct(m: model, shape: contract = request.format) -> answer {\n"
        "  ask reply = solver(model = m, contract = shape)\n  return reply\n}\n"
        "recipe words(m: model) -> text {\n  ask reply = solver(model = m)\n  return reply.text\n}\n"
    )
    assert errors(MODELS + ROLES + recipes + expose + "\n") == found


def test_money_is_bounded_only_where_every_model_has_a_price() -> None:
    unpriced = LAB + 'model x { backend = lab, id = "x" }\n' + ROLES
    body = "recipe direct() -> answer {\n  budget { cost = $1 }\n  ask reply = solver(model = x)\n  return reply\n}\n"
    assert errors(unpriced + body) == ["E0502"]
    assert errors(unpriced.replace('"x"', f'"x", {PRICE}', 1) + body) == []
    assert errors(unpriced + body.replace("cost = $1", "calls = 1")) == []


def test_records_that_contain_each_other_are_told_once_a_circle() -> None:
    two = "record a { b: b }\nrecord b { a: a, c: c, d: a? }\nrecord c { b: b[..2] }\n"
    outside = "record x { y: y, z: y }\nrecord y { a: a }\n"
    assert errors(two + outside) == ["E0313", "E0313"]
    assert errors("record a { a: a?, b: a[..3] }\n" + outside) == ["E0313"]


def test_a_long_chain_of_records_is_one_mistake() -> None:
    chain = [f"record r{number} {{ inner: r{number + 1} }}\n" for number in range(2_000)] + [
        "record r2000 { x: text }\n"
    ]
    assert errors("".join(chain)) == ["E0111"]
    assert errors("".join(reversed(chain))) == ["E0111"]
