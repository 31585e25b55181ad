"""`recipelang run`: the answer on stdout, how it came about on stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import anyio
from rich.console import Console

from recipelang.backends.opening import BackendProblem
from recipelang.cli.asking import messages_of, metadata_of, request_from
from recipelang.cli.compiling import add_format, print_json
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.lending import READY_MADE, Function, lent_to
from recipelang.cli.naming import given_to, name_to_run, path_of, plan_and_default
from recipelang.cli.progress import Progress, error_console, say, short_names, tokens, without_controls
from recipelang.cli.pulling import pull
from recipelang.hosts.binding import ArgumentProblem, find
from recipelang.hosts.engine import Engine
from recipelang.hosts.functions import FunctionProblem
from recipelang.hosts.local import local_models_in
from recipelang.hosts.reaching import models_of
from recipelang.hosts.stores import shown
from recipelang.ir.plan import Entry, Plan
from recipelang.ir.types import ListType, ModelType
from recipelang.localmodels.catalogue import LOCAL_MODELS, LocalModel
from recipelang.localmodels.server import TAKES, can_serve, local_models
from recipelang.localmodels.store import ModelStore
from recipelang.resources import runnable_recipe_names
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ledger import Spend
from recipelang.runtime.ports import NotRecorded, StoreProblem
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Answer, Json, Request, encodable

if TYPE_CHECKING:
    from recipelang.backends.cassettes import Recorded


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help=f"a .recipe file, or {', '.join(runnable_recipe_names())}")
    parser.add_argument("question", nargs="?", metavar="QUESTION", help="what is asked; left out or -, standard input")
    parser.add_argument("--recipe", dest="name", metavar="NAME", help="which of the file's exposed names or recipes")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="an argument, as in threshold=0.8, panel=a,b"
    )
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        dest="uses",
        metavar="FILE",
        help="a file or a library to use as well: your models",
    )
    parser.add_argument("--messages", metavar="FILE", help="a conversation, as a JSON list in OpenAI's form; or -")
    parser.add_argument(
        "--metadata", action="append", default=[], metavar="NAME=VALUE", help="of the request; NAME=@FILE reads a file"
    )
    parser.add_argument(
        "--functions", action="append", default=[], metavar="MODULE[:NAME]", help="Python functions that it may call"
    )
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=sorted(READY_MADE),
        help="lend it a function that comes with this",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same orders and seeds (default 0)")
    parser.add_argument("--trace", metavar="FILE", help="write all that happened, as JSON; of a broken-off run as well")
    parser.add_argument("--content", action="store_true", help="what was said goes into the trace as well")
    cassette = parser.add_mutually_exclusive_group()
    cassette.add_argument("--record", metavar="FILE", help="take down all traffic with models in a cassette")
    cassette.add_argument("--replay", metavar="FILE", help="answer every call from a cassette: no network, no keys")
    parser.add_argument(
        "--journal", metavar="FILE", help="keep the run, so that `recipelang resume` can go on with it; or redis://HOST"
    )
    parser.add_argument("--run-id", metavar="NAME", help="the run's name in the journal; by default a new one")
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    console = error_console()
    _must_fit(arguments)
    plan, is_default = plan_and_default(arguments.recipe, arguments.uses)
    replay = _replay(arguments.replay)
    name = name_to_run(plan, arguments.recipe, arguments.name)
    store = ModelStore()
    engine = Engine(plan)
    try:
        pool = _pool(plan, name, store, replay) if is_default else list(plan.models)
        entry = engine.entry(name, given_to(plan, name, arguments.set), pool)
    except ArgumentProblem as problem:
        raise Stop(Exit.USAGE, f"{problem}; `--set name=value` sets an argument") from problem
    functions = lent_to(plan, entry, arguments.functions, arguments.allow) if replay is None else {}
    request = request_from(messages_of(arguments.messages, arguments.question), metadata_of(arguments.metadata))
    trace = opened_trace(arguments.trace)
    if replay is None:
        fetch(local_models_in(plan, models_of(plan, entry)), store, console)
    running = Running(plan, entry, request, arguments, store, console, functions)
    if arguments.journal is not None:
        running.keep(arguments.journal, arguments.run_id or _new_name(), origin_of(arguments))
    return report(running, trace, arguments.format, is_default)


def _must_fit(arguments: argparse.Namespace) -> None:
    if arguments.journal is None and arguments.run_id is not None:
        raise Stop(Exit.USAGE, "`--run-id` names a run in a journal: `--journal FILE`")
    if arguments.journal is not None and arguments.replay is not None:
        raise Stop(Exit.USAGE, "a replay costs nothing, and is not kept: leave out `--journal`")


def _new_name() -> str:
    import uuid  # deferred: most runs are not kept

    return uuid.uuid4().hex[:12]


def origin_of(arguments: argparse.Namespace) -> dict[str, Json]:
    """What `recipelang resume` needs to find the recipe again, from any folder."""

    def absolute(path: str) -> str:
        return path if path.startswith("std.") else os.fspath(Path(path).resolve())

    return {"recipe": absolute(path_of(arguments.recipe)), "with": [absolute(path) for path in arguments.uses]}


def _replay(path: str | None) -> Recorded | None:
    """The cassette that answers; read now, before anything else is done."""
    if path is None:
        return None
    from recipelang.backends.cassettes import CassetteProblem, read_cassette  # deferred: most runs have no cassette

    try:
        return read_cassette(path)
    except CassetteProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    except OSError as problem:
        raise Stop.at(path, problem) from problem


def fetch(models: Sequence[LocalModel], store: ModelStore, console: Console) -> None:
    """Fetch the models of this machine that may be called; nothing where there is no server for them anyway."""
    if models and not can_serve():
        raise Stop(Exit.INPUT_OUTPUT, TAKES)
    for model in models:
        pull(store, model, console)


def _pool(plan: Plan, name: str, store: ModelStore, replay: Recorded | None) -> list[str]:
    """With nothing configured: what is to be had on this machine, or what the recording had on its own."""
    if replay is None or not replay.runs:
        return _default_pool(plan, name, store)
    given = replay.runs[0].arguments.values()
    taken = {model for value in given for model in (value if isinstance(value, list) else [value])}
    return [model for model in plan.models if model in taken]


def _default_pool(plan: Plan, name: str, store: ModelStore) -> list[str]:
    """With nothing configured: the small model, and the stronger one where it is here or the recipe can't do without."""
    recipe = find(plan.recipes, name, "recipe")
    several = any(isinstance(p.type, ListType) and p.type.low > 1 and p.default is None for p in recipe.parameters)
    several = several or sum(isinstance(p.type, (ListType, ModelType)) for p in recipe.parameters) > 1
    return [
        model.name
        for model in plan.models.values()
        if several or LOCAL_MODELS[model.id].weak or store.has(LOCAL_MODELS[model.id])
    ]


def opened_trace(path: str | None) -> TextIO | None:
    """The file of the trace, opened before anything is spent on what goes into it."""
    if path is None:
        return None
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as problem:
        raise Stop(Exit.INPUT_OUTPUT, f"{path} can't be written: {(problem.strerror or '').lower()}") from problem


# ------------------------------------------------------------------ the run


class Running:
    """One run, from open backends to closed ones."""

    def __init__(
        self,
        plan: Plan,
        entry: Entry,
        request: Request,
        arguments: argparse.Namespace,
        store: ModelStore,
        console: Console,
        functions: Mapping[str, Function],
    ) -> None:
        self.plan = plan
        self.entry = entry
        self.console = console
        self.called = short_names(plan)
        self.progress = Progress(console, plan)
        self.seed: int = arguments.seed
        self.store = store
        self.replay: str | None = arguments.replay
        self._record: str | None = arguments.record
        self._request = request
        self._functions = functions
        self._content: bool = arguments.content
        self._journal: str | None = None
        self._run_id: str | None = None
        self._origin: Mapping[str, Json] | None = None

    def keep(self, journal: str, run_id: str, origin: Mapping[str, Json] | None) -> None:
        """Keep the run in a journal; with no origin, go on with the one that is there."""
        self._journal, self._run_id, self._origin = journal, run_id, origin

    async def __call__(self) -> RunResult:
        progress = self.progress
        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(await self._engine(stack))
            with progress.shown():
                if self._run_id is not None and self._origin is None:
                    return await engine.resume(self._run_id, journal=progress, content=self._content)
                return await engine.answer(
                    self.entry,
                    self._request,
                    seed=self.seed,
                    journal=progress,
                    content=self._content,
                    run_id=self._run_id,
                    origin=self._origin or {},
                )

    async def _engine(self, stack: AsyncExitStack) -> Engine:
        if self.replay is not None:
            return Engine(self.plan, replay=self.replay)
        models = await stack.enter_async_context(local_models(self.store, self.progress.starting))
        return Engine(
            self.plan,
            endpoints=models,
            functions=self._functions,
            environment=os.environ,
            record=self._record,
            store=self._journal,
        )

    def until_it_ends(self) -> RunResult:
        """Run on an event loop of its own; a replay on one where waiting takes no time, so that it ends at once."""
        if self.replay is None:
            return anyio.run(self)
        from recipelang.recipetests.virtual_time import VirtualTimeLoop  # deferred: only a replay needs it

        return anyio.run(self, backend_options={"loop_factory": VirtualTimeLoop})

    def say_how_to_resume(self) -> None:
        if self._journal is not None:
            say(self.console, f"`recipelang resume {shown(self._journal)} {self._run_id}` goes on with it")

    def trace_so_far(self) -> Trace:
        return Trace(self.entry.name, self.seed, tuple(self.progress.events))


def report(running: Running, trace: TextIO | None, format: str, is_default: bool) -> Exit:
    try:
        result = running.until_it_ends()
    except RunFailure as failure:
        return _failed(failure, trace, format, running.console)
    except BackendProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    except FunctionProblem as problem:
        raise Stop(Exit.USAGE, str(problem)) from problem
    except StoreProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    except NotRecorded as missing:
        _write(trace, running.trace_so_far())
        raise Stop(Exit.NO_ANSWER, str(missing)) from missing
    except KeyboardInterrupt:
        _write(trace, running.trace_so_far())
        running.say_how_to_resume()
        raise
    if format == "json":
        print_json(_as_json(result))
    else:
        text = encodable(result.text)
        print(without_controls(text) if sys.stdout.isatty() else text)
    _tell_how(result, running, is_default)
    _write(trace, result.trace)
    return Exit.FINE


def _failed(failure: RunFailure, trace: TextIO | None, format: str, console: Console) -> Exit:
    best = failure.best.text if isinstance(failure.best, Answer) else None
    spend = None if failure.spend is None else failure.spend.as_json()
    if format == "json":
        told = {"kind": failure.kind.value, "message": failure.message, "step": failure.step, "model": failure.model}
        print_json({"error": told, "best": best, "spend": spend})
    say(console, f"no answer: {failure}", "red")
    if best is not None and format != "json":
        say(console, f"the best there was: {best}")
    if failure.spend is not None:
        say(console, _figures(failure.spend))
    if failure.trace is not None:
        _write(trace, failure.trace)
    return Exit.NO_ANSWER


def _write(file: TextIO | None, trace: Trace) -> None:
    if file is None:
        return
    try:
        with file:
            json.dump(trace.as_json(), file, ensure_ascii=True, indent=2)
            file.write("\n")
    except OSError as problem:
        raise Stop(Exit.INPUT_OUTPUT, f"{file.name} can't be written: {(problem.strerror or '').lower()}") from problem


def _as_json(result: RunResult) -> dict[str, Json]:
    found: dict[str, Json] = {"answer": result.text}
    if isinstance(result.answer, Answer):
        found |= {
            "model": result.answer.model.name,
            "value": result.answer.value,
            "valid": result.answer.valid,
            "finish": result.answer.finish,
            "confidence": _confidence(result.answer),
        }
    return {**found, "spend": result.spend.as_json()}


def _tell_how(result: RunResult, running: Running, is_default: bool) -> None:
    """Who answered, how sure it was and what it cost."""
    parts = []
    if isinstance(result.answer, Answer):
        sure = _confidence(result.answer)
        parts.append(f"answered by {_known_as(result.answer, running)}")
        if sure is not None:
            parts.append(f"confidence {sure:.2f}")
        if result.answer.finish == "length":
            parts.append("cut off at its limit of tokens")
    say(running.console, " · ".join([*parts, _figures(result.spend)]), "dim")
    note = _weakness(result.answer, running, is_default)
    if note:
        say(running.console, note, "yellow")


def _known_as(answer: Answer, running: Running) -> str:
    """What a person knows a model by: the title of one of this machine's, and its name in the recipe."""
    name = running.called.get(answer.model.name, answer.model.name)
    known = LOCAL_MODELS.get(answer.model.id)
    return f"{known.title} (`{name}`)" if known is not None else name


def _confidence(answer: Answer) -> float | None:
    from recipelang.runtime.confidence import confidence  # deferred: only for the summary

    return confidence(answer.logprobs)


def _figures(spend: Spend) -> str:
    calls = f"{spend.calls} call{'s' * (spend.calls != 1)}"
    if spend.wasted_calls:
        calls += f", {spend.wasted_calls} of them in vain"
    used = tokens(spend.prompt_tokens, spend.completion_tokens)
    parts = [calls, used if spend.reported else f"at most {used}", f"{spend.seconds:.1f} s"]
    if spend.cost is None:
        parts.append("price unknown")
    elif spend.cost:
        parts.append(f"${spend.cost:.6f}")
    return " · ".join(parts)


def _weakness(answer: object, running: Running, is_default: bool) -> str:
    """A small model is no oracle, and is not to be taken for one."""
    if not isinstance(answer, Answer) or answer.model.id not in LOCAL_MODELS:
        return ""
    model = LOCAL_MODELS[answer.model.id]
    if not model.weak:
        return ""
    better = next((other for other in LOCAL_MODELS.values() if not other.weak and not running.store.has(other)), None)
    more = ""
    if is_default and better is not None:
        more = f"; `recipelang models pull {better.name}` gives a cascade something to escalate to"
    return f"{model.title} is {model.note}: don't rely on what it says{more}"
