"""A server without keys and the pages that a browser beside it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from recipelang.serving import app
from recipelang.serving.origins import OwnPages
from served import running, team_file
from upstream import Upstream

ASKED = {"model": "fixed", "messages": [{"role": "user", "content": "?"}]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Upstream]]:
    folder: Path = tmp_path_factory.mktemp("served")
    with Upstream() as upstream, running(OwnPages(app(team_file(folder, upstream)))) as address:
        yield address, upstream


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "http://elsewhere.example"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:3000"},
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
    ],
    ids=str,
)
def test_a_page_of_another_site_asks_nothing(served: tuple[str, Upstream], headers: dict[str, str]) -> None:
    address, upstream = served
    before = len(upstream.requests)
    for path in ("chat/completions", "messages", "responses"):
        answer = httpx2.post(f"{address}/v1/{path}", json=ASKED, headers={**headers, "content-type": "text/plain"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_page")
    assert httpx2.get(f"{address}/ui?model=fixed&ask=why", headers=headers).status_code == 403
    assert httpx2.get(f"{address}/ui", headers=headers).status_code == 200
    assert len(upstream.requests) == before


def test_programs_and_its_own_page_are_answered(served: tuple[str, Upstream]) -> None:
    address, _ = served
    own: list[dict[str, str]] = [{}, {"origin": address}, {"sec-fetch-site": "same-origin", "origin": "http://as.seen"}]
    for headers in own:
        answer = httpx2.post(f"{address}/v1/chat/completions", json=ASKED, headers=headers)
        assert answer.status_code == 200
    assert httpx2.get(f"{address}/ui?model=fixed&ask=why", headers={"sec-fetch-site": "none"}).status_code == 200
