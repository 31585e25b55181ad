"""The files that make up a program: following `use`, standard recipes, circles of imports."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from recipelang.diagnostics import Edit, Fix, Label, Report
from recipelang.diagnostics.catalogue import modules, names
from recipelang.diagnostics.suggesting import nearest
from recipelang.quick import dataclass, field
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
        alias = use.alias.text if use.alias is not None else None
        if use.path is None:
            used, only = self._standard(use)
            found = [Used(used, only if alias is None else None, alias)] if used is not None else []
            complete = used is not None
        else:
            name = beside(module.source.name, use.path.value)
            files = self.loader.recipes_in(name) if use.path.value else None
            if files is not None and alias is None:
                alias = self._name_of_library(use.path, posixpath.basename(name))
            is_nameless = files is not None and alias is None
            loaded = [] if is_nameless else [self._file(file, use.path) for file in self._files(name, files, use.path)]
            found = [Used(used, None, alias) for used in loaded if used is not None]
            complete = bool(loaded) and len(found) == len(loaded)
        module.incomplete |= not complete
        if found and all(each in module.uses for each in found):
            self._used_twice(use)
        elif found and self._is_new(alias, use, module):
            module.uses += found

    def _files(self, name: str, files: tuple[str, ...] | None, path: nodes.Text) -> list[str]:
        """The files of a library, but those that begin with `_`, which are its own affair; or the one file."""
        if files is None:
            return [name]
        offered = [file for file in files if not posixpath.basename(file).startswith("_")]
        if not offered:
            label = "no file in this folder ends in `.recipe`" if not files else "the files in it begin with `_`"
            help = "a library is a folder with recipes; those that begin with `_` are its own affair"
            self.report(modules.NOT_LOADED.at(path.span, "there is nothing to use here", label=label, help=help))
        return offered

    def _file(self, name: str, path: nodes.Text) -> Module | None:
        return self._load(name, path.span, lambda: self.loader.load(name), _stem(name))

    def _name_of_library(self, path: nodes.Text, folder: str) -> str | None:
        """The name of its folder, under which all of a library goes."""
        if _is_name(folder):
            return folder
        word = re.sub(r"[^a-z0-9_]+", "_", folder.lower()).strip("_")
        as_ = f"as {word}" if _is_name(word) else "as library"
        place = Span(path.span.source, path.span.end, path.span.end)
        self.report(
            modules.NAMELESS_LIBRARY.at(
                path.span,
                f"a library goes by the name of its folder, and `{folder}` is no name",
                help=f"give it one: `use {path.span.text} {as_}`",
                fix=Fix("give it a name", (Edit(place, f" {as_}"),)),
            )
        )
        return None

    def _is_new(self, alias: str | None, use: nodes.Use, module: Module) -> bool:
        """Whether an alias stands for nothing else yet."""
        if alias is None:
            return True
        place = use.alias.span if use.alias is not None else use.span
        how = (
            "choose another word after `as`"
            if use.alias is not None
            else f"give it another name: `{use.span.text} as ...`"
        )
        if alias in RESERVED:
            self.report(reserved(nodes.Name(alias, span=place), "a file that is used"))
            return False
        taken = module.declared.get(alias)
        if taken is None and not any(used.alias == alias for used in module.uses):
            return True
        labels = (Label(taken.name.span, f"by this {KIND_OF[type(taken)]}"),) if taken is not None else ()
        self.report(names.DUPLICATE.at(place, f"`{alias}` is in use here already", labels=labels, help=how))
        return False

    def _used_twice(self, use: nodes.Use) -> None:
        fix = Fix("remove it", (Edit(use.span, ""),))
        self.report(names.DUPLICATE.at(use.span, "this is used already", help="remove it", fix=fix))

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
            help, fix = self._whole_name(name, place)
            self.report(
                modules.NOT_LOADED.at(place, f"can't read {problem.name}", label=problem.reason, help=help, fix=fix)
            )
            return None
        return self._module(source, self._unique(short))

    def _whole_name(self, name: str, place: Span) -> tuple[str, Fix | None]:
        """Whether the ending of the file was left out."""
        try:
            self.loader.load(f"{name}.recipe")
        except LoadProblem:
            return "the path is taken from the folder of this file", None
        whole = f'{place.text.removesuffix(place.text[-1])}.recipe"'
        return f"did you mean `{whole}`?", Fix("write its ending", (Edit(place, whole),))

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


def _is_name(text: str) -> bool:
    return re.fullmatch("[a-z_][a-z0-9_]*", text) is not None and text not in RESERVED


def _stem(name: str) -> str:
    return posixpath.basename(name).removesuffix(".recipe")
