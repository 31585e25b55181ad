"""`recipelang probe`: asks real models what they can do, and writes it into the recipe."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio

from recipelang.backends.opening import BackendProblem
from recipelang.backends.probing import Finding
from recipelang.cli.compiling import add_format, opened, print_json, show, summary
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.writing import swap_in
from recipelang.compilation import Compilation
from recipelang.diagnostics import Diagnostic, Edit
from recipelang.diagnostics.rendering import edited
from recipelang.diagnostics.suggesting import nearest
from recipelang.hosts.local import local_models_in
from recipelang.hosts.probing import Found, probed
from recipelang.ir.plan import Model, Plan
from recipelang.localmodels.server import local_models
from recipelang.localmodels.store import ModelStore
from recipelang.runtime.ports import BackendError
from recipelang.source import Source, Span
from recipelang.syntax import nodes

WIDEST = len("json_schema")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .recipe file, or std.NAME")
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="those to ask; all that the file declares, where none is named"
    )
    parser.add_argument("--write", action="store_true", help="put what was found into the file, in its one layout")
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    compilation = opened(arguments.file)
    plan = _declared(compilation)
    names = _chosen(plan, compilation, arguments.models)
    if arguments.write and not Path(arguments.file).is_file():
        raise Stop(Exit.USAGE, f"{arguments.file} is no file to write to")
    found = _asked(plan, names, json=arguments.format == "json")
    if arguments.format == "json":
        print_json({name: _as_json(each) for name, each in found.items()})
    told = {name: each for name, each in found.items() if not isinstance(each, BackendError)}
    if arguments.write and told:
        swap_in(Path(arguments.file), _written(compilation, told).encode())
    return Exit.FINE if len(told) == len(found) else Exit.INPUT_OUTPUT


def _declared(compilation: Compilation) -> Plan:
    """The models and backends of a file, of which all else may still lack something."""
    checked = compilation.checked
    errors = [diagnostic for diagnostic in compilation.reported if diagnostic.severity == "error"]
    if errors:
        show(errors)
        raise Stop(Exit.PROBLEMS, summary(errors))
    return Plan(backends=checked.backends, models=checked.models)


def _chosen(plan: Plan, compilation: Compilation, wanted: Sequence[str]) -> list[str]:
    own = [name for name in compilation.checked.own if name in plan.models]
    for name in wanted:
        if name not in plan.models:
            near = nearest(name, plan.models)
            raise Stop(Exit.USAGE, f"there is no model `{name}`" + (f"; did you mean `{near}`?" if near else ""))
    if not wanted and not own:
        raise Stop(Exit.USAGE, f"{compilation.source.name} declares no model")
    return list(wanted or own)


def _asked(plan: Plan, names: Sequence[str], *, json: bool) -> dict[str, Found]:
    from recipelang.cli.progress import error_console  # deferred: start-up cost
    from recipelang.cli.pulling import pull  # deferred: start-up cost

    store, console = ModelStore(), error_console()
    for model in local_models_in(plan, names):
        pull(store, model, console)

    async def ask() -> dict[str, Found]:
        found: dict[str, Found] = {}
        async with local_models(store) as endpoints:
            async for model, each in probed(plan, names, os.environ, endpoints):
                found[model.name] = each
                if not json:
                    _print(model, each)
        return found

    try:
        return anyio.run(ask)
    except BackendProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


def _print(model: Model, found: Found) -> None:
    """The attributes to paste, each with what was seen where it is not there."""
    print(f"# {model.name}, {model.id}")
    if isinstance(found, BackendError):
        print(f"# it could not be asked: {found.message}\n")
        return
    for name, finding in found.items():
        line = f"{name:<{WIDEST}} = {_spelled(finding)}" if finding.value is not None else f"# {name}: not known"
        print(f"{line}  # {finding.why}" if finding.why else line)
    print()


def _spelled(finding: Finding) -> str:
    return str(finding.value).lower()


def _as_json(found: Found) -> dict[str, object]:
    if isinstance(found, BackendError):
        return {"error": found.message}
    return {name: {"value": finding.value, "why": finding.why} for name, finding in found.items()}


# ------------------------------------------------------------------ writing


def _written(compilation: Compilation, found: Mapping[str, Mapping[str, Finding]]) -> str:
    """The file with what was found in it, laid out; raises `Stop` where it can't be."""
    from recipelang.formatting.proving import formatted  # deferred: start-up cost

    declared = compilation.program.root.declared.values()
    edits = [
        edit
        for node in declared
        if isinstance(node, nodes.Model) and node.name.text in found
        for edit in _edits(node, found[node.name.text])
    ]
    source = Source(compilation.source.name, edited(compilation.source.text, edits))
    problems: list[Diagnostic] = []
    text = formatted(source, problems.append)
    if text is None:
        show(problems)
        raise Stop(Exit.INTERNAL, "this is our mistake, and the file is as it was")
    return text


def _edits(node: nodes.Model, found: Mapping[str, Finding]) -> list[Edit]:
    """What stands there gets its new value, and what does not comes last."""
    known = {name: _spelled(finding) for name, finding in found.items() if finding.value is not None}
    there = {attribute.name.text: attribute.value.span for attribute in node.attributes}
    edits = [Edit(there[name], value) for name, value in known.items() if name in there]
    new = [f"\n{name} = {value}" for name, value in known.items() if name not in there]
    brace = node.span.end - 1
    return [*edits, Edit(Span(node.span.source, brace, brace), "".join(new) + "\n")] if new else edits
