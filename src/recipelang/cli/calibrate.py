"""`recipelang calibrate`: fit the numbers of a recipe to recorded runs, and write them into it."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from recipelang.calibration.calibrating import (
    Calibrated,
    CalibrationProblem,
    EvidenceProblem,
    HeldOut,
    Task,
    calibrated,
)
from recipelang.calibration.editing import spelled
from recipelang.calibration.evidence import Asked, digest_of
from recipelang.calibration.looked_up import LookedUp
from recipelang.calibration.replayed import Replayed
from recipelang.cli.compiling import add_format, print_json, show
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.values import assigned, count, dollars
from recipelang.cli.writing import replace_text
from recipelang.compilation import Compilation
from recipelang.evaluation.datasets import read_items
from recipelang.evaluation.items import DataProblem, Item, drawn_items, item_of
from recipelang.evaluation.outcomes import Outcome, read_outcomes
from recipelang.evaluation.packs import Pack, PackProblem, read_pack
from recipelang.evaluation.replaying import SAMPLES, SAYINGS, ReplayBackend
from recipelang.evaluation.worlds import with_models
from recipelang.hosts.binding import ArgumentProblem, bound_entry, find
from recipelang.quick import dataclass
from recipelang.semantics.provenance import DIGITS
from recipelang.source import FileLoader, LoadProblem, Source


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="a .recipe file, whose numbers are fitted")
    add("--fit", metavar="NAMES", help="a band, a signal, recipe.parameter or recipe.step; else what was fitted before")
    add("--pack", metavar="DIR", help="recorded answers, which are replayed")
    add("--data", metavar="FILE", help="questions, as `eval` asked them")
    add("--results", metavar="FILE", help="what came of them: what `eval --results` wrote of each arm")
    add("--recipe", metavar="NAME", help="which of the file's exposed names or recipes is run")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of a recipe that is not exposed")
    add(
        "--worth",
        type=dollars,
        default="$0.01",
        metavar="$AMOUNT",
        help="what one right answer more is worth (default $0.01)",
    )
    add("--days", type=count, default=180, metavar="N", help="how long the numbers are good for (default 180)")
    add("--limit", type=count, metavar="N", help="only N questions, drawn by the seed")
    add("--seed", type=int, default=0, help="of the questions of a limit, and of the intervals (default 0)")
    add("--samples", choices=tuple(SAMPLES), default="asked", help="of a pack, as for `eval`")
    add("--says", choices=tuple(SAYINGS), default="final", help="of a pack, as for `eval`")
    add(
        "--check",
        action="store_true",
        help="write nothing: show what would change, and end with 1 where something would",
    )
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    path = Path(arguments.file)
    try:
        source = FileLoader().load(arguments.file)
        task = _task(arguments, path, source)
        found = calibrated(task)
    except (CalibrationProblem, EvidenceProblem, ArgumentProblem) as problem:
        raise Stop(Exit.USAGE, str(problem)) from problem
    except (DataProblem, PackProblem, LoadProblem) as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    except OSError as problem:
        raise Stop.at(problem.filename, problem) from problem
    changes = list(_diff(source, found.text, arguments.file))
    if arguments.format == "json":
        print_json(_as_json(found, changes))
    else:
        for line in _lines(found, task.worth):
            print(line)
        if arguments.check:
            print("".join(changes), end="")
    if not found.held_out.bears_out:
        return Exit.PROBLEMS
    if arguments.check:
        return Exit.PROBLEMS if changes else Exit.FINE
    replace_text(path, found.text)
    return Exit.FINE


def _task(arguments: argparse.Namespace, path: Path, source: Source) -> Task:
    if (arguments.pack is None) == (arguments.results is None):
        raise Stop(
            Exit.USAGE, "fitted to what? `--pack DIR` has recorded answers, `--data FILE --results FILE` your own runs"
        )
    if arguments.results is not None and arguments.data is None:
        raise Stop(Exit.USAGE, "`--data FILE` has the questions that these are the results of")
    if not arguments.worth:
        raise Stop(Exit.USAGE, "`--worth`: it takes an amount of dollars above 0")
    if arguments.pack is not None and arguments.data is not None:
        raise Stop(Exit.USAGE, "`--data` goes with `--results`: a pack has its own questions")
    data = Path(arguments.pack or arguments.results)
    pack = None if arguments.pack is None else read_pack(data)
    items = read_items(arguments.data, "exact") if pack is None else list(map(item_of, pack.questions.values()))
    compiled = partial(_asked, arguments, pack)
    first = compiled(source.text, shown=True)
    if first is None:
        raise Stop(Exit.PROBLEMS, f"{path} is no recipe to calibrate")
    evidence = _evidence(arguments, pack, items)
    whole = evidence.those_with(first, items)
    evidence.questions = [item.id for item in drawn_items(whole, arguments.limit, arguments.seed)]
    digest = digest_of(data)
    assert digest is not None  # it has been read
    return Task(
        source,
        [name.strip() for name in arguments.fit.split(",")] if arguments.fit else [],
        compiled,
        lambda text: Compilation(Source(source.name, text)).program,
        evidence,
        arguments.worth,
        _name_of(data, path),
        digest[:DIGITS],
        date.today(),  # noqa: DTZ011 - the day where the author is
        arguments.days,
        arguments.seed,
    )


def _evidence(arguments: argparse.Namespace, pack: Pack | None, items: Sequence[Item]) -> Replayed | LookedUp:
    by_id = {item.id: item for item in items}
    if pack is not None:
        backend = ReplayBackend(pack, sample=SAMPLES[arguments.samples], says=SAYINGS[arguments.says])
        return Replayed(pack, backend, items=by_id)
    found: dict[str, dict[str, Outcome]] = {}
    for outcome in read_outcomes(arguments.results):
        found.setdefault(outcome.contestant, {})[outcome.item] = outcome
    return LookedUp(by_id, found)


@dataclass(frozen=True, slots=True)
class _Over:
    """Files as they are, but for one text that is tried out."""

    name: str
    text: str

    def load(self, name: str) -> Source:
        return Source(name, self.text) if Path(name) == Path(self.name) else FileLoader().load(name)

    def recipes_in(self, name: str) -> tuple[str, ...] | None:
        return FileLoader().recipes_in(name)


def _asked(arguments: argparse.Namespace, pack: Pack | None, text: str, *, shown: bool = False) -> Asked | None:
    """What is run, of one version of the file's text; none where that is no recipe."""
    files = _Over(arguments.file, text)
    compilation = Compilation(files.load(arguments.file), files)
    plan = compilation.library
    own = set() if plan is None else {model.id for model in plan.models.values()}
    recipes = [name for name in compilation.checked.own if plan is not None and name in plan.recipes]
    if pack is not None and plan is not None and not (own and own <= set(pack.models)):
        compilation = with_models(pack, arguments.file, loader=files)
        plan = compilation.library
    if plan is None:
        if shown:
            show(compilation.diagnostics)
        return None
    name = arguments.recipe or _only([*plan.entries] or recipes)
    if name in plan.entries:
        return Asked(plan, plan.entries[name])
    recipe = find(plan.recipes, name, "recipe", also=plan.entries)
    given: Mapping[str, Any] = assigned(arguments.set, recipe)  # Any: values of Python
    return Asked(plan, bound_entry(plan, recipe.name, given, list(plan.models)))


def _only(names: Sequence[str]) -> str:
    if not names:
        raise Stop(Exit.USAGE, "it declares no recipe")
    if len(names) > 1:
        raise Stop(Exit.USAGE, f"which is run? `--recipe` takes one of {', '.join(names)}")
    return names[0]


def _name_of(data: Path, recipe: Path) -> str:
    """The data as a recipe can name it: from its own folder where it lies there, else by its bare name."""
    try:
        return data.resolve().relative_to(recipe.resolve().parent).as_posix()
    except ValueError:
        return data.name


# -------------------------------------------------------------- the report


def _lines(found: Calibrated, worth: float) -> Iterator[str]:
    yield f"fitted to {found.n} questions, a right answer worth ${worth:g}"
    for unit, fits in found.fits:
        yield f"  {unit.name}{'' if unit.arm is None else f', arm {unit.arm + 1}'}"
        for fit in fits:
            kind = fit.slot.node.kind
            low, high = spelled(fit.low, kind), spelled(fit.high, kind)
            yield f"    {fit.slot.label}: {fit.slot.node.span.text} -> {spelled(fit.value, kind)}  ({low} to {high})"
    yield from _held_out(found.held_out)


def _held_out(held: HeldOut) -> Iterator[str]:
    yield f"on {held.n} other questions"
    yield f"  right     {held.before[0] * 100:.1f} % -> {held.after[0] * 100:.1f} %  ({_points(held)})"
    cost = "" if held.cost is None else f"  (×{held.cost.value:.2f}, {held.cost.low:.2f} to {held.cost.high:.2f})"
    yield f"  $ a run   {held.before[1]:.3g} -> {held.after[1]:.3g}{cost}"
    value = held.value
    yield f"  worth     {value.value * 100:+.2f} right answers in a hundred  ({value.low * 100:+.2f} to {value.high * 100:+.2f})"
    if not held.bears_out:
        yield "nothing was written: on these the old numbers are better"
    elif not held.is_better:
        yield "  which does not show that they are better: as much may be chance"


def _points(held: HeldOut) -> str:
    difference = held.pairs.difference
    return f"{difference.value * 100:+.1f} points, {difference.low * 100:+.1f} to {difference.high * 100:+.1f}"


def _diff(source: Source, text: str, name: str) -> Iterator[str]:
    before, after = source.text.splitlines(keepends=True), text.splitlines(keepends=True)
    return difflib.unified_diff(before, after, name, f"{name}, calibrated")


def _as_json(found: Calibrated, changes: Sequence[str]) -> dict[str, Any]:  # Any: JSON
    held = found.held_out
    return {
        "n": found.n,
        "fits": [
            {
                "name": unit.name,
                "arm": unit.arm,
                "label": fit.slot.label,
                "before": fit.slot.node.value,
                "value": fit.value,
                "interval": [fit.low, fit.high],
            }
            for unit, fits in found.fits
            for fit in fits
        ],
        "held_out": {
            "n": held.n,
            "accuracy": [held.before[0], held.after[0]],
            "cost": [held.before[1], held.after[1]],
            "value": [held.value.value, held.value.low, held.value.high],
            "bears_out": held.bears_out,
        },
        "diff": "".join(changes),
    }
