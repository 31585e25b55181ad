"""From a compilation to its bundle: the plan with the texts that it was made from, sealed; and back to files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from recipelang.compilation import Compilation
from recipelang.hosts.recipes import CompileError
from recipelang.ir.document import Bundle, sealed_bundle

STANDARD = "std."


def bundled(compilation: Compilation) -> Bundle:
    """The bundle of a source; raises `CompileError` where the source has errors."""
    plan = compilation.plan
    if plan is None:
        raise CompileError(compilation.diagnostics)
    names = _from_one_folder(compilation.sources)
    texts = {names[name]: source.text for name, source in sorted(compilation.sources.items())}
    return sealed_bundle(plan, names[compilation.source.name], texts, release())


def files_of(bundle: Bundle) -> dict[str, str]:
    """The sources as files, by their paths: a standard recipe is `std/name.recipe`, to be read, not to be used."""
    return {_path(name): text for name, text in bundle.sources.items()}


def release() -> str:
    """The version of recipelang."""
    from importlib.metadata import version  # deferred: start-up cost

    return version("recipelang")


def _path(name: str) -> str:
    return f"std/{name.removeprefix(STANDARD)}.recipe" if name.startswith(STANDARD) else name


def _from_one_folder(names: Iterable[str]) -> dict[str, str]:
    """For each name its path from the innermost folder that all are in, so that a bundle tells nothing of where it was made."""
    absolute = {name: posixpath.abspath(name) for name in names if not name.startswith(STANDARD)}
    folder = posixpath.commonpath([posixpath.dirname(path) for path in absolute.values()]) if absolute else "/"
    inside = {name: posixpath.relpath(path, folder) for name, path in absolute.items()}
    return {name: inside.get(name, name) for name in names}
