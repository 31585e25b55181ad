"""One mistake is one message that says what the author got wrong, and the rest of the file is still read."""

from __future__ import annotations

import pytest
from syrupy.assertion import SnapshotAssertion

from recipelang.diagnostics import Diagnostic
from recipelang.diagnostics.rendering import render
from recipelang.source import Source
from recipelang.syntax import nodes
from recipelang.syntax.parser import parse

GOOD = """
role solver() { max_tokens = 1k }
recipe r(m: model, ms: model[2..4]) -> answer {
  budget { calls = 3, time = 30s }
  ask a = solver(model = m) { timeout = 3s, retries = 1 }
  fanout xs = solver(model = x) for x in ms {
    quorum = 2
    on_error = skip
  }
  choose b {
    when a.valid => solver(model = m)
    otherwise => solver(model = m)
  }
  return b { fallback = a }
}
role last_one() { max_tokens = 1k }
"""
SLIPS = {
    "a block that is never closed": ("    on_error = skip\n  }\n", "    on_error = skip\n"),
    "a recipe that is never closed": ("  return b { fallback = a }\n}\n", "  return b { fallback = a }\n"),
    "a block on a line that is never closed": ("timeout = 3s, retries = 1 }", "timeout = 3s, retries = 1"),
    "no comma between parameters": ("m: model, ms", "m: model ms"),
    "no comma between arguments": ("solver(model = x) for", "solver(a model = x) for"),
    "a brace too many": ("  return b { fallback = a }\n}\n", "  return b { fallback = a }\n}\n}\n"),
    "a parenthesis too many": ("solver(model = m) { timeout", "solver(model = m)) { timeout"),
    "a misspelt step": ("fanout xs", "fannout xs"),
    "a misspelt declaration": ("recipe r", "recip r"),
    "a colon in a block on a line": ("timeout = 3s", "timeout: 3s"),
    "a colon in a block": ("quorum = 2", "quorum: 2"),
    "no sign of equality": ("quorum = 2", "quorum 2"),
    "a text that is never closed": ("max_tokens = 1k }\nrecipe", 'system = "be brief }\nrecipe'),
    "a role without parentheses": ("role last_one() { max_tokens = 1k }\n", "role last_one"),
    "a role without a name": ("role last_one() { max_tokens = 1k }\n", "role"),
    "a role that ends in its parameters": ("role last_one() { max_tokens = 1k }\n", "role last_one("),
    "a role that ends in its block": ("role last_one() { max_tokens = 1k }\n", "role last_one() {"),
    "a role that ends before a value": ("role last_one() { max_tokens = 1k }\n", "role last_one() { max_tokens ="),
    "a step that ends before its call": ("  ask a = solver(model = m) { timeout = 3s, retries = 1 }\n", "  ask a =\n"),
    "a step without a name": ("  ask a = solver(model = m) { timeout = 3s, retries = 1 }\n", "  ask\n"),
    "a step that ends in its call": (
        "  ask a = solver(model = m) { timeout = 3s, retries = 1 }\n",
        "  ask a = solver(\n",
    ),
    "a role that is not called": ("= solver(model = m) {", "= solver {"),
    "a loop without in": ("for x in ms", "for x ms"),
    "a loop without for": ("for x in ms", "x in ms"),
    "a loop with of": ("for x in ms", "for x of ms"),
    "the other arrow": ("-> answer", "=> answer"),
    "a colon before the result": ("-> answer", ": answer"),
    "a colon in an arm": ("when a.valid =>", "when a.valid:"),
    "else in a choice": ("otherwise =>", "else =>"),
    "case in a choice": ("when a.valid", "case a.valid"),
    "let without a sign of equality": ("  ask a = solver", "  let q 3\n  ask a = solver"),
    "a value without let": ("  ask a = solver", "  q = 3\n  ask a = solver"),
    "a semicolon": ("quorum = 2", "quorum = 2;"),
    "two signs of equality": ("quorum = 2", "quorum == 2"),
    "a minus in bounds": ("ms: model[2..4]", "ms: model[2-4]"),
    "three dots in bounds": ("ms: model[2..4]", "ms: model[2...4]"),
    "a generic type": ("ms: model[2..4]", "ms: list<model>"),
    "a recipe without parameters": ("recipe r(m: model, ms: model[2..4]) -> answer", "recipe r -> answer"),
    "a blank before a unit": ("time = 30s", "time = 30 s"),
    "single quotation marks": ("max_tokens = 1k }\nrecipe", "system = 'be brief' }\nrecipe"),
    "a name in capitals": ("recipe r(", "recipe R("),
    "two values returned": ("  return b { fallback = a }\n", "  return b, a\n"),
    "a comment of another language": ("  budget", "  // budget\n  budget"),
    "a question mark for a choice": ("when a.valid", "when a.valid ? 1 : 2"),
    "an exclamation mark for not": ("when a.valid", "when !a.valid"),
    "two dots before a member": ("a.valid", "a..valid"),
    "a dollar after the amount": ("time = 30s", "cost = 0.05$"),
    "a blank before a percent sign": ("quorum = 2", "quorum = 2 %"),
    "a call that is never closed": ("solver(model = m) {", "solver(model = m {"),
    "a list that is never closed": ("quorum = 2", "quorum = [1, 2"),
}
"""What is wrong, the place in the good text, and what stands there instead."""


def parsed(text: str) -> tuple[nodes.File, list[Diagnostic]]:
    found: list[Diagnostic] = []
    return parse(Source("slip.recipe", text), found.append), found


def test_the_good_text_is_good() -> None:
    assert parsed(GOOD)[1] == []


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_message(slip: str, snapshot: SnapshotAssertion) -> None:
    good, wrong = SLIPS[slip]
    assert GOOD.count(good) >= 1
    _, found = parsed(GOOD.replace(good, wrong, 1))
    assert len(found) == 1
    assert render(found) == snapshot


@pytest.mark.parametrize("slip", SLIPS)
def test_the_other_declarations_are_still_read(slip: str) -> None:
    file, _ = parsed(GOOD.replace(*SLIPS[slip], 1))
    read = {
        declaration.name.text for declaration in file.declarations if isinstance(declaration, nodes.Role | nodes.Recipe)
    }
    assert len(read) >= 2


def test_mistakes_in_different_declarations_are_each_reported() -> None:
    text = GOOD.replace("max_tokens = 1k", "max_tokens : 1k").replace("quorum = 2", "quorum 2")
    assert len(parsed(text)[1]) == 3


def test_a_file_cut_off_anywhere_is_at_most_one_message() -> None:
    for end in range(len(GOOD)):
        _, found = parsed(GOOD[:end])
        assert len(found) <= 1, GOOD[:end]
