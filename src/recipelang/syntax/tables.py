"""The tables of the grammar: the one door to lark, which makes them; kept in the user's cache folder.

To make them takes longer than to use them, and so does importing lark: where they are kept, neither is done.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any  # Any: JSON

from recipelang.quick import names_of
from recipelang.resources import grammar_text, user_cache
from recipelang.syntax.lalr import Parser, Tables

FORM = 1
"""Of the tables as they are kept: another number for another form."""


@cache
def parser() -> Parser:
    """The parser of the grammar."""
    grammar = grammar_text()
    file = _cache_file(grammar)
    return Parser((file and _kept(file)) or _made(grammar, file))


def _kept(file: Path) -> Tables | None:
    try:
        return Tables(**json.loads(file.read_bytes()))
    except Exception:  # noqa: BLE001  a spoilt file may raise anything, and is made again
        return None


def _made(grammar: str, file: Path | None) -> Tables:
    """The tables, kept in a file that is whole as soon as it is there."""
    tables = tables_of(grammar)
    if file is not None:
        with suppress(OSError):
            new = file.with_suffix(f".{os.getpid()}")
            new.write_text(
                json.dumps({name: getattr(tables, name) for name in names_of(tables)}, separators=(",", ":")),
                encoding="utf-8",
            )
            new.replace(file)
    return tables


def tables_of(grammar: str) -> Tables:
    """What lark makes of a grammar."""
    import lark  # deferred: start-up cost
    from lark.grammar import Rule  # deferred: as above
    from lark.lexer import PatternStr, TerminalDef  # deferred: as above

    made = lark.Lark(grammar, parser="lalr", lexer="contextual", keep_all_tokens=True)
    data, memo = made.memo_serialize([TerminalDef, Rule])
    found: Any = data["parser"]["parser"]
    rules = {number: each for number, each in memo.items() if each["__type__"] == "Rule"}
    place = {number: index for index, number in enumerate(rules)}
    actions: list[dict[str, int]] = []
    follow: list[dict[str, int]] = []
    for _, row in sorted(found["states"].items()):
        named = {found["tokens"][token]: step for token, step in row.items()}
        ahead = {name: ~place[what["@"]] if reduces else what for name, (reduces, what) in named.items()}
        actions.append({name: step for name, step in ahead.items() if name.isupper()})
        follow.append({name: step for name, step in ahead.items() if not name.isupper()})
    terminals = sorted(
        made.terminals, key=lambda each: (-each.priority, -each.pattern.max_width, -len(each.pattern.value))
    )
    patterns = {each.name: each.pattern.value for each in terminals if not isinstance(each.pattern, PatternStr)}
    return Tables(
        patterns={name: pattern for name, pattern in patterns.items() if name not in made.ignore_tokens},
        words={each.pattern.value: each.name for each in terminals if isinstance(each.pattern, PatternStr)},
        ignored=[patterns[name] for name in made.ignore_tokens],
        rules=[(each["origin"]["name"], len(each["expansion"])) for each in rules.values()],
        actions=actions,
        follow=follow,
        start=found["start_states"]["start"],
        end=found["end_states"]["start"],
    )


def _cache_file(grammar: str) -> Path | None:
    """A file of the user's own for this grammar; none where no folder can be had."""
    key = hashlib.sha256(f"{FORM}\0{grammar}".encode()).hexdigest()[:16]
    try:
        folder = user_cache()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK) and not _is_foreign(folder)
    except (OSError, RuntimeError):  # the latter where a user has no home
        return None
    return folder / f"grammar-{key}.json" if usable else None


def _is_foreign(folder: Path) -> bool:
    """Whether somebody else could have put the tables there: they say how a recipe is understood."""
    if not hasattr(os, "getuid"):
        return False
    status = folder.stat()
    return status.st_uid != os.getuid() or bool(status.st_mode & 0o022)
