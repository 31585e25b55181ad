"""The server as its operator has it: keys, health, metrics, a log, and other recipes while it runs."""

from __future__ import annotations

import json
import logging
import statistics
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpx2
import openai
import pytest
from starlette.applications import Starlette

from recipelang import Cache, Engine, Limits, Reply, ScriptedBackend, Usage
from recipelang.hosts.state import MemoryState, SqliteState
from recipelang.runtime.ports import StoreProblem
from recipelang.runtime.values import Json
from recipelang.serving import Key, Keys, Report, RequestLog, app, reload
from recipelang.serving.keys import LEASE
from recipelang.serving.problems import Problem
from served import TEAM, serving, team_file
from upstream import STALL, STREAM_HEAD, Answer, Received, Upstream, chunk, event, replying

T = TypeVar("T")
ASKED: list[Any] = [{"role": "user", "content": "Which planet is the largest?"}]
BODY = {"model": "fixed", "messages": ASKED}
ANN, BOB = {"authorization": "Bearer ann-1"}, {"x-api-key": "bob-1"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def team_over(folder: Path) -> Path:
    file = folder / "team.recipe"
    file.write_text(TEAM.format(url="http://127.0.0.1:9/v1"), encoding="utf-8")
    return file


def keyed(folder: Path, *keys: Key, clock: Clock | None = None, **options: Any) -> Starlette:
    """An app for which every model says the same."""
    known = Keys(keys, clock=clock or Clock())
    return app(team_over(folder), backends={"lab": ScriptedBackend({"*": "Jupiter."})}, keys=known, **options)


def ask(application: Starlette, headers: dict[str, str], times: int = 1, **fields: Any) -> list[httpx2.Response]:
    async def asked() -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(application)
        async with (
            application.router.lifespan_context(application),
            httpx2.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client,
        ):
            return [await client.post("/v1/chat/completions", json={**BODY, **fields}) for _ in range(times)]

    return anyio.run(asked)


def see(application: Starlette, path: str, headers: dict[str, str] | None = None) -> httpx2.Response:
    async def seen() -> httpx2.Response:
        transport = httpx2.ASGITransport(application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client:
            return await client.get(path)

    return anyio.run(seen)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [({}, 401, "no_key"), ({"authorization": "Bearer else"}, 401, "invalid_api_key"), (ANN, 200, None), ({"x-api-key": "ann-1"}, 200, None)],
)  # fmt: skip
def test_only_those_with_a_key_are_answered(
    tmp_path: Path, headers: dict[str, str], status: int, code: str | None
) -> None:
    (answer,) = ask(keyed(tmp_path, Key.of("ann", "ann-1")), headers)
    assert answer.status_code == status
    assert answer.json().get("error", {}).get("code") == code


def test_a_key_knows_only_its_recipes(tmp_path: Path) -> None:
    application = keyed(tmp_path, Key.of("ann", "ann-1", recipes=frozenset(["fixed"])), Key.of("bob", "bob-1"))
    assert ask(application, ANN, model="summed")[0].status_code == 404
    assert ask(application, BOB, model="summed")[0].status_code == 200
    assert [card["id"] for card in see(application, "/v1/models", ANN).json()["data"]] == ["fixed"]
    assert len(see(application, "/v1/models", BOB).json()["data"]) == 7
    assert see(application, "/v1/models/summed", ANN).status_code == 404
    assert see(application, "/v1/models").status_code == 401


def test_a_key_has_a_budget_for_the_day(tmp_path: Path) -> None:
    application = keyed(tmp_path, Key.of("ann", "ann-1", budget=Limits(calls=2)), Key.of("bob", "bob-1"))
    assert [answer.status_code for answer in ask(application, ANN, 3)] == [200, 200, 402]
    assert ask(application, BOB)[0].status_code == 200


def test_a_key_may_send_so_many_requests_in_a_minute(tmp_path: Path) -> None:
    clock = Clock()
    reports: list[Report] = []
    application = keyed(tmp_path, Key.of("ann", "ann-1", per_minute=2), clock=clock, watchers=[reports.append])
    answers = ask(application, ANN, 3)
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["retry-after"] == "30"
    assert answers[-1].headers["x-should-retry"] == "true"
    assert (reports[-1].key, reports[-1].status, reports[-1].code) == ("ann", 429, "rate_limit_exceeded")
    clock.now = 31.0
    assert [answer.status_code for answer in ask(application, ANN, 2)] == [200, 429]


@pytest.mark.anyio
async def test_a_key_may_have_so_many_requests_under_way() -> None:
    key = Key.of("ann", "ann-1", at_once=1)
    keys = Keys([key])
    async with keys.admitted(key):
        with pytest.raises(Problem, match="has 1 requests under way"):
            async with keys.admitted(key):
                pass
    async with keys.admitted(key):
        pass


@pytest.mark.anyio
async def test_processes_share_what_a_key_may_have_under_way_and_send_in_a_minute(tmp_path: Path) -> None:
    clock, key = Clock(), Key.of("ann", "ann-1", at_once=2, per_minute=3)
    here, there = (Keys([key], state=SqliteState(tmp_path / "state.db", clock=clock), clock=clock) for _ in range(2))
    async with here.admitted(key), there.admitted(key):
        for keys in (here, there):
            with pytest.raises(Problem, match="has 2 requests under way"):
                async with keys.admitted(key):
                    pass
    async with there.admitted(key):
        pass
    with pytest.raises(Problem, match="may send 3 requests in a minute") as refused:
        async with here.admitted(key):
            pass
    assert refused.value.retry_after == 20


@pytest.mark.anyio
async def test_a_process_that_died_keeps_nobody_out_for_longer_than_its_lease(tmp_path: Path) -> None:
    clock, key = Clock(), Key.of("ann", "ann-1", at_once=1)
    died, lives = (Keys([key], state=SqliteState(tmp_path / "state.db", clock=clock), clock=clock) for _ in range(2))
    async with died.admitted(key):  # and never says anything again
        with pytest.raises(Problem):
            async with lives.admitted(key):
                pass
        clock.now = LEASE + 1
        async with lives.admitted(key):
            pass


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_process_that_lives_is_believed_for_as_long_as_its_request_takes() -> None:
    state, key = MemoryState(clock=anyio.current_time), Key.of("ann", "ann-1", at_once=1)
    long, other = (Keys([key], state=state, clock=anyio.current_time) for _ in range(2))
    async with anyio.create_task_group() as group, long.admitted(key):
        group.start_soon(long.lease)
        await anyio.sleep(20 * LEASE)
        with pytest.raises(Problem, match="under way"):
            async with other.admitted(key):
                pass
        group.cancel_scope.cancel()


class Unreliable(MemoryState):
    """A state whose words get lost: on the way there, or on the way back."""

    loses = ""

    async def change(self, name: str, seconds: float, change: Callable[[Json], tuple[Json, T]]) -> T:
        if self.loses == "what is said":
            raise StoreProblem("it is not there")
        told = await super().change(name, seconds, change)
        if self.loses == "what it says":
            raise StoreProblem("its answer was lost")
        return told


@pytest.mark.anyio
@pytest.mark.parametrize("loses", ["what is said", "what it says"])
async def test_words_that_are_lost_on_the_way_to_the_shared_state_keep_nobody_out(loses: str) -> None:
    state, key = Unreliable(), Key.of("ann", "ann-1", at_once=2)
    keys = Keys([key], state=state)
    async with keys.admitted(key):
        async with keys.admitted(key):
            state.loses = loses  # so that nobody hears that it has ended
        with pytest.raises(StoreProblem):
            async with keys.admitted(key):
                pass
        state.loses = ""
        async with keys.admitted(key):
            with pytest.raises(Problem, match="has 2 requests under way"):
                async with keys.admitted(key):
                    pass


@pytest.mark.anyio
async def test_a_state_that_asks_again_because_another_was_quicker_counts_a_request_once() -> None:
    class Contended(MemoryState):
        async def change(self, name: str, seconds: float, change: Callable[[Json], tuple[Json, T]]) -> T:
            return await super().change(name, seconds, lambda stored: (change(stored), change(stored))[1])

    key = Key.of("ann", "ann-1", at_once=2, per_minute=3)
    keys = Keys([key], state=Contended(), clock=Clock())
    async with keys.admitted(key), keys.admitted(key):
        with pytest.raises(Problem, match="has 2 requests under way"):
            async with keys.admitted(key):
                pass
    async with keys.admitted(key):
        pass


def test_a_budget_holds_for_all_processes_together(tmp_path: Path) -> None:
    key = Key.of("ann", "ann-1", budget=Limits(calls=3))
    statuses = []
    for times in (2, 2):
        keys = Keys([key], state=SqliteState(tmp_path / "state.db"))
        application = app(team_over(tmp_path), backends={"lab": ScriptedBackend({"*": "Jupiter."})}, keys=keys)
        statuses += [answer.status_code for answer in ask(application, ANN, times)]
    assert statuses == [200, 200, 200, 402]


def test_where_the_shared_state_cannot_be_used_nobody_is_let_in_uncounted(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "state.db")
    keys = Keys([Key.of("ann", "ann-1", per_minute=2), Key.of("bob", "bob-1")], state=state)
    application = app(team_over(tmp_path), backends={"lab": ScriptedBackend({"*": "Jupiter."})}, keys=keys)
    state.close()
    for headers in (ANN, BOB):
        (answer,) = ask(application, headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")


def test_other_keys_leave_what_was_used_booked(tmp_path: Path) -> None:
    application = keyed(tmp_path, Key.of("ann", "ann-1", budget=Limits(calls=2)))
    ask(application, ANN)
    application.state.keys.replace([Key.of("ann", "ann-2", budget=Limits(calls=2))])
    assert ask(application, ANN)[0].status_code == 401
    assert [answer.status_code for answer in ask(application, {"x-api-key": "ann-2"}, 2)] == [200, 402]


def test_health_is_told_to_anyone_and_it_is_ready_once_its_engines_are_open(tmp_path: Path) -> None:
    application = keyed(tmp_path, Key.of("ann", "ann-1"))
    assert see(application, "/healthz").status_code == 200
    assert see(application, "/readyz").status_code == 503

    async def lived() -> None:
        async with application.router.lifespan_context(application):
            transport = httpx2.ASGITransport(application)
            async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
                assert (await client.get("/readyz")).status_code == 200

    anyio.run(lived)


def test_metrics_count_requests_calls_tokens_and_money(tmp_path: Path) -> None:
    with serving(tmp_path, metrics=True) as (address, _):
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)
        for model in ("team/panel", "nobody"):
            try:
                for _ in client.chat.completions.create(model=model, messages=ASKED, stream=True):
                    pass
            except openai.NotFoundError:
                pass
        lines = httpx2.get(f"{address}/metrics").text.splitlines()
    path = "/v1/chat/completions"
    assert f'recipelang_requests_total{{path="{path}",recipe="team/panel",status="200"}} 1.0' in lines
    assert f'recipelang_requests_total{{path="{path}",recipe="",status="404"}} 1.0' in lines
    assert 'recipelang_tokens_total{kind="completion",recipe="team/panel"} 12.0' in lines
    assert 'recipelang_first_word_seconds_count{recipe="team/panel"} 1.0' in lines
    assert 'recipelang_model_calls_total{ended="ok",model="large"} 3.0' in lines
    assert "recipelang_in_flight 0.0" in lines


def test_without_being_asked_there_are_no_metrics(tmp_path: Path) -> None:
    assert see(keyed(tmp_path), "/metrics").status_code == 404


@pytest.mark.parametrize("content", [False, True])
def test_a_line_tells_of_each_request_and_of_what_was_said_only_on_demand(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bool
) -> None:
    application = keyed(tmp_path, Key.of("ann", "ann-1"), watchers=[RequestLog(content=content)])
    with caplog.at_level(logging.INFO, "recipelang.requests"):
        ask(application, {**ANN, "x-request-id": "mine", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    (message,) = [record.message for record in caplog.records if record.name == "recipelang.requests"]
    line = json.loads(message)
    assert {name: line[name] for name in ("request_id", "trace_id", "key", "model", "status", "calls", "error")} == {
        "request_id": "mine", "trace_id": "ab" * 16, "key": "ann", "model": "fixed", "status": 200, "calls": 1, "error": None
    }  # fmt: skip
    assert ("largest" in message, "Jupiter" in message) == (content, content)
    assert "ann-1" not in message


def test_of_a_client_that_went_away_the_report_tells_what_its_calls_may_have_cost(tmp_path: Path) -> None:
    reports: list[Report] = []
    ended = threading.Event()

    def watch(report: Report) -> None:
        reports.append(report)
        ended.set()

    with serving(tmp_path, [STREAM_HEAD, event(chunk("Jup")), STALL], watchers=[watch]) as (address, upstream):
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)
        with client.chat.completions.create(model="fixed", messages=ASKED, stream=True) as stream:
            next(iter(stream))
        assert ended.wait(10)
        upstream.wait_until(lambda its: its.open == 0)
    assert (reports[0].status, reports[0].books.wasted_calls, reports[0].books.unknown_calls) == (499, 1, 1)


def test_when_a_client_goes_away_its_call_upstream_closes_at_once(tmp_path: Path) -> None:
    """The median of many, so that one that waited for a busy machine proves nothing; it is about a millisecond."""
    took: list[float] = []
    with serving(tmp_path, [STREAM_HEAD, event(chunk("Jup")), STALL]) as (address, upstream):
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)
        for _ in range(11):
            with client.chat.completions.create(model="fixed", messages=ASKED, stream=True) as stream:
                next(iter(stream))
                left = time.perf_counter()
            upstream.wait_until(lambda its: its.open == 0)
            took.append(time.perf_counter() - left)
    assert statistics.median(took) < 0.1


# -------------------------------------------------------------------- cache and traces


def numbered() -> ScriptedBackend:
    numbers = count(1)
    return ScriptedBackend(lambda call: Reply(f"answer {next(numbers)}", usage=Usage(11, 3)))


def test_an_equal_request_is_answered_from_the_cache_and_the_answer_says_so(tmp_path: Path) -> None:
    reports: list[Report] = []
    backend = numbered()
    keys = Keys([Key.of("ann", "ann-1"), Key.of("bob", "bob-1")])
    options: dict[str, Any] = {"keys": keys, "cache": Cache(), "watchers": [reports.append], "metrics": True}
    application = app(team_over(tmp_path), backends={"lab": backend}, **options)
    first, again = ask(application, ANN, 2, model="team/panel", recipelang={"receipt": True})
    assert first.json()["choices"] == again.json()["choices"]
    assert ("x-recipelang-cached-calls" in first.headers, again.headers["x-recipelang-cached-calls"]) == (False, "4")
    receipt = again.json()["recipelang"]
    assert (receipt["calls"], receipt["cached_calls"], receipt["cost"]) == (0, 4, 0.0)
    assert all(call["cached"] for call in receipt["model_calls"])
    assert again.json()["usage"]["total_tokens"] == 0
    assert [report.books.cached_calls for report in reports] == [0, 4]
    assert b'recipelang_model_calls_total{ended="cached",model="small"} 1.0' in application.state.metrics.page()
    assert len(backend.calls) == 4


@pytest.mark.parametrize(
    ("headers", "more", "hits"),
    [(ANN, {}, True), (BOB, {}, False), (ANN, {"seed": 7}, False), (ANN, {"temperature": 0.1}, False), (ANN, {"user": "x"}, True)],
)  # fmt: skip
def test_only_what_is_sent_and_whose_key_it_is_decide_whether_a_reply_serves_again(
    tmp_path: Path, headers: dict[str, str], more: dict[str, Any], hits: bool
) -> None:
    keys = Keys([Key.of("ann", "ann-1"), Key.of("bob", "bob-1")])
    application = app(team_over(tmp_path), backends={"lab": numbered()}, keys=keys, cache=Cache())
    ask(application, ANN, model="vllm-sr/auto")
    (answer,) = ask(application, headers, model="vllm-sr/auto", **more)
    assert ("x-recipelang-cached-calls" in answer.headers) == hits


@pytest.mark.parametrize("stream", [False, True])
def test_a_trace_goes_on_from_the_client_to_the_models(tmp_path: Path, stream: bool) -> None:
    parents = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "tracestate": "vendor=1"}
    endless = f"{parents['traceparent']}-{'x' * 500}"
    reports: list[Report] = []
    with serving(tmp_path, watchers=[reports.append]) as (address, upstream):
        for told in (parents, {**parents, "traceparent": "nonsense"}, {**parents, "traceparent": endless}):
            httpx2.post(f"{address}/v1/chat/completions", json={**BODY, "stream": stream}, headers=told)
    assert [{name: one.headers.get(name) for name in parents} for one in upstream.requests] == [
        parents,
        dict.fromkeys(parents),
        dict.fromkeys(parents),
    ]
    assert [report.trace for report in reports] == ["ab" * 16, None, None]


# -------------------------------------------------------------------- other recipes


@pytest.fixture
def two_teams(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first.recipe", tmp_path / "second.recipe"
    text = TEAM.format(url="http://127.0.0.1:9/v1")
    first.write_text(text, encoding="utf-8")
    second.write_text(text.replace('expose "fixed"', 'expose "renamed"'), encoding="utf-8")
    return first, second


def test_a_request_under_way_ends_with_the_recipes_that_it_began_with(tmp_path: Path) -> None:
    going, go = threading.Event(), threading.Event()

    def script(request: Received) -> Answer:
        going.set()
        assert go.wait(10)
        return replying()(request)

    async def reloaded(application: Starlette, new: Path, old: Engine) -> None:
        transport = httpx2.ASGITransport(application)
        async with (
            application.router.lifespan_context(application),
            httpx2.AsyncClient(transport=transport, base_url="http://x") as client,
            anyio.create_task_group() as group,
        ):
            answers: list[httpx2.Response] = []
            answered = anyio.Event()

            async def one() -> None:
                answers.append(await client.post("/v1/chat/completions", json=BODY))
                answered.set()

            group.start_soon(one)
            await anyio.to_thread.run_sync(going.wait, 10)
            await reload(application, new)
            assert application.state.keeper.in_flight() == 1
            assert old.is_open
            assert (await client.post("/v1/chat/completions", json=BODY)).status_code == 404
            go.set()
            await answered.wait()
            assert answers[0].status_code == 200
            assert (await client.post("/v1/chat/completions", json={**BODY, "model": "renamed"})).status_code == 200
            await anyio.wait_all_tasks_blocked()
            assert not old.is_open

    with Upstream(script) as upstream:
        file, new = team_file(tmp_path, upstream), tmp_path / "new.recipe"
        new.write_text(file.read_text("utf-8").replace('expose "fixed"', 'expose "renamed"'), encoding="utf-8")
        old = Engine(file)
        anyio.run(reloaded, app(old), new, old)


@pytest.mark.parametrize("bad", ['expose "fixed" = nobody(small)\n', 'expose "vllm-sr/auto" = direct(small)\n'])
def test_recipes_that_do_not_check_change_nothing(two_teams: tuple[Path, Path], bad: str) -> None:
    first, second = two_teams
    second.write_text(second.read_text("utf-8") + bad, encoding="utf-8")
    application = app(Engine(first, backends={"lab": ScriptedBackend({"*": "Jupiter."})}), metrics=True)

    async def tried() -> bytes:
        async with application.router.lifespan_context(application):
            with pytest.raises(Exception, match="."):
                await reload(application, second, backends={"lab": ScriptedBackend({"*": "Saturn."})})
            return bytes(application.state.metrics.page())

    assert b'recipelang_reloads_total{ended="refused"} 1.0' in anyio.run(tried)
    assert "fixed" in application.state.keeper.known.names
