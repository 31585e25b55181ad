"""The engine in a program of one's own: opened and closed cleanly, many runs at once, on asyncio and trio."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import httpx2
import pytest

from recipelang import (
    ArgumentProblem,
    BackendError,
    BackendProblem,
    CompileError,
    Engine,
    Event,
    FailureKind,
    LoadProblem,
    Plan,
    PlanProblem,
    RequestProblem,
    RunFailure,
    RunFailureKind,
    ScriptedBackend,
    bundled,
    compile_file,
    compile_text,
    dump,
)
from recipelang.backends.scripted import After
from recipelang.backends.transport import HttpClient
from recipelang.runtime.ports import Endpoint, ModelCall
from upstream import STALL, Received, Upstream, replying

pytestmark = pytest.mark.anyio

RECIPES = """
use std.direct
use std.fusion

backend lab { kind = openai, url = "URL" KEY }
model small { backend = lab, id = "s", context = 32k, price = { input = $0, output = $0 }, rating = 900 }
model large { backend = lab, id = "l", context = 32k, price = { input = $0, output = $0 }, rating = 1400 }

## The first of all models answers.
expose "our/direct" = direct(model_of_choice = small)
expose "our/panel" = fusion(panel = [small, large], judge_model = large)

role respondent() { max_tokens = 100 }
recipe both(panel: model[2..4]) -> answer {
  budget { calls = 4 }
  fanout found = respondent(model = m) for m in panel { quorum = 1, on_error = skip }
  return first(found)
}
"""
QUESTION = "Which planet is the largest?"


def plan_at(url: str = "http://127.0.0.1:1/v1", key: str = "") -> Plan:
    text = RECIPES.replace("URL", url).replace("KEY", f', key = env("{key}")' if key else "")
    compilation = compile_text(text)
    found = compilation.library
    assert found is not None, compilation.diagnostics
    return found


PLAN = plan_at()


def scripted(script: Any = "Jupiter.") -> Engine:
    return Engine(PLAN, backends={"lab": ScriptedBackend(script if isinstance(script, dict) else {"*": script})})


# ---------------------------------------------------------------- what runs


async def test_a_recipe_is_run_by_its_name_with_the_models_of_the_plan() -> None:
    async with scripted() as engine:
        result = await engine.run("direct", QUESTION)
    assert (result.text, result.spend.calls) == ("Jupiter.", 1)


async def test_an_exposed_name_is_run_with_its_own_arguments() -> None:
    async with scripted({"small": "small said so"}) as engine:
        assert (await engine.run("our/direct", QUESTION)).text == "small said so"


async def test_arguments_and_pool_choose_the_models() -> None:
    async with scripted({"small": "small", "large": "large"}) as engine:
        assert (await engine.run("direct", QUESTION, arguments={"model_of_choice": "large"})).text == "large"
        assert (await engine.run("direct", QUESTION, pool=["large"])).text == "large"
        assert (await engine.run("direct", QUESTION)).text == "small"


async def test_what_the_client_sends_reaches_the_model() -> None:
    backend = ScriptedBackend({"*": "Jupiter."})
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {}}}
    conversation: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
    ]
    async with Engine(PLAN, backends={"lab": backend}) as engine:
        await engine.run("direct", conversation, tools=[tool], metadata={"team": "red"}, max_latency=9.0)
    (call,) = backend.calls
    assert [message.role for message in call.messages] == ["system", "user"]
    assert call.messages[1].content == ({"type": "text", "text": QUESTION},)
    assert call.tools == (tool,)


async def test_the_same_seed_gives_the_same_calls_and_another_one_others() -> None:
    async def seeds(seed: int) -> list[int | None]:
        backend = ScriptedBackend({"*": "Jupiter."})
        async with Engine(PLAN, backends={"lab": backend}) as engine:
            await engine.run("direct", QUESTION, seed=seed)
        return [call.seed for call in backend.calls]

    assert await seeds(7) == await seeds(7) != await seeds(8)


async def test_an_entry_that_was_bound_before_is_run_as_often_as_one_likes() -> None:
    from recipelang.hosts.requests import request_of

    async with scripted() as engine:
        entry = engine.entry("direct", {"model_of_choice": "large"})
        results = [await engine.answer(entry, request_of(QUESTION)) for _ in range(3)]
    assert [result.text for result in results] == ["Jupiter."] * 3


async def test_content_is_in_the_trace_only_where_it_is_asked_for() -> None:
    async with scripted() as engine:
        silent = await engine.run("direct", QUESTION)
        telling = await engine.run("direct", QUESTION, content=True)
    assert "planet" not in str(silent.trace.as_json())
    assert "planet" in str(telling.trace.as_json())


@pytest.mark.virtual_time
async def test_many_runs_at_once_do_not_wait_for_each_other() -> None:
    async with scripted(After(5, "Jupiter.")) as engine, anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(engine.run, "direct", QUESTION)
    assert anyio.current_time() == 5


# -------------------------------------------------------------- what it takes


async def test_files_standard_recipes_and_plans_make_an_engine(tmp_path: Path) -> None:
    file = tmp_path / "mine.recipe"
    file.write_text(RECIPES.replace("URL", "http://127.0.0.1:1/v1").replace("KEY", ""), encoding="utf-8")
    for recipes in ([file], [str(file)], ["std.direct", file], [PLAN]):
        async with Engine(*recipes, backends={"lab": ScriptedBackend({"*": "Jupiter."})}) as engine:
            assert (await engine.run("direct", QUESTION, pool=["small"])).text == "Jupiter."


async def test_a_sealed_plan_and_a_bundle_make_an_engine(tmp_path: Path) -> None:
    file = tmp_path / "mine.recipe"
    file.write_text(RECIPES.replace("URL", "http://127.0.0.1:1/v1").replace("KEY", ""), encoding="utf-8")
    compilation = compile_file(str(file))
    for name, document in (("plan", compilation.plan), ("bundle", bundled(compilation))):
        assert document is not None
        sealed = tmp_path / name
        sealed.write_text(dump(document), encoding="utf-8")
        async with Engine(sealed, backends={"lab": ScriptedBackend({"*": "Jupiter."})}) as engine:
            assert (await engine.run("direct", QUESTION, pool=["small"])).text == "Jupiter."
        with pytest.raises(PlanProblem, match="is sealed: it is used alone"):
            Engine(sealed, "std.direct")
        sealed.write_text(dump(document).replace("127.0.0.1:1", "127.0.0.1:2"), encoding="utf-8")
        with pytest.raises(PlanProblem, match="its digest does not match"):
            Engine(sealed)


@pytest.mark.parametrize("folder", ["library", "my-library"])
async def test_a_library_makes_an_engine_alone_or_with_others(folder: str, tmp_path: Path) -> None:
    library = tmp_path / folder
    library.mkdir()
    text = RECIPES.replace("URL", "http://127.0.0.1:1/v1").replace("KEY", "")
    (library / "mine.recipe").write_text(text, encoding="utf-8")
    for recipes in ([library, "std.direct"], ["std.direct", library], [library]):
        async with Engine(*recipes, backends={"lab": ScriptedBackend({"*": "Jupiter."})}) as engine:
            assert (await engine.run("both", QUESTION)).text
            assert list(engine.plan.models) == ["mine.small", "mine.large"]


@pytest.mark.parametrize("recipes", [[], [PLAN, PLAN], ["std.direct", PLAN]], ids=["none", "two plans", "mixed"])
async def test_an_engine_takes_files_or_one_plan(recipes: Sequence[Any]) -> None:
    with pytest.raises(TypeError, match="paths and names of standard recipes, or one plan"):
        Engine(*recipes)


def test_a_client_that_blocks_is_refused_at_once() -> None:
    with httpx2.Client() as client, pytest.raises(TypeError, match="the client of an engine is an `AsyncClient`"):
        Engine("std.direct", client=client)  # type: ignore[arg-type]  # the mistake


async def test_a_recipe_with_errors_makes_no_engine_and_shows_them_as_check_does(tmp_path: Path) -> None:
    file = tmp_path / "wrong.recipe"
    file.write_text("recipe r() -> answer { return nothing }\n", encoding="utf-8")
    with pytest.raises(CompileError) as caught:
        Engine(file)
    assert "wrong.recipe:1:" in str(caught.value)
    assert caught.value.diagnostics


@pytest.mark.parametrize("name", ["missing.recipe", "std.missing"])
async def test_a_file_that_is_not_there_makes_no_engine(name: str, tmp_path: Path) -> None:
    with pytest.raises(LoadProblem, match="no such"):
        Engine(name if name.startswith("std.") else tmp_path / name)


# ------------------------------------------------------- opened and closed


async def test_a_run_before_opening_and_after_closing_says_so() -> None:
    engine = scripted()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the engine is not open: use it in an `async with` block"):
            await engine.run("direct", QUESTION)
        async with engine:  # it may be opened again
            await engine.run("direct", QUESTION)


async def test_an_open_engine_is_not_opened_again() -> None:
    engine = scripted()
    async with engine:
        with pytest.raises(RuntimeError, match="the engine is open already"):
            async with engine:
                pass
        assert (await engine.run("direct", QUESTION)).text == "Jupiter."


async def test_two_engines_stand_inside_each_other() -> None:
    async with scripted("outer") as outer, scripted("inner") as inner:
        assert (await inner.run("direct", QUESTION)).text == "inner"
        assert (await outer.run("direct", QUESTION)).text == "outer"


@pytest.mark.parametrize("environment", [{}, {"LAB_KEY": ""}, {"LAB_KEY": "  "}])
async def test_a_secret_that_is_not_set_is_one_error_before_any_call(environment: dict[str, str]) -> None:
    with Upstream() as upstream:
        engine = Engine(plan_at(upstream.url, "LAB_KEY"), environment=environment)
        with pytest.raises(BackendProblem) as caught:
            await engine.__aenter__()
        assert str(caught.value) == "the environment variable LAB_KEY, the key of backend `lab`, is not set"
        with pytest.raises(RuntimeError, match="not open"):
            await engine.run("direct", QUESTION)
    assert upstream.opened == 0


async def test_a_secret_with_odd_characters_is_an_error_that_does_not_show_it() -> None:
    engine = Engine(plan_at(key="LAB_KEY"), environment={"LAB_KEY": "sk-secret\x00\u2013"})
    with pytest.raises(BackendProblem, match="LAB_KEY, the key of backend `lab`, has characters") as caught:
        await engine.__aenter__()
    assert "sk-secret" not in str(caught.value)


async def test_backends_go_by_the_names_that_their_file_gives_them() -> None:
    with pytest.raises(ArgumentProblem, match="there is no backend `lba`: did you mean `lab`"):
        await Engine(PLAN, backends={"lba": ScriptedBackend({})}).__aenter__()


async def test_backends_that_are_not_all_there_are_an_error() -> None:
    with pytest.raises(ValueError, match="no backend was given for `lab`"):
        async with Engine(PLAN, backends={}):
            pass


# ------------------------------------------------------------ real connections


@asynccontextmanager
async def none_of_its_own() -> AsyncIterator[None]:
    yield None


def httpx2_client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(trust_env=False)


def httpx_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False)


HostsClient = Callable[[], AbstractAsyncContextManager[HttpClient | None]]


@pytest.mark.parametrize("client", [none_of_its_own, httpx2_client, httpx_client])
async def test_a_client_of_the_hosts_own_is_used_and_stays_open(client: HostsClient) -> None:
    with Upstream() as upstream:
        async with client() as own:
            for _ in range(2):
                async with Engine(plan_at(upstream.url), client=own) as engine:
                    assert (await engine.run("direct", QUESTION)).text == "Jupiter."
            assert own is None or upstream.opened == 1
        await anyio.to_thread.run_sync(upstream.wait_until, lambda server: server.open == 0)


async def test_a_run_that_is_cancelled_leaves_no_connection_and_the_engine_in_order() -> None:
    def first_stalls(request: Received) -> Any:
        return [STALL] if len(upstream.requests) <= 2 else replying()(request)

    with Upstream(first_stalls) as upstream:
        async with Engine(plan_at(upstream.url)) as engine:
            async with anyio.create_task_group() as group:
                group.start_soon(engine.run, "both", QUESTION)
                await anyio.to_thread.run_sync(upstream.wait_until, lambda server: len(server.requests) == 2)
                group.cancel_scope.cancel()
            await anyio.to_thread.run_sync(upstream.wait_until, lambda server: server.open == 0)
            assert (await engine.run("direct", QUESTION)).text == "Jupiter."


async def test_a_quorum_closes_the_connections_of_the_losers() -> None:
    def large_stalls(request: Received) -> Any:
        return [STALL] if request.json["model"] == "l" else replying()(request)

    with Upstream(large_stalls) as upstream:
        async with Engine(plan_at(upstream.url), client=None) as engine:
            result = await engine.run("both", QUESTION)
            await anyio.to_thread.run_sync(upstream.wait_until, lambda server: server.open <= 1)  # the winner's is kept
    assert result.text == "Jupiter."
    assert [event.data["why"] for event in result.trace.of("call_cancelled")] == ["not needed"]


async def test_a_key_is_sent_and_shown_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    key = "sk-a-key-that-nobody-sees"

    def now_and_then(request: Received) -> Any:
        return (
            replying()(request)
            if len(upstream.requests) == 1
            else [b"HTTP/1.1 401 No\r\ncontent-length: 25\r\n\r\n", key.encode()]
        )

    with Upstream(now_and_then) as upstream:
        engine = Engine(plan_at(upstream.url, "LAB_KEY"), environment={"LAB_KEY": key})
        async with engine:
            result = await engine.run("direct", QUESTION, content=True)
            with pytest.raises(RunFailure) as caught:
                await engine.run("direct", QUESTION, content=True)
    failure = caught.value
    shown = [
        result.trace.as_json(),
        result,
        failure,
        failure.__cause__,
        failure.trace,
        vars(failure),
        engine,
        engine.plan,
    ]
    assert all(request.headers["authorization"] == f"Bearer {key}" for request in upstream.requests)
    assert key not in f"{shown}{shown!r}{dump(engine.plan)}{capfd.readouterr()}"


# ---------------------------------------------------------------- failures


async def test_a_run_without_an_answer_tells_the_step_the_model_and_the_cause() -> None:
    async with scripted(BackendError(FailureKind.AUTH, "HTTP 401: no such key", 401)) as engine:
        with pytest.raises(RunFailure) as caught:
            await engine.run("our/direct", QUESTION)
    failure = caught.value
    assert (failure.kind, failure.step, failure.model) == (RunFailureKind.BACKEND, "reply", "small")
    assert str(failure) == "step `reply`: small: HTTP 401: no such key"
    assert isinstance(failure.__cause__, BackendError)
    assert failure.__cause__.status == 401
    assert failure.trace is not None
    assert failure.spend is not None
    assert failure.spend.calls == 1


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"recipe": "dirct"}, ArgumentProblem),
        ({"arguments": {"model": "small"}}, ArgumentProblem),
        ({"pool": []}, ArgumentProblem),
        ({"messages": []}, RequestProblem),
        ({"tools": ["f"]}, RequestProblem),
        ({"max_latency": -1}, RequestProblem),
    ],
)
async def test_what_does_not_fit_is_a_problem_and_nothing_is_called(
    given: dict[str, Any], problem: type[Exception]
) -> None:
    backend = ScriptedBackend({"*": "Jupiter."})
    async with Engine(PLAN, backends={"lab": backend}) as engine:
        with pytest.raises(problem):
            await engine.run(**{"recipe": "direct", "messages": QUESTION, **given})
    assert backend.calls == []


async def test_a_mistake_in_a_hosts_own_backend_is_told_as_it_is() -> None:
    def broken(call: ModelCall) -> str:
        raise ZeroDivisionError("a mistake of the host's")

    async with Engine(PLAN, backends={"lab": ScriptedBackend(broken)}) as engine:
        with pytest.raises(ZeroDivisionError, match="a mistake of the host's"):
            await engine.run("both", QUESTION)


# ---------------------------------------------------------------- functions

CALLING = """
backend lab { kind = openai, url = "http://127.0.0.1:1/v1" }
model small { backend = lab, id = "s", context = 32k }
extern look_up(word: text) -> text { timeout = 5s }
role explainer(found: text) { max_tokens = 10, prompt = "It is {{ found }}" }
recipe informed(m: model) -> answer {
  budget { calls = 1 }
  call found = look_up(word = request.text)
  ask reply = explainer(found, model = m)
  return reply
}
"""


async def look_up(word: str) -> str:
    return f"{word}, a planet"


async def never(word: str) -> str:
    raise AssertionError("nobody calls it")


@pytest.mark.parametrize("names", [["std.direct"], []], ids=["of several files", "of one file"])
async def test_functions_of_the_host_are_called_by_their_names(names: list[str], tmp_path: Path) -> None:
    file = tmp_path / "team.recipe"
    file.write_text(CALLING, encoding="utf-8")
    backend = ScriptedBackend({"*": "Yes."})
    functions = {"look_up": look_up, "of_another_file": never}
    async with Engine(*names, file, backends={"lab": backend}, functions=functions) as engine:
        assert (await engine.run("informed", "Jupiter")).text == "Yes."
    assert "Jupiter, a planet" in str(backend.calls[0].messages[-1].content)


async def test_a_function_that_is_not_given_is_an_error_on_opening() -> None:
    plan = compile_text(CALLING).library
    assert plan is not None
    with pytest.raises(ValueError, match="no function was given for `look_up`"):
        await Engine(plan, backends={"lab": ScriptedBackend({})}, functions={"lookup": look_up}).__aenter__()


# ---------------------------------------------------------------- journals


class Listener:
    """Hears all events, or fails at one kind."""

    def __init__(self, fails_at: str = "") -> None:
        self.heard: list[Event] = []
        self._fails_at = fails_at

    def record(self, event: Event) -> None:
        self.heard.append(event)
        if event.kind == self._fails_at:
            raise OSError("disk full")


async def test_a_journal_hears_each_event_as_it_is_in_the_trace() -> None:
    journal = Listener()
    async with scripted() as engine:
        result = await engine.run("our/panel", QUESTION, journal=journal)
    assert tuple(journal.heard) == result.trace.events
    assert journal.heard[0].kind == "run_start"
    assert journal.heard[-1].kind == "run_end"


@pytest.mark.parametrize("kind", ["run_start", "step_start", "call_start", "call_end", "run_end"])
async def test_a_journal_that_fails_costs_no_answer_and_the_trace_says_so(kind: str) -> None:
    journal = Listener(fails_at=kind)
    async with scripted() as engine:
        result = await engine.run("direct", QUESTION, journal=journal)
    assert result.text == "Jupiter."
    assert journal.heard[-1].kind == kind
    (failed,) = result.trace.of("journal_failed")
    assert failed.data == {"why": "OSError: disk full"}
    assert result.spend.calls == 1


# ------------------------------------------------------------- local models


class Starting:
    """Endpoints of models that are started on demand: here, one that is running already."""

    def __init__(self, url: str) -> None:
        self.asked: list[str] = []
        self._url = url

    async def endpoint(self, model: str) -> Endpoint:
        self.asked.append(model)
        return Endpoint(self._url, "sk-local")


async def test_a_local_model_is_reached_where_its_starter_says() -> None:
    with Upstream() as upstream:
        starting = Starting(upstream.url)
        async with Engine("std.direct", "std.local_models", endpoints=starting) as engine:
            assert starting.asked == []
            assert (await engine.run("direct", QUESTION, pool=["tiny"])).text == "Jupiter."
    assert starting.asked == ["smollm2-135m"]
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-local"


# ------------------------------------------------------------- sealed plans

SEALED = """
import sys, anyio

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "lark":
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, Forbidden())
from recipelang import Engine, ScriptedBackend, load

async def main():
    plan = load(open(sys.argv[1], encoding="utf-8").read())
    async with Engine(plan, backends={"lab": ScriptedBackend({"judge": '{"consensus": [], "contradictions": [], "unique": [], "blind_spots": []}', "*": "Jupiter."})}) as engine:
        for name in plan.entries:
            print((await engine.run(name, "Which planet is the largest?")).text)

anyio.run(main)
assert not [name for name in sys.modules if name.startswith(("recipelang.syntax", "recipelang.semantics", "recipelang.lowering"))]
"""


async def test_a_sealed_plan_runs_where_there_is_no_parser(tmp_path: Path) -> None:
    sealed = tmp_path / "plan.json"
    sealed.write_text(dump(PLAN), encoding="utf-8")
    done = await anyio.run_process([sys.executable, "-c", SEALED, str(sealed)], check=False)
    assert (done.stdout, done.stderr) == (b"Jupiter.\nJupiter.\n", b"")
