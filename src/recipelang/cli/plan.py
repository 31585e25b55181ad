"""`recipelang plan`: the bound certificate as a table, and beside it what is to be expected."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from recipelang.cli.compiling import add_format, plan_at, print_json
from recipelang.cli.exits import Exit, Stop
from recipelang.ir.certificate import Bound, Certificate, StepBound
from recipelang.ir.commitment import Commitment, commitment
from recipelang.ir.plan import Entry, Plan, Recipe, RecipeCall
from recipelang.ir.reading import calls_of

if TYPE_CHECKING:
    from rich.table import Table

    from recipelang.simulation.expecting import Expectation, Expected
    from recipelang.simulation.fitting import History

PRINTED, NARROW = 120, 100
"""Columns where the output is no terminal, and those below which a table leaves out its frame."""
FEW = 10
"""Calls of a model below which an interval that goes by them is not to be trusted."""
FIGURES = ("calls", "prompt", "completion", "cost", "time", "at once")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .recipe file, std.NAME, a plan, a bundle, or -")
    parser.add_argument(
        "--request",
        type=request_bytes,
        default=None,
        metavar="BYTES",
        help="the size of the request that the figures are for",
    )
    parser.add_argument(
        "--history",
        nargs="+",
        default=[],
        metavar="FILE",
        help="traces, cassettes and journals of runs: what is to be expected by them",
    )
    add_format(parser)


def request_bytes(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text!r:.40} is no number of bytes")
    return int(text)


def run(arguments: argparse.Namespace) -> Exit:
    plan = plan_at(arguments.file)
    if not plan.recipes and not plan.entries:
        raise Stop(Exit.USAGE, f"{arguments.file} declares no recipe")
    history = _history(arguments.history)
    if arguments.format == "json":
        entries = _as_json(plan.entries)
        if history is not None:
            for name, entry in plan.entries.items():
                told = _expected(plan, entry, history, arguments.request)
                entries[name]["expected"] = {"unknown": told} if isinstance(told, str) else told.as_json()
        proved = {name: list(plan.boundaries) for name in plan.entries}
        print_json({"recipes": _as_json(plan.recipes), "entries": entries, "boundaries": proved})
        return Exit.FINE
    for title, certificate, size, kept, spoken, exposed in _certificates(plan, arguments.request):
        found = None if history is None else _expected(plan, exposed, history, arguments.request)
        _print(title, certificate, size, kept, spoken, found)
    return Exit.FINE


def _history(paths: Sequence[str]) -> History | None:
    if not paths:
        return None
    from recipelang.simulation.fitting import history_in  # deferred: start-up cost
    from recipelang.simulation.profiles import ProfileProblem  # deferred: start-up cost

    try:
        return history_in(paths)
    except ProfileProblem as problem:
        raise Stop(Exit.USAGE, str(problem)) from problem
    except OSError as problem:
        raise Stop.at(problem.filename, problem) from problem


def _expected(plan: Plan, entry: Entry | None, history: History, request: int | None) -> Expected | str:
    """What is to be expected, or why nobody knows."""
    from recipelang.simulation.expecting import expected  # deferred: start-up cost
    from recipelang.simulation.profiles import ProfileProblem  # deferred: start-up cost

    if entry is None:
        return "it is not exposed, and so nobody knows with which models"
    try:
        return expected(plan, entry, history, request, default=plan.recipes[entry.recipe].budget.request)
    except ProfileProblem as problem:
        return f"the history has too little: {problem}"


def _as_json(bounded: Mapping[str, Recipe | Entry]) -> dict[str, dict[str, object]]:
    return {name: asdict(each.certificate) for name, each in bounded.items() if each.certificate is not None}


def _certificates(
    plan: Plan, request: int | None
) -> Iterator[tuple[str, Certificate, int, Sequence[str], Commitment, Entry | None]]:
    """Those of the exposed names, and of the recipes that neither a name nor a recipe runs: their tables show the others."""
    proved = tuple(plan.boundaries)  # an entry that could break one has no plan
    titled: list[tuple[str, str, Certificate | None, Sequence[str], Entry | None]] = [
        (f'"{entry.name}" = {entry.recipe}', entry.recipe, entry.certificate, proved, entry)
        for entry in plan.entries.values()
    ]
    run = {entry.recipe for entry in plan.entries.values()}
    run |= {
        call.recipe
        for recipe in plan.recipes.values()
        for step in recipe.steps
        for call in calls_of(step)
        if isinstance(call, RecipeCall)
    }
    titled += [
        (f"recipe {name}, for any arguments", name, recipe.certificate, (), None)
        for name, recipe in plan.recipes.items()
        if name not in run
    ]
    for title, name, certificate, kept, entry in titled:
        if certificate is not None:
            size = plan.recipes[name].budget.request if request is None else request
            yield title, certificate, size, kept, commitment(plan, name), entry


def _print(
    title: str,
    certificate: Certificate,
    size: int,
    proved: Sequence[str],
    spoken: Commitment,
    found: Expected | str | None,
) -> None:
    from rich.console import Console  # deferred: start-up cost

    console = Console(width=None if sys.stdout.isatty() else PRINTED, highlight=False)
    console.print(title, style="bold", markup=False)
    console.print(f"at most, for a request of {size} bytes")
    told = found if found is not None and not isinstance(found, str) else None
    console.print(_table(certificate, size, told, narrow=console.width < NARROW))
    for line in (*_remarks(certificate), *_how_expected(found, size)):
        console.print(line, markup=False, soft_wrap=True)
    console.print(_streaming(spoken), markup=False, soft_wrap=True)
    if proved:
        console.print(f"boundaries proved: {', '.join(proved)}", markup=False, soft_wrap=True)
    console.print()


def _table(certificate: Certificate, size: int, found: Expected | None, *, narrow: bool) -> Table:
    from rich import box  # deferred: start-up cost
    from rich.table import Table  # deferred: start-up cost

    frame = box.SIMPLE_HEAD if narrow else box.HEAVY_HEAD
    padding = (0, 1, 0, 0) if narrow else (0, 1)
    table = Table(box=frame, header_style="bold", padding=padding, pad_edge=not narrow, show_edge=not narrow)
    table.add_column("step", overflow="fold")
    table.add_column("how", overflow="fold")
    for name in FIGURES:
        table.add_column(name, justify="right", no_wrap=True)
    _rows(table, certificate.steps, size, "")
    table.add_section()
    table.add_row("in all", "", *_figures(certificate.total, size), style="bold")
    if found is not None:
        table.add_section()
        table.add_row("expected", "the mean of requests", *_expectations(found, lambda one: (one.mean,)))
        table.add_row(
            "", "between, with 95% confidence", *_expectations(found, lambda one: (one.low, one.high)), style="dim"
        )
        table.add_row("", "95 of 100 requests, at most", *_expectations(found, lambda one: (one.p95,)), style="dim")
    return table


def _expectations(found: Expected, told: Callable[[Expectation], tuple[float, ...]]) -> tuple[str, ...]:
    """The figures in the order of `FIGURES`: one of each, or its ends."""

    def ends(one: Expectation | None, spelled: Callable[[float], str]) -> str:
        return "?" if one is None else "–".join(dict.fromkeys(spelled(each) for each in told(one)))

    def whole(value: float) -> str:
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    return (
        ends(found.calls, whole),
        ends(found.prompt_tokens, whole),
        ends(found.completion_tokens, whole),
        ends(found.cost, _dollars),
        ends(found.seconds, lambda value: f"{value:.3g}s"),
        ends(found.parallel, whole),
    )


def _how_expected(found: Expected | str | None, size: int) -> Iterator[str]:
    """What the expected figures go by, and what to think of them."""
    if found is None:
        return
    if isinstance(found, str):
        yield f"expected: nobody knows: {found}"
        return
    seen = ", ".join(f"{model} {count}" for model, count in found.seen.items())
    asked = f"{found.asked} request{'s' * (found.asked > 1)} of the history" if found.asked else f"one of {size} bytes"
    yield f"expected: {found.runs} runs simulated on {asked}, by calls that were seen: {seen}"
    few = [model for model, count in found.seen.items() if count < FEW]
    if few:
        yield f"expected: of {', '.join(few)} there are few calls: the interval is likely to be too narrow"
    if found.unsure:
        yield f"expected: nobody knows how sure {', '.join(found.unsure)} is: no answer of it is accepted for that"
    if found.unanswered.value:
        yield f"expected: {found.unanswered.value:.1%} of the requests without an answer"


def _rows(table: Table, steps: tuple[StepBound, ...], size: int, indent: str) -> None:
    for step in steps:
        style = "dim" if indent else ""
        table.add_row(f"{indent}{step.step}", _how(step), *_figures(step.bound, size), style=style)
        _rows(table, step.inner, size, f"{indent}  ")


def _how(step: StepBound) -> str:
    """How a bound comes about, with the names of roles and recipes as their own module says them."""
    return re.sub(r"`(?:\w+\.)*(\w+)`", r"\1", step.how)


def _figures(bound: Bound, size: int) -> tuple[str, ...]:
    prompt = f"{round(bound.prompt_tokens.at(size)):,}"
    cost = "?" if bound.cost is None else _dollars(bound.cost.at(size))
    return f"{bound.calls}", prompt, f"{bound.completion_tokens:,}", cost, f"{bound.seconds:g}s", f"{bound.parallel}"


def _dollars(amount: float) -> str:
    """Four places, and of less than a tenth of a cent two digits."""
    places = 4 if amount == 0 or amount >= 0.001 else 1 - math.floor(math.log10(amount))
    return f"${amount:.{places}f}"


def _streaming(spoken: Commitment) -> str:
    """The commit point: from where on the answer goes to the client as it comes."""
    if spoken.step is None:
        return f"streams: the whole answer at once: {spoken.why}"
    return f"streams: from {spoken.step} on" + (f", unless {spoken.unless}" if spoken.unless else "")


def _remarks(certificate: Certificate) -> Iterator[str]:
    """What makes up the time and the peak, and why the cost is not known."""
    seconds = {step.step: step.bound.seconds for step in certificate.steps}
    if certificate.critical_path:
        path = " → ".join(certificate.critical_path)
        ended = sum(seconds.get(name, 0) for name in certificate.critical_path) > certificate.total.seconds + 1e-6
        yield f"critical path: {path}" + (
            f", ended by the budget after {certificate.total.seconds:g}s" if ended else ""
        )
    if len(certificate.parallel_steps) > 1:
        yield f"most at once: {' + '.join(certificate.parallel_steps)}"
    if certificate.total.cost is None:
        yield f"no price: {', '.join(certificate.unpriced)}"
