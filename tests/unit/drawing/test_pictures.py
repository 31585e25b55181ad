"""Pictures of plans: the standard recipes as they look, no line through a box, and names that are no trouble."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from typing import get_args, get_type_hints
from xml.etree import ElementTree as ET

import pytest
from syrupy.assertion import SnapshotAssertion

from recipelang.compilation import compile_file, compile_text
from recipelang.drawing.dot import dot
from recipelang.drawing.graph import COLORS, Graph, Node, graph_of
from recipelang.drawing.layout import Layout, Size, laid_out
from recipelang.drawing.mermaid import mermaid
from recipelang.drawing.spelling import spelled
from recipelang.drawing.svg import svg
from recipelang.ir.expressions import Constant
from recipelang.ir.plan import Plan, Step
from recipelang.resources import standard_recipe_names

DRAWERS = {"mermaid": mermaid, "dot": dot, "svg": svg}
DRAWN = ("direct", "confidence", "self_verified", "ratings", "remom", "fusion")
NASTY = 'a"b</text>&lt;\\n#quot;`é\x07]]'


def standard(name: str) -> Graph:
    plan = compile_file(f"std.{name}").plan
    assert plan is not None
    return graph_of(plan, name)


def plan_of(text: str) -> Plan:
    plan = compile_text(text).plan
    assert plan is not None
    return plan


@pytest.mark.parametrize("draw", DRAWERS.values(), ids=DRAWERS)
@pytest.mark.parametrize("name", DRAWN)
def test_the_standard_recipes_look_like_this(
    name: str, draw: Callable[[Graph], str], snapshot: SnapshotAssertion
) -> None:
    assert draw(standard(name)) == snapshot


@pytest.mark.parametrize("name", standard_recipe_names())
def test_every_recipe_of_the_library_can_be_drawn(name: str) -> None:
    plan = compile_file(f"std.{name}").plan
    assert plan is not None
    for recipe in plan.recipes:
        ET.fromstring(svg(graph_of(plan, recipe)))


def test_a_box_says_what_its_step_may_do() -> None:
    text = (
        'backend b { kind = openai, url = "http://127.0.0.1:9/v1" }\nmodel m { backend = b, id = "m" }\n'
        "role say() { max_tokens = 9 }\nrecipe r(ms: model[2..4]) -> answer {\n"
        "  fanout xs = say(model = one) for one in ms {\n"
        "    samples = 6, parallel = 2, keep = it.valid, quorum = 2, grace = 5s, timeout = 30s, on_error = skip, fallback = []\n  }\n"
        '  ask a = say(model = m) { retries = 2, when = request.turns > 1, fallback = fail("nothing") }\n'
        '  choose c {\n    when size(xs) > 1 => say(model = m)\n    otherwise => fail("no")\n  }\n'
        "  return a or c\n}\n"
    )
    xs, a, c, back = graph_of(plan_of(text), "r").nodes
    assert xs.lines == (
        "fanout xs",
        "say for one in ms",
        "keep it.valid",
        "samples 6, parallel 2, quorum 2, grace 5s, timeout 30s, skips failures",
        "else []",
        "at most 6 calls",
    )
    assert a.lines == ("ask a", "say", "when request.turns > 1", "2 retries", 'else fail("nothing")', "at most 3 calls")
    assert c.lines == ("choose c", "say when size(xs) > 1", "fail otherwise", "at most 1 call")
    assert back.lines == ("return", "a or c")


def test_a_long_expression_is_cut() -> None:
    words = spelled(Constant("x" * 200))
    assert len(words) == 44
    assert words.endswith("…")


# ------------------------------------------------------------------ layout


def crossings(layout: Layout, sizes: dict[str, Size]) -> list[tuple[tuple[str, str], str]]:
    """The lines that run through a box which is neither of their ends."""
    found = []
    for edge, points in layout.lines.items():
        for (x1, y1), (x2, y2) in itertools.pairwise(points):
            for name, (left, top) in layout.corners.items():
                width, height = sizes[name]
                inside = min(x1, x2) < left + width and max(x1, x2) > left and y1 < top + height and y2 > top
                if name not in edge and inside:
                    found.append((edge, name))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_no_line_runs_through_a_box_and_no_box_over_another(seed: int) -> None:
    draw = random.Random(seed)
    names = [f"s{number}" for number in range(draw.randint(1, 14))]
    sizes = {name: (draw.uniform(60, 300), draw.uniform(40, 120)) for name in names}
    edges = [(a, b) for a, b in itertools.combinations(names, 2) if draw.random() < 0.3]
    layout = laid_out(sizes, edges)
    assert crossings(layout, sizes) == []
    for (one, (left, top)), (other, (left2, top2)) in itertools.combinations(layout.corners.items(), 2):
        apart_x = left + sizes[one][0] < left2 or left2 + sizes[other][0] < left
        apart_y = top + sizes[one][1] < top2 or top2 + sizes[other][1] < top
        assert apart_x or apart_y, (one, other)
    for left, top in layout.corners.values():
        assert left >= -1e-6
        assert top >= 0


def test_lines_go_down_from_layer_to_layer() -> None:
    for points in laid_out(
        {"a": (9, 9), "b": (9, 9), "c": (9, 9)}, [("a", "b"), ("b", "c"), ("a", "c")]
    ).lines.values():
        assert [y for _, y in points] == sorted(y for _, y in points)


# ------------------------------------------------------------------- names


def odd() -> Graph:
    nodes = (Node(NASTY, "let", (f"let {NASTY}",)), Node("return", "return", ("return",)))
    return Graph(NASTY, nodes, ((NASTY, "return"),))


def test_an_svg_with_odd_names_is_still_xml_that_shows_them() -> None:
    drawn = ET.fromstring(svg(odd()))
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [f"let {NASTY}".replace("\x07", "�"), "return"]


def test_mermaid_with_odd_names_has_only_its_own_marks() -> None:
    _, first, second, edge, *_ = mermaid(odd()).splitlines()
    assert re.fullmatch(r'  x_[0-9a-f]+\["[^"<>`\\]*"\]:::let_step', first)
    assert second == '  s_return(["return"]):::return_step'
    assert edge == f"  x_{NASTY.encode().hex()} --> s_return"


def test_dot_with_odd_names_closes_every_string() -> None:
    for line in dot(odd()).splitlines():
        assert len(re.sub(r"\\.", "", line).split('"')) % 2 == 1, line


def test_every_kind_of_step_has_a_colour() -> None:
    kinds = {get_args(get_type_hints(kind)["kind"])[0] for kind in get_args(get_args(Step)[0])}
    assert kinds == COLORS.keys()
