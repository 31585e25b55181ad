"""`recipelang run`: the answer on stdout, how it came about on stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TextIO

import anyio
from rich.console import Console

from recipelang.backends.opening import BackendProblem
from recipelang.cli.compiling import add_format, print_json, show, summary
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.progress import Progress, error_console
from recipelang.cli.pulling import pull
from recipelang.cli.values import assigned
from recipelang.compilation import Compilation, compile_file
from recipelang.hosts.binding import ArgumentProblem, find
from recipelang.hosts.engine import Engine
from recipelang.hosts.local import local_models_in, models_of
from recipelang.hosts.recipes import together
from recipelang.hosts.requests import RequestProblem, request_of
from recipelang.ir.plan import Entry, Plan
from recipelang.ir.types import ListType, ModelType
from recipelang.localmodels.catalogue import LOCAL_MODELS
from recipelang.localmodels.server import local_models
from recipelang.localmodels.store import ModelStore
from recipelang.resources import standard_recipe
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.interpreter import RunResult
from recipelang.runtime.ledger import Spend
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Answer, Json, Request, encodable
from recipelang.source import LoadProblem

LOCAL = "std.local_models"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="a .recipe file, or the name of a standard recipe")
    parser.add_argument("question", nargs="?", metavar="QUESTION", help="what is asked; left out or -, standard input")
    parser.add_argument("--recipe", dest="name", metavar="NAME", help="which of the file's exposed names or recipes")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="an argument, as in threshold=0.8, panel=a,b"
    )
    parser.add_argument(
        "--with", action="append", default=[], dest="uses", metavar="FILE", help="a file to use as well: your models"
    )
    parser.add_argument("--messages", metavar="FILE", help="a conversation, as a JSON list in OpenAI's form")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same orders and seeds (default 0)")
    parser.add_argument("--trace", metavar="FILE", help="write all that happened, as JSON")
    parser.add_argument("--content", action="store_true", help="what was said goes into the trace as well")
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    console = error_console()
    plan, is_default = _plan(arguments.recipe, arguments.uses)
    name = _name(plan, arguments.recipe, arguments.name)
    store = ModelStore()
    engine = Engine(plan)
    try:
        pool = _default_pool(plan, name, store) if is_default else list(plan.models)
        entry = engine.entry(name, _given(plan, name, arguments.set), pool)
    except ArgumentProblem as problem:
        raise Stop(Exit.USAGE, f"{problem}; `--set name=value` sets an argument") from problem
    request = _request(_messages(arguments.messages, arguments.question))
    for model in local_models_in(plan, models_of(plan, entry)):
        pull(store, model, console)
    trace = _opened(arguments.trace)
    running = _Run(plan, entry, request, arguments.seed, arguments.content, store, console)
    return _report(running, trace, arguments.format, is_default)


# ------------------------------------------------------------ what is asked


def _given(plan: Plan, name: str, settings: Sequence[str]) -> dict[str, Any]:
    """The arguments that were set; an exposed name has its own."""
    if name not in plan.entries:
        return assigned(settings, find(plan.recipes, name, "recipe"))
    if settings:
        raise ArgumentProblem(f"`{name}` is exposed with its arguments; `--recipe` names a recipe to set them")
    return {}


def _plan(recipe: str, uses: Sequence[str]) -> tuple[Plan, bool]:
    """The plan of a recipe and what it is used with, and whether its models are the default ones."""
    path = recipe
    if not Path(recipe).exists() and standard_recipe(recipe) is not None:
        path = f"std.{recipe.removeprefix('std.')}"
    try:
        compilation = together([path, *uses]) if uses else compile_file(path)
        plan = _library(compilation)
        if plan.models or uses:
            return plan, False
        return _library(together([path, LOCAL])), True
    except LoadProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


def _library(compilation: Compilation) -> Plan:
    plan = compilation.library
    show(compilation.diagnostics)
    if plan is None:
        raise Stop(Exit.PROBLEMS, summary(compilation.diagnostics))
    return plan


def _name(plan: Plan, path: str, wanted: str | None) -> str:
    """The exposed name or the recipe to run: what was asked for, or else the only one there is."""
    if wanted is not None:
        return wanted
    if len(plan.entries) == 1:
        return next(iter(plan.entries))
    bare = path.removeprefix("std.")
    if not plan.entries and bare in plan.recipes:
        return bare
    if not plan.entries and len(plan.recipes) == 1:
        return next(iter(plan.recipes))
    names = [*plan.entries, *plan.recipes]
    if not names:
        raise Stop(Exit.USAGE, f"{path} has no recipe to run")
    raise Stop(Exit.USAGE, f"{path} has several recipes; `--recipe` takes one of {', '.join(names)}")


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


def _messages(path: str | None, question: str | None) -> str | list[dict[str, Any]]:
    if path is not None:
        if question is not None:
            raise Stop(Exit.USAGE, "either a question or `--messages`")
        return _conversation(path)
    if question in (None, "-"):
        if sys.stdin.isatty():
            raise Stop(Exit.USAGE, "what is the question? Give it after the recipe, or on standard input")
        question = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not question or not question.strip():
        raise Stop(Exit.USAGE, "the question is empty")
    return question


def _request(messages: str | list[dict[str, Any]]) -> Request:
    try:
        return request_of(messages)
    except RequestProblem as problem:
        raise Stop(Exit.USAGE, str(problem)) from problem


def _conversation(path: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise Stop(Exit.INPUT_OUTPUT, f"{path} can't be read: {problem}") from problem
    if not isinstance(found, list):
        raise Stop(Exit.USAGE, f"{path} is no list of messages")
    return found


def _opened(path: str | None) -> TextIO | None:
    """The file of the trace, opened before anything is spent on what goes into it."""
    if path is None:
        return None
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as problem:
        raise Stop(Exit.INPUT_OUTPUT, f"{path} can't be written: {problem.strerror}") from problem


# ------------------------------------------------------------------ the run


class _Run:
    """One run, from open backends to closed ones."""

    def __init__(
        self,
        plan: Plan,
        entry: Entry,
        request: Request,
        seed: int,
        content: bool,
        store: ModelStore,
        console: Console,
    ) -> None:
        self.plan = plan
        self.entry = entry
        self.console = console
        self._request = request
        self._seed = seed
        self._content = content
        self._store = store

    async def __call__(self) -> RunResult:
        progress = Progress(self.console)
        async with AsyncExitStack() as stack:
            models = await stack.enter_async_context(local_models(self._store, progress.starting))
            engine = await stack.enter_async_context(Engine(self.plan, endpoints=models, environment=os.environ))
            with progress.shown():
                return await engine.answer(
                    self.entry, self._request, seed=self._seed, journal=progress, content=self._content
                )


def _report(running: _Run, trace: TextIO | None, format: str, is_default: bool) -> Exit:
    try:
        result = anyio.run(running)
    except RunFailure as failure:
        return _failed(failure, trace, format, running.console)
    except BackendProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    _write(trace, result.trace)
    if format == "json":
        print_json(_as_json(result))
    else:
        print(encodable(result.text))
    _tell_how(result, running, is_default)
    return Exit.FINE


def _failed(failure: RunFailure, trace: TextIO | None, format: str, console: Console) -> Exit:
    if failure.trace is not None:
        _write(trace, failure.trace)
    best = failure.best.text if isinstance(failure.best, Answer) else None
    spend = None if failure.spend is None else failure.spend.as_json()
    if format == "json":
        told = {"kind": failure.kind.value, "message": failure.message, "step": failure.step, "model": failure.model}
        print_json({"error": told, "best": best, "spend": spend})
    console.print(f"no answer: {failure}", style="red", soft_wrap=True)
    if best is not None and format != "json":
        console.print(f"the best there was: {best}", soft_wrap=True)
    if failure.spend is not None:
        console.print(_figures(failure.spend), soft_wrap=True)
    return Exit.NO_ANSWER


def _write(file: TextIO | None, trace: Trace) -> None:
    if file is not None:
        with file:
            json.dump(trace.as_json(), file, ensure_ascii=True, indent=2)
            file.write("\n")


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


def _tell_how(result: RunResult, running: _Run, is_default: bool) -> None:
    """Who answered, how sure it was and what it cost."""
    parts = []
    if isinstance(result.answer, Answer):
        sure = _confidence(result.answer)
        parts.append(f"answered by {result.answer.model.name}")
        if sure is not None:
            parts.append(f"confidence {sure:.2f}")
        if result.answer.finish == "length":
            parts.append("cut off at its limit of tokens")
    running.console.print(" · ".join([*parts, _figures(result.spend)]), style="dim", soft_wrap=True)
    note = _weakness(result.answer, running, is_default)
    if note:
        running.console.print(note, style="yellow", soft_wrap=True)


def _confidence(answer: Answer) -> float | None:
    from recipelang.runtime.confidence import confidence  # deferred: only for the summary

    return confidence(answer.logprobs)


def _figures(spend: Spend) -> str:
    tokens = f"{spend.prompt_tokens} + {spend.completion_tokens} tokens"
    parts = [f"{spend.calls} call{'s' * (spend.calls != 1)}", tokens if spend.reported else f"at most {tokens}"]
    if spend.cost:
        parts.append(f"${spend.cost:.6f}")
    if spend.wasted_calls:
        parts.append(f"{spend.wasted_calls} of them in vain")
    return " · ".join([*parts, f"{spend.seconds:.1f} s"])


def _weakness(answer: object, running: _Run, is_default: bool) -> str:
    """A small model is no oracle, and is not to be taken for one."""
    if not isinstance(answer, Answer) or answer.model.id not in LOCAL_MODELS:
        return ""
    model = LOCAL_MODELS[answer.model.id]
    if not model.weak:
        return ""
    called = models_of(running.plan, running.entry)
    more = "; `recipelang models pull strong` gives a cascade something to escalate to" if len(called) == 1 else ""
    return f"{model.title} is {model.note}. Don't rely on what it says{more if is_default else ''}."
