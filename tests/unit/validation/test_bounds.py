"""The bound certificate: for each kind of step and policy the exact figures, by sums that are written out here."""

from __future__ import annotations

import pytest

from recipelang.compilation import Compilation, compile_text
from recipelang.diagnostics.rendering import render
from recipelang.ir.certificate import Certificate, Linear, StepBound
from recipelang.ir.plan import Contract, Plan
from recipelang.ir.sizing import DEFAULT_TIMEOUT, REQUEST_REPAIRS
from recipelang.runtime.values import Request

CALL = 64 + 2 * 16
"""Tokens of a call of the conversation without its bytes: the call's own, and two messages that may be added."""
FENCE, SCALAR, HEADING = 160, 40, 24
REPAIR = 2_000 + FENCE + 2 * 16
"""What a repair sends besides the prompt and the answer."""

WORLD = """
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model small  { backend = lab, id = "s", price = { input = $1, output = $2 } }
model middle { backend = lab, id = "m", price = { input = $3, output = $1 } }
model free   { backend = lab, id = "f" }
contract letter { extract = r"([A-J])", repair = 2 }
record grade { reason: text, score: score }
role ten() { max_tokens = 10 }
role hundred() { max_tokens = 100 }
role judge(xs: answer[..8]) -> grade { max_tokens = 50, repair = 1, prompt = "abc {{ xs }}" }
role about(t: text) { max_tokens = 20, prompt = "{{ t }}" }
role graded(g: grade) { max_tokens = 20, prompt = "{{ g }}" }
role reason(g: grade) { max_tokens = 20, prompt = "{{ g.reason }}" }
"""


def compiled(text: str) -> Compilation:
    return compile_text(WORLD + text)


def plan_of(text: str) -> Plan:
    compilation = compiled(text)
    assert compilation.plan is not None, render(compilation.diagnostics)
    return compilation.plan


def proved(body: str, parameters: str = "", gives: str = "answer", besides: str = "") -> Certificate:
    """The certificate of a recipe for any arguments of its types."""
    certificate = plan_of(f"{besides}\nrecipe r({parameters}) -> {gives} {{\n{body}\n}}").recipes["r"].certificate
    assert certificate is not None
    return certificate


def exposed(body: str, parameters: str, arguments: str, besides: str = "") -> Certificate:
    """The certificate of a recipe for these very arguments."""
    text = f'{besides}\nrecipe r({parameters}) -> answer {{\n{body}\n}}\nexpose "e" = r({arguments})'
    certificate = plan_of(text).entries["e"].certificate
    assert certificate is not None
    return certificate


def step(certificate: Certificate, name: str) -> StepBound:
    return next(step for step in certificate.steps if step.step == name)


# ------------------------------------------------------------------- calls


def test_one_call_takes_the_conversation_and_its_tokens() -> None:
    total = proved("ask a = ten(model = small)\nreturn a").total
    assert total.calls == total.parallel == 1
    assert total.prompt_tokens == Linear(CALL, 1)
    assert total.completion_tokens == 10
    assert total.cost == Linear((CALL * 1 + 10 * 2) / 1e6, 1 / 1e6)
    assert total.seconds == DEFAULT_TIMEOUT


def test_retries_are_calls_of_the_same_prompt_in_the_same_time() -> None:
    total = proved("ask a = ten(model = small) { retries = 3 }\nreturn a").total
    assert total.calls == 1 + 3
    assert total.prompt_tokens == Linear(4 * CALL, 4)
    assert total.completion_tokens == 4 * 10
    assert total.seconds == DEFAULT_TIMEOUT
    assert total.parallel == 1


def test_a_repair_sends_the_answer_before_it_and_what_is_wrong_along() -> None:
    total = proved("ask a = ten(model = small, contract = letter)\nreturn a").total
    assert total.calls == 1 + 2
    assert total.prompt_tokens == Linear(3 * CALL + 2 * (8 * 10 + REPAIR), 3)
    assert total.completion_tokens == 3 * 10
    assert total.seconds == DEFAULT_TIMEOUT


def test_every_repair_may_be_retried() -> None:
    certificate = proved("ask a = ten(model = small, contract = letter) { retries = 1, timeout = 30s }\nreturn a")
    assert certificate.total.calls == (1 + 1) * (1 + 2)
    assert certificate.total.seconds == 30
    assert step(certificate, "a").how == "(1 + 1 retry) × (`ten` + 2 repairs)"


def test_a_record_is_held_to_its_schema_and_repaired_everywhere() -> None:
    plan = plan_of(
        "recipe r(xs: answer[..8]) -> grade {\nfanout gs = judge(xs, model = m) for m in [small, middle]\nreturn first(gs)\n}"
    )
    certificate, schema = plan.recipes["r"].certificate, plan.roles["judge"].schema
    assert certificate is not None
    assert schema is not None
    assert certificate.total.calls == 2 * (1 + 1)
    largest = 8 * 100  # bytes of the largest answer that a role here gives
    shown = SCALAR + 8 * (largest + FENCE + HEADING)
    first = CALL + len("abc ") + shown + len(schema)
    assert certificate.total.prompt_tokens == Linear(2 * (2 * first + 8 * 50 + REPAIR), 4)


def test_only_ask_and_choose_repair_an_answer_that_breaks_its_contract() -> None:
    fanout = proved("fanout xs = ten(model = m, contract = letter) for m in [small, middle]\nreturn first(xs)")
    choose = proved(
        "choose a {\nwhen request.turns > 1 => ten(model = small, contract = letter)\notherwise => ten(model = small)\n}\nreturn a"
    )
    assert fanout.total.calls == 2
    assert choose.total.calls == 1 + 2


def test_a_return_is_mended_by_the_models_that_may_have_answered() -> None:
    total = proved("ask a = ten(model = small)\nreturn a { contract = letter }").total
    assert total.calls == 1 + 2
    assert total.prompt_tokens == Linear(CALL + 2 * (64 + 8 * 10 + REPAIR), 3)
    assert total.completion_tokens == 10 + 2 * 10
    assert total.seconds == 2 * DEFAULT_TIMEOUT


def test_a_call_may_set_its_own_tokens() -> None:
    total = proved("ask a = ten(model = small, max_tokens = clamp(request.turns, 1, 70))\nreturn a").total
    assert total.completion_tokens == 70


# ----------------------------------------------------------------- fan-out


def test_a_fanout_asks_each_item_once_and_all_at_once() -> None:
    certificate = proved(
        "fanout xs = ten(model = m) for m in ms { timeout = 9s, quorum = 1, on_error = skip }\nreturn first(xs)",
        "ms: model[2..5]",
    )
    assert certificate.total.calls == certificate.total.parallel == 5
    assert certificate.total.seconds == 9
    assert step(certificate, "xs").how == "up to 5 × `ten`"


@pytest.mark.parametrize(("parallel", "at_once", "waves"), [("2", 2, 3), ("5", 5, 1), ("7", 5, 1), ("n", 3, 5)])
def test_fewer_at_once_take_longer_one_wave_after_the_other(parallel: str, at_once: int, waves: int) -> None:
    """`n` is 1 to 3: three at once at most, and one after the other at worst."""
    total = proved(
        f"fanout xs = ten(model = m) for m in ms {{ parallel = {parallel} }}\nreturn first(xs)",
        "ms: model[5], n: int(1..3)",
    ).total
    assert total.parallel == at_once
    assert total.seconds == waves * DEFAULT_TIMEOUT


@pytest.mark.parametrize(("spread", "small", "middle"), [("round_robin", 3, 2), ("equal", 3, 2), ("first", 5, 0)])
def test_samples_are_spread_over_the_items_and_priced_as_such(spread: str, small: int, middle: int) -> None:
    body = f"fanout xs = ten(model = m) for m in ms {{ samples = 5, spread = {spread} }}\nreturn first(xs)"
    total = exposed(body, "ms: model[1..4]", "ms = [small, middle]").total
    assert total.calls == small + middle == 5
    assert total.cost is not None
    assert total.cost.constant == pytest.approx((small * (CALL + 10 * 2) + middle * (CALL * 3 + 10)) / 1e6)


def test_a_branch_that_is_a_recipe_counts_whole() -> None:
    pair = (
        "recipe pair(m: model) -> answer {\nask a = ten(model = m)\nask b = ten(model = m)\n"
        "return a if a.valid else b\n}"
    )
    body = "fanout xs = pair(m) for m in [small, middle, free] { parallel = 2 }\nreturn first(xs)"
    total = proved(body, besides=pair).total
    assert total.calls == 3 * 2
    assert total.parallel == 2 * 2
    assert total.seconds == 2 * DEFAULT_TIMEOUT


# --------------------------------------------------- one after the other


def test_a_cascade_asks_all_items_one_after_the_other() -> None:
    certificate = proved(
        "cascade a = hundred(model = m) for m in ms { accept = it.valid }\nreturn a", "ms: model[1..4]"
    )
    assert certificate.total.calls == 4
    assert certificate.total.parallel == 1
    assert certificate.total.seconds == 4 * DEFAULT_TIMEOUT


def test_a_repeat_sees_what_the_round_before_said() -> None:
    body = "ask d = hundred(model = small)\nrepeat a = again(a) up to 3 times { start = d }\nreturn a"
    besides = 'role mend(x: answer) { max_tokens = 30, prompt = "{{ x }}" }\nrecipe again(x: answer) -> answer {\nask y = mend(x, model = small)\nreturn y\n}'
    total = proved(body, besides=besides).total
    first = CALL + 8 * 100 + FENCE
    later = CALL + 8 * 30 + FENCE
    assert total.calls == 1 + 3
    assert total.prompt_tokens == Linear(CALL + first + 2 * later, 4)
    assert total.completion_tokens == 100 + 3 * 30
    assert total.seconds == 4 * DEFAULT_TIMEOUT


def test_a_list_that_grows_by_a_round_is_as_long_as_there_are_rounds() -> None:
    besides = (
        'role next(xs: answer[..9]) { max_tokens = 10, prompt = "{{ xs }}" }\n'
        "recipe more(xs: answer[..8]) -> answer[..9] {\nask y = next(xs, model = small)\nreturn xs + [y]\n}"
    )
    body = "repeat all = more(take(all, 8)) up to 3 times { start = [] }\nreturn all"
    total = proved(body, gives="answer[..9]", besides=besides).total
    shown = [SCALAR + count * (8 * 10 + FENCE + HEADING) for count in range(3)]
    assert total.prompt_tokens == Linear(sum(CALL + size for size in shown), 3)


def test_a_choice_takes_the_dearest_arm_in_each_dimension() -> None:
    body = "choose a {\nwhen request.turns > 1 => ten(model = small, contract = letter)\notherwise => hundred(model = middle)\n}\nreturn a"
    total = proved(body).total
    assert total.calls == 3
    assert total.completion_tokens == max(3 * 10, 100)
    assert total.cost is not None
    assert total.cost.constant == max((3 * CALL + 2 * (80 + REPAIR)) * 1 + 30 * 2, CALL * 3 + 100 * 1) / 1e6


# ------------------------------------------------------------ in all


def test_the_critical_path_is_the_longest_one() -> None:
    body = "ask a = ten(model = small) { timeout = 10s }\nask b = ten(model = small) { timeout = 25s }\nask c = about(a.text, model = small) { timeout = 20s }\nreturn b if c.valid else c"
    certificate = proved(body)
    assert certificate.total.seconds == 10 + 20
    assert certificate.critical_path == ("a", "c")


def test_the_peak_is_the_heaviest_set_of_steps_that_do_not_wait_for_each_other() -> None:
    body = (
        "fanout xs = ten(model = m) for m in [small, middle, free]\n"
        "fanout ys = about(first(xs).text, model = m) for m in [small, middle]\n"
        "ask z = ten(model = small)\n"
        "return z if size(ys) > 0 else first(xs)"
    )
    certificate = proved(body)
    assert certificate.total.calls == 3 + 2 + 1
    assert certificate.total.parallel == 3 + 1
    assert set(certificate.parallel_steps) == {"xs", "z"}


@pytest.mark.parametrize(("time", "seconds"), [("1m", 60.0), ("10m", 240.0)])
def test_a_budget_of_time_ends_what_has_no_timeout(time: str, seconds: float) -> None:
    body = f"budget {{ time = {time} }}\nask a = ten(model = small)\nask b = about(a.text, model = small)\nreturn b"
    assert proved(body).total.seconds == seconds


def test_timeouts_that_add_up_to_more_than_the_budget_are_an_error() -> None:
    body = "budget { time = 30s }\nask a = ten(model = small) { timeout = 20s }\nask b = about(a.text, model = small) { timeout = 20s }\nreturn b"
    (error,) = compiled(f"recipe r() -> answer {{\n{body}\n}}").diagnostics
    assert error.message == "`r` may use 40s, its budget is 30s"
    assert error.notes[-1] == "= 40s along the critical path, budget 30s"


def test_an_entry_is_bounded_by_its_pool_and_the_recipe_alone_by_its_types() -> None:
    body = "fanout xs = ten(model = m) for m in ms\nreturn first(xs)"
    plan = plan_of(f'recipe r(ms: model[1..8]) -> answer {{\n{body}\n}}\nexpose "e" = r(ms = [small, middle, small])')
    alone, entry = plan.recipes["r"].certificate, plan.entries["e"].certificate
    assert alone is not None
    assert entry is not None
    assert (alone.total.calls, entry.total.calls) == (8, 3)
    assert alone.total.cost is None
    assert alone.unpriced == ("free",)
    assert entry.total.cost is not None
    assert entry.unpriced == ()


def test_money_is_that_of_the_dearest_model_and_unknown_where_one_price_is() -> None:
    dear = exposed("ask a = ten(model = strongest(ms))\nreturn a", "ms: model[1..4]", "ms = [small, middle]").total
    unknown = exposed("ask a = ten(model = last(ms))\nreturn a", "ms: model[1..4]", "ms = [small, free]")
    assert dear.cost is not None
    assert dear.cost.constant == pytest.approx(max(CALL + 20, 3 * CALL + 10) / 1e6)
    assert dear.cost.per_byte == 3 / 1e6
    assert unknown.total.cost is None
    assert unknown.unpriced == ("free",)


# ----------------------------------------------------------- what is shown


def shown_to_about(expression: str, before: str = "") -> Linear:
    """The bytes that a text has in a prompt, by the certificate of the call that shows it."""
    prompt = step(proved(f"{before}\nask b = about({expression}, model = small)\nreturn b"), "b").bound.prompt_tokens
    return Linear(prompt.constant - CALL, prompt.per_byte - 1)


def test_a_text_is_shown_with_its_fence() -> None:
    assert shown_to_about('"abcé"') == Linear(5 + FENCE)
    assert shown_to_about("request.text") == Linear(FENCE, 1)
    assert shown_to_about('request.metadata["k"] or "n"') == Linear(1 + FENCE, 1)
    assert shown_to_about("a.text", "ask a = ten(model = small)") == Linear(8 * 10 + FENCE)
    assert shown_to_about('a.text + "x" + request.text', "ask a = ten(model = small)") == Linear(81 + FENCE, 1)
    assert shown_to_about("a.finish", "ask a = ten(model = small)") == Linear(64 + FENCE)


def test_a_record_that_a_model_made_is_cut_to_what_it_may_say() -> None:
    before = "ask g = judge([], model = small)\n"
    whole = step(proved(before + "ask b = graded(g, model = small)\nreturn b"), "b").bound.prompt_tokens
    part = step(proved(before + "ask b = reason(g, model = small)\nreturn b"), "b").bound.prompt_tokens
    assert whole == Linear(CALL + 8 * 50 + FENCE, 1)
    assert part == Linear(CALL + 8 * 50 + FENCE, 1)


def test_a_record_that_the_recipe_or_a_model_made_is_as_large_as_either() -> None:
    """Made by the recipe it is shown field by field, by a model as one quotation: the greater counts."""
    body = 'ask g = judge([], model = small) { fallback = { reason = "none", score = 0.5 } }\nask b = graded(g, model = small)\nreturn b'
    assert step(proved(body), "b").bound.prompt_tokens.constant >= CALL + 8 * 50 + FENCE


def test_a_fallback_may_be_larger_than_what_it_stands_in_for() -> None:
    body = "ask a = hundred(model = small)\nask b = ten(model = small) { fallback = a }\nask c = about(b.text, model = small)\nreturn c"
    assert step(proved(body), "c").bound.prompt_tokens == Linear(CALL + 8 * 100 + FENCE, 1)


def test_a_fallback_of_a_cascade_sees_what_was_tried() -> None:
    body = "cascade a = hundred(model = m) for m in [small, middle] { accept = it.valid, fallback = last(tried) }\nask c = about(a.text, model = small)\nreturn c"
    assert step(proved(body), "c").bound.prompt_tokens == Linear(CALL + 8 * 100 + FENCE, 1)


def test_sections_count_with_their_larger_side() -> None:
    role = (
        'role brief(x: answer?) { max_tokens = 1, prompt = "{% if x %}{{ x }}{% else %}'
        + "n" * 2_000
        + '{% endif %}" }'
    )
    total = proved("ask a = ten(model = small)\nask b = brief(a, model = small)\nreturn b", besides=role)
    assert step(total, "b").bound.prompt_tokens == Linear(CALL + 2_000, 1)


def test_a_role_that_does_not_see_the_conversation_does_not_pay_for_it() -> None:
    role = 'role blind(t: text) { max_tokens = 1, conversation = false, prompt = "{{ t }}" }'
    total = proved('ask b = blind("abc", model = small)\nreturn b', besides=role).total
    assert total.prompt_tokens == Linear(CALL + 3 + FENCE, 0)


def test_a_long_name_of_a_model_is_as_long_as_it_is() -> None:
    text = f'model other {{ backend = lab, id = "{"x" * 700}" }}\nrecipe r() -> answer {{\nask b = about(other.id, model = small)\nreturn b\n}}'
    certificate = plan_of(text).recipes["r"].certificate
    assert certificate is not None
    assert certificate.total.prompt_tokens.constant >= CALL + 700


def test_a_list_without_an_end_in_a_prompt_does_not_compile() -> None:
    text = 'role show(ts: text[]) { max_tokens = 1, prompt = "{{ ts }}" }\nrecipe r(ts: text[]) -> answer {\nask a = show(ts, model = small)\nreturn a\n}'
    errors = [d for d in compiled(text).diagnostics if d.severity == "error"]
    assert [error.code.id for error in errors] == ["E0505"]


def test_a_request_may_ask_for_no_more_repairs_than_are_counted() -> None:
    """The form that a request asks for is not known when a recipe is proved."""
    total = proved("ask a = ten(model = small, contract = request.format)\nreturn a").total
    assert total.calls == 1 + REQUEST_REPAIRS
    with pytest.raises(ValueError, match="may be repaired 1 time, not 2"):
        Request((), format=Contract("form", repair=2))
