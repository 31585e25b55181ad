"""`recipelang plan`: the bound certificate as a table."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from recipelang.cli.compiling import add_format, opened, plan_of, print_json
from recipelang.cli.exits import Exit
from recipelang.ir.certificate import Bound, Certificate, StepBound
from recipelang.ir.plan import Plan


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .recipe file, std.NAME, or - for standard input")
    parser.add_argument(
        "--request", type=int, default=None, metavar="BYTES", help="the size of the request that the figures are for"
    )
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    plan = plan_of(opened(arguments.file))
    if arguments.format == "json":
        named = {f"recipe {n}": r.certificate for n, r in plan.recipes.items()}
        named |= {f'expose "{n}"': e.certificate for n, e in plan.entries.items()}
        print_json({name: asdict(certificate) for name, certificate in named.items() if certificate is not None})
        return Exit.FINE
    for title, certificate, size in _certificates(plan, arguments.request):
        _print(title, certificate, size)
    return Exit.FINE


def _certificates(plan: Plan, request: int | None) -> list[tuple[str, Certificate, int]]:
    exposed = {entry.recipe for entry in plan.entries.values()}
    titles = [(f'"{entry.name}" = {entry.recipe}', entry.recipe, entry.certificate) for entry in plan.entries.values()]
    titles += [
        (f"recipe {name}, for any arguments", name, recipe.certificate)
        for name, recipe in plan.recipes.items()
        if name not in exposed
    ]
    return [
        (title, certificate, request or plan.recipes[name].budget.request)
        for title, name, certificate in titles
        if certificate is not None
    ]


def _print(title: str, certificate: Certificate, size: int) -> None:
    from rich.console import Console  # deferred: start-up cost
    from rich.table import Table  # deferred: start-up cost

    table = Table(title=f"{title}\nat most, for a request of {size} bytes", title_justify="left", header_style="bold")
    table.add_column("step")
    table.add_column("how")
    for name in ("calls", "prompt", "completion", "cost", "time", "at once"):
        table.add_column(name, justify="right")
    _rows(table, certificate.steps, size, "")
    table.add_section()
    table.add_row("in all", "", *_figures(certificate.total, size), style="bold")
    console = Console(width=120 if not Console().is_terminal else None)
    console.print(table)
    if certificate.critical_path:
        console.print(f"critical path: {' → '.join(certificate.critical_path)}", highlight=False)
    if certificate.total.cost is None:
        console.print(f"no price: {', '.join(certificate.unpriced)}", highlight=False)
    console.print()


def _rows(table: object, steps: tuple[StepBound, ...], size: int, indent: str) -> None:
    from rich.table import Table  # deferred: start-up cost

    assert isinstance(table, Table)
    for step in steps:
        table.add_row(
            indent + step.step, step.how.replace("`", ""), *_figures(step.bound, size), style="dim" if indent else ""
        )
        _rows(table, step.inner, size, indent + "  ")


def _figures(bound: Bound, size: int) -> tuple[str, ...]:
    cost = "?" if bound.cost is None else f"${bound.cost.at(size):.4f}"
    prompt = f"{round(bound.prompt_tokens.at(size)):,}"
    return f"{bound.calls}", prompt, f"{bound.completion_tokens:,}", cost, f"{bound.seconds:g}s", f"{bound.parallel}"
