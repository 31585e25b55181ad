"""Each row of the tables of `docs/providers.md` is what happens, against a real server."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from model_calls import outcome_of
from provider_faults import BROKEN, REPLIES, STREAMS
from recipelang.backends import clients
from recipelang.backends.clients import open_client
from recipelang.backends.openai import OpenAIBackend
from recipelang.runtime.ports import BackendError, FailureKind, Reply
from self_signed import self_signed
from upstream import (
    ENDLESS_HEAD,
    STALL,
    STREAM_HEAD,
    Answer,
    Script,
    Upstream,
    answered,
    chunk,
    completion,
    event,
    http,
    refused,
    streamed,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "asyncio with httpx2", "trio"])
def anyio_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, str]]:
    """Each client means the same by each row: our own on asyncio, httpx2 on trio, and on asyncio as a host may hand it in."""
    loop, _, rest = request.param.partition(" ")
    if rest:
        monkeypatch.setattr(clients, "runs_on_asyncio", lambda: False)
    return loop, {}


PAGE = (Path(__file__).parents[3] / "docs" / "providers.md").read_text(encoding="utf-8")
KEY = "sk-a-key-that-nobody-sees"
ROW = re.compile(
    r"^\| (?P<name>[^|]+) \| `(?P<kind>\w+)` \| (?P<may_pass>yes|no) \| (?P<message>[^|]+) \|$", re.MULTILINE
)
STATUS = re.compile(r"HTTP (\d+)")


def told_in(opening: str) -> dict[str, tuple[str, bool, str]]:
    """The rows of the table that begins so: by the name of each its kind, whether it may pass, and its message."""
    table = PAGE[PAGE.index(opening) :].partition("\n\n")[0]
    return {row["name"]: (row["kind"], row["may_pass"] == "yes", row["message"]) for row in ROW.finditer(table)}


WHOLE = told_in("| the endpoint |")
STREAMED = told_in(PAGE[PAGE.index("Streams fail") :].partition("\n\n")[2][:200])
CONNECTING = told_in("| the connection |")


def close_to(error: Reply | BackendError) -> tuple[str, bool, str]:
    assert isinstance(error, BackendError)
    assert KEY not in f"{error!r}{error}{error.args}"
    return error.kind.value, error.may_pass, error.message


async def failure_of(url: str, *, stream: bool = False) -> tuple[str, bool, str]:
    async with open_client(secure=url.startswith("https")) as client:
        return close_to(await outcome_of(OpenAIBackend(url, KEY, client), stream=stream))


async def test_the_tables_have_a_row_for_each_case_and_no_other() -> None:
    assert list(WHOLE) == list(REPLIES)
    assert list(STREAMED) == list(STREAMS)
    assert list(CONNECTING) == [*CONNECTIONS, *BROKEN]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("row", REPLIES)
async def test_a_reply_means_what_the_table_says(row: str, stream: bool) -> None:
    with Upstream(REPLIES[row]) as upstream:
        assert await failure_of(upstream.url, stream=stream) == WHOLE[row]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("row", STREAMS)
async def test_a_stream_means_what_the_table_says(row: str) -> None:
    with Upstream(STREAMS[row]) as upstream:
        assert await failure_of(upstream.url, stream=True) == STREAMED[row]


# -------------------------------------------------------------- connections


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def matches(found: tuple[str, bool, str], told: tuple[str, bool, str]) -> bool:
    beginning = told[2].rstrip("…")
    return found[:2] == told[:2] and (found[2].startswith(beginning) if "…" in told[2] else found[2] == beginning)


async def refused_connection(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bool, str]:
    return await failure_of(f"http://127.0.0.1:{free_port()}/v1")


async def unknown_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bool, str]:
    def unknown(*address: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    return await failure_of("http://models.invalid/v1")


async def unknown_certificate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bool, str]:
    with Upstream(tls=self_signed(folder)) as upstream:
        found = await failure_of(upstream.url)
    assert upstream.requests == []
    assert "certificate" in found[2].lower()
    return found


async def no_tls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bool, str]:
    def speak_plainly() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            while connection.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        speaking = threading.Thread(target=speak_plainly)
        speaking.start()
        found = await failure_of(f"https://127.0.0.1:{server.getsockname()[1]}/v1")
        speaking.join()
    return found


async def no_answer_to_connecting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bool, str]:
    monkeypatch.setattr("recipelang.backends.transport.CONNECT_TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = []
        for _ in range(3):  # nobody accepts them, and so nobody else gets in
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(full.getsockname())
        try:
            kind, may_pass, message = await failure_of(f"http://127.0.0.1:{full.getsockname()[1]}/v1")
        finally:
            for one in waiting:
                one.close()
    return kind, may_pass, message.replace("0.05", "10")


async def no_byte(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bool, str]:
    found = set()
    scripts: Sequence[Answer] = (
        [STALL],
        [ENDLESS_HEAD, b'{"choices"', STALL],
        [STREAM_HEAD, event(chunk("Jup")), STALL],
    )
    for said in scripts:
        for stream in (False, True):
            with Upstream(said) as upstream:
                async with open_client(secure=False) as client:
                    backend = OpenAIBackend(upstream.url, KEY, client, patience=0.1)
                    found.add(close_to(await outcome_of(backend, stream=stream)))
                upstream.wait_until(lambda upstream: upstream.open == 0)
    ((kind, may_pass, message),) = found
    return kind, may_pass, message.replace("0.1", "30")


CONNECTIONS: Mapping[str, Callable[..., object]] = {
    "is refused": refused_connection,
    "finds no host": unknown_host,
    "meets a certificate that nobody vouches for": unknown_certificate,
    "is no TLS where TLS was asked for": no_tls,
    "is not made in time": no_answer_to_connecting,
    "brings nothing for as long as the `patience` of the backend": no_byte,
}


@pytest.mark.parametrize("row", CONNECTIONS)
async def test_a_connection_that_is_not_made_means_what_the_table_says(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await CONNECTIONS[row](tmp_path, monkeypatch)  # type: ignore[misc]  # each of them is to be awaited
    assert matches(found, CONNECTING[row]), found


@pytest.mark.parametrize("row", BROKEN)
async def test_a_connection_that_breaks_means_what_the_table_says(row: str) -> None:
    with Upstream(BROKEN[row]) as upstream:
        found = await failure_of(upstream.url, stream="stream" in row)
    assert matches(found, CONNECTING[row]), found


async def test_a_call_has_been_sent_once_it_has_a_connection() -> None:
    async with open_client() as client:
        for url in (f"http://127.0.0.1:{free_port()}/v1", f"https://127.0.0.1:{free_port()}/v1", "ftp://127.0.0.1/v1"):
            for stream in (False, True):
                error = await outcome_of(OpenAIBackend(url, KEY, client), stream=stream)
                assert isinstance(error, BackendError)
                assert not error.sent, error
    for row in ("is reset", "ends in the headers"):
        with Upstream(BROKEN[row]) as upstream:
            async with open_client(secure=False) as client:
                error = await outcome_of(OpenAIBackend(upstream.url, KEY, client), stream=False)
        assert isinstance(error, BackendError)
        assert error.sent


async def test_an_endpoint_that_nobody_trusts_or_that_speaks_no_tls_has_been_sent_nothing(tmp_path: Path) -> None:
    with Upstream(tls=self_signed(tmp_path)) as upstream:
        async with open_client() as client:
            error = await outcome_of(OpenAIBackend(upstream.url, KEY, client), stream=False)
    assert isinstance(error, BackendError)
    assert not error.sent


# ------------------------------------------------------------------ statuses


async def test_every_status_from_400_to_529_is_a_failure_that_names_it() -> None:
    def as_asked(request: object) -> object:
        return refused(400 + len(upstream.requests) - 1, "sorry")

    with Upstream(as_asked) as upstream:  # type: ignore[arg-type]  # a closure over the server itself
        async with open_client(secure=False) as client:
            backend = OpenAIBackend(upstream.url, KEY, client)
            for status in range(400, 530):
                error = await outcome_of(backend, stream=False)
                assert isinstance(error, BackendError)
                assert error.status == status
                assert error.message == f"HTTP {status}: sorry"
                assert error.may_pass == (status in (408, 409, 425, 429, 529) or 500 <= status != 501)
    assert upstream.opened == 1  # a refusal does not cost the connection


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("999999", 3600.0),
        ("inf", 3600.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 9998 07:28:00 GMT", 3600.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 -0000", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_is_asked_for_is_told_in_seconds(status: int, header: str, seconds: float | None) -> None:
    with Upstream(refused(status, "wait", retry_after=header)) as upstream:
        async with open_client(secure=False) as client:
            error = await outcome_of(OpenAIBackend(upstream.url, None, client), stream=False)
    assert isinstance(error, BackendError)
    assert error.retry_after == seconds


async def test_a_wait_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    with Upstream(refused(429, "wait", retry_after=date)) as upstream:
        async with open_client(secure=False) as client:
            error = await outcome_of(OpenAIBackend(upstream.url, None, client), stream=False)
    assert isinstance(error, BackendError)
    assert error.retry_after is not None
    assert 500 < error.retry_after <= 600


# -------------------------------------------------------------------- keys


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "answer",
    [
        refused(401, f"Incorrect API key provided: {KEY}"),
        refused(401, "x" * 290 + KEY),
        http(500, b" " * 5000 + KEY.encode(), type="text/plain"),
        answered({"error": f"no such key: {KEY}"}),
        answered(completion(None, refusal=f"I won't say {KEY}")),
        streamed({"error": {"message": KEY}}),
        http(200, b"{}", content_encoding=KEY),
        http(307, b"", location=f"http://127.0.0.1:9/?key={KEY}"),
        [f"HTTP/1.1 200 {KEY}\r\n: {KEY}\r\n\r\n".encode()],
    ],
)
async def test_a_key_that_the_endpoint_sends_back_is_in_no_message(answer: Script, stream: bool) -> None:
    with Upstream(answer) as upstream:
        _, _, message = await failure_of(upstream.url, stream=stream)
    assert KEY[:12] not in message
    assert len(message) <= 301


async def test_a_kind_is_one_of_those_that_the_port_knows() -> None:
    told = {kind for kind, _, _ in [*WHOLE.values(), *STREAMED.values(), *CONNECTING.values()]}
    assert told == {kind.value for kind in FailureKind}


async def test_the_server_of_these_tests_is_asked_in_the_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    with Upstream() as upstream:
        async with open_client(secure=False) as client:
            reply = await outcome_of(OpenAIBackend(f"{upstream.url}/", KEY, client), stream=False)
    assert isinstance(reply, Reply)
    (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body)["model"] == "small-1"
    assert KEY not in request.body.decode()
