"""`recipelang eval`: what recipes bring and what they cost, on questions of one's own or on recorded answers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from recipelang.backends.cassettes import CassetteProblem
from recipelang.backends.opening import BackendProblem
from recipelang.cli.contest import Contest
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.lending import READY_MADE
from recipelang.cli.progress import error_console
from recipelang.cli.values import count, dollars
from recipelang.diagnostics.suggesting import nearest
from recipelang.evaluation.datasets import GRADERS, read_items
from recipelang.evaluation.items import DataProblem, Item, in_first_half, item_of
from recipelang.evaluation.outcomes import read_outcomes
from recipelang.evaluation.packs import Pack, PackProblem, read_pack
from recipelang.evaluation.page import page, picture
from recipelang.evaluation.replaying import SAMPLES, SAYINGS
from recipelang.evaluation.reporting import footnotes, markdown, tables
from recipelang.evaluation.summing import Report, as_json
from recipelang.evaluation.worlds import models_text, ratings_of, recipe_names
from recipelang.hosts.binding import ArgumentProblem
from recipelang.hosts.functions import FunctionProblem
from recipelang.hosts.requests import RequestProblem
from recipelang.runtime.values import Json
from recipelang.source import LoadProblem

if TYPE_CHECKING:
    from recipelang.evaluation.ballots import Members

MODES = ("panel", "models", "check")
REPORTS = {".md": "markdown", ".json": "json", ".html": "html", ".svg": "svg"}


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "recipes",
        nargs="*",
        metavar="RECIPE",
        help=f"recipes to compare, files or standard ones; or {', '.join(MODES)}",
    )
    add("--data", metavar="FILE", help="questions, a JSON object a line: prompt or messages, reference, grader")
    add("--pack", metavar="DIR", help="recorded answers, which also grade")
    add("--grader", choices=GRADERS, help="for questions that name none")
    add("--with", action="append", default=[], dest="uses", metavar="FILE", help="a file to use as well: your models")
    add(
        "--recipe",
        action="append",
        default=[],
        dest="names",
        metavar="NAME",
        help="only these exposed names or recipes",
    )
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of recipes that are not exposed")
    add("--single", metavar="MODELS", help="these models, asked once each, as well; `all` for all of them")
    add("--equal-cost", metavar="MODEL", help="and this one, asked so often that it costs what the dearest recipe does")
    add("--baseline", metavar="NAME", help="whom all are compared with; by default the best single model, or the first")
    add("--slice", metavar="FIELD", help="split the report by a field of the data")
    add("--judge", metavar="MODELS", help="models that grade where the grader is `judge`")
    add("--judge-own", action="store_true", help="let a judge judge its own answers")
    add("--allow", action="append", default=[], choices=sorted(READY_MADE), help="run programs, for the grader `code`")
    add(
        "--functions",
        action="append",
        default=[],
        metavar="MODULE[:NAME]",
        help="Python functions that recipes may call",
    )
    add("--budget", type=dollars, metavar="$AMOUNT", help="the most that all runs together may cost")
    add("--concurrency", type=count, default=8, help="runs at a time (default 8)")
    add(
        "--half",
        choices=("first", "second"),
        help="only one half of the questions: fix thresholds on one, measure on the other; models: rate them on one",
    )
    add("--limit", type=count, metavar="N", help="only N questions, drawn by the seed")
    add("--seed", type=int, default=0, help="of the runs, and of which questions a limit leaves (default 0)")
    add("--results", metavar="FILE", help="keep each run here; a later evaluation goes on where this one ended")
    add(
        "--report",
        action="append",
        default=[],
        metavar="FILE",
        help="write the report: .md, .json or .html, or its picture: .svg",
    )
    add("--format", choices=("text", "markdown", "json"), default="text", help="on standard output")
    add(
        "--samples",
        choices=tuple(SAMPLES),
        default="asked",
        help="of a pack: the k-th for the k-th like call, or one",
    )
    add("--says", choices=tuple(SAYINGS), default="final", help="of a pack: models say their final answers, or all")
    add(
        "--perfect-verifier",
        metavar="FUNCTION",
        help="of a pack: lend recipes this function, which tells them what is right: what they bring then is an upper bound",
    )
    add(
        "--where-recorded",
        action="store_true",
        help="of a pack: leave out questions on which a recipe asks for what was not recorded",
    )
    add("--models", metavar="MODELS", help="panel: its members, of a pack or of `--results`")
    add("--split", metavar="NAME", help="check: of a baseline that tells of several splits, this one (default public)")
    add("--check", metavar="FILE", help="check: the baseline that a pack is held to")
    cassette = parser.add_mutually_exclusive_group()
    cassette.add_argument("--record", metavar="FILE", help="take down all traffic with models in a cassette")
    cassette.add_argument("--replay", metavar="FILE", help="answer every call from a cassette")


def run(arguments: argparse.Namespace) -> Exit:
    mode = arguments.recipes[0] if arguments.recipes and arguments.recipes[0] in MODES else None
    try:
        match "check" if arguments.check else mode:
            case "models":
                pack = _pack(arguments)
                ratings = None if arguments.half is None else ratings_of(pack, arguments.half == "first")
                print(models_text(pack, ratings), end="")
                return Exit.FINE
            case "panel":
                return _panel(arguments)
            case "check":
                return _check(arguments)
            case _:
                return _evaluate(arguments)
    except (CassetteProblem, DataProblem, PackProblem, LoadProblem) as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem
    except (ArgumentProblem, FunctionProblem, RequestProblem) as problem:
        raise Stop(Exit.USAGE, str(problem)) from problem
    except BackendProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


def _pack(arguments: argparse.Namespace) -> Pack:
    if arguments.pack is None:
        raise Stop(Exit.USAGE, "`--pack DIR` says where the recorded answers are")
    return read_pack(arguments.pack)


# ---------------------------------------------------------------- evaluating


def _evaluate(arguments: argparse.Namespace) -> Exit:
    if (arguments.data is None) == (arguments.pack is None):
        raise Stop(Exit.USAGE, "what is asked? `--data FILE` has questions, `--pack DIR` recorded answers")
    if not arguments.recipes and not arguments.single:
        raise Stop(Exit.USAGE, "what is measured? Name recipes, or `--single` models")
    kinds = [_kind(path) for path in arguments.report]
    pack = None if arguments.pack is None else _pack(arguments)
    items = (
        read_items(arguments.data, arguments.grader) if pack is None else list(map(item_of, pack.questions.values()))
    )
    if arguments.half is not None:
        items = [item for item in items if in_first_half(item.id) == (arguments.half == "first")]
    _must_have(items, arguments.slice)
    console = error_console()
    contest = Contest(arguments, pack, items, console)
    report = contest.until_it_ends()
    for path, kind in zip(arguments.report, kinds, strict=True):
        Path(path).write_text(_WRITERS[kind](report), encoding="utf-8")
    _shown(report, arguments.format)
    return Exit.NO_ANSWER if contest.stopped else Exit.FINE


def _must_have(items: Sequence[Item], field: str | None) -> None:
    fields = list(dict.fromkeys(name for item in items for name in item.about or {}))
    if field is not None and field not in fields:
        raise Stop(Exit.USAGE, f"`--slice {field}`: no question has that field; there is {', '.join(fields) or 'none'}")


# -------------------------------------------------------------- the report


def _kind(path: str) -> str:
    kind = REPORTS.get(Path(path).suffix)
    if kind is None:
        raise Stop(Exit.USAGE, f"`--report {path}`: it ends with {', '.join(REPORTS)}")
    if not Path(path).parent.is_dir():  # said now, and not when all has been paid for
        raise Stop(Exit.INPUT_OUTPUT, f"`--report {path}`: there is no folder {Path(path).parent}")
    return kind


def _json(report: Report) -> str:
    return json.dumps(as_json(report), ensure_ascii=False, indent=2) + "\n"


_WRITERS: Mapping[str, Callable[[Report], str]] = {"markdown": markdown, "json": _json, "html": page, "svg": picture}


def _shown(report: Report, format: str) -> None:
    if format != "text":
        print(_WRITERS[format](report), end="")
        return
    for table in tables(report):
        _print_table(table.title, table.head, table.rows)
    for note in footnotes(report):
        print(note)


def _print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print(title)
    for row in (head, *rows):
        print("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


# ------------------------------------------------------- panels and baselines


def _panel(arguments: argparse.Namespace) -> Exit:
    from recipelang.evaluation.ballots import PanelProblem  # deferred: one mode of three
    from recipelang.evaluation.panelreport import panel_json, panel_notes, panel_tables  # deferred: as above
    from recipelang.evaluation.panels import economics  # deferred: as above

    if (arguments.pack is None) == (arguments.results is None):
        raise Stop(
            Exit.USAGE, "whose answers? `--pack DIR` has recorded ones, `--results FILE` those of earlier evaluations"
        )
    try:
        found = economics(_of_a_pack(arguments) if arguments.results is None else _of_results(arguments))
    except PanelProblem as problem:
        raise Stop(Exit.USAGE, str(problem)) from problem
    if arguments.format == "json":
        print(json.dumps(panel_json(found), ensure_ascii=False, indent=2))
        return Exit.FINE
    for table in panel_tables(found):
        _print_table(table.title, table.head, table.rows)
    print("\n".join(panel_notes(found)))
    return Exit.FINE


def _of_a_pack(arguments: argparse.Namespace) -> Members:
    from recipelang.evaluation.ballots import members_of  # deferred: one mode of three

    pack = _pack(arguments)
    if not arguments.models:
        raise Stop(Exit.USAGE, "whose vote? `--models` names the members of the panel, `all` takes all of them")
    names = {name: model for model, name in recipe_names(pack.models).items()}
    wanted = list(names) if arguments.models == "all" else _listed(arguments.models)
    return members_of(pack, [_member(name, names, "pack") for name in wanted], SAMPLES[arguments.samples])


def _of_results(arguments: argparse.Namespace) -> Members:
    """All that were measured alone, or those that are named: recipes may vote as well."""
    from recipelang.evaluation.ballots import members_in  # deferred: one mode of three

    outcomes = read_outcomes(arguments.results)
    contestants = list(dict.fromkeys(outcome.contestant for outcome in outcomes))
    names = {name.removeprefix("single "): name for name in contestants}
    singles = [name for name in contestants if name.startswith("single ")]
    if not arguments.models or arguments.models == "all":
        return members_in(outcomes, singles or contestants)
    return members_in(outcomes, [_member(name, names, "file") for name in _listed(arguments.models)])


def _listed(names: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in names.split(",")))


def _member(wanted: str, names: Mapping[str, str], place: str) -> str:
    if wanted in names.values():
        return wanted
    if wanted not in names:
        near = nearest(wanted, names)
        hint = f"; did you mean `{near}`?" if near is not None else f"; it has {', '.join(names)}"
        raise Stop(Exit.USAGE, f"the {place} has no model `{wanted}`{hint}")
    return names[wanted]


def _baseline(path: str) -> dict[str, Json]:
    try:
        told = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as problem:
        raise DataProblem(f"{path} is no JSON: {problem}") from problem
    if not isinstance(told, dict):
        raise DataProblem(f"{path} is no baseline: it is no object `{{...}}`")
    return told


def _check(arguments: argparse.Namespace) -> Exit:
    from recipelang.evaluation.baselines import checked, of_split  # deferred: one mode of three

    pack = _pack(arguments)
    if arguments.check is None:
        raise Stop(Exit.USAGE, "held to what? `--check FILE` names a baseline")
    told = _baseline(arguments.check)
    if arguments.split is not None:
        told = of_split(told, arguments.split)
    wrong = total = 0

    def tell(name: str, problem: str | None) -> None:
        nonlocal wrong, total
        total += 1
        wrong += problem is not None
        if problem is not None:
            print(f"✗ {name}: {problem}")
        elif sys.stderr.isatty():
            print(f"\r{total} reproduced", end="", file=sys.stderr)

    anyio.run(checked, pack, told, tell)
    if not total:
        raise Stop(Exit.USAGE, f"{arguments.check} has nothing about the pack `{pack.name}`")
    print(f"{pack.name}: {total - wrong} of {total} baselines reproduced, to the integer and to nine decimals")
    return Exit.PROBLEMS if wrong else Exit.FINE
