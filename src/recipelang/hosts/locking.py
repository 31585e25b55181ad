"""A lock: the digests of all files that a recipe means something by, and of its plan, to see later whether any has changed."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from recipelang.compilation import Compilation
from recipelang.hosts.bundling import STANDARD, release
from recipelang.hosts.recipes import CompileError
from recipelang.ir.document import digest_of, digest_of_text

FORMAT: Literal["recipelang.lock"] = "recipelang.lock"
VERSION: Literal[1] = 1


class LockProblem(ValueError):
    """A text is no lock, or one of another version."""


class Lock(BaseModel):
    """What `recipelang lock` writes. Files go by their paths from the folder of the recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, title="A lock of recipelang")

    format: Literal["recipelang.lock"]
    version: Literal[1]
    release: str  # of recipelang, which made it
    plan: str
    files: dict[str, str]

    def __str__(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def lock_of(compilation: Compilation) -> Lock:
    """The lock of a source; raises `CompileError` where the source has errors."""
    plan = compilation.plan
    if plan is None:
        raise CompileError(compilation.diagnostics)
    folder = posixpath.dirname(compilation.source.name) or "."
    files = {
        name if name.startswith(STANDARD) else posixpath.relpath(name, folder): digest_of_text(source.text)
        for name, source in compilation.sources.items()
    }
    return Lock(
        format=FORMAT, version=VERSION, release=release(), plan=digest_of(plan), files=dict(sorted(files.items()))
    )


def read_lock(text: str | bytes) -> Lock:
    """The lock in a text; raises `LockProblem`."""
    try:
        return Lock.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise LockProblem(f"this is no lock of version {VERSION}" + (f": `{place}`" if place else "")) from error


def changes(then: Lock, now: Lock) -> Iterator[str]:
    """What has changed since a lock was made, a line each; nothing where all is as it was."""
    yield from (f"{name} has changed" for name in then.files if now.files.get(name, "") not in ("", then.files[name]))
    yield from (f"{name} is used now" for name in now.files if name not in then.files)
    yield from (f"{name} is used no longer" for name in then.files if name not in now.files)
    if then.files == now.files and then.plan != now.plan:
        yield (
            f"the plan is another one, though no file has changed: recipelang {then.release} made it, this is {now.release}"
        )
