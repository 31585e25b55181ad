"""The engine for programs that are not async."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal

from recipelang import BackendProblem, BlockingEngine, Plan, RunFailure, ScriptedBackend, compile_text
from recipelang.backends.scripted import After
from recipelang.runtime.ports import BackendError, FailureKind
from upstream import STALL, Upstream

QUESTION = "Which planet is the largest?"


def plan_at(url: str, more: str = "") -> Plan:
    found = compile_text(f"""
        use std.direct
        backend lab {{ kind = openai, url = "{url}"{more} }}
        model small {{ backend = lab, id = "s", context = 32k }}
    """).library
    assert found is not None
    return found


PLAN = plan_at("http://127.0.0.1:1/v1")


def scripted(outcome: object = "Jupiter.") -> BlockingEngine:
    return BlockingEngine(PLAN, backends={"lab": ScriptedBackend({"*": outcome})})  # type: ignore[dict-item]  # any outcome


def test_a_run_waits_for_the_answer() -> None:
    with scripted() as engine:
        assert engine.run("direct", messages=QUESTION).text == "Jupiter."
        assert engine.run("direct", [{"role": "user", "content": QUESTION}], seed=3).spend.calls == 1


def test_threads_run_recipes_side_by_side() -> None:
    both = threading.Barrier(8, timeout=10)

    def ask(number: int) -> str:
        both.wait()
        return engine.run("direct", QUESTION, seed=number).text

    with scripted(After(0.01, "Jupiter.")) as engine, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == ["Jupiter."] * 8


def test_a_run_before_opening_and_after_closing_says_so() -> None:
    engine = scripted()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the engine is not open: use it in a `with` block"):
            engine.run("direct", QUESTION)
        with engine:  # it may be opened again
            engine.run("direct", QUESTION)


def test_an_open_engine_is_not_opened_again() -> None:
    with scripted() as engine:
        with pytest.raises(RuntimeError, match="the engine is open already"), engine:
            pass
        assert engine.run("direct", QUESTION).text == "Jupiter."


def test_an_engine_that_can_not_be_opened_leaves_no_thread() -> None:
    before = threading.active_count()
    engine = BlockingEngine(plan_at("http://127.0.0.1:1/v1", ', key = env("LAB_KEY")'), environment={})
    with pytest.raises(BackendProblem, match="LAB_KEY"), engine:
        pass
    assert threading.active_count() == before


def test_a_failure_is_raised_as_it_is() -> None:
    with (
        scripted(BackendError(FailureKind.AUTH, "HTTP 401", 401)) as engine,
        pytest.raises(RunFailure, match="small: HTTP 401"),
    ):
        engine.run("direct", QUESTION)


def test_an_interrupt_ends_the_run_and_its_connection_but_not_the_engine() -> None:
    with Upstream([STALL]) as upstream, BlockingEngine(plan_at(upstream.url)) as engine:
        watching = threading.Thread(target=_interrupt_when_asked, args=(upstream,))
        watching.start()
        with pytest.raises(KeyboardInterrupt):
            engine.run("direct", QUESTION)
        watching.join()
        upstream.wait_until(lambda server: server.open == 0)
        upstream.script = [b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n"]
        with pytest.raises(RunFailure, match="HTTP 401"):
            engine.run("direct", QUESTION)


def test_an_interrupt_before_a_run_has_been_handed_over_ends_it_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run may have got far by the time that the thread which starts it gets to know its future."""
    start = BlockingPortal.start_task_soon

    def interrupted(portal: BlockingPortal, *call: Any, **named: Any) -> Any:  # Any: whatever is to be started
        future = start(portal, *call, **named)
        if not upstream.requests:
            upstream.wait_until(lambda server: len(server.requests) == 1)
            raise KeyboardInterrupt
        return future

    with Upstream([STALL]) as upstream, BlockingEngine(plan_at(upstream.url)) as engine:
        monkeypatch.setattr(BlockingPortal, "start_task_soon", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.run("direct", QUESTION)
        upstream.wait_until(lambda server: server.open == 0)


def _interrupt_when_asked(upstream: Upstream) -> None:
    upstream.wait_until(lambda server: len(server.requests) == 1)
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def test_leaving_with_an_exception_ends_what_other_threads_wait_for() -> None:
    ended: list[type[BaseException]] = []

    def ask() -> None:
        try:
            engine.run("direct", QUESTION)
        except BaseException as error:  # noqa: BLE001 - whatever it ends with
            ended.append(type(error))

    def leave_with_an_exception() -> None:
        with engine:
            waiting.start()
            upstream.wait_until(lambda server: len(server.requests) == 1)
            raise ZeroDivisionError

    with Upstream([STALL]) as upstream:
        engine = BlockingEngine(plan_at(upstream.url))
        waiting = threading.Thread(target=ask)
        with pytest.raises(ZeroDivisionError):
            leave_with_an_exception()
        waiting.join(10)
        upstream.wait_until(lambda server: server.open == 0)
    assert len(ended) == 1
