"""One source on its way to a plan: each phase on demand, each done once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from recipelang.diagnostics import Diagnostic, Label
from recipelang.diagnostics.catalogue import boundaries, capabilities
from recipelang.diagnostics.catalogue import bounds as codes
from recipelang.ir.plan import Entry, Plan, Recipe
from recipelang.quick import dataclass, field
from recipelang.resources import standard_recipe
from recipelang.semantics.checking import Checked, check
from recipelang.semantics.modules import Gatherer, Program
from recipelang.semantics.provenance import MARK, Present, outdated
from recipelang.source import FileLoader, Loader, LoadProblem, MemoryLoader, RememberingLoader, Source, Span
from recipelang.syntax import nodes

if TYPE_CHECKING:
    from recipelang.validation.boundaries import Leak
    from recipelang.validation.capabilities import Lack

MOST_WAYS = 5
"""Ways for a request to reach where it must not that a message tells."""


@dataclass
class Compilation:
    """A source with what it means. `diagnostics` are all that the phases so far have reported."""

    source: Source
    loader: Loader = field(default_factory=FileLoader)
    reported: list[Diagnostic] = field(default_factory=list)
    present: Present | None = None  # what calibrated numbers are held to besides the recipes

    @cached_property
    def files(self) -> RememberingLoader:
        return RememberingLoader(self.loader)

    @property
    def sources(self) -> dict[str, Source]:
        """All that was read to know what the source means, itself, standard recipes and schemas included, by name."""
        _ = self.checked
        modules = {module.source.name: module.source for module in self.program.modules}
        return {**modules, **self.files.loaded}

    @cached_property
    def program(self) -> Program:
        from recipelang.syntax.parser import parse  # deferred: start-up cost

        return Gatherer(self.files, parse, self.reported.append).gather(self.source)

    @cached_property
    def checked(self) -> Checked:
        checked = check(self.program, self.files, self.reported.append)
        if MARK in self.source.text:
            self.reported += outdated(self.program, self.present)
        return checked

    @cached_property
    def plan(self) -> Plan | None:
        """The plan with its certificates, or none where the source has errors."""
        checked = self.checked
        if self.has_errors:
            return None
        from recipelang.lowering.linking import link  # deferred: start-up cost
        from recipelang.validation.bounds import certified  # deferred: start-up cost

        plan = certified(link(checked))
        return plan if self._within_budgets(plan, checked) else None

    @cached_property
    def library(self) -> Plan | None:
        """The plan with all that the file can name, its `use` lines included: for who chooses when it runs."""
        if self.plan is None:
            return None
        from recipelang.lowering.linking import link  # deferred: start-up cost
        from recipelang.validation.bounds import certified  # deferred: start-up cost

        return certified(link(self.checked, with_uses=True))

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """What there is to say about the source, in the order of the text; warnings only where there are no errors."""
        _ = self.plan
        errors = [diagnostic for diagnostic in self.reported if diagnostic.severity == "error"]
        return sorted(errors or self.reported, key=_place)

    @property
    def has_errors(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self.reported)

    def _within_budgets(self, plan: Plan, checked: Checked) -> bool:
        """Whether every recipe and every exposed name keeps to its budget; reports where one does not."""
        from recipelang.validation.breaches import breaches  # deferred: start-up cost

        self._check_ends(plan, checked)
        if self.has_errors:
            return False
        for name, recipe in plan.recipes.items():
            node = checked.recipe_nodes[name]
            if name not in checked.own or node.budget is None or recipe.certificate is None:
                continue
            for breach in breaches(recipe.certificate, recipe.budget):
                attribute = next((a for a in node.budget.attributes if a.name.text == breach.dimension), None)
                code = codes.UNKNOWN_PRICE if breach.unknown_price else codes.OVER_BUDGET
                self.reported.append(
                    code.at(
                        attribute.span if attribute else node.budget.span,
                        breach.message(node.name.text),
                        label=breach.label,
                        notes=breach.lines,
                        help=breach.help,
                    )
                )
        self._check_entries(plan, checked)
        self._check_boundaries(plan, checked)
        self._check_capabilities(plan, checked)
        return not self.has_errors

    def _check_ends(self, plan: Plan, checked: Checked) -> None:
        """No prompt of the source's own recipes, nor of what it exposes, may grow without an end."""
        from recipelang.validation.breaches import endless_step  # deferred: start-up cost

        places: list[tuple[Recipe | Entry, Span]] = [
            (recipe, checked.recipe_nodes[name].name.span)
            for name, recipe in plan.recipes.items()
            if name in checked.own
        ]
        places += [(entry, checked.entry_places[name]) for name, entry in plan.entries.items()]
        for bounded, place in places:
            step = endless_step(bounded.certificate) if bounded.certificate is not None else None
            if step is not None:
                self.reported.append(
                    codes.UNBOUNDED.at(
                        place,
                        f"the prompts of `{bounded.name}` have no bound",
                        label=f"its step `{step}` shows a list that has no greatest length",
                        help="give the type of the list a bound, such as `text[..8]`, or cut it with `take(xs, n)`",
                    )
                )

    def _check_entries(self, plan: Plan, checked: Checked) -> None:
        """An exposed recipe knows its models, so that a budget of money can be held against their prices."""
        from recipelang.validation.breaches import breaches  # deferred: start-up cost

        for name, entry in plan.entries.items():
            recipe = plan.recipes[entry.recipe]
            if entry.certificate is None or recipe.certificate is None:
                continue
            already = {breach.dimension for breach in breaches(recipe.certificate, recipe.budget)}
            for breach in breaches(entry.certificate, recipe.budget):
                if breach.dimension not in already or entry.recipe not in checked.own:
                    code = codes.UNKNOWN_PRICE if breach.unknown_price else codes.OVER_BUDGET
                    self.reported.append(
                        code.at(
                            checked.entry_places[name],
                            breach.message(entry.recipe),
                            label=breach.label,
                            notes=breach.lines,
                            help=breach.help,
                        )
                    )

    def _check_boundaries(self, plan: Plan, checked: Checked) -> None:
        """What is exposed keeps every promise about data."""
        if not plan.boundaries:
            return
        from recipelang.validation.boundaries import leaks  # deferred: start-up cost

        for name, entry in plan.entries.items():
            for leak in leaks(plan, entry):
                self.reported.append(
                    boundaries.LEAK.at(
                        checked.entry_places[name],
                        f"`{leak.model}` could see a request that the boundary `{leak.boundary}` keeps from it",
                        label=f"by way of {leak.paths[0]}",
                        notes=tuple(f"and by way of {path}" for path in leak.paths[1:MOST_WAYS]),
                        labels=(Label(checked.boundary_places[leak.boundary], "the promise"),),
                        help=f"put the call under a guard, `when not {leak.boundary}`, or {_other_way(plan, leak)}",
                    )
                )

    def _check_capabilities(self, plan: Plan, checked: Checked) -> None:
        """What is exposed, and each role with a model of its own, asks of its models what they can do."""
        from recipelang.validation.capabilities import lacks, lacks_of_role  # deferred: start-up cost

        for name, entry in plan.entries.items():
            self.reported += [_lack(lack, checked.entry_places[name]) for lack in lacks(plan, entry)]
        exposed = {diagnostic.message for diagnostic in self.reported}
        for node in self.program.root.declared.values():
            role = plan.roles.get(node.name.text) if isinstance(node, nodes.Role) else None
            found = [] if role is None else lacks_of_role(plan, role)
            self.reported += [_lack(lack, node.name.span) for lack in found if lack.message not in exposed]


def _other_way(plan: Plan, leak: Leak) -> str:
    if leak.model in plan.externs:
        return "say in the function where it keeps what it is given, such as `zone = local`"
    return "give it only models that are allowed"


def _lack(lack: Lack, place: Span) -> Diagnostic:
    codes = {
        "logprobs": capabilities.NO_LOGPROBS,
        "json_schema": capabilities.NO_SCHEMA,
        "needs": capabilities.NOT_ABLE,
        "context": capabilities.TOO_LONG,
    }
    first, *others = lack.paths or ("",)
    return codes[lack.what].at(
        place,
        lack.message,
        label=f"by way of {first}" if first else "",
        notes=tuple(f"and by way of {path}" for path in others[: MOST_WAYS - 1]),
        help=lack.help,
    )


def compile_file(path: str) -> Compilation:
    """A compilation of a file, or of a standard recipe `std.name`; raises `LoadProblem` where it can't be read."""
    standard = standard_recipe(path) if path.startswith("std.") else None
    if standard is not None:
        return Compilation(Source(standard.name, standard.text))
    if path.startswith("std."):
        raise LoadProblem(path, "there is no such standard recipe")
    loader = FileLoader()
    return Compilation(loader.load(path), loader)


def compile_text(text: str, name: str = "<text>", files: Mapping[str, str] | None = None) -> Compilation:
    """A compilation of a text; `files` are those that it may use, by path."""
    return Compilation(Source(name, text), MemoryLoader(files or {}))


def _place(diagnostic: Diagnostic) -> tuple[bool, str, int]:
    span = diagnostic.span
    return (False, span.source.name, span.start) if span is not None else (True, "", 0)


__all__ = ["Compilation", "compile_file", "compile_text"]
