"""What an importer drops in silence: values whose change changes neither the recipe nor the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any  # Any: whatever a YAML document holds

from recipelang.importing.documents import BadDocument, Document
from recipelang.importing.reading import Imported, Part, Remarks, leaves

Path = tuple[str | int, ...]


def silent(document: Document, imported: Callable[[Document], Imported]) -> list[str]:
    """The places of values that are neither in the report nor make a difference to what is written."""
    before = imported(document)
    told = {each.place for each in (*before.lost, *before.changed)}
    return [
        part.place
        for part, path in zip(leaves(Part(document.data, "", Remarks(document))), _paths(document.data), strict=True)
        if not any(part.place == place or part.place.startswith((f"{place}.", f"{place}[")) for place in told)
        and not _matters(document, path, before, imported)
    ]


def _matters(document: Document, path: Path, before: Imported, imported: Callable[[Document], Imported]) -> bool:
    """Whether any other value there makes a difference."""
    for other in _others(_at(document.data, path)):
        try:
            after = imported(replace(document, data=_with(document.data, path, other)))
        except BadDocument:
            return True
        if (after.recipe, after.lost, after.changed) != (before.recipe, before.lost, before.changed):
            return True
    return False


def _others(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        yield from (value + 1, value * 0.5, 97, 3, -1, 10**6)
    else:
        yield from (f"{value} changed", "something else")


def _paths(data: Any, here: Path = ()) -> Iterator[Path]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    found = False
    for key, each in inner:
        found = True
        yield from _paths(each, (*here, key))
    if not found and data not in (None, [], {}, ""):
        yield here


def _at(data: Any, path: Path) -> Any:
    for key in path:
        data = data[key]
    return data


def _with(data: Any, path: Path, value: Any) -> Any:
    """The data with another value there; what is not on the way is shared."""
    if not path:
        return value
    copied: Any = list(data) if isinstance(data, list) else dict(data)
    copied[path[0]] = _with(data[path[0]], path[1:], value)
    return copied
