"""Where sources come from: files, memory; knows nothing of the language but that it is UTF-8."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from recipelang.quick import dataclass, field
from recipelang.source.text import Source

SUFFIX = ".recipe"
MAX_BYTES = 4 * 1024 * 1024
"""A recipe file larger than this is refused before it is read: 10,000 lines are about 400 kB."""


class LoadProblem(Exception):
    """A source could not be read. `reason` says why and is shown to the user as it stands."""

    def __init__(self, name: str, reason: str, offset: int | None = None) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
        self.offset = offset


class Loader(Protocol):
    """Reads the source that goes by a name, or raises `LoadProblem`."""

    def load(self, name: str) -> Source: ...

    def recipes_in(self, name: str) -> tuple[str, ...] | None:
        """The names of the recipes right in a folder, in alphabetical order; none where there is no such folder."""


@dataclass(frozen=True, slots=True)
class FileLoader:
    """Reads UTF-8 files by path."""

    def load(self, name: str) -> Source:
        path = Path(name)
        try:
            if path.is_dir():
                raise LoadProblem(name, "is a directory, not a file")
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise LoadProblem(name, (error.strerror or str(error)).lower()) from error
        except ValueError as error:  # a path with a NUL byte
            raise LoadProblem(name, str(error)) from error
        return decode(name, data)

    def recipes_in(self, name: str) -> tuple[str, ...] | None:
        try:
            files = sorted(path.name for path in Path(name).iterdir() if path.suffix == SUFFIX and path.is_file())
        except (OSError, ValueError):  # there is none, or it can't be looked into
            return None
        return tuple(posixpath.join(name, file) for file in files)


@dataclass(frozen=True, slots=True)
class MemoryLoader:
    """Serves texts that are already in memory; used by tests, editors and hosts."""

    texts: Mapping[str, str]

    def load(self, name: str) -> Source:
        if name not in self.texts:
            raise LoadProblem(name, "no such file")
        return Source(name, self.texts[name])

    def recipes_in(self, name: str) -> tuple[str, ...] | None:
        below = [text for text in self.texts if posixpath.dirname(text) == ("" if name == "." else name)]
        return tuple(sorted(text for text in below if text.endswith(SUFFIX))) if below else None


@dataclass(frozen=True, slots=True)
class RememberingLoader:
    """Loads as another one does, and keeps what was loaded."""

    inner: Loader
    loaded: dict[str, Source] = field(default_factory=dict)

    def load(self, name: str) -> Source:
        self.loaded[name] = source = self.inner.load(name)
        return source

    def recipes_in(self, name: str) -> tuple[str, ...] | None:
        return self.inner.recipes_in(name)


def decode(name: str, data: bytes) -> Source:
    """The source for a file's bytes, its lines ended by `\\n` alone, so that a text means the same on every system.

    Raises `LoadProblem` where the bytes are too many or not UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise LoadProblem(
            name,
            f"is larger than {MAX_BYTES // 1024 // 1024} MiB, the most a recipe file may have",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LoadProblem(
            name,
            f"is not UTF-8: byte 0x{data[error.start]:02x} on line {line}",
            error.start,
        ) from error
    if "\0" in text:
        raise LoadProblem(name, "contains a NUL character: this is not a text file", text.index("\0"))
    return Source(name, text.replace("\r\n", "\n").replace("\r", "\n"))


def is_sealed(beginning: bytes) -> bool:
    """Whether a file that begins so is to be read as a sealed document: no recipe begins with a brace."""
    return beginning.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def is_sealed_file(path: str) -> bool:
    """Whether a file holds a sealed plan, alone or in a bundle: by what is in it, whatever it is called."""
    try:
        with Path(path).open("rb") as file:
            return is_sealed(file.read(1024))
    except (OSError, ValueError):  # who reads it says why it can't be read
        return False
