"""`recipelang explain CODE`: why something is a mistake, and how it is mended."""

from __future__ import annotations

import argparse

from recipelang.cli.compiling import add_format, print_json
from recipelang.cli.exits import Exit, Stop
from recipelang.diagnostics import Code
from recipelang.diagnostics.catalogue import all_codes
from recipelang.diagnostics.suggesting import nearest


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", nargs="?", help="such as E0501; without one, all are listed")
    add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    codes = all_codes()
    as_json = arguments.format == "json"
    if arguments.code is None:
        if as_json:
            print_json({"codes": [_told(code) for code in codes.values()]})
        else:
            print("".join(f"{code.id}  {code.title}\n" for code in codes.values()), end="")
        return Exit.FINE
    wanted = arguments.code.upper()
    if wanted not in codes:
        near = nearest(wanted, codes)
        hint = f"; did you mean {near}?" if near else "; `recipelang explain` lists them all"
        raise Stop(Exit.USAGE, f"there is no code {arguments.code}{hint}")
    code = codes[wanted]
    if as_json:
        print_json(_told(code))
    else:
        print(_shown(code), end="")
    return Exit.FINE


def _shown(code: Code) -> str:
    beside = "".join(f"\nBeside it, {name}:\n\n{_indented(text)}" for name, text in code.files)
    return (
        f"{code.id}: {code.title}\n\n{code.why}\n\nWrong:\n\n{_indented(code.wrong)}{beside}\n"
        f"Right:\n\n{_indented(code.right)}"
    )


def _told(code: Code) -> dict[str, object]:
    return {
        "code": code.id,
        "title": code.title,
        "severity": code.severity.value,
        "why": code.why,
        "wrong": code.wrong,
        "right": code.right,
        "files": dict(code.files),
    }


def _indented(text: str) -> str:
    lines = text.splitlines()
    shown = lines if len(lines) <= 30 else [*lines[:30], "..."]
    return "".join(f"    {line}\n" if line else "\n" for line in shown)
