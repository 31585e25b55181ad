"""The built-in page: what the server says it may do, and that it works in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
import pytest

from browser import CHROMIUM, browsing
from recipelang.drawing.page import page
from recipelang.serving import Key, Keys
from served import serving

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to show the page")


def test_the_server_gives_the_page_and_a_picture_of_each_recipe(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        told = httpx2.get(f"{address}/ui")
        picture = httpx2.get(f"{address}/ui/graph/team/panel")
        assert httpx2.get(f"{address}/ui/graph/nobody").status_code == 404
    assert "default-src 'none'" in told.headers["content-security-policy"]
    assert told.text == page()
    assert "ask final" in picture.text


def test_the_page_reaches_for_nothing_but_its_server() -> None:
    assert not re.findall(r"(?:src|href)\s*=|https?://|@import|url\(", page())


def test_no_text_of_a_run_ends_the_script_that_it_stands_in() -> None:
    trace = {"entry": "</script><script>alert(1)</script>", "events": []}
    found = re.search(r'<script type="application/json" id="recorded">(.*?)</script>', page(trace), re.DOTALL)
    assert found is not None
    assert json.loads(found[1]) == trace


@pytest.mark.live
@in_browser
def test_a_browser_asks_lights_up_the_graph_and_shows_the_receipt(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _), browsing(tmp_path / "profile") as browser:
        dom = browser.document(f"{address}/ui?model=team/panel&ask=Which+planet%3F", shown="sums")
    assert '<div id="answer">Jupiter.</div>' in dom
    assert "4 calls · 56 tokens" in dom
    assert dom.count('class="ok"') == 7  # three boxes of the graph and four bars of calls
    assert len(re.findall(r'<rect [^>]*class="failed"', dom)) == 1  # the judge
    assert "<td>large</td><td>ok</td>" in dom


def test_the_server_tells_the_way_of_a_request_and_asks_no_model(tmp_path: Path) -> None:
    asked = {"model": "routed", "messages": [{"role": "user", "content": "Which planet is it? Quickly!"}]}
    with serving(tmp_path) as (address, upstream):
        way = httpx2.post(f"{address}/ui/route", json=asked).json()
        unknown = httpx2.post(f"{address}/ui/route", json={**asked, "model": "nobody"})
        assert upstream.requests == []
    assert [(signal["name"], signal["value"], signal["words"]) for signal in way["signals"]] == [
        ("hurried", True, ["quickly"])
    ]
    (choice,) = way["choices"]
    assert [(arm["calls"], arm["taken"]) for arm in choice["arms"]] == [
        ("direct(model_of_choice = small)", True),
        ("direct(model_of_choice = large)", False),
    ]
    assert unknown.status_code == 404


def test_the_way_is_told_to_those_alone_who_may_ask(tmp_path: Path) -> None:
    asked = {"model": "routed", "messages": [{"role": "user", "content": "?"}]}
    with serving(tmp_path, keys=Keys([Key.of("ann", "secret-1")])) as (address, _):
        assert httpx2.post(f"{address}/ui/route", json=asked).status_code == 401
        known = httpx2.post(f"{address}/ui/route", json=asked, headers={"authorization": "Bearer secret-1"})
        assert known.status_code == 200


@pytest.mark.live
@in_browser
def test_a_browser_shows_the_way_of_a_request(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, upstream), browsing(tmp_path / "profile") as browser:
        dom = browser.document(f"{address}/ui?model=routed&route=Which+planet%3F+Quickly!", shown="taken")
        assert upstream.requests == []
    assert "It comes to direct(model_of_choice = small). No model was called." in dom
    (taken,) = re.findall(r'<li class="taken">.*?</li>', dom)
    assert "hurried: holds" in taken
    assert "1 more, not asked: an earlier arm is taken" in dom
    assert '<code>hurried</code></td><td><b>true</b></td><td><span class="word">quickly</span>' in dom


@pytest.mark.live
@in_browser
def test_a_browser_shows_a_recorded_run(tmp_path: Path) -> None:
    events = [
        {"at": 0.0, "kind": "call_start", "step": "reply", "call": 1, "model": "small", "role": "keen", "attempt": 1},
        {"at": 0.5, "kind": "call_end", "step": "reply", "call": 1, "prompt_tokens": 3, "completion_tokens": 4, "cost": 0.1},
    ]  # fmt: skip
    file = tmp_path / "run.html"
    file.write_text(page({"entry": "team", "events": events}), encoding="utf-8")
    with browsing(tmp_path / "profile") as browser:
        dom = browser.document(file.as_uri(), shown="sums")
    assert "a run of team" in dom
    assert "1 call · 7 tokens · $0.1 · 0.50 s" in dom
