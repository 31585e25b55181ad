"""Steps: what each may say, what it gives, and the order that their names make."""

from __future__ import annotations

import pytest

from checked import codes, errors, recipe

FAN = "fanout zs = solver(model = x) for x in ms"
READ = "return first(zs)"


def fanout(policy: str, read: str = READ) -> list[str]:
    return errors(recipe(f"{FAN} {{ {policy} }}", read))


@pytest.mark.parametrize(
    "policy",
    [
        "quorum = 2",
        "quorum = size(ms)",
        "quorum = max(1, size(ms) - 1)",
        "quorum = ceil(size(ms) / 2)",
        "samples = n, quorum = ceil(n * 2 / 3)",
        "samples = n, quorum = min(n, 3), on_error = skip",
        "quorum = 3, on_error = skip, fallback = ys",
        "quorum = 4, fallback = fail(\"too few\")",
        "parallel = n",
        "parallel = clamp(k, 1, 8)",
        "parallel = max(1, k)",
        "samples = 6, spread = equal",
        "keep = it.valid and it.latency < 5s",
        "on_error = skip, fallback = [best(ys, by = it.latency)]",
    ],
)  # fmt: skip
def test_a_fanout_takes_numbers_that_are_computed(policy: str) -> None:
    assert fanout(policy) == []


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("quorum = 5", "E0506"),
        ("quorum = 3", "E0506"),
        ("quorum = size(ms) + 3", "E0506"),
        ("samples = 2, quorum = 3", "E0506"),
        ("quorum = 5, fallback = ys", "E0506"),
        ("quorum = 0", "E0304"),
        ("quorum = n - 1", "E0304"),
        ("samples = 0", "E0304"),
        ("samples = k", "E0304"),
        ("parallel = n - 4", "E0304"),
        ("samples = max(1, k)", "E0505"),
        ("samples = 20k", "E0505"),
        ("quorum = 1.5", "E0301"),
        ("keep = it.text", "E0301"),
        ("grace = 2s", "E0407"),
        ("spread = equal", "E0407"),
        ("on_error = ignore", "E0309"),
        ("timeout = 0s", "E0309"),
        ("timeout = 25h", "E0309"),
        ("timeout = n", "E0309"),
        ("fallback = m", "E0301"),
        ("fallback = []", "E0308"),
        ("accept = it.valid", "E0207"),
    ],
)
def test_a_fanout_refuses_what_can_not_be(policy: str, code: str) -> None:
    assert fanout(policy) == [code]


def test_a_quorum_gives_a_list_its_least_length() -> None:
    assert errors(recipe(f"{FAN} {{ quorum = 2, on_error = skip }}", "return zs[1]")) == []
    assert errors(recipe(f"{FAN} {{ on_error = skip }}", "return zs[1]")) == ["E0302"]


def test_words_of_policies_are_no_steps() -> None:
    steps = ("fanout skip = solver(model = x) for x in ms { on_error = skip, samples = 2, spread = first }",)
    assert errors(recipe(*steps, "return first(skip)")) == []


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("accept = it.valid, fallback = last(tried)", None),
        ("accept = size(tried) > 1", "E0204"),
        ("accept = it.confidence > 0.5", "E0302"),
        ("fallback = tried", "E0301"),
        ("quorum = 2", "E0207"),
    ],
)
def test_a_cascade_sees_the_item_and_in_its_fallback_those_tried(policy: str, code: str | None) -> None:
    steps = (f"cascade z = solver(model = x) for x in ms {{ {policy} }}", "return z")
    assert errors(recipe(*steps)) == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("repeat z = again(z, model = m) up to 3 times { start = ys[0], until = z.valid }", []),
        ("repeat z = again(z, model = m) up to n times { start = ys[0], fallback = z }", []),
        ("repeat z = again(z, model = x) for x in ms { start = ys[0] }", []),
        ("repeat z = again(z, model = m) up to 3 times", ["E0208"]),
        ("repeat z = again(z, model = m) up to 0 times { start = ys[0] }", ["E0304"]),
        ("repeat z = again(z, model = m) up to k times { start = ys[0] }", ["E0304"]),
        ("repeat z = again(z, model = m) up to max(1, k) times { start = ys[0] }", ["E0505"]),
        ("repeat z = again(z, model = m) up to 3 times { start = z }", ["E0204"]),
        ("repeat z = again(z, model = m) up to size([z]) times { start = ys[0] }", ["E0204"]),
        ("repeat z = again(z, model = x) for x in [z.model] { start = ys[0] }", ["E0204"]),
        ("repeat z = again(z, model = m) up to 3 times { start = m }", ["E0301"]),
        (
            "repeat z = again(z, model = m) up to 3 times { start = none }",
            ["E0302", "E0302"],
        ),  # the argument, and what is returned
    ],
)
def test_a_repeat_folds_from_its_start(step: str, found: list[str]) -> None:
    more = 'role again(draft: answer) { prompt = "{{ draft }}" }\n'
    assert errors(recipe(step, "return z", more=more)) == found


@pytest.mark.parametrize(
    ("arms", "found"),
    [
        ("when n > 3 => solver(model = m) otherwise => solver(model = ms[0])", []),
        ("when n > 3 => solver(model = m) otherwise => fail(\"no\")", []),
        ("when n > 3 => solver(model = m) fallback = ys[0]", []),
        ("when n > 3 => solver(model = m)", ["E0408"]),
        ("otherwise => solver(model = m) when n > 3 => solver(model = m)", ["E0408"]),
        ("when n => solver(model = m) otherwise => solver(model = m)", ["E0301"]),
        ("when t == none => solver(model = m) otherwise => said(t, model = m)", []),
        ("when t != none and n > 3 => said(t, model = m) otherwise => solver(model = m)", []),
        ("when t != none or n > 3 => said(t, model = m) otherwise => solver(model = m)", ["E0302"]),
        ("when t == none => said(t, model = m) otherwise => solver(model = m)", ["E0302"]),
        ("when size(xs) == 0 => solver(model = m) otherwise => said(first(xs).text, model = m)", []),
        ("when n > 3 => judge(model = m) otherwise => solver(model = m)", ["E0301"]),
    ],
)  # fmt: skip
def test_the_arms_of_a_choose(arms: str, found: list[str]) -> None:
    more = (
        'role said(words: text) { prompt = "{{ words }}" }\nrecord mark { sure: bool }\n'
        'role judge() -> mark { prompt = "Sure?" }\n'
    )
    assert errors(recipe(f"choose z {{ {arms} }}", "return z", more=more)) == found


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (["ask z = solver(model = m) { optional = true }", "return z or ys[0]"], []),
        (["ask z = solver(model = m) { optional = true }", "return z"], ["E0302"]),
        (["ask z = solver(model = m) { when = n > 3 }", "return z"], ["E0302"]),
        (["ask z = solver(model = m) { optional = true, fallback = ys[0] }", "return z"], ["E0407"]),
        (["ask z = solver(model = m) { fallback = none }", "return z"], ["E0302"]),
        (["ask z = solver(model = m) { fallback = fail(\"no\") }", "return z"], []),
        (["ask z = solver(model = m) { fallback = z }", "return z"], ["E0503"]),
        (["ask z = solver(model = m) { retries = 6 }", "return z"], ["E0309"]),
        (["ask z = solver(model = m, temperature = 3)", "return z"], ["E0304"]),
        (["ask z = solver(model = m, temperature = s)", "return z"], []),
        (["ask z = solver(model = m, max_tokens = 0)", "return z"], ["E0304"]),
        (["ask z = solver(model = m, max_tokens = k)", "return z"], ["E0304"]),
        (["ask z = solver(model = m, contract = request.format)", "return z"], []),
        (["ask z = solver(m)", "return z"], ["E0401"]),
        (["ask z = solver(mdoel = m)", "return z"], ["E0401"]),
        (["ask z = solver()", "return z"], ["E0402"]),
        (["ask solver = solver(model = m)", "return solver"], ["E0403"]),
        (["ask z = m(model = m)", "return z"], ["E0403"]),
        (["run z = solver(model = m)", "return z"], ["E0404"]),
        (["let z = ys[0]", "return z { contract = request.format, fallback = z }"], []),
        (["let z = ys[0]", "return z { fallback = z }"], ["E0407"]),
        (["return ys[0].text"], ["E0301"]),
        (["return ys[0]", "return ys[0]"], ["E0214"]),
        (["let a = b", "let b = a", "return ys[0]"], ["E0503"]),
        (["let a = b", "let b = c", "let c = 1", "return ys[0] if a > 0 else ys[0]"], []),
        (["let m = 1", "return ys[0]"], ["E0205"]),
        (["let it = 1", "return ys[0]"], ["E0212"]),
        (["fanout zs = solver(model = n) for n in ms", "return first(zs)"], ["E0205"]),
        (["fanout zs = solver(model = it) for it in ms", "return first(zs)"], ["E0212"]),
    ],
)  # fmt: skip
def test_steps_are_told_what_is_wrong_once(steps: list[str], found: list[str]) -> None:
    assert errors(recipe(*steps)) == found


def test_what_nothing_reads_is_a_warning() -> None:
    text = recipe(
        "ask spare = solver(model = m)", "ask reply = solver(model = m)", "return reply", parameters="m: model"
    )
    assert codes(text) == ["W0702"]
    assert codes(text.replace("m: model", "m: model, spare_too: text")) == ["W0702", "W0702"]


def test_a_recipe_of_thousands_of_steps_in_any_order_is_checked() -> None:
    lets = [f"let x{number} = x{number - 1} + 1" for number in range(1500, 0, -1)]
    text = recipe(*lets, "let x0 = 1", "ask z = solver(model = m)", "return z if x1500 > 0 else z")
    assert errors(text) == []
