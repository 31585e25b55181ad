"""A whole program: every declaration of every file checked, as nodes of the plan; and what is exposed."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from recipelang.diagnostics import Diagnostic, Report
from recipelang.diagnostics.catalogue import bounds, calls, names, syntax, types
from recipelang.ir import plan as ir
from recipelang.ir.types import AnswerType, NeverType, RequestType, spelled
from recipelang.quick import dataclass, field
from recipelang.semantics.calling import Caller, Signature
from recipelang.semantics.contracts import ContractReader
from recipelang.semantics.declarations import Declarer
from recipelang.semantics.expressions import Elaborator
from recipelang.semantics.host import check_boundary, check_extern
from recipelang.semantics.modules import Program
from recipelang.semantics.recipes import RecipeChecker
from recipelang.semantics.scope import Local, Module, Scope, Symbol, look_up, visible_names
from recipelang.semantics.signals import check_band, check_readings, check_signal
from recipelang.source import Loader, Span
from recipelang.syntax import nodes

if TYPE_CHECKING:
    from recipelang.semantics.tested import RecipeTest

MAX_NESTED = 50
"""Recipes that call one another in a row."""
REQUEST = Local(RequestType(), None, "request")
NOWHERE = {
    "it": "the item at hand in `accept`, `keep`, `by` and the like, and nothing elsewhere",
    "tried": "the answers so far in the `fallback` of a `cascade`, and nothing elsewhere",
}


@dataclass
class Checked:
    """The declarations of all files as nodes of the plan, by qualified name; `places` says where each was written."""

    backends: dict[str, ir.Backend] = field(default_factory=dict)
    models: dict[str, ir.Model] = field(default_factory=dict)
    contracts: dict[str, ir.Contract] = field(default_factory=dict)
    roles: dict[str, ir.Role] = field(default_factory=dict)
    externs: dict[str, ir.Extern] = field(default_factory=dict)
    signals: dict[str, ir.Signal] = field(default_factory=dict)
    boundaries: dict[str, ir.Boundary] = field(default_factory=dict)
    recipes: dict[str, ir.Recipe] = field(default_factory=dict)
    entries: dict[str, ir.Entry] = field(default_factory=dict)
    own: list[str] = field(default_factory=list)  # what the root file itself declares
    visible: list[str] = field(default_factory=list)  # what its `use` lines bring
    recipe_nodes: dict[str, nodes.Recipe] = field(default_factory=dict)
    entry_places: dict[str, Span] = field(default_factory=dict)
    tests: list[RecipeTest] = field(default_factory=list)  # of the root file
    boundary_places: dict[str, Span] = field(default_factory=dict)
    signal_places: dict[str, Span] = field(default_factory=dict)


def check(program: Program, loader: Loader, report: Report) -> Checked:
    """Checks a program; what has mistakes is reported and left out of the result as far as it must be."""
    checker = _Checker(loader, report, Checked())
    checker.check_circles(program)
    for module in program.modules:
        checker.module(module, quiet_warnings=module is not program.root)
    check_readings(
        checker.result.signals,
        checker.result.boundaries,
        {**checker.result.signal_places, **checker.result.boundary_places},
        report,
    )
    if any(isinstance(node, nodes.Test) for node in program.root.file.declarations):
        checker.check_tests(program.root)
    checker.result.visible = [
        symbol.qualified for name in visible_names(program.root) for symbol in look_up(program.root, name)
    ]
    checker.result.own = [Symbol(program.root, node).qualified for node in program.root.declared.values()]
    return checker.result


@dataclass
class _Checker:
    loader: Loader
    report: Report
    result: Checked
    signatures: dict[str, Signature] = field(default_factory=dict)

    def module(self, module: Module, *, quiet_warnings: bool) -> None:
        report = _errors_only(self.report) if quiet_warnings else self.report
        declarer = self._declarer(module, report)
        declarer.types.check_circles([node for node in module.declared.values() if isinstance(node, nodes.Record)])
        for node in module.declared.values():
            self._declaration(node, declarer)
        for declaration in module.file.declarations:
            if isinstance(declaration, nodes.Expose) and not quiet_warnings:
                self._expose(declaration, declarer)

    def _declarer(self, module: Module, report: Report) -> Declarer:
        scope = Scope(module, ChainMap({"request": REQUEST}), unavailable=NOWHERE)
        return Declarer(Elaborator(report), scope, report)

    def _declaration(self, node: nodes.AnyDeclaration, declarer: Declarer) -> None:
        match node:
            case nodes.Backend():
                if (backend := declarer.backend(node)) is not None:
                    self.result.backends[backend.name] = backend
            case nodes.Model():
                if (model := declarer.model(node)) is not None:
                    self.result.models[model.name] = model
            case nodes.Contract():
                contract = ContractReader(declarer.constants.module, self.loader, declarer.report).read(node)
                self.result.contracts[contract.name] = contract
            case nodes.Record():
                declarer.types.check_record(node)
            case nodes.Role():
                role = declarer.role(node)
                self.result.roles[role.name] = role
            case nodes.Extern():
                extern = check_extern(node, declarer)
                self.result.externs[extern.name] = extern
            case nodes.Signal():
                if (signal := check_signal(node, declarer)) is not None:
                    self.result.signals[signal.name] = signal
                    self.result.signal_places[signal.name] = node.name.span
            case nodes.Band():
                if (band := check_band(node, declarer)) is not None:
                    self.result.signals[band.name] = band
                    self.result.signal_places[band.name] = node.name.span
            case nodes.Boundary():
                if (boundary := check_boundary(node, declarer)) is not None:
                    self.result.boundaries[boundary.name] = boundary
                    self.result.boundary_places[boundary.name] = node.name.span
            case nodes.Recipe():
                recipe = RecipeChecker(node, declarer, self.signature).check()
                self.result.recipes[recipe.name] = recipe
                self.result.recipe_nodes[recipe.name] = node
            case _:
                pass

    def signature(self, symbol: Symbol) -> Signature:
        """What a role or a recipe takes and gives; its own mistakes are reported where it is declared."""
        if symbol.qualified not in self.signatures:
            self.signatures[symbol.qualified] = self._signature(symbol, self._declarer(symbol.module, lambda _: None))
        return self.signatures[symbol.qualified]

    def _signature(self, symbol: Symbol, declarer: Declarer) -> Signature:
        match symbol.node:
            case nodes.Role() as node:
                role = declarer.role(node)
                return Signature(symbol, role.parameters, role.returns, role.model, role.planning)
            case nodes.Extern() as node:
                extern = check_extern(node, declarer)
                return Signature(symbol, extern.parameters, extern.returns, None)
            case nodes.Recipe() as node:
                _, parameters = declarer.parameters(node.parameters, "recipe")
                return Signature(symbol, tuple(parameters), declarer.returns(node.returns), None)
            case _:
                raise AssertionError(f"a {symbol.kind} can't be called")  # the caller has looked

    def check_tests(self, root: Module) -> None:
        """The tests of the file that was asked about; those of the files that it uses are not its own."""
        from recipelang.semantics.testing import TestChecker  # deferred: most files have none

        tests = TestChecker(root, self.result, self.signature, lambda module: self._declarer(module, self.report))
        self.result.tests = tests.check()

    # -------------------------------------------------------------- expose

    def _expose(self, node: nodes.Expose, declarer: Declarer) -> None:
        name = node.name.value
        if name in self.result.entries:
            self.report(names.DUPLICATE.at(node.name.span, f'"{name}" is exposed already'))
            return
        if not name.strip() or len(name) > 200 or any(ord(c) < 32 for c in name):
            self.report(
                types.ATTRIBUTE_VALUE.at(
                    node.name.span,
                    "this can't be the name of a model",
                    label='it is what a client asks for, such as "team/auto"',
                )
            )
            return
        symbol = declarer.elaborator.symbol(node.call.callee, declarer.constants, "recipe")
        if symbol is None:
            return
        if not isinstance(symbol.node, nodes.Recipe):
            self.report(
                calls.NOT_CALLABLE.at(
                    node.call.callee.span,
                    f"the {symbol.kind} `{node.call.callee.text}` can't be exposed",
                    label="only a recipe can",
                )
            )
            return
        signature = self.signature(symbol)
        if not isinstance(signature.returns, (AnswerType, NeverType)):
            self.report(
                types.MISMATCH.at(
                    node.call.span,
                    "what is exposed gives an answer",
                    label=f"`{node.call.callee.text}` gives `{spelled(signature.returns)}`",
                    help="a client gets one text: expose a recipe that returns an `answer`",
                )
            )
        call = Caller(declarer.elaborator, self.signature).exposed(node.call, declarer.constants)
        if isinstance(call, ir.RecipeCall):
            self.result.entries[name] = ir.Entry(name, call.recipe, call.arguments, doc=node.doc or symbol.node.doc)
            self.result.entry_places[name] = node.span

    # ------------------------------------------------------------- circles

    def check_circles(self, program: Program) -> None:
        """No recipe calls itself, however many others are between: that is what keeps every cost bounded."""
        done: dict[str, int] = {}
        for module in program.modules:
            for node in module.declared.values():
                if isinstance(node, nodes.Recipe):
                    self._visit(Symbol(module, node), done)

    def _visit(self, start: Symbol, done: dict[str, int]) -> None:
        """Depth first; `done` says how many recipes are in one another below each that has been looked at."""
        if start.qualified in done:
            return
        path: list[tuple[Symbol, Iterator[tuple[Symbol, Span]]]] = [(start, iter(_recipes_called(start)))]
        on_path = {start.qualified}
        while path:
            symbol, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                on_path.discard(symbol.qualified)
                below = [done.get(called.qualified, 0) for called, _ in _recipes_called(symbol)]
                done[symbol.qualified] = 1 + max(below, default=0)
                if done[symbol.qualified] == MAX_NESTED + 1:
                    self._too_deep(symbol)
                continue
            called, place = following
            if called.qualified in on_path:
                names_on_path = [s.qualified for s, _ in path]
                self._recursion([*names_on_path[names_on_path.index(called.qualified) :], called.qualified], place)
            elif called.qualified not in done:
                on_path.add(called.qualified)
                path.append((called, iter(_recipes_called(called))))

    def _too_deep(self, symbol: Symbol) -> None:
        self.report(
            syntax.TOO_DEEP.at(
                symbol.node.name.span,
                f"the recipe `{symbol.node.name.text}` is nested too deeply",
                label=f"more than {MAX_NESTED} recipes call one another",
                help="let one recipe take the steps of several",
            )
        )

    def _recursion(self, circle: list[str], place: Span) -> None:
        self.report(
            bounds.RECURSION.at(
                place,
                "a recipe can't call itself" if len(circle) == 2 else "these recipes call each other",
                label="here the circle closes",
                notes=(" → ".join(circle),),
                help="repeat with a bound instead: `repeat x = round(x, ...) up to 3 times`",
            )
        )


def _recipes_called(symbol: Symbol) -> list[tuple[Symbol, Span]]:
    """The recipes that one calls in its steps, with the places."""
    found: list[tuple[Symbol, Span]] = []
    for step in cast(nodes.Recipe, symbol.node).steps:
        step_calls = (
            [arm.call for arm in step.arms] if isinstance(step, nodes.Choose) else [getattr(step, "call", None)]
        )
        for call in step_calls:
            if call is None:
                continue
            targets = look_up(symbol.module, call.callee.text)
            if len(targets) == 1 and isinstance(targets[0].node, nodes.Recipe):
                found.append((targets[0], call.callee.span))
    return found


def _errors_only(report: Report) -> Report:
    """A file that is used keeps its warnings to itself: they are its own author's."""

    def pass_on(diagnostic: Diagnostic) -> None:
        if diagnostic.severity == "error":
            report(diagnostic)

    return pass_on
