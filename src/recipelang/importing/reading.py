"""A foreign document that remembers what was read of it, so that what was not can be told; knows no format."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from recipelang.importing.documents import Data, Document, place_of, places_of
from recipelang.quick import dataclass, field

NOTHING: tuple[Data, ...] = (None, [], {}, "")
"""What holds nothing: there is nothing in it to be carried over."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a person should know of an import: the place in the document, the line that it begins on, and the words."""

    place: str
    says: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """The recipes, and what of the settings they don't carry over or carry over as something else."""

    recipe: str
    lost: tuple[Remark, ...]
    changed: tuple[Remark, ...]


@dataclass
class Remarks:
    """What was read of a document and what is to be said of it, in the order in which it was found."""

    document: Document
    lost: list[Remark] = field(default_factory=list)
    changed: list[Remark] = field(default_factory=list)
    read: set[str] = field(default_factory=set)  # places, each with all that is in it

    def whole(self) -> Part:
        return Part(self.document.data, "", self)

    def line(self, place: str) -> int | None:
        """The line of a place, or of the nearest one around it."""
        while place and place not in self.document.lines:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        return self.document.lines.get(place)

    def imported(self, recipe: str, reason: Callable[[str], str]) -> Imported:
        """The end of an import: whatever was not read is lost, for the reason that its place has."""
        for part in self.whole().unread():
            part.lose(reason(part.place))
        return Imported(recipe, tuple(self.lost), tuple(self.changed))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the document and its place in it. To read a plain value marks it as read; a value of another kind than
    was asked for stays unread, and is told."""

    data: Data
    place: str
    remarks: Remarks

    @property
    def given(self) -> bool:
        """Whether anything is there."""
        return self.data not in NOTHING

    def get(self, key: str) -> Part:
        """What stands under a key; a part with no data where there is nothing."""
        inner = self.data.get(key) if isinstance(self.data, dict) else None
        return Part(inner, place_of(self.place, key), self.remarks)

    def at(self, path: str) -> Part:
        part = self
        for key in path.split("."):
            part = part.get(key)
        return part

    def either(self, *keys: str) -> Part:
        """What stands under the first of some keys under which anything does."""
        return next((part for key in keys if (part := self.get(key)).given), self.get(keys[0]))

    def items(self) -> Iterator[Part]:
        """The items of a list; a single one counts as a list of it."""
        if isinstance(self.data, dict) and self.data:
            yield self
        elif isinstance(self.data, list):
            for place, item in zip(places_of(self.place, self.data), self.data, strict=True):
                yield Part(item, place, self.remarks)

    def entries(self) -> Iterator[tuple[str, Part]]:
        if isinstance(self.data, dict):
            for key, inner in self.data.items():
                yield str(key), Part(inner, place_of(self.place, key), self.remarks)

    # ------------------------------------------------------------- to read

    def text(self, otherwise: str = "") -> str:
        if isinstance(self.data, (dict, list)) or self.data is None:
            return otherwise
        self.done()
        return str(self.data).strip() if not isinstance(self.data, bool) else str(self.data).lower()

    def texts(self) -> list[str]:
        """The texts of a list; a text counts as a list of it."""
        if isinstance(self.data, (dict, list)):
            return [item.text() for item in self.items() if not isinstance(item.data, (dict, list))]
        return [self.text()] if self.given else []

    def number(self, otherwise: float = 0.0) -> float:
        found = self.maybe_number()
        return otherwise if found is None else found

    def maybe_number(self) -> float | None:
        """A number, also one such as `16K` or `"0.5"`; none where there is none."""
        value: float | None = None
        if isinstance(self.data, (int, float)) and not isinstance(self.data, bool):
            value = float(self.data)
        elif isinstance(self.data, str):
            scale = {"k": 1_000, "m": 1_000_000}
            text = self.data.strip().lower().replace("_", "")
            factor = scale.get(text[-1:], 1)
            try:
                value = float(text[:-1] if factor > 1 else text) * factor
            except ValueError:
                return None
        if value is None or value != value or abs(value) == float("inf"):
            return None
        self.done()
        return value

    def numbers(self) -> list[float]:
        return [value for item in self.items() if (value := item.maybe_number()) is not None]

    def flag(self, otherwise: bool = False) -> bool:
        if not isinstance(self.data, bool):
            return otherwise
        self.done()
        return self.data

    def is_one_of(self, *values: Data) -> bool:
        """Whether it is one of some values, or not there; then it is read, for it says nothing else."""
        if self.data is None or self.data in values:
            self.done()
            return True
        return False

    # -------------------------------------------------------------- to say

    def done(self, *keys: str) -> None:
        """Marks it as read, with all that is in it; or what stands under some keys."""
        for place in [place_of(self.place, key) for key in keys] or [self.place]:
            self.remarks.read.add(place)

    def lose(self, why: str) -> None:
        """Says that this is not carried over."""
        self.done()
        self._say(self.remarks.lost, why)

    def change(self, how: str) -> None:
        """Says that this is carried over as something else."""
        self._say(self.remarks.changed, how)

    def _say(self, remarks: list[Remark], what: str) -> None:
        remark = Remark(self.place, what, self.remarks.line(self.place))
        if remark not in remarks:
            remarks.append(remark)

    def comments(self) -> tuple[str, ...]:
        """The comments that stand right above it."""
        return self.remarks.document.comments.get(self.place, ())

    def unread(self) -> Iterator[Part]:
        """The smallest parts that hold something and were never read; what was not read at all, as a whole."""
        if self.place in self.remarks.read or not self.given:
            return
        inner = self.inner()
        if not inner:
            yield self
            return
        missed = [(part, list(part.unread())) for part in inner]
        if self.place and all(len(found) == 1 and found[0].place == part.place for part, found in missed if part.given):
            yield self
        else:
            for _, found in missed:
                yield from found

    def inner(self) -> list[Part]:
        """The parts that it is made of."""
        if isinstance(self.data, dict):
            return [part for _, part in self.entries()]
        return list(self.items()) if isinstance(self.data, list) else []


def leaves(part: Part) -> Iterator[Part]:
    """All plain values that hold something."""
    inner = part.inner()
    for each in inner:
        yield from leaves(each)
    if not inner and part.given:
        yield part
