"""Runs the command in this process, as a shell would: its arguments and its input go in, its status and its words come out."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from recipelang.cli.main import main


@dataclass(frozen=True, slots=True)
class Done:
    status: int
    out: str
    err: str


Command = Callable[..., Done]
"""Takes the command's arguments, and its standard input as `stdin`."""


def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    def run(*arguments: object, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse ends so
            status = int(ended.code or 0)
        told = capsys.readouterr()
        return Done(status, told.out, told.err)

    return run
