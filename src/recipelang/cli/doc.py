"""`recipelang doc`: pages about a library of recipes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from recipelang.cli.compiling import opened, plan_of
from recipelang.cli.exits import Exit, Stop
from recipelang.cli.writing import write
from recipelang.documenting.library import library_of
from recipelang.documenting.pages import Writer
from recipelang.resources import standard_recipe_names


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="a .recipe file, a folder of them, std.NAME, or std for all of those; by default this folder",
    )
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where the pages go")
    parser.add_argument("--title", default="A library of recipes", help="the title of the start page")
    parser.add_argument(
        "--pictures", choices=("mermaid", "svg"), default="mermaid", help="graphs in the pages, or files beside them"
    )


def run(arguments: argparse.Namespace) -> Exit:
    paths = list(dict.fromkeys(_paths(arguments.files or ["."])))
    if not paths:
        raise Stop(Exit.USAGE, f"no recipes in {', '.join(arguments.files or ['this folder'])}")
    compilations = [opened(path) for path in paths]
    for compilation in compilations:
        plan_of(compilation)
    folder = Path(arguments.output)
    for name, text in Writer(library_of(compilations), arguments.title, arguments.pictures).pages().items():
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Stop.at((folder / name).parent, error) from error
        write(folder / name, text)
    return Exit.FINE


def _paths(given: list[str]) -> Iterator[str]:
    """The files that are meant: for a folder, all recipes in it and below."""
    for path in given:
        if path == "-":
            raise Stop(Exit.USAGE, "pages are about files: standard input has no name")
        if path == "std":
            yield from (f"std.{name}" for name in standard_recipe_names())
        elif Path(path).is_dir():
            yield from (file.as_posix() for file in sorted(Path(path).rglob("*.recipe")))
        else:
            yield path
