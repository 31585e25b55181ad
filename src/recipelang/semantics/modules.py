"""The files that make up a program: following `use`, standard recipes, circles of imports."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field

from recipelang.diagnostics import Edit, Fix, Label, Report
from recipelang.diagnostics.catalogue import modules, names
from recipelang.diagnostics.suggesting import nearest
from recipelang.resources import standard_recipe, standard_recipe_names
from recipelang.semantics.reserved import RESERVED, TYPE_NAMES, reserved
from recipelang.semantics.scope import KIND_OF, Declared, Module, Used
from recipelang.source import Loader, LoadProblem, Source, Span
from recipelang.syntax import nodes

Parse = Callable[[Source, Report], nodes.File]


@dataclass(eq=False)
class Program:
    """The root file and all that it uses, each after those that it uses itself."""

    root: Module
    modules: list[Module]


@dataclass
class Gatherer:
    """Loads and parses each file once."""

    loader: Loader
    parse: Parse
    report: Report
    found: dict[str, Module] = field(default_factory=dict)
    done: list[Module] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def gather(self, source: Source) -> Program:
        root = self._module(source, "")
        return Program(root, self.done)

    def _module(self, source: Source, name: str) -> Module:
        file = self.parse(source, self.report)
        module = Module(name, source, file, _declared(file, self.report), incomplete=file.is_foreign)
        self.found[source.name] = module
        self.path.append(source.name)
        for declaration in file.declarations:
            if isinstance(declaration, nodes.Use):
                self._use(declaration, module)
        self.path.pop()
        self.done.append(module)
        return module

    def _use(self, use: nodes.Use, module: Module) -> None:
        if use.path is not None:
            name = beside(module.source.name, use.path.value)
            used = self._load(name, use.path.span, lambda: self.loader.load(name), _stem(name))
            only = None
        else:
            used, only = self._standard(use)
        if used is None:
            module.incomplete = True
            return
        alias = use.alias.text if use.alias is not None else None
        found = Used(used, only if alias is None else None, alias)
        if found in module.uses:
            self._used_twice(use)
        elif self._is_new(use.alias, module):
            module.uses.append(found)

    def _is_new(self, alias: nodes.Name | None, module: Module) -> bool:
        """Whether an alias stands for nothing else yet."""
        if alias is None:
            return True
        if alias.text in module.declared or any(used.alias == alias.text for used in module.uses):
            self.report(
                names.DUPLICATE.at(
                    alias.span, f"`{alias.text}` is in use here already", help="choose another word after `as`"
                )
            )
            return False
        return True

    def _used_twice(self, use: nodes.Use) -> None:
        self.report(
            names.DUPLICATE.at(
                use.span, "this is used already", help="remove it", fix=Fix("remove it", (Edit(use.span, ""),))
            )
        )

    def _standard(self, use: nodes.Use) -> tuple[Module | None, str | None]:
        """`std.fusion` is the one name `fusion` of that standard file; `std.models` has no such name, and gives all."""
        where, *rest = (part.text for part in use.module)
        known = standard_recipe_names()
        if where != "std" or len(rest) != 1 or rest[0] not in known:
            wanted = ".".join(part.text for part in use.module)
            near = nearest(wanted, [f"std.{name}" for name in known])
            self.report(
                modules.NO_SUCH_MODULE.at(
                    use.span,
                    f"there is no `{wanted}`",
                    help=f"did you mean `{near}`?"
                    if near
                    else f'standard ones are {", ".join(f"`std.{name}`" for name in known)}; a file of your own is `use "./name.recipe"`',
                )
            )
            return None, None
        name = rest[0]
        used = self._load(f"std.{name}", use.span, lambda: _standard_source(name), name)
        return used, name if used is not None and name in used.declared else None

    def _load(self, name: str, place: Span, load: Callable[[], Source], short: str) -> Module | None:
        if name in self.path:
            circle = [*self.path[self.path.index(name) :], name]
            self.report(
                modules.IMPORT_CIRCLE.at(
                    place,
                    "these files use each other",
                    notes=(" → ".join(circle),),
                    help="move what they share into a file of its own, and use that from both",
                )
            )
            return None
        if name in self.found:
            return self.found[name]
        try:
            source = load()
        except LoadProblem as problem:
            help = "the path is taken from the folder of this file"
            self.report(modules.NOT_LOADED.at(place, f"can't read {problem.name}", label=problem.reason, help=help))
            return None
        return self._module(source, self._unique(short))

    def _unique(self, short: str) -> str:
        """How a file's declarations are qualified: its name, with a number where two files share one."""
        name, number = short, 2
        while name in self.names:
            name, number = f"{short}_{number}", number + 1
        self.names.add(name)
        return name


def _declared(file: nodes.File, report: Report) -> dict[str, Declared]:
    """The declarations by name; a second one of a name is reported and left out."""
    found: dict[str, Declared] = {}
    for declaration in file.declarations:
        if isinstance(declaration, (nodes.Use, nodes.Expose, nodes.Test)):
            continue
        name = declaration.name
        kind = KIND_OF[type(declaration)]
        if name.text in RESERVED or (isinstance(declaration, nodes.Record) and name.text in TYPE_NAMES):
            report(reserved(name, f"a {kind}"))
        if name.text in found:
            first = found[name.text]
            report(
                names.DUPLICATE.at(
                    name.span,
                    f"`{name.text}` is declared already",
                    labels=(Label(first.name.span, f"the {KIND_OF[type(first)]} of that name"),),
                    help="declarations of one file have different names, whatever their kind",
                )
            )
            continue
        found[name.text] = declaration
    return found


def _standard_source(name: str) -> Source:
    recipe = standard_recipe(name)
    if recipe is None:
        raise LoadProblem(f"std.{name}", "there is no such standard recipe")
    return Source(recipe.name, recipe.text)


def beside(name: str, path: str) -> str:
    """A path as it is meant in the file `name`: beside it, unless it is absolute."""
    return path if posixpath.isabs(path) else posixpath.normpath(posixpath.join(posixpath.dirname(name), path))


def _stem(name: str) -> str:
    return posixpath.basename(name).removesuffix(".recipe")
