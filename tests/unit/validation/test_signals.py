"""Signals in proofs: a guard that asks what a boundary asks keeps to it, and plans of other tools are looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checked import MODELS, errors
from recipelang.compilation import compile_text
from recipelang.ir.expressions import SignalReference, UnaryExpression
from recipelang.ir.plan import Plan
from recipelang.ir.types import BoolType
from recipelang.runtime.expressions import compile_expression
from recipelang.validation.graph import validate
from runs import asking, plan_of

GUARDED = """
use std.auto
use std.signals
{models}
boundary kept {{ when = {when}, allow = it.zone == near }}
recipe guarded(inside: model, away: model) -> answer {{
  choose reply {{
    when {guard} => solver(model = inside)
    otherwise    => solver(model = away)
  }}
  return reply
}}
role solver() {{ max_tokens = 100 }}
signal both: bool   = sensitive or request.turns > 9
signal neither: bool = not both
expose "kept" = guarded(small, large)
"""


@pytest.mark.parametrize(
    ("when", "asked", "proved"),
    [
        ("sensitive", "sensitive", True),
        ("sensitive", "both", True),
        ("sensitive", "not neither", True),
        ("sensitive", "attack", False),
        ("both", "sensitive", False),
        ("pii(request)", "kept", True),
    ],
)
def test_a_boundary_is_proved_under_a_guard_that_asks_its_signal(when: str, asked: str, proved: bool) -> None:
    assert errors(GUARDED.format(models=MODELS, when=when, guard=asked)) == ([] if proved else ["E0901"])


def test_the_automatic_choice_keeps_a_boundary_unless_it_is_told_not_to() -> None:
    text = 'use std.auto\nuse std.signals\n{models}boundary kept {{ when = sensitive, allow = it.zone == local }}\nexpose "a" = auto([small, large]{more})\n'
    models = MODELS.replace("zone = near", "zone = local")
    assert errors(text.format(models=models, more="")) == []
    assert errors(text.format(models=models, more=", stay_home = false")) == ["E0901"]


def test_the_bound_of_the_automatic_choice_is_the_most_of_its_arms() -> None:
    plan = compile_text(
        f'use std.auto\nuse std.fusion\n{MODELS}expose "auto" = auto([small, large])\nexpose "panel" = fusion([small, large], large)\n'
    ).plan
    assert plan is not None
    auto, panel = (plan.entries[name].certificate for name in ("auto", "panel"))
    assert auto is not None
    assert panel is not None
    assert auto.total.calls >= panel.total.calls
    assert auto.total.completion_tokens >= panel.total.completion_tokens


def reading() -> Plan:
    return plan_of("signal one: bool = request.turns > 1\nsignal other: bool = one\n" + MAIN)


MAIN = """
recipe main(m: model) -> answer {
  ask reply = speak(model = m) { when = other }
  ask again = speak(model = m)
  return reply or again
}
"""


def test_a_plan_whose_signals_read_each_other_is_unsound() -> None:
    plan = reading()
    circle = replace(plan.signals["one"], value=UnaryExpression("not", SignalReference("other")))
    found = [fault.problem for fault in validate(replace(plan, signals={**plan.signals, "one": circle}))]
    assert len(found) == 1
    assert found[0].startswith("signals read each other")


def test_a_plan_that_names_no_such_signal_is_unsound() -> None:
    plan = reading()
    assert [fault.problem for fault in validate(replace(plan, signals={}))] == ["there is no signal `other`"]


def test_a_weight_counts_where_its_condition_holds() -> None:
    plan = plan_of(
        "signal many: bool = request.turns > 1\nsignal weighed: float = 0.5 - 0.4 * many + many * 2\n"
        + MAIN.replace("other", "many or weighed > 1")
    )
    assert isinstance(plan.signals["many"].type, BoolType)
    weighed = compile_expression(SignalReference("weighed"), plan)
    twice = replace(asking(), messages=asking().messages * 2)
    assert weighed({"request": asking()}) == 0.5
    assert weighed({"request": twice}) == pytest.approx(2.1)
