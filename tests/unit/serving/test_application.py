"""The app in other apps and with other engines, its limits, and what it says to what is no request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import fastapi
import httpx2
import pytest
from starlette.types import ASGIApp, Message

from recipelang import Engine, ScriptedBackend
from recipelang.serving import BodyLimits, app, keeping
from recipelang.serving.bodies import body_of
from recipelang.serving.problems import Problem
from served import TEAM, running, serving

ASKED = {"model": "fixed", "messages": [{"role": "user", "content": "?"}]}


def scripted(folder: Path) -> Engine:
    file = folder / "team.recipe"
    file.write_text(TEAM.format(url="http://127.0.0.1:9/v1"), encoding="utf-8")
    return Engine(file, backends={"lab": ScriptedBackend({"*": "Jupiter."})})


def ask(application: ASGIApp, path: str = "/v1/chat/completions", body: Any = ASKED) -> httpx2.Response:
    """Ask an app that nobody has opened."""

    async def asked() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(application), base_url="http://x") as client:
            return await client.post(path, **({"content": body} if isinstance(body, bytes) else {"json": body}))

    return anyio.run(asked)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    """An app for requests that never reach a model."""
    return app(scripted(tmp_path_factory.mktemp("shared")))


def test_it_is_mounted_in_an_app_of_fastapi_in_one_line(tmp_path: Path) -> None:
    server = fastapi.FastAPI()
    server.mount("/", app(scripted(tmp_path)))
    with running(server) as address:
        answer = httpx2.post(f"{address}/v1/chat/completions", json=ASKED)
    assert answer.json()["choices"][0]["message"]["content"] == "Jupiter."


def test_without_a_lifespan_the_first_request_opens_the_engine(tmp_path: Path) -> None:
    engine = scripted(tmp_path)
    assert ask(app(engine)).status_code == 200
    assert engine.is_open


def test_an_engine_that_the_host_opened_stays_its_own(tmp_path: Path) -> None:
    engine = scripted(tmp_path)

    async def hosted() -> None:
        async with engine:
            application = app(engine)
            async with application.router.lifespan_context(application):
                pass
            assert engine.is_open

    anyio.run(hosted)


def test_with_a_lifespan_it_closes_what_it_has_opened(tmp_path: Path) -> None:
    engine = scripted(tmp_path)
    application = app(engine)

    async def lived() -> None:
        async with application.router.lifespan_context(application):
            assert engine.is_open

    anyio.run(lived)
    assert not engine.is_open


def test_recipes_that_expose_nothing_are_served_by_their_names(tmp_path: Path) -> None:
    models = tmp_path / "models.recipe"
    models.write_text(
        'backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }\nmodel a { backend = lab, id = "a" }\n'
    )
    known = app("std.direct", "std.fusion", models).state.keeper.known.names
    assert "direct" in known
    assert "fusion" not in known  # it takes two models


def test_there_must_be_something_to_serve() -> None:
    with pytest.raises(ValueError, match="nothing to serve"):
        app("std.direct")


def asked(more: bytes) -> bytes:
    return b'{"model": "fixed", "messages": [{"role": "user", "content": "?"}], ' + more + b"}"


BAD: list[tuple[bytes, str]] = [
    (b"", "no JSON"),
    (b"[]", "no JSON object"),
    (b'{"model": NaN}', "NaN"),
    (b'{"model": "fixed", "messages": ' + b"[" * 500 + b"]" * 500 + b"}", "nests deeper"),
    (b'{"model": "fixed", "messages": ' + b"[" * 200_000, "nests deeper"),
    (b'{"model": 5, "messages": []}', "`model` is no text"),
    (b'{"messages": []}', "`model` is missing"),
    (b'{"model": "fixed"}', "`messages` is missing"),
    (b'{"model": "fixed", "messages": [5]}', "messages[0]"),
    (b'{"model": "fixed", "messages": [{"role": "user", "content": "?"}], "tools": [{}]}', "tools[0]"),
    (b'{"model": "fixed", "messages": [{"role": "user", "content": "?"}], "tool_choice": {"function": {}}}', "tool"),
    (asked(b'"metadata": [1], "user": "ann"'), "`metadata` is no object"),
    (asked(b'"metadata": 5, "safety_identifier": "ann"'), "`metadata` is no object"),
    (asked(b'"recipelang": {"max_cost": 1e999}'), "1e999 is larger than the largest number"),
    (asked(b'"recipelang": {"extra": {"a\\r\\nset-cookie: b": 1}}'), "has a name of more than letters"),
]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
@pytest.mark.parametrize(("body", "why"), BAD, ids=range(len(BAD)))
def test_what_is_no_request_is_refused_in_words(shared: ASGIApp, path: str, body: bytes, why: str) -> None:
    answer = ask(shared, path, body)
    assert answer.status_code == 400
    if path == "/v1/chat/completions":
        assert why in answer.json()["error"]["message"]


def test_a_body_has_a_greatest_size_and_a_conversation_a_greatest_length(tmp_path: Path) -> None:
    application = app(scripted(tmp_path), limits=BodyLimits(size=1000, messages=2))
    assert ask(application, body=b" " * 1001).status_code == 413
    assert ask(application, body={**ASKED, "messages": ASKED["messages"] * 3}).status_code == 400  # type: ignore[operator]


@pytest.mark.anyio
async def test_a_body_that_comes_in_pieces_is_no_larger_for_it() -> None:
    pieces = [b" " * 400, b" " * 400, b"{}"]

    async def sent() -> Message:
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    left = list(pieces)
    assert await body_of({"headers": []}, sent, 802) == b"".join(pieces)
    left = list(pieces)
    with pytest.raises(Problem, match="larger than 801 bytes"):
        await body_of({"headers": []}, sent, 801)


def test_an_error_repeats_no_field_in_its_whole_length(shared: ASGIApp) -> None:
    answer = ask(shared, body={**ASKED, "x" * 1_000_000: 1})
    assert answer.status_code == 400
    assert len(answer.content) < 1_000


def test_what_is_not_served_is_told_in_json(tmp_path: Path) -> None:
    assert ask(app(scripted(tmp_path)), "/v1/embeddings").json()["error"]["code"] == "not_found"


def test_a_request_keeps_the_number_that_its_client_gave_it(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        answer = httpx2.post(f"{address}/v1/chat/completions", json=ASKED, headers={"x-request-id": "mine-7"})
        other = httpx2.post(f"{address}/v1/chat/completions", json=ASKED, headers={"x-request-id": "bad id\t!"})
    assert answer.headers["x-request-id"] == "mine-7"
    assert other.headers["x-request-id"].startswith("req_")


def test_a_bug_is_told_as_ours_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = scripted(tmp_path)
    broken = Engine(engine.plan, backends={"lab": ScriptedBackend({"nobody": "?"})})
    answer = ask(app(broken))
    assert answer.status_code == 500
    assert "nobody" not in answer.text
    assert "should not have" in caplog.text


def test_signals_that_can_not_be_read_ahead_keep_no_server_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no encoder")

    monkeypatch.setattr(keeping, "route", broken)
    with serving(tmp_path) as (address, _):
        assert httpx2.get(f"{address}/readyz").status_code == 200
    assert "the signals of `routed` could not be read ahead" in caplog.text
