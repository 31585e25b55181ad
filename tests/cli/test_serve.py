"""The verb `serve`: ready on stderr, an answer, and a polite end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from recipelang.cli.main import main
from recipelang.serving.keys import digest_of_key
from served import serving_process, team_file
from upstream import STALL, USAGE_CHUNK, Answer, Doing, Received, Upstream, chunk, http, replying, streamed

ASKED = {"model": "vllm-sr/auto", "messages": [{"role": "user", "content": "?"}]}


@pytest.mark.parametrize("stopped_by", [signal.SIGINT, signal.SIGTERM])
def test_it_says_when_it_is_ready_answers_and_stops_when_it_is_told_to(tmp_path: Path, stopped_by: int) -> None:
    with (
        Upstream() as upstream,
        serving_process(team_file(tmp_path, upstream), "--port", 0) as (server, said, address),
    ):
        answer = httpx2.post(f"{address}/chat/completions", json=ASKED)
        foreign = httpx2.post(f"{address}/chat/completions", json=ASKED, headers={"origin": "http://elsewhere.example"})
        server.send_signal(stopped_by)
        assert server.wait(20) == 0
        assert said.read() == "stopped\n"
    assert answer.json()["choices"][0]["message"]["content"] == "Jupiter."
    assert foreign.status_code == 403


def test_told_to_stop_once_more_it_cuts_off_what_is_under_way(tmp_path: Path) -> None:
    with (
        Upstream([STALL]) as upstream,
        ThreadPoolExecutor() as pool,
        serving_process(team_file(tmp_path, upstream), "--port", 0) as (server, said, address),
    ):
        asking = pool.submit(httpx2.post, f"{address}/chat/completions", json=ASKED, timeout=20)
        upstream.wait_until(lambda server: bool(server.requests))
        server.send_signal(signal.SIGINT)
        _wait_until_it_listens_no_more(address)
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert said.read() == "stopped\n"
    assert asking.result().status_code == 500


def _wait_until_it_listens_no_more(address: str) -> None:
    host, port = re.findall(r"//(.*):(\d+)", address)[0]
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as asking:
            if asking.connect_ex((host, int(port))):
                return
        time.sleep(0.01)
    raise AssertionError("it still listens")


def test_a_port_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Upstream() as upstream, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(team_file(tmp_path, upstream)), "--port", str(port)]) == 4
    assert f"can't listen at 127.0.0.1:{port}: address already in use" in capsys.readouterr().err


def test_recipes_without_models_that_would_do_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.recipe").write_text(
        'backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }\n'
        'model one { backend = lab, id = "one", price = { input = $0, output = $0 } }\n'
    )
    assert main(["serve", "fusion", "--with", str(tmp_path / "one.recipe")]) == 2
    assert "no recipe can do with" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")
def test_it_reads_recipes_and_keys_again_on_sighup_and_keeps_what_it_has_where_they_do_not_check(
    tmp_path: Path,
) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text('recipes = ["team.recipe"]\nport = 0\nlog = "requests"\n[keys.ann]\nenv = "ANN_KEY"\n')
    with Upstream() as upstream:
        team = team_file(tmp_path, upstream)
        text = team.read_text("utf-8")
        environment = {**os.environ, "ANN_KEY": "ann-1"}
        serving = serving_process("--config", settings, stdout=subprocess.PIPE, env=environment)
        with serving as (server, said, address):
            assert server.stdout is not None

            def status(model: str, key: str = "ann-1") -> int:
                body = {**ASKED, "model": model}
                headers = {"authorization": f"Bearer {key}"}
                return httpx2.post(f"{address}/chat/completions", json=body, headers=headers).status_code

            def told(what: str) -> str:
                server.send_signal(signal.SIGHUP)
                line = next(line for line in said if "reloaded" in line)
                assert line.startswith(what)
                return line

            assert [status("fixed"), status("fixed", "bob-1"), status("renamed")] == [200, 401, 404]
            team.write_text(text.replace('expose "fixed"', 'expose "renamed"'), encoding="utf-8")
            settings.write_text(settings.read_text() + f'[keys.bob]\nsha256 = "{digest_of_key("bob-1")}"\n')
            told("reloaded")
            assert [status("renamed"), status("renamed", "bob-1"), status("fixed")] == [200, 200, 404]
            team.write_text(text + "recipe", encoding="utf-8")
            told("not reloaded")
            settings.write_text("prot = 1\n")
            assert "did you mean `port`" in told("not reloaded")
            assert status("renamed") == 200
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
            lines = [json.loads(line) for line in server.stdout]
    assert [(line["key"], line["status"]) for line in lines[:2]] == [("ann", 200), ("", 401)]


def test_answers_under_way_end_before_it_stops(tmp_path: Path) -> None:
    going, go = threading.Event(), threading.Event()

    def script(request: Received) -> Answer:
        going.set()
        assert go.wait(20)
        return replying()(request)

    with (
        Upstream(script) as upstream,
        ThreadPoolExecutor() as pool,
        serving_process(team_file(tmp_path, upstream), "--port", 0) as (server, _, address),
    ):
        answer = pool.submit(httpx2.post, f"{address}/chat/completions", json=ASKED, timeout=20)
        assert going.wait(20)
        server.send_signal(signal.SIGTERM)
        _wait_until_it_listens_no_more(address)
        go.set()
        assert answer.result(20).json()["choices"][0]["message"]["content"] == "Jupiter."
        assert server.wait(20) == 0


class HeldBack(list[bytes | Doing]):
    """An answer that stops after so many pieces until it may go on."""

    def __init__(self, answer: Answer, pieces: int, go: threading.Event) -> None:
        super().__init__(answer)
        self._pieces = pieces
        self._go = go

    def __iter__(self) -> Iterator[bytes | Doing]:
        for place, piece in enumerate(super().__iter__()):
            assert place < self._pieces or self._go.wait(20)
            yield piece


def test_streams_under_way_come_to_their_end_before_it_stops(tmp_path: Path) -> None:
    go = threading.Event()
    begun = threading.Semaphore(0)
    asked: dict[str, Any] = {"model": "vllm-sr/auto", "stream": True}
    bodies = {
        "chat/completions": asked | ASKED,
        "responses": asked | {"input": "?"},
        "messages": asked | ASKED | {"max_tokens": 50},
    }

    def ask(address: str, path: str) -> str:
        told = ""
        with httpx2.stream("POST", f"{address}/{path}", json=bodies[path], timeout=20) as answer:
            for text in answer.iter_text():
                if "Ju" in text:
                    begun.release()
                told += text
        return told

    words = streamed(chunk("Ju"), chunk("piter."), chunk(finish="stop"), USAGE_CHUNK)
    with (
        Upstream(lambda _: HeldBack(words, 2, go)) as upstream,
        ThreadPoolExecutor() as pool,
        serving_process(team_file(tmp_path, upstream), "--port", 0) as (server, said, address),
    ):
        streams = [pool.submit(ask, address, path) for path in bodies]
        assert all(begun.acquire(timeout=20) for _ in streams)
        server.send_signal(signal.SIGTERM)
        _wait_until_it_listens_no_more(address)
        assert not any(stream.done() for stream in streams)
        go.set()
        chat, responses, messages = (stream.result(20) for stream in streams)
        assert server.wait(20) == 0
        assert said.read() == "stopped\n"
    assert "piter." in chat
    assert chat.endswith("data: [DONE]\n\n")
    assert '"text":"Jupiter."' in responses.partition("event: response.completed")[2]
    assert messages.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')


def test_it_sends_spans_by_otlp_and_answers_equal_requests_from_its_cache_where_it_is_told_to(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    settings = tmp_path / "server.toml"
    settings.write_text(
        'recipes = ["team.recipe"]\nport = 0\ntraces = "spans"\nstate = "state.db"\n[cache]\nseconds = 60\n'
    )
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}

    def script(request: Received) -> Answer:
        return http(200, b"", type="application/x-protobuf") if request.path == "/v1/traces" else replying()(request)

    with Upstream(script) as upstream:
        team_file(tmp_path, upstream)
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": upstream.origin}
        with serving_process("--config", settings, env=environment) as (server, _, address):
            answers = [httpx2.post(f"{address}/chat/completions", json=ASKED, headers=headers) for _ in range(2)]
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
    assert [answer.headers.get("x-recipelang-cached-calls") for answer in answers] == [None, "1"]
    (asked,) = [request for request in upstream.requests if request.path != "/v1/traces"]
    assert asked.headers["traceparent"].split("-")[1] == trace
    spans = b"".join(request.body for request in upstream.requests if request.path == "/v1/traces")
    assert bytes.fromhex(trace) in spans
    assert spans.count(b"invoke_workflow vllm-sr/auto") == 2
    assert b"Jupiter" not in spans


def test_recipes_that_call_functions_of_the_host_are_served_where_these_are_lent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "checked.recipe"
    (tmp_path / "judging.py").write_text("async def good(said: str) -> bool:\n    return said == 'Jupiter.'\n")
    with Upstream() as upstream:
        recipe.write_text(
            f"""
            backend lab {{ kind = openai, url = "{upstream.url}" }}
            model one {{ backend = lab, id = "one", price = {{ input = $0, output = $0 }} }}
            extern good(said: text) -> bool
            role respond() {{}}
            recipe checked(m: model) -> answer {{
              ask    reply = respond(model = m)
              call   fine  = good(reply.text)
              choose last {{
                when fine => respond(model = m)
                otherwise => fail("no good")
              }}
              return last
            }}
            expose "checked" = checked(one)
            """
        )
        assert main(["serve", str(recipe)]) == 2
        assert "its recipes call functions of the host, which `--functions MODULE` or" in capsys.readouterr().err
        serving = serving_process(recipe, "--functions", "judging", "--port", 0, cwd=tmp_path)
        with serving as (_, _, address):
            answer = httpx2.post(f"{address}/chat/completions", json={**ASKED, "model": "checked"})
    assert answer.json()["choices"][0]["message"]["content"] == "Jupiter."


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")
def test_no_request_is_dropped_while_recipes_are_read_again_and_again(tmp_path: Path) -> None:
    over = threading.Event()

    def ask_on(address: str) -> list[tuple[int, str]]:
        told = []
        with httpx2.Client(timeout=20) as client:
            while not over.is_set():
                with client.stream("POST", f"{address}/chat/completions", json={**ASKED, "stream": True}) as answer:
                    told.append((answer.status_code, answer.read().decode().rstrip()[-6:]))
        return told

    with Upstream() as upstream, ThreadPoolExecutor() as pool:
        team = team_file(tmp_path, upstream)
        good = team.read_text("utf-8")
        metered = os.environ | {"RECIPELANG_METRICS": "on"}
        with serving_process(team, "--port", 0, env=metered) as (server, heard, address):
            asking = [pool.submit(ask_on, address) for _ in range(4)]
            said = []
            for text in (good, good + "recipe", good.replace('expose "fixed"', 'expose "renamed"'), good):
                team.write_text(text, encoding="utf-8")
                server.send_signal(signal.SIGHUP)
                said.append(next(line for line in heard if "reloaded" in line).partition(":")[0].strip())
            over.set()
            told = [each for asker in asking for each in asker.result(20)]
            metrics = httpx2.get(address.removesuffix("/v1") + "/metrics").text
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
    assert said == ["reloaded", "not reloaded", "reloaded", "reloaded"]
    assert 'recipelang_reloads_total{ended="ok"} 3.0' in metrics
    assert 'recipelang_reloads_total{ended="refused"} 1.0' in metrics
    assert set(told) == {(200, "[DONE]")}
    assert len(told) > len(asking)


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="nothing here tells the limits of a process")
def test_it_may_have_as_many_connections_as_the_system_allows_whatever_the_shell_does(tmp_path: Path) -> None:
    with Upstream() as upstream:
        few = ["sh", "-c", 'ulimit -S -n 256; exec "$@"', "sh"]
        with serving_process(team_file(tmp_path, upstream), "--port", 0, shell=few) as (server, _, _):
            limits = Path(f"/proc/{server.pid}/limits").read_text()
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
    soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))
    assert int(soft) == min(int(hard), 65_536)
