"""What the command writes into files: whole, or not at all."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from pathlib import Path

from recipelang.cli.exits import Stop


def swap_in(path: Path, content: bytes) -> None:
    """Puts a whole new file in the place of the old one, so that nobody ever sees half of it."""
    import tempfile  # deferred: start-up cost

    target = path.resolve()  # the file itself, not a link to it
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            new.chmod(target.stat().st_mode & 0o7777)
            new.replace(target)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Stop.at(path, error) from error


def replace_text(file: Path, text: str) -> None:
    """Puts the text in the file's place, with the line ends and the byte order mark that the file had."""
    try:
        before = file.read_bytes()
    except OSError as error:
        raise Stop.at(file, error) from error
    ended = text.replace("\n", "\r\n") if b"\r\n" in before else text
    swap_in(file, (BOM_UTF8 if before.startswith(BOM_UTF8) else b"") + ended.encode())


def write(path: str | Path, text: str) -> None:
    """Writes a file that was asked for by name, wherever that leads: `/dev/stdout` is one too."""
    try:
        Path(path).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise Stop.at(path, error) from error
