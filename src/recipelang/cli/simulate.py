"""`recipelang simulate`: how a recipe would do, over thousands of requests to models of which profiles tell."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recipelang.cli.compiling import add_format, print_json
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.naming import name_to_run, plan_and_default
from recipelang.cli.values import assigned
from recipelang.hosts.binding import ArgumentProblem, bound_entry, find
from recipelang.hosts.recorded import run_as_json
from recipelang.hosts.requests import request_of
from recipelang.ir.plan import Entry, Plan, Recipe
from recipelang.ir.types import IntType, ListType, spelled
from recipelang.simulation.figures import Figures, Quantity, figures_of
from recipelang.simulation.fitting import fitted
from recipelang.simulation.plotting import Chart, plotted
from recipelang.simulation.profiles import ProfileProblem, Profiles, profiles_as_toml, read_profiles
from recipelang.simulation.running import QUESTION, simulated
from recipelang.statistics import Interval

MOST_SETTINGS = 200


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="a .recipe file, or the name of a standard recipe")
    parser.add_argument(
        "question", nargs="?", metavar="QUESTION", help="what is asked each time: only its length matters"
    )
    parser.add_argument("--recipe", dest="name", metavar="NAME", help="which of the file's exposed names or recipes")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument")
    parser.add_argument(
        "--with", action="append", default=[], dest="uses", metavar="FILE", help="a file to use as well"
    )
    parser.add_argument("--profiles", metavar="FILE", help="profiles of the models, as TOML")
    parser.add_argument(
        "--fit", nargs="+", default=[], metavar="FILE", help="traces, cassettes and journals to take profiles from"
    )
    parser.add_argument("--write-profiles", metavar="FILE", help="write the profiles that are used: to go on from")
    parser.add_argument("--runs", type=int, default=1000, help="how many requests (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same figures (default 0)")
    parser.add_argument(
        "--sweep", metavar="NAME=A..B:STEP", help="an argument in many settings: also NAME=1,2,4 or A;B"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw the figures, as SVG")
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    if arguments.runs < 1:
        raise Stop(Exit.USAGE, "`--runs` is at least 1")
    plan, _ = plan_and_default(arguments.recipe, arguments.uses)
    profiles = _profiles(arguments)
    if arguments.write_profiles is not None:
        Path(arguments.write_profiles).write_text(profiles_as_toml(profiles), encoding="utf-8")
    request = QUESTION if arguments.question is None else request_of(arguments.question)
    began, found = time.perf_counter(), dict[str, Figures]()
    try:
        entries = dict(_settings(plan, arguments))
        for setting, entry in entries.items():
            found[setting] = figures_of(
                simulated(plan, entry, profiles, runs=arguments.runs, seed=arguments.seed, requests=[request])
            )
    except ArgumentProblem as problem:
        raise Stop(Exit.USAGE, str(problem)) from problem
    except ProfileProblem as problem:
        raise Stop(Exit.USAGE, f"{problem}: `--profiles` or `--fit` brings them") from problem
    seconds = time.perf_counter() - began
    _show(found, entries, arguments, seconds)
    if arguments.plot is not None:
        Path(arguments.plot).write_text(_drawn(found, arguments.sweep), encoding="utf-8")
    return Exit.FINE


def _profiles(arguments: argparse.Namespace) -> Profiles:
    """Those of the file, and those that were fitted for models that the file does not have."""
    try:
        profiles = fitted(arguments.fit)
        if arguments.profiles is not None:
            text = Path(arguments.profiles).read_text(encoding="utf-8")
            profiles = read_profiles(arguments.profiles, text).over(profiles)
    except ProfileProblem as problem:
        raise Stop(Exit.USAGE, str(problem)) from problem
    except OSError as problem:
        raise Stop.at(problem.filename, problem) from problem
    return profiles


# ---------------------------------------------------------------- settings


def _settings(plan: Plan, arguments: argparse.Namespace) -> Iterator[tuple[str, Entry]]:
    """What is simulated, each under its name; without a sweep only one."""
    name = name_to_run(plan, arguments.recipe, arguments.name)
    exposed = plan.entries.get(name)
    recipe: Recipe = plan.recipes[exposed.recipe] if exposed is not None else find(plan.recipes, name, "recipe")
    given: dict[str, Any] = {}
    if exposed is not None:
        given = run_as_json(plan, exposed, QUESTION, 0)["arguments"]
    given |= assigned(arguments.set, recipe)
    if arguments.sweep is None:
        yield name, exposed if exposed is not None and not arguments.set else _bound(plan, recipe, given)
        return
    swept, equals, texts = arguments.sweep.partition("=")
    if not equals or swept not in {parameter.name for parameter in recipe.parameters}:
        names = ", ".join(parameter.name for parameter in recipe.parameters)
        raise Stop(Exit.USAGE, f"`--sweep {arguments.sweep}`: it takes NAME=VALUES, with a name of {names}")
    for text in _values(texts, recipe, swept):
        yield text, _bound(plan, recipe, given | assigned([f"{swept}={text}"], recipe))


def _bound(plan: Plan, recipe: Recipe, given: Mapping[str, Any]) -> Entry:
    return bound_entry(plan, recipe.name, given, list(plan.models))


def _values(texts: str, recipe: Recipe, name: str) -> list[str]:
    """`0.5..0.9:0.1`, `2..5`, `1,2,4`; of lists `a,b;a,b,c`."""
    type = next(parameter.type for parameter in recipe.parameters if parameter.name == name)
    if ".." not in texts:
        return texts.split(";" if ";" in texts or isinstance(type, ListType) else ",")
    try:
        ends, _, step_text = texts.partition(":")
        first, last = (float(end) for end in ends.split(".."))
        step = float(step_text) if step_text else (1.0 if isinstance(type, IntType) else (last - first) / 10)
        total = int((last - first) / step + 1e-9) + 1
    except (ValueError, ZeroDivisionError) as problem:
        raise Stop(Exit.USAGE, f"`--sweep {name}={texts}`: it takes A..B:STEP, of {spelled(type)}") from problem
    if not 1 <= total <= MOST_SETTINGS:
        raise Stop(
            Exit.USAGE,
            f"`--sweep {name}={texts}`: that is {max(total, 0)} settings, and 1 to {MOST_SETTINGS} are drawn",
        )
    return [f"{first + number * step:.10g}" for number in range(total)]


# ------------------------------------------------------------------ showing


def _show(
    found: Mapping[str, Figures], entries: Mapping[str, Entry], arguments: argparse.Namespace, seconds: float
) -> None:
    if arguments.format == "json":
        told = [{"setting": setting, **figures.as_json()} for setting, figures in found.items()]
        print_json({"seed": arguments.seed, "sweep": arguments.sweep, "settings": told})
        return
    if arguments.sweep is not None:
        print("\n".join(_table(found, arguments.sweep.partition("=")[0])))
    else:
        ((name, figures),) = found.items()
        print("\n".join(_whole(name, figures, entries[name])))
    runs = arguments.runs * len(found)
    print(f"\n{runs} runs in {seconds:.1f} s ({runs / seconds:.0f} a second), seed {arguments.seed}; intervals of 95%")


def _whole(name: str, figures: Figures, entry: Entry) -> Iterator[str]:
    yield f"{name}: {figures.runs} requests\n"
    yield f"{'':<12}{'mean':<31}{'p50':<10}{'p95':<31}{'p99':<10}{'most':<10}at most"
    total = None if entry.certificate is None else entry.certificate.total
    yield _row("latency, s", figures.latency, "" if total is None else f"{total.seconds:.4g}")
    yield _row("calls", figures.calls, "" if total is None else str(total.calls))
    yield _row("tokens", figures.tokens)
    if figures.cost is not None:
        yield _row("cost, $", figures.cost)
    yield ""
    for title, shares in (
        ("correct", {} if figures.correct is None else {"": figures.correct}),
        ("answered by", figures.answered_by),
        ("fell back in", figures.fallbacks),
        ("no answer", figures.failures),
    ):
        yield from (f"{title + ' ' + what:<34}{_percent(one)}" for what, one in shares.items())


def _row(name: str, quantity: Quantity, most: str = "") -> str:
    row = f"{name:<12}{_interval(quantity.mean):<31}{_short(quantity.p50.value):<10}{_interval(quantity.p95):<31}"
    return f"{row}{_short(quantity.p99.value):<10}{_short(quantity.most):<10}{most}".rstrip()


def _table(found: Mapping[str, Figures], name: str) -> Iterator[str]:
    width = max(len(name), *map(len, found)) + 2
    titles = ("latency, s", "p95", "calls", "cost, $", "correct", "no answer")
    yield f"{name:<{width}}" + "".join(f"{title:<31}" for title in titles).rstrip()
    for setting, figures in found.items():
        none = sum(one.value for one in figures.failures.values())
        cells = (
            _interval(figures.latency.mean),
            _interval(figures.latency.p95),
            _interval(figures.calls.mean),
            "" if figures.cost is None else _interval(figures.cost.mean),
            "" if figures.correct is None else _percent(figures.correct),
            f"{none:.1%}",
        )
        yield f"{setting:<{width}}" + "".join(f"{cell:<31}" for cell in cells).rstrip()


def _interval(figure: Interval) -> str:
    return f"{_short(figure.value)} ({_short(figure.low)}–{_short(figure.high)})"


def _percent(figure: Interval) -> str:
    return f"{figure.value:.1%} ({figure.low:.1%}–{figure.high:.1%})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10_000 else f"{value:.3g}"


def _drawn(found: Mapping[str, Figures], sweep: str | None) -> str:
    """A sweep over its settings; a single setting over the shares of its runs."""
    if sweep is None:
        ((name, figures),) = found.items()
        return plotted(f"{name}: share of runs", ["p50", "p95", "p99"], list(_spread_charts(figures)))
    charts = [
        Chart("mean latency, s", [figures.latency.mean for figures in found.values()]),
        Chart("p95 latency, s", [figures.latency.p95 for figures in found.values()]),
        Chart("mean calls", [figures.calls.mean for figures in found.values()]),
    ]
    costs: Sequence[Quantity | None] = [figures.cost for figures in found.values()]
    if all(cost is not None for cost in costs):
        charts.append(Chart("mean cost, $", [cost.mean for cost in costs if cost is not None]))
    right = [figures.correct for figures in found.values() if figures.correct is not None]
    if len(right) == len(found):
        charts.append(Chart("correct", right))
    return plotted(sweep.partition("=")[0], list(found), charts)


def _spread_charts(figures: Figures) -> Iterator[Chart]:
    for title, quantity in (("latency, s", figures.latency), ("tokens", figures.tokens), ("cost, $", figures.cost)):
        if quantity is not None:
            yield Chart(title, [quantity.p50, quantity.p95, quantity.p99])
