"""Expressions: their types with their bounds, what they refuse."""

from __future__ import annotations

import pytest

from checked import of_expression, type_of


@pytest.mark.parametrize(
    ("expression", "type"),
    [
        # numbers carry their interval
        ("3", "int(3)"),
        ("4k", "int(4000)"),
        ("0.72", "score"),
        ("80%", "score"),
        ("1.5", "float"),
        ("-0.5", "float"),
        ("n + 1", "int(2..9)"),
        ("n * 2 - 3", "int(-1..13)"),
        ("k + 1", "int"),
        ("-n", "int(-8..-1)"),
        ("n / 2", "float"),
        ("n / 8", "score"),
        ("n % 3", "int(0..3)"),
        ("s * s", "score"),
        ("s + s", "float"),
        ("ceil(n * 2 / 3)", "int(1..6)"),
        ("floor(n / 2)", "int(0..4)"),
        ("round(s)", "int(0..1)"),
        ("min(n, 3)", "int(1..3)"),
        ("max(n, 3)", "int(3..8)"),
        ("min(s, 0.5)", "score"),
        ("clamp(k, 1, 8)", "int(1..8)"),
        ("clamp(1.7)", "score"),
        ("clamp(k * 1.5, 0, 3)", "float"),
        ("clamp(k, 8, 1)", "int(1..8)"),
        ("abs(-n)", "int(1..8)"),
        ("size(ms)", "int(2..4)"),
        ("count(ms, where = it.rating != none)", "int(0..4)"),
        ("mean([0.2, 0.4])", "score"),
        ("mean([1, 4])", "float"),
        ("9000000000000 * 9000000000000", "int(9223372036854775807)"),
        # kinds
        ("30s * 2", "duration"),
        ("1m / 30s", "float"),
        ("2 * $0.05", "money"),
        ('"a" + "b"', "text"),
        ("1 < 2 and not s > 0.5", "bool"),
        # lists carry the bounds of their length
        ("[]", "[]"),
        ("[1, 2]", "int(1..2)[2]"),
        ("[1, 0.5]", "score[2]"),
        ("ms + [m]", "model[3..5]"),
        ("take(ms, 3)", "model[2..3]"),
        ("take(ms, n)", "model[1..4]"),
        ("top(xs, 2, by = it.latency)", "answer[..2]"),
        ("unique(ys, by = it.text)", "answer[1..4]"),
        ("sort(ms, by = it.rating)", "model[2..4]"),
        ("[x.text for x in ys]", "text[1..4]"),
        ("[x.text for x in ys if x.valid]", "text[..4]"),
        ("xs or ys", "answer[1..4]"),
        ("ms[0]", "model"),
        ("ms[3]", "model?"),
        ("ms[n]", "model?"),
        # what may be none
        ("t", "text?"),
        ('t or "nothing"', "text"),
        ("t or none", "text?"),
        ("ys[0].confidence or 0.5", "score"),
        ("ys[0].confidence or 2", "float"),
        ("1 if s > 0.5 else none", "int(1)?"),
        ("request.metadata[\"tenant\"]", "text?"),
        ("request.max_latency", "duration?"),
        ("m.zone", "label?"),
        ("request.format", "contract"),
        ("best(ys, by = it.confidence)", "answer"),
        ("weighted_vote(ys, key = it.value, weight = it.model.rating)", "answer"),
        ("cheapest(ms)", "model"),
    ],
)  # fmt: skip
def test_an_expression_has_its_narrowest_type(expression: str, type: str) -> None:
    assert type_of(expression) == type


@pytest.mark.parametrize(
    "expression",
    [
        "m.zone == near or near == m.zone",
        "m.zone in [near, far]",
        "near in [x.zone for x in ms]",
        '"urgent" in request.text',
        "n in [1, 2, 3]",
        "best(ys, by = size([x for x in xs if x.latency < it.latency]))",
        "best(ys, by = best(ys, by = it.latency).latency < it.latency)",
        "[x for x in ms if x.rating != none and x.rating > 1000]",
        "t != none and contains(t, \"a\")",
        "t == none or contains(t, \"a\")",
        "not (t == none) and contains(t, \"a\")",
        't == "a" and contains(t, "a")',
        "first(xs) if size(xs) > 0 else ys[0]",
        "first(xs) if 0 < size(xs) else ys[0]",
        "first(xs) if size(xs) != 0 else ys[0]",
        "ys[0] if size(xs) == 0 else first(xs)",
        "xs[2] if size(xs) >= 3 else ys[0]",
        "ys[0] if size(xs) < 2 or size(xs) > 3 else xs[1]",
    ],
)  # fmt: skip
def test_what_makes_sense_is_accepted(expression: str) -> None:
    assert of_expression(expression) == []


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        # kinds that don't mix
        ("ys[0].latency > 5", "E0307"),
        ("ys[0].latency > $5", "E0307"),
        ("1s + 1", "E0307"),
        ("1s * 1s", "E0307"),
        ("$1 * $1", "E0307"),
        ('"a" * 2', "E0307"),
        ('1 == "1"', "E0307"),
        ('m.zone == "near"', "E0307"),
        ("ms + ys", "E0307"),
        ("ms < ys", "E0307"),
        ("1 if s > 0.5 else \"one\"", "E0307"),
        ("-1s", "E0307"),
        # conditions are bools
        ("not 1", "E0301"),
        ("1 if n else 2", "E0301"),
        ("n and s > 0.5", "E0301"),
        ("count(xs, where = it.latency)", "E0301"),
        # none has to be dealt with
        ("t + \"!\"", "E0302"),
        ("ys[0].confidence > 0.5", "E0302"),
        ("m.price.output < $1", "E0302"),
        ("contains(t, \"a\")", "E0302"),
        ("t != none or contains(t, \"a\")", "E0302"),
        ("ms[3].rating", "E0302"),
        # `or` over what is always there
        ("n or 3", "E0307"),
        ("ys or xs", "E0307"),
        ("m or ms[0]", "E0307"),
        ("s > 0.5 or 3", "E0301"),
        # empty lists
        ("first(xs)", "E0308"),
        ("majority(xs, key = it.value)", "E0308"),
        ("first(xs) if size(xs) >= 0 else ys[0]", "E0308"),
        ("first(xs) if size(ys) > 0 else ys[0]", "E0308"),
        ("best([x for x in ms if x.rating != none], by = it.rating)", "E0308"),
        # items that are never there
        ("ms[4]", "E0304"),
        ("n[0]", "E0301"),
        ("take(ms, k)", "E0304"),
        # names
        ("it", "E0204"),
        ("tried", "E0204"),
        ("near", "E0201"),
        ("solver", "E0405"),
        ("solver(model = m)", "E0405"),
        ("fail(\"no\")", "E0406"),
        ("nothing_like_it(1)", "E0210"),
        ("m.idd", "E0209"),
        ("request.metadata", None),
        ("[n for n in xs]", "E0205"),
        ("[it for it in xs]", "E0212"),
        ("{ a = 1, a = 2 }", "E0206"),
        # calls of functions
        ("size()", "E0401"),
        ("size(xs, ys)", "E0401"),
        ("size(xs, xs = ys)", "E0401"),
        ("best(ys, key = it.text)", "E0401"),
        ("size(t)", "E0301"),
        ("min(1)", "E0301"),
        ("min(1, 1s)", "E0301"),
        ("cheapest(ys)", "E0301"),
        ("best(ys, by = it)", "E0301"),
        ("confidence(ys[0], logprobs)", "E0202"),
        ("similarity(n, request.text)", "E0301"),
        ("[1, \"a\"]", "E0305"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_once(expression: str, code: str | None) -> None:
    expected = [] if code is None else [code]
    assert of_expression(expression) == expected


def test_a_parameter_comes_before_a_label_of_its_name() -> None:
    assert of_expression("m.zone == near", parameters="m: model, near: text") == ["E0307"]


def test_nested_calls_take_no_longer_than_their_length() -> None:
    expression = "[m]"
    for _ in range(25):
        expression = f"[cheapest({expression})]"
    assert of_expression(expression) == []


def test_a_mistake_deep_inside_is_told_once() -> None:
    expression = "[unknown]"
    for _ in range(20):
        expression = f"[cheapest({expression})]"
    assert of_expression(expression) == ["E0201"]
    assert of_expression("m in unknown") == ["E0201"]
    assert of_expression("similarity(unknown, request.text)") == ["E0201"]
