"""What an entry reaches: what it may call, and the part of the plan that it needs."""

from __future__ import annotations

from recipelang.hosts.reaching import models_of, part_of, recipes_of
from runs import plan_of

PLAN = plan_of("""
extern look_up(word: text) -> text { zone = local }
role explain(found: text) { max_tokens = 10, prompt = "{{ found }}" }
signal busy: bool = not healthy(third)
boundary private { when = pii(request), allow = it.zone == local }
recipe inner(m: model) -> answer { ask reply = speak(model = m) return reply }
recipe plain(m: model) -> answer {
  choose reply { when busy => inner(m)  otherwise => fail("nobody is free") }
  return reply
}
recipe informed(m: model) -> answer {
  call found = look_up(request.text)
  ask  reply = explain(found, model = m)
  return reply
}
expose "plain" = plain(small)
expose "informed" = informed(small)
""")
PLAIN, INFORMED = PLAN.entries["plain"], PLAN.entries["informed"]


def test_what_a_signal_looks_at_is_not_called() -> None:
    assert models_of(PLAN, PLAIN) == ["small"]
    assert recipes_of(PLAN, PLAIN) == ["inner", "plain"]


def test_the_part_of_an_entry_has_all_that_it_names_and_nothing_besides() -> None:
    part = part_of(PLAN, PLAIN)
    assert list(part.entries) == ["plain"]
    assert list(part.recipes) == ["inner", "plain"]
    assert (set(part.models), list(part.signals), list(part.externs)) == ({"small", "third"}, ["busy"], [])
    assert list(part.roles) == ["speak"]
    assert set(part.backends) == {part.models["small"].backend}


def test_a_boundary_holds_for_each_part() -> None:
    assert list(part_of(PLAN, INFORMED).boundaries) == ["private"]
    assert list(part_of(PLAN, INFORMED).externs) == ["look_up"]


def test_the_part_of_all_entries_is_the_plan_of_all() -> None:
    part = part_of(PLAN, PLAIN, INFORMED)
    assert (part.recipes, part.externs, part.entries) == (PLAN.recipes, PLAN.externs, PLAN.entries)
