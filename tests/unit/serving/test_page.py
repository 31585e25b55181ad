"""The built-in page: what the server says it may do, and that it works in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
import pytest

from browser import CHROMIUM, browsing
from recipelang.drawing.page import page
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
    assert re.search(r'<div id="answer"[^>]*>Jupiter\.</div>', dom)
    assert "4 calls, 56 tokens" in dom
    assert dom.count('class="ok"') == 7  # three boxes of the graph and four bars of calls
    assert len(re.findall(r'<rect [^>]*class="failed"', dom)) == 1  # the judge
    assert "<td>large</td><td>ok</td>" in dom


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
    assert "1 calls, 7 tokens, $0.100000 0.50 s" in dom
