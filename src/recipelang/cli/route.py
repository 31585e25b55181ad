"""`recipelang route`: which way a request goes and why, with no model called."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from recipelang.cli.asking import messages_of, metadata_of, request_from
from recipelang.cli.compiling import add_format, print_json
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.naming import given_to, name_to_run, plan_and_default
from recipelang.hosts.binding import ArgumentProblem, bound_entry

if TYPE_CHECKING:
    from recipelang.hosts.routing import ArmSeen, Estimate, Part, Route


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="a .recipe file, a standard recipe, a plan or a bundle")
    parser.add_argument("question", nargs="?", metavar="QUESTION", help="what is asked; left out or -, standard input")
    parser.add_argument("--recipe", dest="name", metavar="NAME", help="which of the file's exposed names or recipes")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of the recipe")
    parser.add_argument(
        "--with", action="append", default=[], dest="uses", metavar="FILE", help="a file to use as well"
    )
    parser.add_argument("--messages", metavar="FILE", help="a conversation, as a JSON list in OpenAI's form; or -")
    parser.add_argument("--metadata", action="append", default=[], metavar="NAME=VALUE", help="of the request")
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    from recipelang.hosts.routing import route  # deferred: start-up cost

    plan, _ = plan_and_default(arguments.recipe, arguments.uses)
    name = name_to_run(plan, arguments.recipe, arguments.name)
    try:
        given = given_to(plan, name, arguments.set)
        entry = plan.entries[name] if name in plan.entries else bound_entry(plan, name, given, list(plan.models))
    except ArgumentProblem as problem:
        raise Stop(Exit.USAGE, f"{problem}; `--set name=value` sets an argument") from problem
    request = request_from(messages_of(arguments.messages, arguments.question), metadata_of(arguments.metadata))
    found = route(plan, entry, request)
    if arguments.format == "json":
        print_json(asdict(found))
    else:
        for line in _lines(found):
            print(line)
    return Exit.FINE


def _lines(found: Route) -> Iterator[str]:
    from recipelang.hosts.routing import told  # deferred: start-up cost

    if found.signals:
        yield "signals"
        values = {signal.name: told(signal.value) for signal in found.signals}
        widest = max(map(len, values))
        for signal in found.signals:
            why = ", ".join(f'"{" ".join(word.split())}"' for word in signal.words)
            reads = ", ".join(f"{_short(name)} {values[name]}" for name in signal.reads)
            by = ", ".join(f"by {means}" for means in signal.by)
            told_so = " · ".join(part for part in (why, reads, by) if part)
            yield f"  {signal.name:<{widest}}  {values[signal.name]:<6}  {told_so}".rstrip()
    for boundary in found.boundaries:
        kept = ", ".join(boundary.withheld) or "no model"
        yield f"boundary {boundary.name} {f'holds: {kept} may not see the request' if boundary.holds else 'does not hold'}"
    for choice in found.choices:
        yield f"{choice.step}, in {choice.recipe}{f', by {choice.by}' if choice.by else ''}"
        for arm in choice.arms:
            yield f"  {arm.number:>2} {'taken' if arm.taken else '-':<5}  {arm.calls}"
            yield from (f"            {line}" for line in _why(arm))
    if not found.choices:
        yield f"{found.recipe} chooses nothing: every request goes the same way"


def _why(arm: ArmSeen) -> Iterator[str]:
    from recipelang.hosts.routing import told  # deferred: start-up cost

    if arm.expected:
        yield f"expected {', '.join(map(_estimate, arm.expected))}{f': {told(arm.by)}' if arm.by is not None else ''}"
    if arm.condition is not None:
        yield f"{arm.condition.text}: {'holds' if arm.condition.value is True else 'does not hold'}"
        yield from (f"  {line}" for line in _sides(arm.condition))
    elif arm.taken:
        yield "otherwise"
    if arm.why_not:
        yield arm.why_not


def _estimate(estimate: Estimate) -> str:
    """A number of what is expected of an arm, and where it comes from."""
    if estimate.value is None:
        return f"{estimate.name} unknown (no price)"
    before, after = {"cost": ("$", ""), "time": ("", "s")}.get(estimate.name, ("", ""))
    source = estimate.said or ("nothing said" if estimate.name == "quality" else "certificate")
    return f"{estimate.name} {before}{estimate.value:.3g}{after} ({source})"


def _sides(part: Part) -> Iterator[str]:
    """What a condition comes to, comparison by comparison."""
    from recipelang.hosts.routing import told  # deferred: start-up cost

    if not part.parts:
        yield f"{part.text} is {told(part.value)}"
    elif part.is_comparison:
        yield f"{part.text} is {told(part.value)}: {', '.join(f'{side.text} is {told(side.value)}' for side in part.parts)}"
    else:
        for inside in part.parts:
            yield from _sides(inside)


def _short(name: str) -> str:
    return name.rpartition(".")[2]
