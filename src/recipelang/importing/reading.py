"""A foreign document that remembers what was read of it, so that what was not can be told; knows no format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Any

from recipelang.quick import dataclass

Data = Any  # Any: whatever a YAML document holds


@dataclass
class Remarks:
    """What a person should know of an import: by the place in the document, in the order in which it was found."""

    lost: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    read: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the document and its place in it; to read a value marks it as read."""

    data: Data
    place: str
    remarks: Remarks

    def get(self, key: str) -> Part:
        """What stands under a key; a part with no data where there is nothing."""
        inner = self.data.get(key) if isinstance(self.data, dict) else None
        return Part(inner, f"{self.place}.{key}" if self.place else key, self.remarks)

    def at(self, path: str) -> Part:
        part = self
        for key in path.split("."):
            part = part.get(key)
        return part

    def items(self) -> Iterator[Part]:
        for number, item in enumerate(self.data if isinstance(self.data, list) else ()):
            name = item.get("name") if isinstance(item, dict) else None
            yield Part(item, f"{self.place}[{number if name is None else name}]", self.remarks)

    def entries(self) -> Iterator[tuple[str, Part]]:
        for key in self.data if isinstance(self.data, dict) else ():
            yield str(key), self.get(key)

    def take(self) -> Data:
        """The value, all of it read."""
        self.remarks.read.add(self.place)
        return self.data

    def text(self, otherwise: str = "") -> str:
        value = self.take()
        return otherwise if value is None else str(value)

    def texts(self) -> list[str]:
        value = self.take()
        return [str(item) for item in value] if isinstance(value, list) else []

    def number(self, otherwise: float = 0.0) -> float:
        """A number, also one such as `16K`."""
        value = self.take()
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        scale = {"k": 1_000, "m": 1_000_000}
        text = str(value or "").strip().lower()
        factor = scale.get(text[-1:], 1)
        try:
            return float(text[:-1] if factor > 1 else text) * factor
        except ValueError:
            return otherwise

    def lose(self, why: str) -> None:
        """Says that this is not carried over."""
        self.remarks.read.add(self.place)
        self.remarks.lost.append((self.place, why))

    def change(self, how: str) -> None:
        """Says that this is carried over as something else."""
        self.remarks.changed.append((self.place, how))

    def unread(self) -> Iterator[Part]:
        """The smallest parts that hold something and were never read."""
        if self.place in self.remarks.read or self.data in (None, [], {}):
            return
        inner = [part for _, part in self.entries()] or list(self.items())
        if not inner:
            yield self
            return
        missed = [list(part.unread()) for part in inner]
        if all(len(found) == 1 and found[0].place == part.place for found, part in zip(missed, inner, strict=True)):
            yield self  # nothing of it was read: told as a whole
        else:
            for found in missed:
                yield from found
