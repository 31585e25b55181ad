"""A difference as a person reads it, grouped, and as a program reads it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from recipelang.comparing.difference import GROUPS, BoundChange, Change, Difference, Setting
from recipelang.ir.amounts import dollars

CONTEXT = 1
"""Lines of a text that are shown around one that has changed."""
SHORT = 100
"""Characters up to which a setting is told on one line, before and after."""
_RED, _GREEN, _BOLD, _RESET = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"


def told(difference: Difference, *, color: bool = False) -> str:
    """All changes by what they are about; nothing where there are none."""
    parts = [_group("bounds", _bounds(difference.bounds))] if difference.bounds else []
    for group, changes in groupby(difference.changes, key=lambda change: change.group):
        parts.append(_group(GROUPS[group], [line for change in changes for line in _change(change)]))
    text = "\n".join(parts)
    return "".join(_painted(line) for line in text.splitlines(keepends=True)) if color else text


def to_json(difference: Difference) -> dict[str, Any]:
    """The same for a program; money in dollars, times in seconds, infinite figures as none."""
    return {
        "same": difference.is_none,
        "bounds": [
            {
                "of": bound.of.strip('"'),
                "what": "name" if bound.of.startswith('"') else "recipe",
                "figure": bound.figure,
                "before": _finite(bound.before),
                "after": _finite(bound.after),
                "more": bound.is_more,
            }
            for bound in difference.bounds
        ],
        "changes": [
            {
                "group": change.group,
                "name": change.name,
                "status": change.status,
                "settings": [
                    {"name": setting.name, "before": setting.before, "after": setting.after}
                    for setting in change.settings
                ],
            }
            for change in difference.changes
        ],
    }


def _group(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)]) + "\n"


def _bounds(bounds: tuple[BoundChange, ...]) -> list[str]:
    lines = []
    for name, changed in groupby(bounds, key=lambda bound: bound.of):
        lines.append(name)
        for bound in changed:
            before, after = _figure(bound.figure, bound.before), _figure(bound.figure, bound.after)
            lines.append(f"  {bound.figure:<8}  {before} → {after}{_share(bound)}")
    return lines


def _share(bound: BoundChange) -> str:
    if bound.before is None or bound.after is None or not bound.before or math.isinf(bound.before + bound.after):
        return ""
    return f"  ({(bound.after - bound.before) / bound.before:+.0%})"


def _figure(figure: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    if math.isinf(value):
        return "no bound"
    match figure:
        case "money":
            return dollars(float(f"{value:.4g}"))
        case "time":
            return f"{value:g}s"
        case _:
            return f"{value:,.0f}"


def _change(change: Change) -> Iterator[str]:
    if change.status != "changed":
        sign = "+" if change.status == "added" else "-"
        yield f"{sign} {change.name}{'' if not change.line or change.line.startswith('(') else ': '}{change.line}"
        return
    yield change.name
    for setting in change.settings:
        yield from (f"  {line}" for line in _setting(setting))


def _setting(setting: Setting) -> Iterator[str]:
    before, after = setting.before, setting.after
    values = [value for value in (before, after) if value is not None]
    if setting.name not in ("prompt", "system", "doc") and all("\n" not in v and len(v) <= SHORT for v in values):
        yield f"{setting.name.removeprefix('budget.')}: {_or_none(before)} → {_or_none(after)}"
        return
    yield f"{setting.name}:"
    yield from (f"  {line}" for line in _lines(before or "", after or ""))


def _or_none(value: str | None) -> str:
    return "not set" if value is None else value


def _lines(before: str, after: str) -> Iterator[str]:
    """The lines that have changed, with a little around them."""
    unified = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT)
    for line in list(unified)[3:]:
        yield "⋮" if line.startswith("@@") else f"{line[:1]} {line[1:]}"


def _painted(line: str) -> str:
    if not line.startswith(" "):
        return f"{_BOLD}{line.rstrip()}{_RESET}\n"
    tone = {"+": _GREEN, "-": _RED}.get(line.lstrip()[:1])
    return f"{tone}{line.rstrip()}{_RESET}\n" if tone else line


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
